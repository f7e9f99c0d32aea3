"""SQL of the local workspace: every statement is classified, then done by the catalog, by delta-rs or by the engine."""

"""The REST face of the local workspace: one module per service, each a table of routes bound to what it serves."""

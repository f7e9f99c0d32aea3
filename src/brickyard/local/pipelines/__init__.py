"""Pipelines: what is asked (`spec`), what is remembered (`store`), what an update does in its process (`graph`, `update`)."""

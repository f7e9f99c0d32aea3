"""The catalog of the local workspace: catalogs, schemas, tables, functions, volumes, grants and tags in one SQLite file."""

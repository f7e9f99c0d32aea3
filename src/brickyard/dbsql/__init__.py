"""Databricks SQL text as structure: statements, object references and their exact spans. Never regenerates SQL.

Public names live in `brickyard.dbsql.model` (nouns) and `brickyard.dbsql.parse`.
"""

"""Brickyard: the work around a Databricks lakehouse."""

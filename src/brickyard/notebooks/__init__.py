"""Notebook files as structure: parse any Databricks notebook format to cells, and put edits back byte for byte.

Public names live in `brickyard.notebooks.model` (nouns), `parse` and `edit`.
"""

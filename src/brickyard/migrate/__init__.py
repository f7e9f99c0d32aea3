"""Moves a legacy Hive notebook to Unity Catalog: rewritten, validated, cloned, run once in isolation, reconciled, reported."""

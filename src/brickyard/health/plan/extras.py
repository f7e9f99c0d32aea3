"""Columns that a source has come to have and its description does not know: nullable columns of bronze and gold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from brickyard.health.model.compiled import GoldColumn, GoldTable
from brickyard.health.model.contract import Flatten
from brickyard.health.model.source import Leaf
from brickyard.health.plan.bronze import Shape
from brickyard.health.plan.compile import Gold
from brickyard.health.plan.text import quote

_COMMENT = "Came with the source and is not described yet"


def with_extras(gold: Gold, shapes: Mapping[str, Shape]) -> Gold:
    """Return the tables with a nullable column for each further leaf of their sources.

    A table with SQL of its own (`rows`) chooses its columns itself, and one that says `new_fields: fail` takes none.
    """
    return Gold({table.table: _grown(table, shapes) for table in gold})


def _grown(table: GoldTable, shapes: Mapping[str, Shape]) -> GoldTable:
    contract = table.contract
    shape = shapes.get(table.source.name) if table.source else None
    if shape is None or contract.rows or contract.new_fields == "fail" or not shape.extras:
        return table
    have = {column.name for column in table.columns}
    added = tuple(column for leaf in shape.extras if (column := _column(table, leaf)).name not in have)
    rest = tuple(column for column in table.columns if column.origin != "source")
    return replace(table, columns=(*table.of_origin("source"), *added, *rest))


def _column(table: GoldTable, leaf: Leaf) -> GoldColumn:
    return GoldColumn(_name(table, leaf), leaf.type, quote(leaf.column), _COMMENT, (leaf.column,))


def _name(table: GoldTable, leaf: Leaf) -> str:
    """Name it as its neighbours: with the prefix of the struct that the contract flattens, else by its path."""
    for entry in table.contract.columns:
        if isinstance(entry, Flatten):
            root = tuple(entry.struct.split("."))
            if leaf.path[: len(root)] == root:
                prefix = "_".join(root) + "_" if entry.prefix is None else entry.prefix
                return (prefix + "_".join(leaf.path[len(root) :])).lower()
    return "_".join(leaf.path).lower()

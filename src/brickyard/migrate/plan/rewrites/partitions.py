"""PARTITIONED BY leaves CREATE TABLE, unless something in the notebook addresses the partitions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from brickyard.migrate.model import Condition, Proposal
from brickyard.migrate.plan.rewrites.blocks import Tokens, tokenize
from brickyard.migrate.plan.rewrites.view import NotebookView, masked
from brickyard.notebooks.model import Span

RULE = "remove-partition-by"
_ADDRESSED = re.compile(r"partitionOverwriteMode|replaceWhere|REPLACE\s+WHERE|\bPARTITION\s*\((?!\s*BY)", re.IGNORECASE)


def propose(view: NotebookView) -> Iterator[Proposal]:
    """Propose to drop the clause from each CREATE TABLE of an SQL cell."""
    setting = view.settings[RULE]
    free = not _ADDRESSED.search(view.notebook.text)
    for unit in view.units:
        for statement in unit.script.statements:
            if statement.verb != "CREATE TABLE" or not statement.arguments.get("partitioned_by") or unit.embedded:
                continue
            tokens = tokenize(masked(unit, statement))
            clause = _clause(tokens) if tokens else None
            if clause is not None:
                span, names_only = clause
                yield Proposal(
                    rule=RULE,
                    edit_class=setting.edit_class,
                    apply=setting.apply and free and not statement.arguments.get("location"),
                    reason="managed tables are clustered, not partitioned",
                    hunks=(unit.edit(span.shift(statement.span.start), ""),),
                    conditions=(
                        Condition("no write of the notebook addresses a partition", free),
                        Condition("the partition columns are declared as columns too", names_only),
                    ),
                )


def _clause(tokens: Tokens) -> tuple[Span, bool] | None:
    """The clause with the white space before it, and whether it names columns that are declared elsewhere."""
    for index in range(1, len(tokens.tokens)):
        if tokens.slice(index, index).upper().startswith("PARTITIONED"):
            opening = next((i for i in range(index, len(tokens.tokens)) if i in tokens.partner), None)
            if opening is not None:
                closing = tokens.partner[opening]
                words = [tokens.word(i) for i in range(opening + 1, closing)]
                span = Span(tokens.tokens[index - 1].end + 1, tokens.tokens[closing].end + 1)
                return span, all(word == "," for word in words[1::2])
    return None

"""Assertions get a name: `SELECT assert_true(…)` as a statement of its own returns a column called `checksum`."""

from __future__ import annotations

from collections.abc import Iterator

from brickyard.migrate.model import Proposal
from brickyard.migrate.plan.rewrites.blocks import blocks, tokenize
from brickyard.migrate.plan.rewrites.view import NotebookView, masked
from brickyard.notebooks.model import Span

RULE = "assert-alias"


def propose(view: NotebookView) -> Iterator[Proposal]:
    """Propose the alias for each assertion without one in a SELECT that is a statement of its own."""
    setting = view.settings[RULE]
    alias = str(setting.options.get("alias", "checksum"))
    for unit in view.units:
        for statement in unit.script.statements:
            tokens = tokenize(masked(unit, statement)) if statement.verb == "SELECT" and not statement.error else None
            if tokens is None or "assert_true" not in tokens.text.lower():
                continue
            outer = blocks(tokens)[0]
            for first, last in outer.projections if len(outer.projections) == 1 else ():
                if tokens.word(first) == "ASSERT_TRUE" and tokens.partner.get(first + 1) == last:
                    at = statement.span.start + tokens.tokens[last].end + 1
                    yield Proposal(
                        rule=RULE,
                        edit_class=setting.edit_class,
                        apply=setting.apply,
                        reason="an assertion's column has a name",
                        hunks=(unit.edit(Span(at, at), f" AS {alias}"),),
                    )

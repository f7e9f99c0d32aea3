"""Rewrites: what a notebook's SQL could become, each proposal with its class, its conditions and its reason."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from brickyard.migrate.model import EditClass, Proposal
from brickyard.migrate.model.pack import RulePack
from brickyard.migrate.plan.rewrites import (
    advice,
    assertions,
    days,
    dead_code,
    markers,
    ordinals,
    partitions,
    removals,
    row_number,
    session,
    truncate_insert,
    volumes,
)
from brickyard.migrate.plan.rewrites.view import NotebookView, RewriteSetting, SqlUnit

_RULES: Mapping[str, Callable[[NotebookView], Iterator[Proposal]]] = {
    row_number.RULE: row_number.propose,
    truncate_insert.RULE: truncate_insert.propose,
    ordinals.RULE: ordinals.propose,
    markers.RULE: markers.propose,
    days.RULE: days.propose,
    session.RULE: session.propose,
    session.RUN_DATE: session.propose_run_date,
    partitions.RULE: partitions.propose,
    dead_code.RULE: dead_code.propose,
    assertions.RULE: assertions.propose,
    volumes.RULE: volumes.propose,
    removals.DISPLAY: removals.propose_display,
}


def propose(view: NotebookView) -> list[Proposal]:
    """Return every proposal of the rewrites that are on; earlier ones have precedence where hunks overlap."""
    found = [proposal for rule, rewrite in _RULES.items() if rule in view.settings for proposal in rewrite(view)]
    return [*found, *removals.propose_maintenance(view), *advice.propose(view)]


def settings_of(pack: RulePack) -> dict[str, RewriteSetting]:
    """Return the settings of the rewrites that a pack switches on.

    A semantic change and an advice are applied only where the pack's options say `apply: true`.
    """
    settings = {}
    for name, rule in pack.rewrites.items():
        if rule.enabled:
            edit_class = pack.class_of(name)
            quiet = edit_class in (EditClass.SEMANTIC, EditClass.ADVICE)
            options = {**rule.options, **_pack_options(pack, name)}
            settings[name] = RewriteSetting(bool(options.get("apply", not quiet)), edit_class, options)
    return settings


def _pack_options(pack: RulePack, name: str) -> dict[str, object]:
    if name == session.RULE:
        return {"zone": pack.time_zone}
    if name == volumes.RULE:
        return {"volumes": {rule.prefix: rule.to for rule in pack.paths}}
    return {}


__all__ = ["NotebookView", "RewriteSetting", "SqlUnit", "propose", "settings_of"]

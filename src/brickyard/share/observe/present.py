"""Reads all that a plan for one pack needs to know."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from brickyard.share.model.current import Claim, Current
from brickyard.share.model.pack import SharePack
from brickyard.share.observe import library, pipelines, recipients, shares, sources
from brickyard.share.observe.asking import whoami
from brickyard.share.observe.sources import Asked
from brickyard.share.plan.naming import catalog_and_schema, schedule_name

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

_QUESTIONS = 8  # groups of questions at a time; each group may ask several things at once itself


def current(
    client: WorkspaceClient,
    pack: SharePack,
    *,
    claims: frozenset[Claim],
    others: frozenset[Claim],
    recorded: frozenset[Claim],
    library_path: str,
) -> Current:
    """Return what is there of all that a pack names or has made, and of what it may refer to.

    *claims* are of this pack, *others* of the other packs, *recorded* what our records know. Raises what
    `brickyard.workspace.translated` raises when anything cannot be read.
    """
    feeds = any(spec.pipelines for spec in pack.share)
    with ThreadPoolExecutor(_QUESTIONS) as pool:
        me = pool.submit(whoami, client)
        everyone = pool.submit(recipients.every_name, client)
        every_share = pool.submit(shares.every_name, client)
        named = pool.submit(recipients.recipients, client, _recipients(pack, claims))
        filled = pool.submit(shares.shares, client, _shares(pack, claims))
        flows = pool.submit(pipelines.pipelines, client, _pipelines(pack, claims))
        targets = pool.submit(sources.schemas, client, _targets(pack))
        notebook = pool.submit(library.present, client, library_path) if feeds and library_path else None
        kinds = sources.catalogs(client) if pack.share else {}
        found = sources.sources(client, _asked(pack), kinds)
        known = {one.id: one.settings.name for one in flows.result().values()}
        jobs = pipelines.schedules(client, _schedules(pack, claims), known)
        return Current(
            me=me.result()[0],
            groups=me.result()[1],
            recipients=named.result(),
            shares=filled.result(),
            pipelines=flows.result(),
            schedules=jobs,
            sources=found,
            catalogs=frozenset(kinds),
            schemas=targets.result(),
            every_recipient=frozenset(everyone.result()),
            every_share=frozenset(name.lower() for name in every_share.result()),
            recorded=recorded,
            library=notebook.result() if notebook else None,
            shipped=library.shipped() if feeds else None,
            library_path=library_path,
            claims=claims,
            others=others,
        )


# ── which names ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _recipients(pack: SharePack, claims: frozenset[Claim]) -> set[str]:
    """Those declared, read by, removed, and those in which this pack has made something."""
    declared = {spec.name for spec in pack.recipient}
    removed = set(pack.removal.recipients) if pack.removal else set()
    made = {claim.name for claim in claims if claim.kind == "recipient"}
    held = {claim.parent for claim in claims if claim.kind in ("address", "property", "policy")}
    return _unique(declared | removed | made | held)


def _shares(pack: SharePack, claims: frozenset[Claim]) -> set[str]:
    declared = {spec.name for spec in pack.share}
    removed = set(pack.removal.shares) if pack.removal else set()
    made = {claim.name for claim in claims if claim.kind == "share"}
    held = {claim.parent for claim in claims if claim.kind in ("object", "reader")}
    return _unique(declared | removed | made | held)


def _pipelines(pack: SharePack, claims: frozenset[Claim]) -> set[str]:
    declared = {pipeline.name_prefix for spec in pack.share for pipeline in spec.pipelines}
    removed = {name for names in pack.removal.pipelines.values() for name in names} if pack.removal else set()
    made = {claim.name for claim in claims if claim.kind == "pipeline"}
    return _unique(declared | removed | made)


def _schedules(pack: SharePack, claims: frozenset[Claim]) -> set[str]:
    made = {claim.name for claim in claims if claim.kind == "schedule"}
    return _unique({schedule_name(name) for name in _pipelines(pack, claims)} | made)


def _unique(names: set[str]) -> set[str]:
    """Ask once for names that differ in case only."""
    return set({name.lower(): name for name in sorted(names)}.values())


def _targets(pack: SharePack) -> set[tuple[str, str]]:
    return {catalog_and_schema(spec, pipeline) for spec in pack.share for pipeline in spec.pipelines}


def _asked(pack: SharePack) -> Iterator[Asked]:
    """The things that must be in the catalog; columns only where partitions or keys speak of them."""
    for spec in pack.share:
        for asset in (*spec.share_assets, *spec.share_assets_to_add):
            yield Asked(asset.name, asset.type, columns=bool(asset.partitions))
        for pipeline in spec.pipelines:
            yield Asked(pipeline.source_asset, columns=bool(pipeline.key_columns))

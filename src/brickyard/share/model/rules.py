"""The rules of a pack that concern more than one field, and what is allowed but worth saying."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from brickyard.kernel.errors import SpecInvalid
from brickyard.kernel.names import split_name
from brickyard.share.model.current import ObjectKind
from brickyard.share.model.nodes import Fault, Path
from brickyard.share.model.pack import AssetSpec, PipelineSpec, RecipientSpec, RecipientType, SharePack, ShareSpec

MOST_ADDRESSES = 100
MOST_DAYS = 365
_IPS = ("recipient_ips", "recipient_ips_to_add", "recipient_ips_to_remove")
_TABLE_LIKE = frozenset(
    {
        ObjectKind.TABLE,
        ObjectKind.VIEW,
        ObjectKind.MATERIALIZED_VIEW,
        ObjectKind.STREAMING_TABLE,
        ObjectKind.FOREIGN_TABLE,
    }
)
_Part = Iterator[Fault]


def faults(pack: SharePack) -> _Part:
    """Yield every rule that a pack breaks."""
    if pack.removal is not None:
        yield from _removal(pack)
        return
    if not pack.recipient and not pack.share:
        yield Fault(
            ("share",), "the pack has neither a recipient nor a share", "add one", reads=(("share",), ("recipient",))
        )
    yield from _unique(("recipient",), [spec.name for spec in pack.recipient], "name", "recipient")
    yield from _unique(("share",), [spec.name for spec in pack.share], "name", "share")
    for at, recipient in enumerate(pack.recipient):
        yield from _recipient(recipient, ("recipient", at))
    for at, share in enumerate(pack.share):
        yield from _share(share, ("share", at))
    yield from _pipelines_of_all(pack)


def warnings(pack: SharePack) -> _Part:
    """Yield what a pack may say though it has no effect or a wide one."""
    for at, spec in enumerate(pack.recipient):
        path: Path = ("recipient", at)
        if spec.type is not RecipientType.D2O and (spec.token_expiry or spec.token_rotation):
            field = "token_expiry" if spec.token_expiry else "token_rotation"
            yield Fault((*path, field), f"a {spec.type} recipient has no token, so this has no effect")
        for field in _IPS[:2]:
            for n, address in enumerate(getattr(spec, field)):
                if address.endswith("/0"):
                    yield Fault((*path, field, n), f"{address} lets every address in")


def _removal(pack: SharePack) -> _Part:
    removal = pack.removal
    assert removal is not None
    if not removal.recipients and not removal.shares:
        yield Fault(("share",), "the pack names nothing to delete", "name recipients or shares")
    yield from _unique(("recipient",), removal.recipients, "name", "recipient")
    yield from _unique(("share",), removal.shares, "name", "share")
    for at, share in enumerate(removal.shares):
        names = removal.pipelines.get(share, ())
        yield from _unique(("share", at, "pipelines"), names, "name_prefix", "pipeline")


def _recipient(spec: RecipientSpec, path: Path) -> _Part:
    reads = ((*path, "type"),)
    if spec.type is RecipientType.D2D:
        yield from _database_recipient(spec, path)
    elif spec.recipient_databricks_org:
        field = (*path, "recipient_databricks_org")
        yield Fault(
            field, f"a {spec.type} recipient has none", "remove it, or make the type D2D", reads=(field, *reads)
        )
    yield from _oidc(spec, path)
    if spec.token_policy is not None and spec.type is not RecipientType.D2O:
        field = (*path, "token_policy")
        yield Fault(
            field, f"a {spec.type} recipient has no token", "remove it, or make the type D2O", reads=(field, *reads)
        )
    if spec.token_expiry > MOST_DAYS:
        yield Fault((*path, "token_expiry"), f"{spec.token_expiry} days are too long", f"at most {MOST_DAYS} days")
    yield from _addresses(spec, path)


def _database_recipient(spec: RecipientSpec, path: Path) -> _Part:
    reads = ((*path, "type"),)
    org = (*path, "recipient_databricks_org")
    if not spec.recipient_databricks_org:
        remedy = "give cloud:region:uuid, the partner's sharing identifier"
        yield Fault(org, "is missing, and a D2D recipient needs it", remedy, reads=(org, *reads))
    for field in _IPS:
        if getattr(spec, field):
            fault = (*path, field)
            remedy = "remove it; the partner's own workspace has an access list"
            yield Fault(fault, "a D2D recipient has no list of addresses", remedy, reads=(*reads,))


def _oidc(spec: RecipientSpec, path: Path) -> _Part:
    field = (*path, "oidc")
    reads = (field, (*path, "type"))
    if spec.type is RecipientType.OIDC and spec.oidc is None:
        yield Fault(
            field, "is missing, and an OIDC recipient needs it", "give issuer, subject_claim and subject", reads=reads
        )
    if spec.type is not RecipientType.OIDC and spec.oidc is not None:
        yield Fault(field, f"a {spec.type} recipient has none", "remove it, or make the type OIDC", reads=reads)


def _addresses(spec: RecipientSpec, path: Path) -> _Part:
    for field in _IPS:
        if len(getattr(spec, field)) > MOST_ADDRESSES:
            yield Fault((*path, field), f"has more than {MOST_ADDRESSES} addresses", "write ranges")
    yield from _overlap(spec, path, "recipient_ips_to_add", "recipient_ips_to_remove", str)
    yield from _overlap(spec, path, "recipient_ips", "recipient_ips_to_remove", str)


def _share(spec: ShareSpec, path: Path) -> _Part:
    for kept, gone in (("share_assets", "share_assets_to_remove"), ("share_assets_to_add", "share_assets_to_remove")):
        yield from _overlap(spec, path, kept, gone, _asset_key)
    for kept, gone in (("recipients", "recipients_to_remove"), ("recipients_to_add", "recipients_to_remove")):
        yield from _overlap(spec, path, kept, gone, str.casefold)
    for field in ("share_assets", "share_assets_to_add"):
        for at, asset in enumerate(getattr(spec, field)):
            yield from _asset(asset, (*path, field, at))
    yield from _aliases(spec, path)
    yield from _pipelines(spec, path)


def _asset(spec: AssetSpec, path: Path) -> _Part:
    name = (*path, "name")
    reads = (name, (*path, "type"))
    wanted = _levels(spec)
    if wanted and len(_split(spec.name)) not in wanted:
        remedy = "write catalog.schema for a schema, catalog.schema.name for anything else"
        yield Fault(name, f"{spec.name!r} has the wrong number of parts", remedy, reads=reads)
    if spec.shared_as is not None and ("." in spec.shared_as) == (_kind(spec) is ObjectKind.SCHEMA):
        remedy = "write schema.name, or for a schema only a name"
        yield Fault(
            (*path, "shared_as"),
            f"{spec.shared_as!r} is not an alias of it",
            remedy,
            reads=(*reads, (*path, "shared_as")),
        )
    if spec.cdf and spec.history:
        yield Fault((*path, "cdf"), "stands beside history, which includes the change feed", "keep one of the two")
    for outer, conditions in enumerate(spec.partitions):
        for inner, partition in enumerate(conditions):
            if (partition.value is None) == (partition.recipient_property_key is None):
                place = (*path, "partitions", outer, inner)
                yield Fault(place, "needs one of value and recipient_property_key", "keep exactly one")


def _levels(spec: AssetSpec) -> tuple[int, ...]:
    if spec.type is None:
        return () if spec.name.startswith("/") else (2, 3)
    if spec.type == ObjectKind.NOTEBOOK_FILE:
        return ()
    return (2,) if spec.type == ObjectKind.SCHEMA else (3,)


def _aliases(spec: ShareSpec, path: Path) -> _Part:
    """Two objects cannot go by one name in a share; without an alias an object goes by its schema and name."""
    seen: dict[str, AssetSpec] = {}
    for field in ("share_assets", "share_assets_to_add"):
        for at, asset in enumerate(getattr(spec, field)):
            alias = (asset.shared_as or ".".join(_split(asset.name)[1:]) or asset.name).casefold()
            other = seen.setdefault(alias, asset)
            if _told(other) != _told(asset):
                remedy = "give one of them another shared_as"
                yield Fault((*path, field, at), f"goes by {alias!r} in the share, as {other.name} does", remedy)


def _told(asset: AssetSpec) -> AssetSpec:
    return asset.model_copy(update={"name": _asset_key(asset)})


def _pipelines(spec: ShareSpec, path: Path) -> _Part:
    for at, pipeline in enumerate(spec.pipelines):
        yield from _pipeline(spec, pipeline, path, at)
    if not spec.pipelines and spec.delta_share is None:
        return
    copied = {".".join(_split(pipeline.source_asset)).casefold() for pipeline in spec.pipelines}
    for at, asset in enumerate(spec.share_assets):
        if _kind(asset) in _TABLE_LIKE and ".".join(_split(asset.name)).casefold() not in copied:
            reads = ((*path, "share_assets", at), *_sources(spec, path))
            remedy = "add a pipeline with this source_asset, or remove delta_share and the pipelines"
            yield Fault((*path, "share_assets", at, "name"), f"{asset.name} has no pipeline", remedy, reads=reads)


def _sources(spec: ShareSpec, path: Path) -> tuple[Path, ...]:
    sources = (((*path, "pipelines", at, "source_asset")) for at in range(len(spec.pipelines)))
    return (*sources, (*path, "pipelines"))


def _pipeline(share: ShareSpec, spec: PipelineSpec, share_path: Path, at: int) -> _Part:
    path = (*share_path, "pipelines", at)
    if share.delta_share is None and not (spec.ext_catalog_name and spec.ext_schema_name):
        target = (*share_path, "delta_share")
        remedy = "add delta_share with ext_catalog_name and ext_schema_name"
        yield Fault(
            target,
            "is missing, and pipelines need it to know where to write",
            remedy,
            reads=(target, (*path, "ext_catalog_name"), (*path, "ext_schema_name")),
        )
    if spec.scd_type == "2" and not spec.key_columns:
        keys = (*path, "key_columns")
        yield Fault(
            keys,
            "is missing, and scd_type 2 needs it",
            "name the columns that identify a row",
            reads=(keys, (*path, "scd_type")),
        )
    yield from _unique((*path, "key_columns"), spec.key_columns, None, "column")
    cron = (*path, "schedule", "cron")
    if spec.schedule.continuous and spec.schedule.cron is not None:
        yield Fault(cron, "stands beside continuous", "keep one of the two")
    if not spec.schedule.continuous and spec.schedule.cron is None:
        remedy = 'write {cron: "0 30 6 * * ?", timezone: UTC} or "continuous"'
        yield Fault(
            cron, "is missing, and the schedule is not continuous", remedy, reads=((*path, "schedule", "continuous"),)
        )


def _pipelines_of_all(pack: SharePack) -> _Part:
    seen: set[str] = set()
    for outer, share in enumerate(pack.share):
        for at, spec in enumerate(share.pipelines):
            if spec.name_prefix.casefold() in seen:
                path = ("share", outer, "pipelines", at, "name_prefix")
                yield Fault(path, f"two pipelines are named {spec.name_prefix!r}", "it is the pipeline's whole name")
            seen.add(spec.name_prefix.casefold())


def _unique(path: Path, names: Iterable[str], key: str | None, what: str) -> _Part:
    seen: set[str] = set()
    for at, name in enumerate(names):
        if name.casefold() in seen:
            place = (*path, at) if key is None else (*path, at, key)
            yield Fault(place, f"the {what} {name!r} stands twice", "names are compared without case; keep one")
        seen.add(name.casefold())


def _overlap(spec: RecipientSpec | ShareSpec, path: Path, kept: str, gone: str, key: Callable[..., str]) -> _Part:
    keep = set(map(key, getattr(spec, kept)))
    for at, item in enumerate(getattr(spec, gone)):
        if key(item) in keep:
            name = item.name if isinstance(item, AssetSpec) else item
            yield Fault((*path, gone, at), f"{name} stands in {kept} too", "keep it in one of the two")


def _kind(spec: AssetSpec) -> ObjectKind:
    """What an object is taken for before the catalog is asked: three parts are a table, two a schema."""
    if spec.type is not None:
        return ObjectKind(spec.type)
    if spec.name.startswith("/"):
        return ObjectKind.NOTEBOOK_FILE
    return ObjectKind.SCHEMA if len(_split(spec.name)) < 3 else ObjectKind.TABLE


def _asset_key(spec: AssetSpec) -> str:
    return ".".join(_split(spec.name)).casefold()


def _split(name: str) -> tuple[str, ...]:
    if name.startswith("/"):
        return (name,)
    try:
        return split_name(name)
    except SpecInvalid:
        return (name,)

"""The account at rest: workspaces, people, jobs, compute, tables, endpoints, of which every source tells a part."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyarrow as pa

from brickyard.health.synthetic import draw
from brickyard.health.synthetic.draw import DAY, HOUR, Floats, Ints, Mask
from brickyard.health.synthetic.period import ZONES, Period

CLOUDS = ("AWS", "AZURE", "GCP")
REGIONS = ("us-east-1", "westeurope", "europe-west3")
NODE_TYPES = (
    ("m5d.xlarge", "r5d.2xlarge", "i3.xlarge"),
    ("Standard_D4ds_v5", "Standard_E8ds_v4", "Standard_L8s_v3"),
    ("n2-standard-4", "n2-highmem-8", "n2-standard-16"),
)
NOBODY = -1  # no workspace
ACCOUNT = -2  # workspace '0'
_FIRST = ("ana", "ben", "chen", "dora", "emil", "fay", "gus", "hana", "ivo", "june", "karl", "lena", "max", "nora")
_LAST = ("adler", "brandt", "costa", "dietz", "ekberg", "fuchs", "gomez", "huber", "ito", "jensen", "krause", "lund")
_TEAMS = ("sales", "finance", "supply", "web", "risk", "people")
_SUBJECTS = ("orders", "invoices", "customers", "events", "stock", "payments", "returns", "visits", "prices", "leads")
_LAYERS = ("raw", "clean", "mart")


@dataclass(frozen=True, slots=True, eq=False)
class Workspaces:
    """Workspaces: *home* ones are described by the regional tables, *away* ones only billed, *gone* ones deleted."""

    number: Ints
    name: tuple[str, ...]
    cloud: Ints
    home: Ints
    away: Ints
    gone: Ints

    @property
    def ids(self) -> pa.Array:
        """Return the ids as the platform writes them."""
        return draw.digits(self.number)


@dataclass(frozen=True, slots=True, eq=False)
class Users:
    """People, and last of all one service principal."""

    number: Ints
    email: pa.Array


@dataclass(frozen=True, slots=True, eq=False)
class Jobs:
    """Jobs; *listed* is false where lakeflow.jobs has lost the definition, *classic* where a run has its own cluster."""

    workspace: Ints
    number: Ints
    name: pa.Array
    owner: Ints
    per_day: Floats
    hour: Ints
    zone: Ints
    tasks: Ints
    classic: Mask
    node: Ints
    created: Ints
    deleted: Ints
    listed: Mask
    tags: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Compute:
    """Clusters, warehouses or pipelines with the share of days they work and their DBU per hour."""

    workspace: Ints
    id: pa.Array
    name: pa.Array
    owner: Ints
    active: Floats
    rate: Floats
    size: Ints
    serverless: Mask
    created: Ints
    tags: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Endpoints:
    """Serving endpoints; each serves the entities from *first* on, as many as *entities*."""

    workspace: Ints
    id: pa.Array
    name: pa.Array
    owner: Ints
    active: Floats
    first: Ints
    entities: Ints
    entity_id: pa.Array
    entity_endpoint: Ints


@dataclass(frozen=True, slots=True, eq=False)
class Tables:
    """Unity Catalog tables; each layer is filled from the one below it."""

    id: pa.Array
    catalog: pa.Array
    schema: pa.Array
    name: pa.Array
    layer: Ints
    parent: Ints

    @property
    def full_name(self) -> pa.Array:
        """Return the three-part names."""
        return draw.join(self.catalog, ".", self.schema, ".", self.name)


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """Everything that exists in one synthetic account."""

    seed: int
    scale: float
    period: Period
    drift: int
    account_id: str
    metastore_id: str
    workspaces: Workspaces
    users: Users
    jobs: Jobs
    clusters: Compute
    warehouses: Compute
    pipelines: Compute
    endpoints: Endpoints
    tables: Tables

    def rng(self, *labels: str | int) -> np.random.Generator:
        """Return the random stream of these labels in this account."""
        return draw.generator(self.seed, *labels)

    def events(self, a_day: float, span: Period, at_least: int) -> int:
        """Return how many events of a kind a span has, given their number per day at scale 1."""
        return max(at_least, round(a_day * self.scale * span.days))

    @property
    def settled(self) -> int:
        """Return the instant by which every row has arrived."""
        return self.period.stop + 3 * DAY


TAGS: tuple[list[tuple[str, str]] | None, ...] = (
    [("team", "sales"), ("cost_center", "1001")],
    [("team", "finance"), ("cost_center", "1002")],
    [("team", "Finance")],
    [("team", "web"), ("env", "prod")],
    [("env", "dev")],
    [],
    None,
)


@lru_cache(maxsize=4)
def build(seed: int, scale: float, period: Period, drift: int) -> World:
    """Build the world of a seed, a scale and a period; *drift* is the instant at which the newer schemas begin."""
    rng = draw.generator(seed, "world")
    workspaces = _workspaces(draw.generator(seed, "workspaces"), scale)
    users = _users(draw.generator(seed, "users"), scale)
    places = _Places(workspaces, users, scale, period)
    return World(
        seed=seed,
        scale=scale,
        period=period,
        drift=drift,
        account_id=draw.uuids(rng, 1)[0].as_py(),
        metastore_id=draw.uuids(rng, 1)[0].as_py(),
        workspaces=workspaces,
        users=users,
        jobs=_jobs(draw.generator(seed, "jobs"), places),
        clusters=_clusters(draw.generator(seed, "clusters"), places),
        warehouses=_warehouses(draw.generator(seed, "warehouses"), places),
        pipelines=_pipelines(draw.generator(seed, "pipelines"), places),
        endpoints=_endpoints(draw.generator(seed, "endpoints"), places),
        tables=_tables(draw.generator(seed, "tables"), scale),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where things can be and whose they can be."""

    workspaces: Workspaces
    users: Users
    scale: float
    period: Period

    def count(self, at_scale_one: int, at_least: int) -> tuple[int, float]:
        """Return how many there are, and how much less busy each is when the least number exceeds the scale."""
        size = max(at_least, round(at_scale_one * self.scale))
        return size, min(1.0, at_scale_one * self.scale / size)

    def workspace(self, rng: np.random.Generator, size: int) -> Ints:
        home = self.workspaces.home
        return home[draw.choose(rng, 1 / np.arange(1, len(home) + 1), size)]

    def owner(self, rng: np.random.Generator, size: int) -> Ints:
        return rng.integers(0, len(self.users.number), size)

    def created(self, rng: np.random.Generator, size: int) -> Ints:
        """Draw creation times in the 300 days before the period."""
        return self.period.start - rng.integers(DAY, 300 * DAY, size)


def _workspaces(rng: np.random.Generator, scale: float) -> Workspaces:
    home = max(5, round(8 * min(scale, 1.0) + max(0.0, scale - 1) ** 0.5))
    away = max(3, home // 2)
    size = home + away + 2
    cloud = np.zeros(size, dtype=np.int64)
    cloud[[home - 1, home + away - 1]] = 1
    cloud[home - 2] = 2
    position = np.arange(size, dtype=np.int64)
    names = tuple(f"{_TEAMS[at % len(_TEAMS)]}-{'prod' if at % 2 == 0 else 'dev'}-{at + 1:02d}" for at in range(size))
    return Workspaces(
        draw.numbers(rng, size, 16), names, cloud, position[:home], position[home:-2], position[home + away :]
    )


def _users(rng: np.random.Generator, scale: float) -> Users:
    size = max(24, round(80 * scale**0.5))
    first = draw.pick(_FIRST, rng.integers(0, len(_FIRST), size - 1))
    last = draw.pick(_LAST, rng.integers(0, len(_LAST), size - 1))
    people = draw.join(first, ".", last, draw.digits(np.arange(size - 1)), "@synthetic.example")
    return Users(draw.numbers(rng, size, 16), pa.concat_arrays([people, draw.uuids(rng, 1)]))


def _jobs(rng: np.random.Generator, places: _Places) -> Jobs:
    size, thin = places.count(120, 10)
    tasks = 1 + draw.choose(rng, (35, 20, 18, 12, 9, 6), size)
    tasks[:4] = (3, 2, 4, 1)
    per_day = np.asarray([1.0, 2.0, 4.0, 24.0])[draw.choose(rng, (80, 15, 4, 1), size)] * thin
    workspace, number = places.workspace(rng, size), draw.numbers(rng, size, 15)
    home = places.workspaces.home
    workspace[:6] = (home[0], home[1], home[0], home[0], home[0], home[1])
    number[1] = number[0]
    created, deleted = places.created(rng, size), np.full(size, np.iinfo(np.int64).max)
    deleted[2] = places.period.start + int(places.period.days * 0.7) * DAY + 13 * HOUR
    created[6] = places.period.start + int(places.period.days * 0.2) * DAY + 9 * HOUR
    listed = np.ones(size, dtype=np.bool_)
    listed[5] = False
    per_day[5] = 0.3 * thin
    return Jobs(
        workspace=workspace,
        number=number,
        name=_titles(rng, size, "daily", "load"),
        owner=places.owner(rng, size),
        per_day=per_day,
        hour=rng.integers(0, 24, size),
        zone=rng.integers(0, len(ZONES), size),
        tasks=tasks,
        classic=_with_both(rng.random(size) < 0.4),
        node=rng.integers(0, 3, size),
        created=created,
        deleted=deleted,
        listed=listed,
        tags=rng.integers(0, len(TAGS), size),
    )


def _with_both(mask: Mask) -> Mask:
    mask[:2] = (True, False)
    return mask


def _titles(rng: np.random.Generator, size: int, before: str, after: str) -> pa.Array:
    team = draw.pick(_TEAMS, rng.integers(0, len(_TEAMS), size))
    subject = draw.pick(_SUBJECTS, rng.integers(0, len(_SUBJECTS), size))
    return draw.join(before, " ", team, " ", subject, " ", after, " ", draw.digits(np.arange(1, size + 1)))


def _clusters(rng: np.random.Generator, places: _Places) -> Compute:
    size, thin = places.count(20, 5)
    stamp = draw.pick([f"{at // 28 % 12 + 1:02d}{at % 28 + 1:02d}" for at in range(size)], np.arange(size))
    ids = draw.join(stamp, "-", draw.digits(rng.integers(100000, 235959, size)), "-", draw.hex_ids(rng, size, 8))
    return _compute(rng, places, size, ids, "shared", "cluster", 0.75 * thin, np.zeros(size, dtype=np.bool_))


def _warehouses(rng: np.random.Generator, places: _Places) -> Compute:
    size, thin = places.count(10, 6)
    serverless = _with_both(rng.random(size) < 0.6)
    return _compute(rng, places, size, draw.hex_ids(rng, size, 16), "bi", "warehouse", 0.9 * thin, serverless)


def _pipelines(rng: np.random.Generator, places: _Places) -> Compute:
    size, thin = places.count(25, 5)
    serverless = _with_both(rng.random(size) < 0.5)
    return _compute(rng, places, size, draw.uuids(rng, size), "stream", "pipeline", 3.0 * thin, serverless)


def _compute(
    rng: np.random.Generator,
    places: _Places,
    size: int,
    ids: pa.Array,
    before: str,
    after: str,
    active: float,
    serverless: Mask,
) -> Compute:
    workspace = places.workspace(rng, size)
    workspace[2:4] = places.workspaces.home[[-1, -2]]
    return Compute(
        workspace=workspace,
        id=ids,
        name=_titles(rng, size, before, after),
        owner=places.owner(rng, size),
        active=np.full(size, active),
        rate=2.0 + 6.0 * rng.random(size),
        size=rng.integers(1, 5, size),
        serverless=serverless,
        created=places.created(rng, size),
        tags=rng.integers(0, len(TAGS), size),
    )


def _endpoints(rng: np.random.Generator, places: _Places) -> Endpoints:
    size, thin = places.count(8, 4)
    entities = 1 + (np.arange(size, dtype=np.int64) % 2)
    total = int(entities.sum())
    return Endpoints(
        workspace=places.workspace(rng, size),
        id=draw.hex_ids(rng, size),
        name=draw.join("answers-", draw.digits(np.arange(1, size + 1))),
        owner=places.owner(rng, size),
        active=np.full(size, 0.6 * thin),
        first=np.cumsum(entities) - entities,
        entities=entities,
        entity_id=draw.hex_ids(rng, total),
        entity_endpoint=np.repeat(np.arange(size, dtype=np.int64), entities),
    )


def _tables(rng: np.random.Generator, scale: float) -> Tables:
    size = max(24, round(300 * scale))
    layer = np.sort(np.arange(size, dtype=np.int64) * 3 // size)
    position = np.arange(size, dtype=np.int64)
    parent = np.where(layer == 0, position, (rng.random(size) * np.searchsorted(layer, layer)).astype(np.int64))
    subject = draw.pick(_SUBJECTS, position % len(_SUBJECTS))
    return Tables(
        id=draw.uuids(rng, size),
        catalog=draw.pick(("main", "lake"), rng.integers(0, 2, size)),
        schema=draw.pick(_LAYERS, layer),
        name=draw.join(subject, "_", draw.digits(position)),
        layer=layer,
        parent=parent,
    )


def node_type_names(cloud: Ints, node: Ints) -> pa.Array:
    """Return the instance type names of a cloud and size."""
    flat = [name for names in NODE_TYPES for name in names]
    return draw.pick(flat, cloud * 3 + node)


def workspace_ids(world: World, workspace: Ints) -> pa.Array:
    """Return the ids of workspaces; '0' for the account and null where a row names none."""
    number = np.where(workspace == ACCOUNT, 0, world.workspaces.number[np.maximum(workspace, 0)])
    return draw.only(workspace != NOBODY, draw.digits(number))

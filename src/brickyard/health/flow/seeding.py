"""Seeding: a synthetic account written by ordinary SQL, and the dated states that a daily copy would have kept of it."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow.compute import call_function

from brickyard.health import flow, observe
from brickyard.health.apply import Work, apply
from brickyard.health.flow import Door
from brickyard.health.model import source as sources
from brickyard.health.model.state import Now
from brickyard.health.model.steps import CopyBronze
from brickyard.health.plan import bronze
from brickyard.health.plan.bronze import Shape
from brickyard.health.plan.compile import Gold, compile_all
from brickyard.health.plan.text import Places, moment, text
from brickyard.health.synthetic import Account
from brickyard.health.synthetic import Shape as Changing
from brickyard.health.synthetic import source as described
from brickyard.kernel.errors import GuardRefused, NotFound, WorkspaceRefused
from brickyard.kernel.names import TableName, quote
from brickyard.kernel.progress import Report, Step, silent

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

LANDING, VOLUME, MARK = "landing", "files", "account"
COPIED_AT = time(4, tzinfo=UTC)  # the daily run of the job
_MARK = (
    "days int, scale double, seed bigint, last_day date, until timestamp, status string, at timestamp"
    " COMMENT 'Which synthetic account this catalog holds; its newest row counts'"
)
_ROWS_A_FILE = 1_000_000


@dataclass(frozen=True, slots=True)
class Seeded:
    """What stands in a catalog: the account, up to when its rows are there, when its states were looked at, rows."""

    catalog: str
    gold_catalog: str
    account: Account
    until: datetime
    looks: tuple[datetime, ...]
    rows: Mapping[str, int]


def seed(
    door: Door,
    client: WorkspaceClient,
    account: Account,
    *,
    until: datetime | None = None,
    on_step: Report = silent,
    replace: bool = False,
    gold: Gold | None = None,
) -> Seeded:
    """Write the account into the source catalog as its readers see it at *until* (UTC), by default when it has settled.

    Only the sources of *gold* are written, which are all of them by default. Those that are replaced in place have no
    past of their own: their states on each day at 04:00 go into bronze, as if runs had copied them daily, so that
    histories in gold come out right. Raises GuardRefused where the catalogs hold something already: with *replace* an
    account that was seeded before is dropped with its gold, and nothing else ever is. A seeding that was broken off
    begins anew.
    """
    gold = gold or compile_all()
    until = until or account.settled_at
    wanted = [name for name in account.sources if name in {table.contract.source for table in gold}]
    _clear(door, replace=replace)
    _open(door)
    _mark(door, account, until, "SEEDING")
    rows = {}
    for at, name in enumerate(wanted):
        on_step(Step("seed", at, len(wanted), name))
        rows[name] = _load(door, client, account, name, until)
    on_step(Step("gold tables", detail="schemas, tables, views"))
    flow.init(door, gold)
    looks = _keep_states(door, client, account, gold, until, on_step)
    _mark(door, account, until, "SEEDED")
    return Seeded(door.places.source_catalog, door.places.catalog, account, until, looks, rows)


def seeded(door: Door) -> tuple[Account, datetime]:
    """Return the account that a catalog holds, and up to when; raise NotFound where none was seeded."""
    row = _last_mark(door)
    if row is None or row["status"] != "SEEDED":
        raise NotFound(
            f"catalog {door.places.source_catalog} holds no synthetic account",
            code="health-not-seeded",
            remedy="brickyard health seed",
        )
    return _account(row), row["until"]


def _account(row: Mapping[str, Any]) -> Account:
    from brickyard.health.synthetic import generate

    return generate(int(row["days"]), float(row["scale"]), int(row["seed"]), row["last_day"])


def daily(account: Account, until: datetime) -> tuple[datetime, ...]:
    """Return every 04:00 (UTC) at which a daily run would have looked at the account by *until*."""
    first = datetime.combine(account.first_day, COPIED_AT)
    days = (first + timedelta(days=at) for at in range(account.days + 30))
    return tuple(look for look in days if look <= until)


# ── the catalogs ─────────────────────────────────────────────────────────────────────────────────────────────────────


def _clear(door: Door, *, replace: bool) -> None:
    """Make sure that both catalogs are free, dropping an earlier account where that was asked."""
    found = [c for c in (door.places.source_catalog, door.places.catalog) if observe.tables(door.sql, c)]
    if not found:
        return
    mark = _last_mark(door)
    if mark is None:
        raise _held(found, "was not seeded", "give --source-catalog and --catalog other names; nothing was dropped")
    if mark["status"] == "SEEDED" and not replace:
        raise _held(found, "is seeded", "give --replace to drop it with its gold, or another --source-catalog")
    for catalog in found:
        door.sql(f"DROP CATALOG IF EXISTS {quote(catalog)} CASCADE")


def _held(catalogs: list[str], why: str, remedy: str) -> GuardRefused:
    return GuardRefused(f"catalog {' and '.join(catalogs)} {why}", code="health-seed-there", remedy=remedy)


def _open(door: Door) -> None:
    catalog = door.places.source_catalog
    door.sql(f"CREATE CATALOG IF NOT EXISTS {quote(catalog)}")
    door.sql(f"CREATE SCHEMA IF NOT EXISTS {quote(catalog)}.{quote(LANDING)}")
    door.sql(f"CREATE VOLUME IF NOT EXISTS {TableName(catalog, LANDING, VOLUME).sql}")
    door.sql(f"CREATE TABLE IF NOT EXISTS {_marks(door)} ({_MARK})")


def _marks(door: Door) -> str:
    return TableName(door.places.source_catalog, LANDING, MARK).sql


def _mark(door: Door, account: Account, until: datetime, status: str) -> None:
    door.sql(
        f"INSERT INTO {_marks(door)} VALUES ({account.days}, cast({account.scale!r} as double), {account.seed},"
        f" date'{account.last_day}', {moment(until)}, {text(status)}, current_timestamp())"
    )


def _last_mark(door: Door) -> Mapping[str, Any] | None:
    try:
        rows = door.sql(f"SELECT * FROM {_marks(door)} ORDER BY at DESC LIMIT 1")
    except NotFound:
        return None
    return rows[0] if rows else None


# ── the sources ──────────────────────────────────────────────────────────────────────────────────────────────────────


def _load(door: Door, client: WorkspaceClient, account: Account, name: str, until: datetime) -> int:
    """Make one source's table with the types of that day, and fill it from files in the volume."""
    table = door.places.source(name)
    columns = ", ".join(f"{quote(column)} {kind}" for column, kind in account.schema(name, until.date()).items())
    door.sql(f"CREATE SCHEMA IF NOT EXISTS {quote(door.places.source_catalog)}.{quote(name.partition('.')[0])}")
    door.sql(f"CREATE TABLE IF NOT EXISTS {table} ({columns})")
    rows = account.visible(name, until)
    for at in range(0, rows.num_rows, _ROWS_A_FILE):
        path = _upload(door, client, rows.slice(at, _ROWS_A_FILE), f"{name}.{at // _ROWS_A_FILE}")
        door.sql(f"INSERT INTO {table} BY NAME SELECT * FROM {_file(path)}")
    return rows.num_rows


def _upload(door: Door, client: WorkspaceClient, rows: pa.Table, name: str) -> str:
    from databricks.sdk.errors import DatabricksError

    path = f"/Volumes/{door.places.source_catalog}/{LANDING}/{VOLUME}/{name}.parquet"
    buffer = io.BytesIO()
    pq.write_table(_without_hidden(rows), buffer, compression="zstd")
    buffer.seek(0)
    try:
        client.files.upload(path, buffer, overwrite=True)
    except DatabricksError as error:
        raise WorkspaceRefused(f"{path} cannot be uploaded: {error}", code="health-not-uploaded") from error
    return path


def _without_hidden(rows: pa.Table) -> pa.Table:
    """Return the same rows without values below a struct that is null: Arrow allows them, a Parquet file does not."""
    for at, field in enumerate(rows.schema):
        if pa.types.is_struct(field.type):
            column = rows.column(at)
            nothing = pa.scalar(None, field.type)
            rows = rows.set_column(at, field, call_function("if_else", [column.is_valid(), column, nothing]))
    return rows


def _file(path: str) -> str:
    return f"parquet.`{path}`"


# ── the dated states ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _State:
    """One state of a source that is replaced in place, and the look that saw it first."""

    source: str
    look: datetime
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class _Landed(Places):
    """The places of a run, but the sources lie in one file of the volume."""

    path: str = ""

    def source(self, name: str) -> str:
        """Name the file in the place of a source."""
        return _file(self.path)


def _keep_states(
    door: Door, client: WorkspaceClient, account: Account, gold: Gold, until: datetime, on_step: Report
) -> tuple[datetime, ...]:
    """Put the states that daily looks before *until* would have kept into bronze, each under the run of its look."""
    looks = daily(account, until)
    read = {table.source.name for table in gold if table.source}
    states = [state for name in account.sources if name in read for state in _states(account, name, looks)]
    runs = {look: at for at, look in enumerate(sorted({state.look for state in states}), 1)}
    for at, state in enumerate(states):
        on_step(Step("states", at, len(states), f"{state.source} on {state.look.date()}"))
        _copy(door, client, state, Now(runs[state.look], "seed", state.look))
    if states:
        _remember(door, runs)
    return looks


def _states(account: Account, name: str, looks: tuple[datetime, ...]) -> Iterator[_State]:
    """Yield what each look saw first of a source."""
    if described(name).shape is not Changing.SNAPSHOT:
        return
    dated, seen = account.snapshots(name), -1
    for look in looks:
        newest = max((at for at, (day, _) in enumerate(dated) if day <= look.date()), default=-1)
        if newest > seen:
            seen = newest
            yield _State(name, look, dated[newest][1])


def _copy(door: Door, client: WorkspaceClient, state: _State, now: Now) -> None:
    path = _upload(door, client, state.rows, f"{state.source}.{state.look:%Y-%m-%d}")
    source = sources.load(state.source)
    shape = Shape(source, bronze.live_leaves(source.columns))
    landed = _Landed(door.places.catalog, door.places.source_catalog, path)
    apply(
        Work(door.sql, landed, Gold({}), {state.source: shape}, now),
        CopyBronze(state.source, source.capture, None, state.rows.num_rows),
    )


def _remember(door: Door, runs: Mapping[datetime, int]) -> None:
    """Write the runs as runs write themselves, so that the next one goes on from there."""
    source = text(door.places.source_catalog)
    taken = [f"({run}, 'seed', 'SUCCEEDED', {source}, {moment(at)}, {moment(at)}, '')" for at, run in runs.items()]
    door.sql(f"INSERT INTO {door.places.ops('runs')} VALUES {', '.join(taken)}")

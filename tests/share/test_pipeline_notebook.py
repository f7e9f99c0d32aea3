"""The notebook that pipelines run: its targets equal what the history of the source says, however the changes come in."""

from __future__ import annotations

import itertools
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from brickyard.kernel.clock import system_clock
from brickyard.local import LocalWorkspace
from brickyard.share import apply
from brickyard.share.apply.ground import library
from brickyard.share.model.current import PipelineSettings
from brickyard.share.model.steps import CreatePipeline, CreateSchema, EnableChangeFeed, ImportLibrary
from brickyard.share.observe.library import digest

LIBRARY = "/Shared/brickyard/share/pipelines"
KEYS = ((1, "at"), (2, "at"), (2, "ch"), (None, "at"), (3, None), (None, None))
ENDED = ("COMPLETED", "FAILED", "CANCELED")
_numbers = itertools.count()

Key = tuple[int | None, str | None]
Rows = list[tuple[Any, ...]]
States = dict[int, dict[tuple[Any, ...], Any]]  # the rows of the source by key, at each of its versions


# ── changes of a source ──────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Put:
    """One commit that inserts what is not there and updates what is."""

    rows: Mapping[Key, int]

    def sql(self, table: str) -> str:
        """The statement."""
        return f"{_merge(table, self.rows)} WHEN MATCHED THEN UPDATE SET v = s.v {_INSERT}"


@dataclass(frozen=True)
class Mixed:
    """One commit that inserts, updates and deletes: what is there and gets a 0 goes."""

    rows: Mapping[Key, int]

    def sql(self, table: str) -> str:
        """The statement."""
        changes = "WHEN MATCHED AND s.v = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = s.v"
        return f"{_merge(table, self.rows)} {changes} {_INSERT}"


@dataclass(frozen=True)
class Take:
    """One commit that deletes."""

    keys: Sequence[Key]

    def sql(self, table: str) -> str:
        """The statement."""
        return f"DELETE FROM {table} WHERE {' OR '.join(map(_is, self.keys))}"


@dataclass(frozen=True)
class Bump:
    """One commit that updates all rows of an id."""

    id: int | None

    def sql(self, table: str) -> str:
        """The statement."""
        return f"UPDATE {table} SET v = v + 1 WHERE id <=> {_literal(self.id)}"


Commit = Put | Mixed | Take | Bump
_INSERT = "WHEN NOT MATCHED THEN INSERT (id, land, v) VALUES (s.id, s.land, s.v)"


@dataclass(frozen=True)
class Gap:
    """The commits between two updates, and whether the update after them begins anew."""

    commits: tuple[Commit, ...]
    full_refresh: bool = False


def _merge(table: str, rows: Mapping[Key, int]) -> str:
    values = ", ".join(f"({_literal(i)}, {_literal(land)}, {v})" for (i, land), v in rows.items())
    source = f"SELECT CAST(c1 AS INT) AS id, CAST(c2 AS STRING) AS land, CAST(c3 AS INT) AS v FROM (VALUES {values}) AS x(c1, c2, c3)"
    return f"MERGE INTO {table} t USING ({source}) s ON t.id <=> s.id AND t.land <=> s.land"


def _is(key: Key) -> str:
    return f"(id <=> {_literal(key[0])} AND land <=> {_literal(key[1])})"


def _literal(value: Any) -> str:
    return "NULL" if value is None else f"'{value}'" if isinstance(value, str) else str(value)


# ── the oracle ───────────────────────────────────────────────────────────────────────────────────────────────────────


def type_1(states: States, version: int) -> Rows:
    """The rows as they were at a version."""
    return _sorted([(*key, v) for key, v in states[version].items()])


def type_2(states: States, first: int, last: int) -> Rows:
    """Every version of each row since the whole table was read at *first*, with its begin and its end."""
    found: Rows = []
    for key in {key for at in range(first, last + 1) for key in states[at]}:
        begin = states[first].get(key)
        start = first
        for at in range(first + 1, last + 1):
            now = states[at].get(key)
            if now != begin:
                found += [(*key, begin, start, at)] if begin is not None else []
                begin, start = now, at
        found += [(*key, begin, start, None)] if begin is not None else []
    return _sorted(found)


def _sorted(rows: Rows) -> Rows:
    return sorted(rows, key=repr)


# ── the bench ────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Bench:
    """A workspace with the notebook in it, as provisioning puts it there."""

    client: WorkspaceClient
    hands: apply.Hands
    warehouse: str

    def sql(self, statement: str) -> Rows:
        """Run a statement and return its rows as texts."""
        done = self.client.statement_execution.execute_statement(statement, self.warehouse, wait_timeout="50s")
        assert done.status and done.status.state and done.status.state.value == "SUCCEEDED", (statement, done.status)
        return [tuple(row) for row in (done.result.data_array or [])] if done.result else []

    def source(self, rows: Mapping[Key, int]) -> str:
        """A new table with rows, whose change feed is turned on afterwards, as provisioning does."""
        table = f"main.s.source{next(_numbers)}"
        self.sql(f"CREATE TABLE {table} (id INT, land STRING, v INT)")
        self.sql(Put(rows).sql(table))
        apply.perform(self.hands, EnableChangeFeed(table))
        return table

    def pipeline(self, source: str, scd_type: str, *, continuous: bool = False) -> tuple[str, str]:
        """A new pipeline of a source; returns its id and its target."""
        target = f"copy{next(_numbers)}"
        made = PipelineSettings(
            name=f"pipeline_{target}",
            source=source,
            target=target,
            catalog="main",
            schema="s",
            keys=("id", "land"),
            scd_type=scd_type,
            continuous=continuous,
        )
        done = apply.perform(self.hands, CreatePipeline(made))
        return done["pipeline_id"], f"main.s.{target}"

    def update(self, pipelines: Sequence[str], *, full_refresh: bool) -> None:
        """Run an update of several pipelines at once, each of which has to succeed."""
        started = [(one, self.client.pipelines.start_update(one, full_refresh=full_refresh)) for one in pipelines]
        for pipeline_id, update in started:
            self._ended(pipeline_id, str(update.update_id))

    def _ended(self, pipeline_id: str, update_id: str) -> None:
        limit = time.monotonic() + 60
        while True:
            found = self.client.pipelines.get_update(pipeline_id, update_id).update
            assert found and found.state and time.monotonic() < limit
            if found.state.value in ENDED:
                events = self.client.pipelines.list_pipeline_events(pipeline_id)
                assert found.state.value == "COMPLETED", [one.message for one in events if one.error]
                return
            time.sleep(0.05)

    def states(self, table: str, known: States) -> int:
        """Learn the versions of a source that are not known yet, and return the newest."""
        newest = max(int(row[0]) for row in self.sql(f"DESCRIBE HISTORY {table}"))
        for version in range(newest + 1):
            if version not in known:
                rows = self.sql(f"SELECT id, land, v FROM {table} VERSION AS OF {version}")
                known[version] = {(i, land): v for i, land, v in rows}
        return newest

    def rows(self, target: str, *columns: str) -> Rows:
        """The rows of a target, begin and end as numbers."""
        found = self.sql(f"SELECT {', '.join(('id', 'land', 'v', *columns))} FROM {target}")
        return _sorted([(*row[:3], *(None if at is None else int(at) for at in row[3:])) for row in found])

    def history(self, target: str) -> Rows:
        """The rows of a target that keeps every version."""
        return self.rows(target, "__START_AT", "__END_AT")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """One workspace for all stories."""
    with LocalWorkspace(tmp_path_factory.mktemp("workspace")) as workspace:
        client = workspace.client()
        hands = apply.Hands(client, "pack", lambda *_: None, system_clock, LIBRARY)
        apply.perform(hands, CreateSchema("main", "s"))
        apply.perform(hands, ImportLibrary(LIBRARY, digest(library())))
        yield Bench(client, hands, workspace.parts.warehouses.default_id)


# ── stories ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def follow(bench: Bench, begin: Mapping[Key, int], story: Sequence[Gap]) -> None:
    """Tell a story to one pipeline of each type, and hold each target against the oracle after each update."""
    source = bench.source(begin)
    made = {scd_type: bench.pipeline(source, scd_type) for scd_type in ("1", "2", "full_refresh")}
    states: States = {}
    whole: int | None = None
    for gap in story:
        for commit in gap.commits:
            bench.sql(commit.sql(source))
        bench.update([pipeline_id for pipeline_id, _ in made.values()], full_refresh=gap.full_refresh)
        newest = bench.states(source, states)
        whole = newest if whole is None or gap.full_refresh else whole
        assert bench.rows(made["1"][1]) == type_1(states, newest)
        assert bench.rows(made["full_refresh"][1]) == type_1(states, newest)
        assert bench.history(made["2"][1]) == type_2(states, whole, newest)


keys, values = st.sampled_from(KEYS), st.integers(0, 3)
some_rows = st.dictionaries(keys, values, min_size=1, max_size=4)
commits = st.one_of(
    st.builds(Put, some_rows),
    st.builds(Mixed, some_rows),
    st.builds(Take, st.lists(keys, min_size=1, max_size=3, unique=True)),
    st.builds(Bump, st.sampled_from([1, 2, None])),
)
gaps = st.builds(Gap, st.lists(commits, max_size=4).map(tuple), st.sampled_from([False, False, False, True]))
stories = st.lists(gaps, min_size=1, max_size=3)

WHOLE_STORY = (
    Gap(()),
    Gap((Take([(1, "at")]), Put({(1, "at"): 5, (None, None): 7}), Take([(2, "ch")]))),  # gone and back, gone
    Gap(()),
    Gap((Put({(2, "ch"): 9}), Bump(2), Mixed({(None, "at"): 0, (3, None): 8}), Put({(2, "at"): 1}))),
    Gap((Bump(None),), full_refresh=True),
    Gap((Take([(None, None), (1, "at")]), Put({(1, "at"): 5}))),
)
PLAIN = settings(
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize=True,
)


@settings(PLAIN, max_examples=2)
@given(begin=some_rows, story=stories)
@example(begin={(1, "at"): 1, (2, "ch"): 2, (None, "at"): 3}, story=list(WHOLE_STORY))
def test_targets_follow_their_source_through_all_changes(
    bench: Bench, begin: Mapping[Key, int], story: Sequence[Gap]
) -> None:
    follow(bench, begin, story)


@pytest.mark.full
@settings(PLAIN, max_examples=40)
@given(begin=some_rows, story=stories)
def test_targets_follow_their_source_through_many_stories(
    bench: Bench, begin: Mapping[Key, int], story: Sequence[Gap]
) -> None:
    follow(bench, begin, story)


def test_a_continuous_pipeline_follows_commit_after_commit(bench: Bench) -> None:
    source = bench.source({(1, "at"): 1, (None, "at"): 3})
    pipeline_id, target = bench.pipeline(source, "2", continuous=True)
    states: States = {}
    whole = bench.states(source, states)
    bench.client.pipelines.start_update(pipeline_id)
    _reaches(bench, target, type_2(states, whole, whole))
    for commit in (Take([(1, "at")]), Put({(1, "at"): 2, (2, "ch"): 4}), Mixed({(None, "at"): 0, (2, "ch"): 5})):
        bench.sql(commit.sql(source))
        newest = bench.states(source, states)
        _reaches(bench, target, type_2(states, whole, newest))
    bench.client.pipelines.stop(pipeline_id).result()


def _reaches(bench: Bench, target: str, wanted: Rows, seconds: float = 30) -> None:
    """Wait until a target, which may not be there yet, has these rows."""
    limit = time.monotonic() + seconds
    found: Rows = []
    while time.monotonic() < limit:
        if bench.client.tables.exists(target).table_exists:
            found = bench.history(target)
            if found == wanted:
                return
        time.sleep(0.1)
    assert found == wanted


def test_the_oracle_tells_versions_by_their_commits() -> None:
    states: States = {3: {(1,): "a"}, 4: {}, 5: {(1,): "b"}, 6: {(1,): "b", (2,): "x"}, 7: {(1,): "c", (2,): "x"}}
    assert type_2(states, 3, 7) == [(1, "a", 3, 4), (1, "b", 5, 7), (1, "c", 7, None), (2, "x", 6, None)]

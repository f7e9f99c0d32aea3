"""Rows find their tables: whenever they come, in whatever portions they are written, also when SQL comes up late or never."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.local import LocalWorkspace
from brickyard.local.sql.model import SqlError
from brickyard.local.system.journal import Journal
from brickyard.local.system.model import Stamp

STAMP = Stamp("77", "meta", "acc")
OWN = {"account_id": "acc", "workspace_id": "77", "metastore_id": "meta"}


class Kept:
    """Tables that are lists; *refuse* makes that many writes fail."""

    def __init__(self, refuse: int = 0) -> None:
        self.rows: dict[str, list] = {}
        self.states: dict[str, list] = {}
        self.refuse = refuse

    def append(self, name, rows):
        if self.refuse:
            self.refuse -= 1
            raise SqlError("DELTA_WRITE_FAILED", "no space left", "58030")
        self.rows.setdefault(name, []).extend(rows)

    def put(self, name, rows):
        self.states[name] = list(rows)

    def complete(self):
        self.rows.setdefault("complete", [])


values = st.one_of(
    st.text(),
    st.integers(),
    st.none(),
    st.datetimes(timezones=st.just(UTC)),
    st.dates(),
    st.dictionaries(st.text(), st.text()),
    st.lists(st.text()),
)
steps = st.lists(st.one_of(st.tuples(st.just("add"), st.sampled_from("ab"), values), st.tuples(st.just("flush"))))


@given(before=steps, after=steps)
def test_no_row_is_lost_or_doubled_whenever_tables_open_and_rows_are_written(tmp_path_factory, before, after):
    journal, tables = Journal(tmp_path_factory.mktemp("journal"), STAMP), Kept()
    _do(journal, before)
    journal.open(tables)
    _do(journal, after)
    journal.flush()
    wanted: dict[str, list] = {}
    for step in (*before, *after):
        if step[0] == "add":
            wanted.setdefault(step[1], []).append({**OWN, "v": step[2]})
    assert {name: rows for name, rows in tables.rows.items() if rows} == wanted


def _do(journal, done):
    for step in done:
        if step[0] == "add":
            journal.add(step[1], [{"v": step[2]}])
        else:
            journal.flush()


def test_rows_wait_in_a_file_from_one_start_to_the_next(tmp_path):
    row = {"at": datetime(2026, 1, 2, 3, tzinfo=UTC), "on": date(2026, 1, 2), "map": {"k": "v"}}
    for _ in range(2):
        journal = Journal(tmp_path, STAMP)
        journal.add("a", [row])
        journal.close()
    tables = Kept()
    Journal(tmp_path, STAMP).open(tables)
    assert tables.rows == {"a": [{**OWN, **row}] * 2}
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_a_kill_cut_is_passed_over(tmp_path):
    (tmp_path / "waiting.jsonl").write_text(json.dumps(["a", {"x": 1}, [], []]) + '\n["a", {"x"')
    tables = Kept()
    Journal(tmp_path, STAMP).open(tables)
    assert tables.rows == {"a": [{**OWN, "x": 1}]}


def test_a_write_that_fails_forgets_nothing(tmp_path):
    journal, tables = Journal(tmp_path, STAMP), Kept(refuse=1)
    journal.open(tables)
    journal.add("a", [{"x": 1}])
    with pytest.raises(SqlError, match="no space"):
        journal.flush("a")
    journal.add("a", [{"x": 2}])
    journal.flush("a")
    assert tables.rows == {"a": [{**OWN, "x": 1}, {**OWN, "x": 2}]}


def test_a_row_may_say_whose_it_is_itself(tmp_path):
    journal, tables = Journal(tmp_path, STAMP), Kept()
    journal.open(tables)
    journal.add("a", [{"workspace_id": "0"}])
    journal.flush()
    assert tables.rows == {"a": [{**OWN, "workspace_id": "0"}]}


def test_a_state_is_asked_for_when_its_table_is_first_written(tmp_path):
    journal, tables, asked = Journal(tmp_path, STAMP), Kept(), []
    journal.put("s", lambda: asked.append(1) or [{"x": 1}])
    journal.flush()
    journal.open(tables)
    assert asked == []
    journal.flush("s")
    journal.flush("s")
    assert (tables.states, len(asked)) == ({"s": [{**OWN, "x": 1}]}, 1)


def test_what_happened_before_sql_was_ever_up_is_told_after(tmp_path):
    with LocalWorkspace(tmp_path / "w") as workspace:
        workspace.client().secrets.create_scope("early")
        assert not (tmp_path / "w" / "tables" / "system" / "access.audit").exists()
    with LocalWorkspace(tmp_path / "w") as workspace:
        client, warehouse = workspace.client(), workspace.parts.warehouses.default_id
        query = "SELECT request_params['scope'] FROM system.access.audit WHERE action_name = 'createScope'"
        done = client.statement_execution.execute_statement(query, warehouse, wait_timeout="50s")
        assert done.result.data_array == [["early"]]

"""The golden statements: every class of SQL that the local workspace runs, and what it refuses."""

from __future__ import annotations

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from brickyard.local.sql.model import SqlError

CASES = YAML(typ="safe").load((Path(__file__).parent / "statements.yaml").read_text())


@pytest.fixture
def table(sql):
    sql.run_all(
        "CREATE TABLE t (id INT, name STRING COMMENT 'the name')", "INSERT INTO t VALUES (1, 'a'), (2, 'b'), (3, NULL)"
    )
    return sql


def _named(value, schema):
    if isinstance(value, str):
        return value.replace("$schema", schema)
    return [_named(v, schema) for v in value] if isinstance(value, list) else value


@pytest.mark.parametrize("case", CASES, ids=[case["sql"][:60] for case in CASES])
def test_a_golden_statement_returns_what_is_written_down(table, case):
    schema = table.session.schema
    table.run_all(*case.get("before", ()))
    statement = _named(case["sql"], schema)
    if "error" in case:
        with pytest.raises(SqlError) as refused:
            table.run(statement)
        assert refused.value.error_class == case["error"]
    else:
        assert table.rows(statement) == _named(case["rows"], schema)

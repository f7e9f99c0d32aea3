"""The golden statements: read from YAML, run over the statements API, answered as types and texts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from databricks.sdk import WorkspaceClient
from ruamel.yaml import YAML

FOLDER = Path(__file__).parent
ANSWERS = FOLDER / "answers"
AREAS = tuple(sorted(file.stem for file in FOLDER.glob("*.yaml")))
CATALOG = "golden"

Answer = dict[str, Any]
"""`{"types": [...], "rows": [...]}` with every value a text or null, or `{"error": "ERROR_CLASS"}`."""


@dataclass(frozen=True)
class Case:
    """One statement; those before it make what it reads. *zone* is the session's time zone."""

    id: str
    before: tuple[str, ...]
    sql: str
    ordered: bool = False
    zone: str = "UTC"


def cases(area: str) -> list[Case]:
    """The cases of one area, in the order in which they run."""
    return [_case(raw) for raw in YAML(typ="safe").load((FOLDER / f"{area}.yaml").read_text())]


def _case(raw: dict[str, Any]) -> Case:
    *before, last = [raw["sql"]] if isinstance(raw["sql"], str) else raw["sql"]
    return Case(raw["id"], tuple(before), last, raw.get("ordered", False), raw.get("zone", "UTC"))


def expected(area: str) -> dict[str, Answer]:
    """What real Spark answered, by case."""
    return json.loads((ANSWERS / f"{area}.json").read_text())


def answers(client: WorkspaceClient, area: str) -> Iterator[tuple[str, Answer]]:
    """Run the cases of an area in a fresh schema and yield each one's answer."""
    session = _Session(client, area)
    for case in cases(area):
        yield case.id, session.answer(case)


class _Session:
    """One SQL session, in a schema of its own."""

    def __init__(self, client: WorkspaceClient, schema: str) -> None:
        self._client = client
        self._warehouse = next(iter(client.warehouses.list())).id
        self._id = client.api_client.do("POST", "/api/2.0/sql/sessions", body={"warehouse_id": self._warehouse})[
            "session_id"
        ]
        self._zone = "UTC"
        for statement in (
            f"CREATE CATALOG IF NOT EXISTS {CATALOG}",
            f"DROP SCHEMA IF EXISTS {CATALOG}.{schema} CASCADE",
            f"CREATE SCHEMA {CATALOG}.{schema}",
            f"USE CATALOG {CATALOG}",
            f"USE SCHEMA {schema}",
        ):
            assert "error" not in self.run(statement), statement

    def answer(self, case: Case) -> Answer:
        """Run one case: the first error is its answer."""
        if case.zone != self._zone:
            self.run(f"SET TIME ZONE '{case.zone}'")
            self._zone = case.zone
        for statement in case.before:
            if "error" in (found := self.run(statement)):
                return found
        found = self.run(case.sql)
        if not case.ordered and "rows" in found:
            found["rows"].sort(key=lambda row: json.dumps(row))
        return found

    def run(self, statement: str) -> Answer:
        """Run one statement to its end."""
        body = {"statement": statement, "warehouse_id": self._warehouse, "session_id": self._id, "wait_timeout": "50s"}
        done: Any = self._client.api_client.do("POST", "/api/2.0/sql/statements", body=body)
        while done["status"]["state"] in ("PENDING", "RUNNING"):
            done = self._client.api_client.do("GET", f"/api/2.0/sql/statements/{done['statement_id']}")
        if done["status"]["state"] != "SUCCEEDED":
            return {"error": _error_class(done["status"]["error"]["message"])}
        columns = done["manifest"]["schema"].get("columns", [])
        return {"types": [c["type_text"] for c in columns], "rows": done["result"].get("data_array", [])}


def _error_class(message: str) -> str:
    found = re.match(r"\[([A-Z][A-Z0-9_.]+)\]", message)
    return found[1] if found else message

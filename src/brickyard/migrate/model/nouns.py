"""The nouns of migrate: what is asked, what was found in a notebook, what would change, what was proved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from brickyard.dbsql.model import Kind, Side
from brickyard.notebooks.model import CellEdit, Notebook, Position


class EditClass(StrEnum):
    """How far an edit keeps the meaning."""

    EXACT = "exact"
    CONDITIONAL = "conditional"
    SEMANTIC = "semantic change"
    ADVICE = "advice"


class Verdict(StrEnum):
    """What is known about an edit's equivalence."""

    PROVEN = "proven"
    COUNTEREXAMPLE = "counterexample"
    UNPROVED = "unproved"


class Severity(StrEnum):
    """How much a finding matters; HALT stops a run before anything is written."""

    INFO = "info"
    WARN = "warn"
    HALT = "halt"


class Readiness(StrEnum):
    """The outcome of a notebook's plan."""

    READY = "ready"
    NEEDS_HANDS = "needs hands"
    BLOCKED = "blocked"
    UNSUPPORTED = "unsupported"


class Outcome(StrEnum):
    """The outcome of a notebook's run."""

    RECONCILED = "reconciled"
    DIFFERS = "differs"
    UNPROVED = "unproved"
    HALTED = "halted"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition of a conditional edit; `holds` is None where it could not be checked."""

    text: str
    holds: bool | None


@dataclass(frozen=True, slots=True)
class Finding:
    """Something the user must know, with what to do; codes are listed in `migrate/assets/codes.yaml`."""

    code: str
    severity: Severity
    message: str
    remedy: str
    cell: int | None = None
    line: int | None = None
    subject: str | None = None  # the object or file concerned


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a rewrite proposes: hunks that live or die together, before ids, conflicts and verdicts are settled.

    `hunks` must not overlap each other. `maintenance` is the manifest's entry of a statement that is taken out.
    """

    rule: str
    edit_class: EditClass
    reason: str
    hunks: tuple[CellEdit, ...]
    conditions: tuple[Condition, ...] = ()
    findings: tuple[Finding, ...] = ()
    maintenance: Mapping[str, Any] | None = None
    apply: bool = True  # False: offered, not applied (advice, a semantic change the pack does not ask for)


@dataclass(frozen=True, slots=True)
class Edit:
    """One contiguous replacement in the user's text. Edits of one `group` are one rewrite and are applied together."""

    id: str
    group: str
    rule: str
    edit_class: EditClass
    verdict: Verdict
    applied: bool
    reason: str
    before: str
    after: str
    hunk: CellEdit
    position: Position
    conditions: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class ReferenceRow:
    """One object reference: one row for each name a templated or computed one can take, null where that is unknown.

    `text` is the slice of the cell at `position`; names are three-level, parts joined by dots. `verb` is the statement's
    verb (`INSERT`, `MERGE`, `CREATE TABLE`, …) or, in Python, the method with its mode (`saveAsTable overwrite`,
    `insertInto append`, `spark.table`): it tells whether a target must exist before the notebook runs.
    """

    original: str | None
    refactored: str | None
    kind: Kind
    side: Side
    rule: str | None
    text: str
    position: Position
    verb: str | None = None


@dataclass(frozen=True, slots=True)
class NotebookPlan:
    """What would become of one notebook. `refactored` is the whole new file text; `refactored_bytes` what to write."""

    path: str
    readiness: Readiness
    notebook: Notebook | None
    references: tuple[ReferenceRow, ...] = ()
    edits: tuple[Edit, ...] = ()
    findings: tuple[Finding, ...] = ()
    refactored: str | None = None
    original_bytes: bytes = b""
    refactored_bytes: bytes = b""
    children: tuple[str, ...] = ()  # notebooks it %runs or notebook.runs
    calls: tuple[tuple[str, Mapping[str, str]], ...] = ()  # the same, with the arguments that are handed over
    maintenance: tuple[dict[str, Any], ...] = ()  # OPTIMIZE, ANALYZE, VACUUM taken out: statement, table, proposal


@dataclass(frozen=True, slots=True)
class Plan:
    """What `brickyard migrate plan` prints; `hash` is stable for the same inputs."""

    hash: str
    notebooks: tuple[NotebookPlan, ...]
    summary: dict[str, Any] = field(default_factory=dict)

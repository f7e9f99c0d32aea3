"""Uses gathered by the place where they are written, each with the name that the rules give it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from brickyard.dbsql.model import Kind
from brickyard.kernel.names import TableName
from brickyard.migrate.model.inputs import PlanOptions
from brickyard.migrate.model.nouns import Finding, ReferenceRow, Severity
from brickyard.migrate.plan import names
from brickyard.migrate.plan.python.values import Place
from brickyard.migrate.plan.uses import Use
from brickyard.notebooks.edit import position
from brickyard.notebooks.model import Notebook, Position


@dataclass(frozen=True, slots=True)
class Mapped:
    """A use with its name to be; no name where no rule gives one, no rule where it stays itself."""

    use: Use
    refactored: TableName | str | None
    rule: str | None


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that one place can name."""

    place: Place
    rows: tuple[Mapped, ...]

    @property
    def moves(self) -> bool:
        """Whether a table, view or function written here gets another name."""
        return any(isinstance(m.refactored, TableName) and m.refactored != m.use.original for m in self.rows)

    @property
    def complete(self) -> bool:
        """Whether every name that can be meant here is known, and what becomes of it."""
        return all(m.refactored is not None for m in self.rows)


def gather(uses: Iterable[Use], options: PlanOptions) -> tuple[Site, ...]:
    """Map each use, and gather them by place in the order of the text."""
    by_place: dict[Place, list[Mapped]] = {}
    for use in uses:
        by_place.setdefault(use.place, []).append(_mapped(use, options))
    ordered = sorted(by_place, key=lambda p: (p.cell, p.span.start, p.span.end))
    return tuple(Site(place, tuple(by_place[place])) for place in ordered)


def _mapped(use: Use, options: PlanOptions) -> Mapped:
    match use.original:
        case TableName() as name:
            target = names.target(name, use.side, options)
            return Mapped(use, target.name, target.rule)
        case str() as path:
            return Mapped(use, names.path_target(path, options.pack), None)
    return Mapped(use, None, None)


def rows(sites: Iterable[Site], notebook: Notebook) -> tuple[ReferenceRow, ...]:
    """The rows of the mapping: one for each name that a place can take."""
    cells = {cell.index: cell for cell in notebook.cells}
    found: list[ReferenceRow] = []
    for site in sites:
        text = site.place.span.slice(cells[site.place.cell].source)
        where = position(notebook, site.place.cell, site.place.span)
        distinct = {(str(m.use.original), m.use.side, m.use.verb): m for m in site.rows}
        found += [_row(m, text, where) for m in distinct.values()]
    return tuple(found)


def _row(mapped: Mapped, text: str, where: Position) -> ReferenceRow:
    use = mapped.use
    return ReferenceRow(
        original=_dotted(use.original),
        refactored=_dotted(mapped.refactored),
        kind=use.kind,
        side=use.side,
        rule=mapped.rule,
        text=text,
        position=where,
        verb=use.verb,
    )


def _dotted(name: TableName | str | None) -> str | None:
    if isinstance(name, TableName):
        return f"{name.catalog}.{name.schema}.{name.name}"
    return name


_UNKNOWN = {
    "name-unknown": (
        "what {text} names cannot be known",
        "give the widget or setting it depends on with --param, or write the name out",
    ),
    "schema-unknown": (
        "{text} has no schema, and none is set by USE before it",
        "write the schema, or give the one it runs in with --schema",
    ),
    "path-unknown": ("which file {text} names cannot be known", "give the value it depends on with --param"),
}


def findings(sites: Iterable[Site], notebook: Notebook) -> Iterator[Finding]:
    """What is to be said of the names themselves: unknown, not mapped, two mapped to one."""
    sites = list(sites)
    cells = {cell.index: cell for cell in notebook.cells}
    for site in sites:
        text = site.place.span.slice(cells[site.place.cell].source)
        line = position(notebook, site.place.cell, site.place.span).line
        seen = set()
        for mapped in site.rows:
            finding = _finding(mapped, text, site.place.cell, line)
            if finding is not None and finding not in seen:
                seen.add(finding)
                yield finding


def _finding(mapped: Mapped, text: str, cell: int, line: int) -> Finding | None:
    use = mapped.use
    if use.why is not None:
        message, remedy = _UNKNOWN[use.why]
        return Finding(use.why, Severity.WARN, message.format(text=text), remedy, cell, line, text)
    if mapped.refactored is not None:
        return None
    if use.kind is Kind.PATH:
        message = f"no rule says where the files of {use.original} are to be"
        return Finding(
            "path-unmapped",
            Severity.INFO,
            message,
            "add them to `paths` of the rule pack",
            cell,
            line,
            str(use.original),
        )
    message = f"no rule maps {_dotted(use.original)}"
    remedy = "add it to the rule pack or to the file given with --mapping; --mapping-template lists such names"
    return Finding("name-unmapped", Severity.WARN, message, remedy, cell, line, _dotted(use.original))


def collisions(rows: Iterable[ReferenceRow]) -> Iterator[Finding]:
    """Halt where two legacy objects would become one."""
    first: dict[str, ReferenceRow] = {}
    told: set[tuple[str, str]] = set()
    for row in rows:
        if row.original is None or row.refactored is None or row.rule is None:
            continue
        known = first.setdefault(row.refactored.lower(), row)
        assert known.original is not None
        pair = (known.original.lower(), row.original.lower())
        if pair[0] != pair[1] and pair not in told:
            told.add(pair)
            yield Finding(
                "mapping-collision",
                Severity.HALT,
                f"{known.original} and {row.original} would both become {row.refactored}",
                "give one of them another name by a rule or a row of the mapping file",
                row.position.cell,
                row.position.line,
                row.refactored,
            )

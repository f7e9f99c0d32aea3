"""Bytes to a share pack: guarded, read with the place of every word, and refused with every fault at once."""

from __future__ import annotations

from dataclasses import dataclass

from brickyard.kernel.errors import Problem, SpecInvalid
from brickyard.share.model import excel_tree, rules, yaml_tree
from brickyard.share.model.assembly import assemble
from brickyard.share.model.content import content_hash
from brickyard.share.model.guards import Format, file_format, read_guarded
from brickyard.share.model.nodes import TOP, Fault, Fields, Node, problems
from brickyard.share.model.once import repeats, without_repeats
from brickyard.share.model.pack import SharePack
from brickyard.share.model.reading import Reading

__all__ = ["Parsed", "parse", "read_guarded"]

_REMEDY = "mend each place that is listed and send the pack again; nothing was done"


@dataclass(frozen=True, slots=True)
class Parsed:
    """A pack that was read. *content_hash* is the same for the same content in another order, case or file format."""

    pack: SharePack
    warnings: tuple[str, ...]
    file_format: Format
    content_hash: str


def parse(name: str, data: bytes, *, compat: bool = False) -> Parsed:
    """Read the file *name*; raises SpecInvalid with every fault at its line or cell.

    With *compat*, unknown keys, quoted numbers and crons of five fields are warnings.
    """
    kind = file_format(name, data)
    tree, formal, told = _tree(kind, data)
    if tree is None:
        raise _invalid(name, problems(name, Fields({}, {}, TOP), formal))
    reading = Reading(compat=compat, lenient=kind == "xlsx", faults=formal, warnings=told)
    pack, tree = assemble(reading, tree)
    if pack is None:
        raise _invalid(name, problems(name, tree, reading.faults))
    warnings = problems(name, tree, [*_misnamed(name, kind), *reading.warnings, *rules.warnings(pack), *repeats(pack)])
    pack = without_repeats(pack)
    return Parsed(pack, tuple(map(_sentence, warnings)), kind, content_hash(pack))


def _tree(kind: Format, data: bytes) -> tuple[Node | None, list[Fault], list[Fault]]:
    if kind == "yaml":
        return *yaml_tree.read(data), []
    return excel_tree.read(data)


def _misnamed(name: str, kind: Format) -> list[Fault]:
    endings = (".yaml", ".yml") if kind == "yaml" else (".xlsx",)
    if name.lower().endswith(endings):
        return []
    what = "YAML" if kind == "yaml" else "an Excel workbook"
    return [Fault((), f"the file holds {what}, which its name does not say", place=TOP)]


def _invalid(name: str, found: tuple[Problem, ...]) -> SpecInvalid:
    count = "one problem" if len(found) == 1 else f"{len(found)} problems"
    return SpecInvalid(
        f"{name} is not a valid share pack: {count}", code="share-pack-invalid", remedy=_REMEDY, problems=found
    )


def _sentence(warning: Problem) -> str:
    return f"{warning} ({warning.remedy})" if warning.remedy else str(warning)

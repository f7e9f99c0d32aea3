"""Bounds of decimals that the log must not state: the engine reads them as floating-point numbers, and takes them for values.

Where a file's least and greatest value are the same, the engine does not read the column at all but repeats the bound;
one of more than 15 digits comes back as another number. The footer of the file tells the true bounds.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pyarrow.parquet as pq

from brickyard.local.sql.delta.log import Action, read_commit, replace_commit

_EXACT = 15  # digits that survive a floating-point number


def honest(add: Action, path: Path) -> Action:
    """The same file of a table, without bounds of decimals of more digits than the engine reads."""
    stats = json.loads(add.get("stats") or "{}")
    sides = [stats[side] for side in ("minValues", "maxValues") if stats.get(side)]
    file = path / unquote(add["path"])
    if not sides or not file.is_file():  # a file of a table that this one is a clone of was made honest there
        return add
    long = list(_long(file))
    dropped = [_drop(side, column) for side in sides for column in long]
    told = json.dumps(stats, separators=(",", ":"), ensure_ascii=False)
    return {**add, "stats": told} if any(dropped) else add


def _long(file: Path) -> Iterator[list[str]]:
    """The columns, as paths, of which a bound in the file's footer has too many digits."""
    footer = pq.read_metadata(file)
    for at in range(footer.num_columns):
        if footer.schema.column(at).logical_type.type != "DECIMAL" or footer.schema.column(at).precision <= _EXACT:
            continue
        found = [footer.row_group(group).column(at).statistics for group in range(footer.num_row_groups)]
        ends = [end for one in found if one and one.has_min_max for end in (one.min, one.max)]
        if any(_digits(end) > _EXACT for end in ends):
            yield footer.schema.column(at).path.split(".")


def _digits(value: Decimal) -> int:
    return len("".join(map(str, value.as_tuple().digits)).strip("0"))


def _drop(side: dict[str, Any], column: list[str]) -> bool:
    """Take a column out of one side of the bounds; whether it was there."""
    *outer, last = column
    for name in outer:
        side = side.get(name) or {}
    return side.pop(last, None) is not None


def mend(path: Path, versions: Iterable[int]) -> None:
    """Make commits that the engine wrote honest; who calls holds the table's lock."""
    for version in versions:
        actions = read_commit(path, version)
        mended = [{"add": honest(action["add"], path)} if "add" in action else action for action in actions]
        if mended != actions:
            replace_commit(path, version, mended)

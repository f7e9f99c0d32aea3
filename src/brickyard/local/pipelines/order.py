"""What the process of an update is told to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Library:
    """Code of a pipeline: a notebook, or a file whose name tells its language."""

    path: str
    is_notebook: bool


@dataclass(frozen=True, slots=True)
class UpdateOrder:
    """One update: its code, where its datasets go, what it is configured with and which datasets it refreshes.

    *full* is empty for an incremental update, `*` for all datasets, else the names of those to compute anew; *only* is
    empty for all datasets.
    """

    pipeline_id: str
    update_id: str
    catalog: str
    schema: str
    configuration: Mapping[str, str]
    libraries: tuple[Library, ...]
    full: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    continuous: bool = False
    validate_only: bool = False
    root_path: str = ""

    def body(self) -> dict[str, object]:
        """The order as JSON."""
        return {
            "pipeline_id": self.pipeline_id,
            "update_id": self.update_id,
            "catalog": self.catalog,
            "schema": self.schema,
            "configuration": dict(self.configuration),
            "libraries": [{"path": library.path, "notebook": library.is_notebook} for library in self.libraries],
            "full": list(self.full),
            "only": list(self.only),
            "continuous": self.continuous,
            "validate_only": self.validate_only,
            "root_path": self.root_path,
        }


def read_order(body: Mapping[str, object]) -> UpdateOrder:
    """An order from its JSON."""
    return UpdateOrder(
        str(body["pipeline_id"]),
        str(body["update_id"]),
        str(body["catalog"]),
        str(body["schema"]),
        {str(k): str(v) for k, v in _object(body["configuration"]).items()},
        tuple(Library(str(one["path"]), bool(one["notebook"])) for one in map(_object, _list(body["libraries"]))),
        tuple(map(str, _list(body["full"]))),
        tuple(map(str, _list(body["only"]))),
        bool(body["continuous"]),
        bool(body["validate_only"]),
        str(body["root_path"]),
    )


def _object(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []

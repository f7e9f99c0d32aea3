"""What a step is performed with, and what comes of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

MARK = "brickyard.pack"  # the property, configuration key or tag that says which pack made a thing


@dataclass(frozen=True, slots=True)
class Hands:
    """The workspace, the mark that everything made carries, and where the pipelines' notebook lies."""

    client: WorkspaceClient
    mark: str
    library: str = ""


@dataclass(frozen=True, slots=True)
class Secret:
    """The activation link of a new token; to be sealed at once."""

    recipient: str
    token: str
    link: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Done:
    """What came of a step: what the journal keeps, and what only the sealer may see."""

    result: Mapping[str, Any] = field(default_factory=dict)
    secrets: tuple[Secret, ...] = ()

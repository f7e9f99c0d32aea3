"""What a step is performed with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from brickyard.kernel.clock import Clock

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient

MARK = "brickyard.pack"  # the property, configuration key or tag that says which pack made a thing

Result = dict[str, Any]
Seal = Callable[[str, str, str], None]  # recipient, id of the token, activation link


@dataclass(frozen=True, slots=True)
class Hands:
    """The workspace, the mark that everything made carries, who keeps activation links, and where the notebook lies."""

    client: WorkspaceClient
    mark: str
    seal: Seal
    clock: Clock
    library: str = ""

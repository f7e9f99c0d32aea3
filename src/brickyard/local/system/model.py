"""What every row of the system tables has in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

Row = dict[str, object]
ACCOUNT_ID = "00000000-0000-0000-0000-000000000001"


@dataclass(frozen=True, slots=True)
class Stamp:
    """Whose rows they are: the columns that every row of a workspace answers alike."""

    workspace_id: str = "1"
    metastore_id: str = ACCOUNT_ID
    account_id: str = ACCOUNT_ID

    def on(self, row: Mapping[str, object]) -> Row:
        """The row with these columns, unless it says something else itself."""
        own = {"account_id": self.account_id, "workspace_id": self.workspace_id, "metastore_id": self.metastore_id}
        return {**own, **row}


def at_ms(milliseconds: int) -> datetime:
    """The time of ms since the epoch."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)

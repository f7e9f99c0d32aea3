"""The gold tables over HTTP."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel, Field

from brickyard.health.plan.compile import compile_all

router = APIRouter(prefix="/health", tags=["gold"])


class TableLine(BaseModel):
    """A gold table."""

    table: str = Field(description="Domain and name.")
    domain: str
    kind: str
    description: str
    grain: str
    source: str | None


@router.get("/tables", summary="List gold tables")
def list_tables() -> list[TableLine]:
    """Return every gold table of the requirements, in the order in which they are built."""
    return [
        TableLine(
            table=table.table,
            domain=table.contract.domain,
            kind=table.contract.kind,
            description=table.contract.description,
            grain=table.contract.grain,
            source=table.contract.source,
        )
        for table in compile_all().main
    ]

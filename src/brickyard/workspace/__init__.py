"""The door to Databricks: clients that never replay a write, SQL, waiting, and Databricks' errors as ours."""

from brickyard.workspace.client import Workspaces
from brickyard.workspace.refusals import translated
from brickyard.workspace.rows import Column, Rows
from brickyard.workspace.sql import await_statement, pick_warehouse, run_sql
from brickyard.workspace.waiting import wait_run
from brickyard.workspace.writes import adopt_or_do

__all__ = [
    "Column",
    "Rows",
    "Workspaces",
    "adopt_or_do",
    "await_statement",
    "pick_warehouse",
    "run_sql",
    "translated",
    "wait_run",
]

"""How code in a cell leaves the notebook early: by its own wish, or because the run is cancelled."""

from __future__ import annotations


class NotebookExit(BaseException):
    """`dbutils.notebook.exit(value)`: not an Exception, so that `except Exception` lets it through."""

    def __init__(self, value: str) -> None:
        super().__init__(value)
        self.value = value


class Cancelled(BaseException):
    """The workspace asked the process to end (cancel or timeout)."""


class CellFailed(Exception):
    """A cell ended with an error; `headline` names the error, the cell and the line, `trace` is the whole story."""

    def __init__(self, headline: str, trace: str) -> None:
        super().__init__(headline)
        self.headline = headline
        self.trace = trace


class NotServed(Exception):
    """A feature of Databricks notebooks that the local workspace does not have; the message names the way out."""


class Unserved:
    """Stands for an object that is not served: every use of it says so."""

    def __init__(self, message: str) -> None:
        self._message = message

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        raise NotServed(self._message)

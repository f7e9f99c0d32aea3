"""What a notebook asks about its own run: `dbutils.notebook.entry_point.getDbutils().notebook().getContext()`."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

_OPTIONS = {
    "notebookPath": "notebook_path",
    "notebookId": "notebookId",
    "apiUrl": "api_url",
    "apiToken": "api_token",
    "userName": "user",
    "browserHostName": "browserHostName",
    "jobId": "jobId",
    "currentRunId": "runId",
}
_SECRETS = frozenset(("api_token",))


@dataclass(frozen=True, slots=True)
class Option:
    """A value that may be absent, spelled as notebooks spell it."""

    value: str | None

    def get(self) -> str:
        """The value; raises LookupError when there is none."""
        if self.value is None:
            raise LookupError("None.get")
        return self.value

    def getOrElse(self, other: object) -> object:  # noqa: N802 - Databricks' spelling
        """The value, or what is given instead."""
        if self.value is not None:
            return self.value
        return other() if callable(other) else other

    def isDefined(self) -> bool:  # noqa: N802 - Databricks' spelling
        """Whether there is a value."""
        return self.value is not None


@dataclass(frozen=True, slots=True)
class Tags:
    """`getContext().tags()`."""

    values: Mapping[str, str]

    def apply(self, name: str) -> str:
        """One tag, or raise KeyError."""
        return self.values[name]

    def get(self, name: str) -> Option:
        """One tag as an option."""
        return Option(self.values.get(name))


@dataclass(frozen=True, slots=True)
class NotebookContext:
    """The context of one run: `tags` describe it, `extra` says where it runs and with which token."""

    given_tags: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)

    def tags(self) -> Tags:
        """What describes the run."""
        return Tags(self.given_tags)

    def toJson(self) -> str:  # noqa: N802 - Databricks' spelling
        """Everything as JSON."""
        return self._json(self.extra)

    def safeToJson(self) -> str:  # noqa: N802 - Databricks' spelling
        """Everything but the token as JSON."""
        return self._json({name: value for name, value in self.extra.items() if name not in _SECRETS})

    def _json(self, extra: Mapping[str, str]) -> str:
        run = {"id": int(self.given_tags["runId"])} if "runId" in self.given_tags else None
        return json.dumps({"currentRunId": run, "tags": dict(self.given_tags), "extraContext": dict(extra)})

    def __getattr__(self, name: str) -> Callable[[], Option]:
        if name not in _OPTIONS:
            raise AttributeError(f"The local workspace's notebook context has no {name}.")
        key = _OPTIONS[name]
        return lambda: Option(self.extra.get(key, self.given_tags.get(key)))


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """The way to the context that notebooks write out."""

    context: NotebookContext

    def getDbutils(self) -> EntryPoint:  # noqa: N802 - Databricks' spelling
        """The next step of the way."""
        return self

    def notebook(self) -> EntryPoint:
        """The next step of the way."""
        return self

    def getContext(self) -> NotebookContext:  # noqa: N802 - Databricks' spelling
        """Its end."""
        return self.context

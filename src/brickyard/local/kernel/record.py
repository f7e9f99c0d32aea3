"""What a kernel leaves in its attempt's folder: one line per cell in `cells.jsonl`, the end of it all in `result.json`."""

from __future__ import annotations

import io
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Buffer

MAX_STREAM = 1024 * 1024
MAX_RESULT = 5 * 1024 * 1024
JsonObject = dict[str, object]


@dataclass(slots=True)
class CellRecord:
    """One executed cell; `notebook` is its path, `depth` how many `%run`s lie above it, times in ms since the epoch."""

    notebook: str
    index: int
    depth: int
    language: str
    title: str | None
    source: str
    started: int
    status: str = "RUNNING"
    duration_ms: int = 0
    stdout: io.StringIO = field(default_factory=io.StringIO)
    outputs: list[JsonObject] = field(default_factory=list)
    error: str | None = None
    trace: str | None = None

    def as_json(self) -> JsonObject:
        """The line that is written."""
        return {
            "notebook": self.notebook,
            "cell": self.index,
            "depth": self.depth,
            "language": self.language,
            "title": self.title,
            "source": self.source,
            "started": self.started,
            "status": self.status,
            "duration_ms": self.duration_ms,
            "stdout": self.stdout.getvalue(),
            "outputs": self.outputs,
            "error": self.error,
            "trace": self.trace,
        }


class Recorder:
    """Writes cells as they end and keeps the one that runs, so that output goes where it belongs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: list[CellRecord] = []
        self._secrets: list[str] = []

    def conceal(self, secret: str) -> None:
        """Blot a secret out of everything that is recorded or printed from now on."""
        if secret.strip() and secret not in self._secrets:
            self._secrets.append(secret)

    def concealed(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            text = text.replace(secret, "[REDACTED]")
        return text

    @contextmanager
    def cell(self, record: CellRecord) -> Iterator[CellRecord]:
        """Record a cell; one that is left by an exception counts as failed unless it says otherwise."""
        self._open.append(record)
        self._write("current.json", record.as_json())
        began = time.perf_counter()
        try:
            yield record
        finally:
            self._open.pop()
            record.duration_ms = round((time.perf_counter() - began) * 1000)
            record.status = "FAILED" if record.status == "RUNNING" else record.status
            with (self._folder / "cells.jsonl").open("a", encoding="utf-8") as lines:
                lines.write(self._coded(record.as_json()) + "\n")

    def output(self, item: JsonObject) -> None:
        """Add an output to the running cell."""
        if self._open:
            self._open[-1].outputs.append(item)

    def replace_output(self, item: JsonObject) -> None:
        """Show only the last result of a cell."""
        if self._open:
            self._open[-1].outputs[:] = [item]

    def printed(self, text: str) -> None:
        """Add printed text to the running cell, up to a megabyte."""
        if self._open:
            room = MAX_STREAM - self._open[-1].stdout.tell()
            self._open[-1].stdout.write(text[: max(room, 0)])

    def finish(self, result: JsonObject) -> None:
        """Write how the task ended: at once or not at all."""
        (self._folder / "current.json").unlink(missing_ok=True)
        self._write("result.json", result)

    def _write(self, name: str, content: JsonObject) -> None:
        temporary = self._folder / f".{name}"
        temporary.write_text(self._coded(content), encoding="utf-8")
        temporary.replace(self._folder / name)

    def _coded(self, content: JsonObject) -> str:
        """The content as one line of JSON, secrets blotted out of its texts."""
        return json.dumps(self._clean(content) if self._secrets else content, ensure_ascii=False)

    def _clean(self, value: object) -> object:
        match value:
            case str():
                return self.concealed(value)
            case dict():
                return {key: self._clean(inner) for key, inner in value.items()}
            case list():
                return [self._clean(inner) for inner in value]
            case _:
                return value


class _Sink(io.RawIOBase):
    """The bytes of a standard stream: to the log and to the running cell, at once, secrets blotted out."""

    def __init__(self, recorder: Recorder, descriptor: int) -> None:
        super().__init__()
        self._recorder = recorder
        self._descriptor = descriptor

    def writable(self) -> bool:
        """It is."""
        return True

    def fileno(self) -> int:
        """The log's descriptor, for those who start processes."""
        return self._descriptor

    def write(self, data: Buffer) -> int:
        """Write through, so that a killed process leaves all it printed."""
        given = bytes(data)
        text = given.decode("utf-8", "replace")
        self._recorder.printed(text)
        left = self._recorder.concealed(text).encode()
        while left:
            left = left[os.write(self._descriptor, left) :]
        return len(given)


def stream(recorder: Recorder, descriptor: int) -> io.TextIOWrapper:
    """A standard stream that writes to the log and to the running cell."""
    sink = _Sink(recorder, descriptor)
    return io.TextIOWrapper(sink, "utf-8", "backslashreplace", newline="", write_through=True)  # type: ignore[arg-type]  # raw bytes are what is wanted


def now_ms() -> int:
    """The time in ms since the epoch."""
    return time.time_ns() // 1_000_000

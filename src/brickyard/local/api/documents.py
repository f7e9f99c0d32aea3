"""Small tables of JSON documents, each kept in one private file and written whole."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from brickyard.local.api.routes import JsonObject
from brickyard.local.api.tokens import write_private


class Documents:
    """Documents by key; a change made inside `changing` is on disk when the block ends, or not made at all."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._lock = threading.RLock()
        self._rows: dict[str, JsonObject] = json.loads(file.read_text()) if file.exists() else {}

    def get(self, key: str) -> JsonObject | None:
        """A copy of one document."""
        with self._lock:
            row = self._rows.get(key)
            return None if row is None else dict(row)

    def items(self, prefix: str = "") -> list[tuple[str, JsonObject]]:
        """Copies of the documents whose key begins with *prefix*, by key."""
        with self._lock:
            return [(key, dict(row)) for key, row in sorted(self._rows.items()) if key.startswith(prefix)]

    @contextmanager
    def changing(self) -> Iterator[dict[str, JsonObject]]:
        """A draft of all documents, kept when the block ends well."""
        with self._lock:
            draft = {key: dict(row) for key, row in self._rows.items()}
            yield draft
            write_private(self._file, json.dumps(draft))
            self._rows = draft

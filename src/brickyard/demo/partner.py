"""The partner on the other side: opens an activation link once and reads what it is given, with the ordinary client."""

from __future__ import annotations

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
from requests import HTTPError

_ACTIVATION = "/api/2.1/unity-catalog/public/data_sharing_activation/"
_REFUSED = (401, 403, 404)


@dataclass(frozen=True, slots=True)
class Read:
    """What came of reading one table: rows by response format, or the status of the refusal."""

    partner: str
    table: str
    rows: int | None = None
    formats: tuple[str, ...] = ()
    refused: int | None = None


@dataclass(frozen=True, slots=True)
class Partner:
    """A partner with the profile that an activation link gave."""

    name: str
    profile: dict[str, str]

    @classmethod
    def activate(cls, name: str, link: str) -> Partner:
        """Download the profile behind a link, which works once."""
        parts = urlsplit(link)
        token = parse_qs(parts.query)["token"][0]
        answer = httpx.get(f"{parts.scheme}://{parts.netloc}{_ACTIVATION}{token}", timeout=30)
        answer.raise_for_status()
        return cls(name, answer.json())

    def tables(self) -> list[str]:
        """What the partner sees, as `share.schema.table`."""
        from delta_sharing import SharingClient

        with self._file() as file:
            found = SharingClient(str(file)).list_all_tables()
        return sorted(f"{table.share}.{table.schema}.{table.name}" for table in found)

    def read_all(self) -> list[Read]:
        """Read every table that the partner sees, in both response formats."""
        return [self.read(table) for table in self.tables()]

    def read(self, table: str) -> Read:
        """Read one table in both formats; the rows must be as many."""
        from delta_sharing import load_as_pandas

        with self._file() as file:
            try:
                counts = {
                    form: len(load_as_pandas(f"{file}#{table}", use_delta_format=form == "delta"))
                    for form in ("parquet", "delta")
                }
            except HTTPError as error:
                status = error.response.status_code if error.response is not None else None
                if status not in _REFUSED:
                    raise
                return Read(self.name, table, refused=status)
        if len(set(counts.values())) != 1:
            raise AssertionError(f"{table} has other rows in another format: {counts}")
        return Read(self.name, table, rows=next(iter(counts.values())), formats=tuple(counts))

    def _file(self) -> _Profile:
        return _Profile(self.profile)


class _Profile:
    """The profile as the file that the client wants, for a moment, and only for us."""

    def __init__(self, profile: dict[str, str]) -> None:
        self._profile = profile

    def __enter__(self) -> Path:
        handle = tempfile.NamedTemporaryFile("w", suffix=".share", delete=False)
        with handle:
            json.dump(self._profile, handle)
        self._path = Path(handle.name)
        return self._path

    def __exit__(self, *_: object) -> None:
        self._path.unlink(missing_ok=True)

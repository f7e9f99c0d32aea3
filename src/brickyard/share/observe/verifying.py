"""Reads as a recipient reads: with a bearer token, over the open protocol, through the `delta-sharing` client."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import parse_qs, urlsplit

from brickyard.kernel.errors import SpecInvalid
from brickyard.share.model.runs import Verdict
from brickyard.workspace import translated

if TYPE_CHECKING:
    from databricks.sdk import WorkspaceClient
    from delta_sharing.protocol import Table
    from delta_sharing.rest_client import DataSharingRestClient
    from requests import HTTPError

T = TypeVar("T")

FIRST_ROWS = 10
_RETRIES = 3  # of a request that met 429, 5xx or no answer: 0.7 s of pauses in all instead of the client's 102 s
_ANSWER_SECONDS = (10.0, 60.0)  # to connect, and between two bytes
_REFUSALS = (401, 403, 404)
_LOST = "DATA_LOSS"
_PARQUET, _DELTA = "parquet", "delta"


@dataclass(frozen=True, slots=True)
class Credential:
    """What a recipient reads with; only ever in memory."""

    endpoint: str
    bearer: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Got:
    """What a recipient got: a verdict, how many rows, and in words what there is to say."""

    verdict: Verdict
    rows: int | None = None
    message: str = ""
    tables: tuple[str, ...] = ()


def activate(client: WorkspaceClient, link: str) -> Credential:
    """Turn an activation link into a credential, which works once; raises NotFound when it is used up."""
    query = urlsplit(link).query
    token = parse_qs(query).get("token", [query])[0]
    with translated("activate the probe"):
        got = client.recipient_activation.retrieve_token(token)
    return Credential((got.endpoint or "").rstrip("/"), got.bearer_token or "")


def listed(credential: Credential, share: str) -> Got:
    """Return the tables of a share, `schema.table` as the recipient sees them."""
    return _asked(lambda: _tables(credential, share))


def _tables(credential: Credential, share: str) -> Got:
    from delta_sharing.protocol import Share

    rest = _rest(credential)
    found: list[str] = []
    token: str | None = None
    while True:
        page = rest.list_all_tables(Share(name=share), page_token=token)
        found += [f"{table.schema}.{table.name}" for table in page.tables]
        token = page.next_page_token
        if not token:
            return Got(Verdict.READ, tables=tuple(sorted(found)))


def touched(credential: Credential, share: str, table: str) -> Got:
    """Ask for the version of a table, the least that a reader can ask."""
    rest = _rest(credential)
    return _asked(lambda: Got(Verdict.READ, message=f"version {_version(rest, _place(share, table))}"))


def read(credential: Credential, share: str, table: str, *, limit: int | None, feed: bool) -> Got:
    """Read a table in the format that the client chooses, then in the other one: columns and up to *limit* rows.

    With *feed* its last change too. A format that the server does not offer for this table is said in the message.
    """
    return _asked(lambda: _read(credential, _place(share, table), limit, feed=feed))


def _read(credential: Credential, table: Table, limit: int | None, *, feed: bool) -> Got:
    rest = _rest(credential)
    chosen = rest.autoresolve_query_format(table)
    before = _version(rest, table)
    rows = _rows(credential, table, limit, chosen)
    other = _PARQUET if chosen == _DELTA else _DELTA
    notes = [f"columns and {'all' if limit is None else 'first'} rows in {chosen}"]
    again = _offered(lambda: _rows(credential, table, limit, other))
    notes.append(f"not offered in {other}" if again is None else f"in {other} too")
    if again not in (None, rows) and before == _version(rest, table):
        return Got(Verdict.FAILED, rows, f"{rows} rows in {chosen}, {again} in {other}")
    if feed:
        notes.append(_feed(credential, table, before))
    return Got(Verdict.READ, rows, ", ".join(notes))


def _rows(credential: Credential, table: Table, limit: int | None, form: str) -> int:
    """Read rows in one format, hold their columns against the schema, and count them."""
    from delta_sharing.reader import DeltaSharingReader

    rest, delta = _rest(credential), form == _DELTA
    columns = _columns(rest, table)
    frame = DeltaSharingReader(table, _rest(credential), limit=limit, use_delta_format=delta).to_pandas()
    if [str(name).lower() for name in frame.columns] != [name.lower() for name in columns]:
        raise ValueError(f"the rows have the columns {', '.join(frame.columns)}, the schema {', '.join(columns)}")
    return len(frame)


def _columns(rest: DataSharingRestClient, table: Table) -> list[str]:
    rest.set_sharing_capabilities_header()
    metadata = rest.query_table_metadata(table).metadata
    return [field["name"] for field in json.loads(metadata.schema_string or '{"fields": []}')["fields"]]


def _feed(credential: Credential, table: Table, version: int) -> str:
    """Read the changes of the newest version."""
    from delta_sharing.protocol import CdfOptions
    from delta_sharing.reader import DeltaSharingReader

    def changes(form: str) -> int:
        reader = DeltaSharingReader(table, _rest(credential), use_delta_format=form == _DELTA)
        return len(reader.table_changes_to_pandas(CdfOptions(starting_version=version)))

    found = _offered(lambda: changes(_PARQUET))
    return f"{changes(_DELTA) if found is None else found} changes of version {version}"


def _offered(ask: Callable[[], T]) -> T | None:
    """Return the answer, or None when the server does not offer it in this format."""
    from requests import HTTPError

    try:
        return ask()
    except HTTPError as error:
        if _status(error) == 400:
            return None
        raise


def _version(rest: DataSharingRestClient, table: Table) -> int:
    return rest.query_table_version(table).delta_table_version


def _place(share: str, table: str) -> Table:
    from delta_sharing.protocol import Table

    schema, _, name = table.partition(".")
    return Table(name=name, share=share, schema=schema)


def _rest(credential: Credential) -> DataSharingRestClient:
    """Return the client's connection, with our patience: it keeps headers from call to call, so each reading has its own."""
    try:
        from delta_sharing.protocol import DeltaSharingProfile
        from delta_sharing.rest_client import DataSharingRestClient
    except ImportError as error:
        raise SpecInvalid(
            f"the Delta Sharing client is not installed: {error}",
            code="share-no-client",
            remedy="pip install 'brickyard[sharing]'",
        ) from error
    profile = DeltaSharingProfile(1, credential.endpoint, credential.bearer)
    return _patient(DataSharingRestClient(profile, num_retries=_RETRIES))


def _patient(rest: DataSharingRestClient) -> DataSharingRestClient:
    """Give up on a server that does not answer; the client itself waits for ever and has no other seam."""
    from requests.adapters import HTTPAdapter

    class Patient(HTTPAdapter):
        def send(self, *args, timeout=None, **options):
            return super().send(*args, timeout=timeout or _ANSWER_SECONDS, **options)

    for scheme in ("https://", "http://"):
        rest._session.mount(scheme, Patient())
    return rest


# ── what an error means ──────────────────────────────────────────────────────────────────────────────────────────────


def _asked(ask: Callable[[], Got]) -> Got:
    """Return what was got; a refusal is one of 401, 403 and 404, unless the server has lost the table's data."""
    from requests import HTTPError

    try:
        return ask()
    except SpecInvalid:
        raise
    except HTTPError as error:
        return _refusal(error)
    except Exception as error:  # noqa: BLE001 — the client's formats raise whatever pandas, Arrow, Rust and aiohttp do
        return Got(Verdict.FAILED, message=f"the client could not read it: {_line(error)}")


def _refusal(error: HTTPError) -> Got:
    status, (code, words) = _status(error), _words(error)
    said = f"HTTP {status} {code}: {words}" if status else words
    refused = status in _REFUSALS and code != _LOST
    return Got(Verdict.REFUSED if refused else Verdict.FAILED, message=said)


def _status(error: HTTPError) -> int | None:
    """The status of an answer; the client wraps the one of an expired token into an error without it."""
    answer = error.response if error.response is not None else getattr(error.__cause__, "response", None)
    return None if answer is None else answer.status_code


def _words(error: HTTPError) -> tuple[str, str]:
    answer = error.response if error.response is not None else getattr(error.__cause__, "response", None)
    try:
        said = json.loads(answer.text) if answer is not None else {}
    except ValueError:
        said = {}
    return str(said.get("errorCode", "")), str(said.get("message") or _line(error))


def _line(error: Exception) -> str:
    """The first line of an error, without the query strings of addresses, which sign them."""
    import re

    text = str(error).strip().splitlines()
    return re.sub(r"(https?://[^\s'\"?]+)\?[^\s'\"]*", r"\1?…", text[0] if text else type(error).__name__)[:300]

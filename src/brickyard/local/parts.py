"""The composition root: what a local workspace is made of, and how the pieces get hold of each other."""

from __future__ import annotations

import json
import os
import secrets
import threading
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from brickyard.local.api import (
    activation,
    clusters,
    dbfs,
    delta_sharing,
    faults,
    federation,
    grants,
    identity,
    jobs,
    permissions,
    pipelines,
    providers,
    recipients,
    scim,
    shares,
    statements,
    tables,
    unity,
    volumes,
    warehouses,
    workspace,
)
from brickyard.local.api import secrets as secret_scopes
from brickyard.local.api.clusters import Clusters
from brickyard.local.api.dbfs import Dbfs
from brickyard.local.api.documents import Documents
from brickyard.local.api.errors import ApiError
from brickyard.local.api.executions import Statements
from brickyard.local.api.faults import Control, Faults, RequestLog
from brickyard.local.api.identity import Identity
from brickyard.local.api.inside import inside
from brickyard.local.api.permissions import Permissions
from brickyard.local.api.providers import Providers
from brickyard.local.api.routes import JsonObject, Route
from brickyard.local.api.scim import Directory
from brickyard.local.api.secrets import Secrets
from brickyard.local.api.sharing import Sharing
from brickyard.local.api.tokens import Principal, Tokens, write_private
from brickyard.local.api.unity import Unity, metastore_id
from brickyard.local.api.volumes import VolumeFiles
from brickyard.local.api.warehouses import Warehouses
from brickyard.local.catalog.model import AlreadyExists, CatalogError, DoesNotExist, Table
from brickyard.local.catalog.store import SYSTEM, CatalogStore
from brickyard.local.copies import relocate
from brickyard.local.files.folder import Folder
from brickyard.local.files.workspace import WorkspaceFiles
from brickyard.local.pipelines.pipelines import Pipelines
from brickyard.local.runs.launch import Surfaces
from brickyard.local.runs.service import Runs
from brickyard.local.sharing.files import links
from brickyard.local.sharing.seal import Seal
from brickyard.local.sharing.server import Server as SharingServer
from brickyard.local.sharing.store import SharingStore
from brickyard.local.sql import http
from brickyard.local.sql.http import KernelSql
from brickyard.local.system.journal import Journal
from brickyard.local.system.model import Stamp
from brickyard.local.system.record import Recorder

if TYPE_CHECKING:
    from brickyard.local.engines.model import Engine
    from brickyard.local.sharing.views import Views
    from brickyard.local.sql.call import Ask
    from brickyard.local.sql.model import Result, SqlError, SqlSession
    from brickyard.local.sql.service import SqlService


CATALOG = "catalog.sqlite"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a workspace lies: its folder, its owner, its port, and what runs its SQL (`sail` or `spark`)."""

    home: Path
    owner: str
    port: int
    engine: str = "sail"

    @property
    def host(self) -> str:
        """The address."""
        return f"http://127.0.0.1:{self.port}"

    def folder(self, name: str) -> Path:
        """A folder of the workspace, made when missing."""
        path = self.home / name
        path.mkdir(parents=True, exist_ok=True)
        return path


@dataclass(frozen=True, slots=True)
class Parts:
    """What a workspace is made of; each part is a plain object that its routes are bound to."""

    tokens: Tokens
    control: Control
    identity: Identity
    directory: Directory
    files: WorkspaceFiles
    catalog: CatalogStore
    unity: Unity
    volumes: VolumeFiles
    dbfs: Dbfs
    warehouses: Warehouses
    statements: Statements
    permissions: Permissions
    secrets: Secrets
    clusters: Clusters
    runs: Runs
    pipelines: Pipelines
    kernels: KernelSql
    sharing: SharingStore
    delta_sharing: Sharing
    providers: Providers
    sharing_server: SharingServer
    recorder: Recorder

    def routes(self) -> list[Route]:
        """Every route that is served."""
        return [
            *faults.router.bind(self.control),
            *identity.router.bind(self.identity),
            *scim.router.bind(self.directory),
            *workspace.router.bind(self.files),
            *unity.router.bind(self.unity),
            *tables.router.bind(self.unity),
            *grants.router.bind(self.unity),
            *volumes.router.bind(self.volumes),
            *dbfs.router.bind(self.dbfs),
            *warehouses.router.bind(self.warehouses),
            *statements.router.bind(self.statements),
            *permissions.router.bind(self.permissions),
            *secret_scopes.router.bind(self.secrets),
            *clusters.router.bind(self.clusters),
            *jobs.router.bind(self.runs),
            *pipelines.router.bind(self.pipelines),
            *http.router.bind(self.kernels),
            *shares.router.bind(self.delta_sharing),
            *recipients.router.bind(self.delta_sharing),
            *providers.router.bind(self.providers),
            *activation.router.bind(self.delta_sharing),
            *federation.router.bind(self.delta_sharing),
            *delta_sharing.router.bind(self.sharing_server),
        ]


class LazySql:
    """The SQL service, made at its first use: a client that only wants REST does not wait for it.

    *told* hears in a warehouse's words when it starts and stops.
    """

    def __init__(self, make: Callable[[], SqlService], told: Callable[[str], None]) -> None:
        self._make = make
        self._told = told
        self._lock = threading.Lock()
        self._service: SqlService | None = None

    def __call__(self) -> SqlService:
        """The service."""
        with self._lock:
            if self._service is None:
                self._told("STARTING")
                self._service = self._make()
                self._told("RUNNING")
            return self._service

    def close(self) -> None:
        """End the engine, when it was ever started."""
        with self._lock:
            if self._service is not None:
                self._told("STOPPING")
                self._service.close()
                self._service = None
                self._told("STOPPED")


def build(place: Place, stack: ExitStack) -> Parts:
    """Make the parts; *stack* closes them in the opposite order."""
    workspace_id = _workspace_id(place)
    tokens = Tokens(place.home, place.owner)
    files = WorkspaceFiles(place.folder("files"), place.owner)
    stack.callback(files.close)
    store = CatalogStore(place.home / CATALOG, owner=place.owner)
    stack.callback(store.close)
    stamp = Stamp(str(workspace_id), metastore_id(workspace_id))
    journal = Journal(place.folder("tables") / "system", stamp)
    stack.callback(journal.close)
    default_warehouse = f"{workspace_id:016x}"
    sql = LazySql(
        lambda: _sql_service(place, store, management, journal),
        lambda event: recorder.warehouse_events(default_warehouse, event),
    )
    stack.callback(sql.close)
    unity_ = Unity(store, lambda text, who: _run_sql(sql(), text, who, within_request=True), workspace_id, sql)
    sharing = SharingStore(store.database)
    rows = place.folder("settings")
    directory = Directory(tokens, Documents(rows / "identity.json"))
    management = Sharing(sharing, unity_, place.host, directory.groups_of)
    runs = Runs(Surfaces(place.host, place.home, os.environ), tokens, files)
    runs.environments.volume = partial(_volume_folder, unity_)
    pipelines_ = Pipelines(
        place.folder("pipelines"), runs, lambda text, who: _run_sql(sql(), text, who), partial(_known_table, store)
    )
    stack.callback(pipelines_.close)
    recorder = Recorder(journal, Documents(rows / "told.json"), runs, pipelines_)
    pipelines_.on_change = recorder.pipeline
    runs.listen(recorder.changed)
    houses = Warehouses(Documents(rows / "warehouses.json"), default_warehouse, place.owner, place.port, recorder)
    statements_ = Statements(sql, houses, place.host, runs.origin)
    stack.callback(statements_.close)
    recorder.place(place.home.name, place.host, store.catalog(SYSTEM).created_at, clusters.node_type())
    recorder.warehouse(houses.get(default_warehouse))
    return Parts(
        tokens=tokens,
        control=Control(Faults(), RequestLog()),
        identity=Identity(tokens, workspace_id, place.host, directory),
        directory=directory,
        files=files,
        catalog=store,
        unity=unity_,
        volumes=VolumeFiles(partial(_volume_folder, unity_)),
        dbfs=Dbfs(Folder(place.folder("dbfs"))),
        warehouses=houses,
        statements=statements_,
        permissions=Permissions(Documents(rows / "permissions.json"), place.owner),
        secrets=Secrets(Documents(rows / "secrets.json"), place.home / "secrets.key"),
        clusters=Clusters(place.owner),
        runs=runs,
        pipelines=pipelines_,
        kernels=KernelSql(sql, runs.origin, place.owner),
        sharing=sharing,
        delta_sharing=management,
        providers=Providers(management, Seal(place.home / "providers.key")),
        sharing_server=_sharing_server(place, management, sql, journal),
        recorder=recorder,
    )


def translate(error: Exception) -> ApiError | None:
    """The envelope of an error that a part raised, None when no part knows it."""
    if isinstance(error, CatalogError):
        status = 400 if isinstance(error, AlreadyExists) else error.status  # as Unity Catalog answers
        return ApiError(status, error.code, error.message)
    from brickyard.local.sql.model import SqlError

    return _sql_refusal(error) if isinstance(error, SqlError) else None


_REFUSALS = (
    ("_ALREADY_EXISTS", 409, "RESOURCE_ALREADY_EXISTS"),
    ("_NOT_FOUND", 404, "RESOURCE_DOES_NOT_EXIST"),
    ("PERMISSION", 403, "PERMISSION_DENIED"),
)


def _sql_refusal(error: SqlError) -> ApiError:
    for word, status, code in _REFUSALS:
        if word in error.error_class:
            return ApiError(status, code, str(error))
    return ApiError(400, "INVALID_PARAMETER_VALUE", str(error))


def _sql_service(place: Place, store: CatalogStore, management: Sharing, journal: Journal) -> SqlService:
    from brickyard.local.sql.service import SqlService

    return SqlService(place.home, store, ask=_ask(management), journal=journal, engine=_engine(place))


def _engine(place: Place) -> Engine:
    from brickyard.local.engines.sail import SailEngine
    from brickyard.local.engines.spark import SparkEngine

    made = {engine.name: engine for engine in (SailEngine, SparkEngine)}[place.engine]
    return made(place.folder("logs") / "engine.log")


def _ask(management: Sharing) -> Ask:
    """How SQL about shares and recipients is answered: as the same request over REST is."""
    from brickyard.local.sql.model import SqlError

    answered = inside([*shares.router.bind(management), *recipients.router.bind(management)], management.host)

    def ask(session: SqlSession, method: str, path: str, body: Mapping[str, object]) -> JsonObject:
        try:
            return answered(Principal(session.principal, owner=session.admin), method, path, body)
        except (ApiError, CatalogError) as error:
            code = error.error_code if isinstance(error, ApiError) else error.code
            state = next((state for word, state in _STATES if word in code), "22023")
            raise SqlError(code, error.message, state) from error

    return ask


_STATES = (("DOES_NOT_EXIST", "42704"), ("ALREADY_EXISTS", "42710"), ("PERMISSION", "42501"))


def _sharing_server(place: Place, sharing: Sharing, sql: LazySql, journal: Journal) -> SharingServer:
    store = sharing.unity.store

    @cache
    def views() -> Views:
        from brickyard.local.sharing.views import Views

        return Views(place.folder("sharing"), store, lambda statement, session: sql().execute(statement, session).table)

    return SharingServer(
        metastore=sharing.unity.metastore_id,
        directory=sharing.store,
        catalog=store,
        check=lambda share, one: sharing.shareable(share).check_source(one),
        links=links(place.home),
        views=views,
        audit=lambda row: journal.add("access.audit", [row]),
    )


def _run_sql(service: SqlService, statement: str, principal: Principal, *, within_request: bool = False) -> Result:
    from brickyard.local.sql.model import Origin, SqlSession

    origin = Origin(within_request=within_request)
    return service.execute(statement, SqlSession(principal.name, admin=principal.owner, origin=origin), ())


def _known_table(store: CatalogStore, full_name: str) -> Table | None:
    try:
        return store.table(*_three(full_name.lower()))
    except DoesNotExist:
        return None


def _three(full_name: str) -> tuple[str, str, str]:
    catalog, _, rest = full_name.partition(".")
    schema, _, name = rest.partition(".")
    return catalog, schema, name


def _volume_folder(unity_: Unity, principal: Principal, key: tuple[str, str, str], writing: bool) -> Folder:
    volume = unity_.store.volume(*key)
    unity_.check_use(volume, "WRITE VOLUME" if writing else "READ VOLUME", principal)
    base = "/Volumes/" + "/".join(key)
    return Folder(_local_path(volume.storage_location), lambda path: base + path.rstrip("/"))


def _local_path(location: str) -> Path:
    return Path(url2pathname(urlsplit(location).path)) if location.startswith("file:") else Path(location)


def _workspace_id(place: Place) -> int:
    """The identifier of the workspace; notes where the workspace lies, and corrects its catalog when it was moved."""
    file, here = place.home / "workspace.json", str(place.home)
    known: JsonObject = {"workspace_id": 10**15 + secrets.randbelow(9 * 10**15), "home": here}
    if file.exists():
        known |= json.loads(file.read_text())
    relocate(place.home / CATALOG, Path(str(known["home"])), place.home)
    write_private(file, json.dumps({**known, "home": here}))
    return int(str(known["workspace_id"]))

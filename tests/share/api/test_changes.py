"""Every direct route that changes something: done in the workspace, written down, and refused for what is somebody else's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from databricks.sdk.service.catalog import PermissionsChange as CatalogChange
from databricks.sdk.service.catalog import Privilege
from databricks.sdk.service.jobs import CronSchedule, JobSettings, PipelineTask, Task
from databricks.sdk.service.pipelines import NotebookLibrary, PipelineLibrary, UpdateInfoState
from databricks.sdk.service.sharing import AuthenticationType
from tests.share.flow.conftest import clean

from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata, audit
from brickyard.share import tasks  # noqa: F401 — the import registers the room's tasks
from brickyard.share.observe.recipients import MARK
from brickyard.share.store import documents
from brickyard.workspace import run_sql

OTHER = "other@local"
WORLD = (
    "CREATE CATALOG IF NOT EXISTS m",
    "CREATE SCHEMA IF NOT EXISTS m.s",
    "CREATE TABLE IF NOT EXISTS m.s.orders (id BIGINT)",
    "CREATE TABLE IF NOT EXISTS m.s.items (id BIGINT)",
    "CREATE OR REPLACE VIEW m.s.few AS SELECT * FROM m.s.orders",
)
PIPELINE = {
    "target_catalog_name": "m",
    "target_schema_name": "s",
    "configuration": {
        "pipelines.source_table": "m.s.orders",
        "pipelines.target_table": "orders_copy",
        "pipelines.keys": "id",
    },
}
_OVER = (UpdateInfoState.COMPLETED, UpdateInfoState.FAILED, UpdateInfoState.CANCELED)
DAILY = {"job_name": "daily", "cron_expression": "0 0 6 * * ?", "time_zone": "Europe/Berlin"}

Call = Callable[..., httpx.Response]


@pytest.fixture(autouse=True)
def world(workspace: LocalWorkspace) -> Iterator[None]:
    """Something to share, and nobody that it is shared with."""
    for statement in WORLD:
        run_sql(workspace.client(), statement)
    clean(workspace)
    yield
    clean(workspace)


@pytest.fixture
def call(client: httpx.Client) -> Call:
    """Send a request and expect a status."""

    def send(expected: int, method: str, path: str, **options: Any) -> httpx.Response:
        answer = client.request(method, path, **options)
        assert answer.status_code == expected, answer.text
        return answer

    return send


def told(metadata: Metadata) -> list[tuple[str, str]]:
    """What the audit trail says was done, to which thing; that it was asked for stands before each."""
    with metadata.read() as tx:
        rows = tx.execute(sa.select(audit.events.c.action, audit.events.c.subject).order_by(audit.events.c.id)).all()
        assert audit.verify(tx) == ()
    asked = [row.subject for row in rows if row.action == "AskForStep"]
    done = [(row.action, row.subject) for row in rows if row.action in documents.KINDS]
    assert asked == [subject for _, subject in done]
    return done


# ── what is ours ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_recipient_is_made_changed_and_deleted(call: Call, metadata: Metadata, workspace: LocalWorkspace):
    made = call(201, "POST", "/recipients/d2o/acme", params={"description": "x", "ip_access_list": "10.0.0.0/8"})
    assert (made.json()["comment"], "activation_url" in made.text) == ("x", False)
    call(409, "POST", "/recipients/d2o/acme")
    call(
        201,
        "POST",
        "/recipients/d2d/beta",
        params={"recipient_identifier": "azure:west:5b8e5c1c-6f0e-4d0a-9c1d-0b8f6f1a2c3d", "description": "y"},
    )
    call(200, "PUT", "/recipients/acme/ipaddress/add", params={"ip_access_list": "192.0.2.1"})
    call(200, "PUT", "/recipients/acme/ipaddress/revoke", params={"ip_access_list": "10.0.0.0/8"})
    call(200, "PUT", "/recipients/acme/description/update", params={"description": "z"})
    call(200, "PUT", "/recipients/acme/expiration_time/update", params={"expiration_time": 30})
    now = workspace.client().recipients.get("acme")
    assert (now.comment, now.ip_access_list and now.ip_access_list.allowed_ip_addresses) == ("z", ["192.0.2.1"])
    (token,) = now.tokens or ()
    assert abs((token.expiration_time or 0) / 1000 - time.time() - 30 * 86400) < 60
    call(200, "PUT", "/recipients/acme/tokens/rotate", params={"expire_in_seconds": 60})
    (new,) = workspace.client().recipients.get("acme").tokens or ()  # nobody has used the old one
    assert new.id != token.id
    call(200, "DELETE", "/recipients/acme")
    assert [one.name for one in workspace.client().recipients.list()] == ["beta"]
    assert [line for line in told(metadata) if line != ("CreateRecipient", "beta")] == [
        ("CreateRecipient", "acme"),
        *[("ChangeRecipient", "acme")] * 4,
        ("RotateToken", "acme"),
        ("DeleteRecipient", "acme"),
    ]


def test_a_share_is_made_filled_opened_closed_and_deleted(call: Call, metadata: Metadata, workspace: LocalWorkspace):
    workspace.client().recipients.create("acme", AuthenticationType.TOKEN)
    made = call(201, "POST", "/shares/sales", params={"description": "x", "storage_root": "abfss://c@a.net/x"})
    assert made.json()["storage_root"] == "abfss://c@a.net/x"
    call(409, "POST", "/shares/sales")
    objects = {"tables": ["m.s.orders", "m.s.items"], "views": ["m.s.few"]}
    call(200, "PUT", "/shares/sales/dataobject/add", json=objects)
    call(409, "PUT", "/shares/sales/dataobject/add", json=objects)
    left = call(200, "PUT", "/shares/sales/dataobject/revoke", json={"tables": ["m.s.items"], "views": ["m.s.few"]})
    assert [one["name"] for one in left.json()["objects"]] == ["m.s.orders"]
    call(404, "PUT", "/shares/sales/dataobject/revoke", json={"tables": ["m.s.items"]})
    call(200, "PUT", "/shares/sales/recipients/add", params={"recipient_name": "acme"})
    call(409, "PUT", "/shares/sales/recipients/add", params={"recipient_name": "acme"})
    (reader,) = workspace.client().shares.share_permissions("sales").privilege_assignments or ()
    assert reader.principal == "acme"
    call(200, "PUT", "/shares/sales/recipients/remove", params={"recipient_name": "acme"})
    call(404, "PUT", "/shares/sales/recipients/remove", params={"recipient_name": "acme"})
    call(204, "DELETE", "/shares/sales")
    call(404, "DELETE", "/shares/sales")
    assert list(workspace.client().shares.list_shares()) == []
    steps = ("CreateShare", "ChangeObjects", "ChangeObjects", "Grant", "Revoke", "DeleteShare")
    assert told(metadata) == [(step, "sales") for step in steps]


def test_a_pipeline_is_made_changed_and_deleted(call: Call, metadata: Metadata, workspace: LocalWorkspace):
    client = workspace.client()
    call(201, "POST", "/pipelines/copy", json=PIPELINE)
    call(409, "POST", "/pipelines/copy", json=PIPELINE)
    people = {"notifications_list": ["ada@acme.com", "bob@acme.com"]}
    call(200, "PUT", "/pipelines/copy/notifications/add", json=people)
    call(200, "PUT", "/pipelines/copy/notifications/remove", json={"notifications_list": ["bob@acme.com"]})
    call(200, "PUT", "/pipelines/copy/continuous", params={"continuous": True})
    other = {**PIPELINE["configuration"], "pipelines.scd_type": "1"}
    call(200, "PUT", "/pipelines/copy/configuration", json={"configuration": other})
    (listed,) = client.pipelines.list_pipelines()
    spec = client.pipelines.get(listed.pipeline_id or "").spec
    assert spec and spec.configuration and spec.configuration["pipelines.scd_type"] == "1"
    assert (spec.continuous, [one.email_recipients for one in spec.notifications or ()]) == (True, [["ada@acme.com"]])
    call(200, "DELETE", "/pipelines/copy")
    assert list(client.pipelines.list_pipelines()) == []
    steps = ("CreatePipeline", *["ChangePipeline"] * 4, "DeletePipeline")
    assert told(metadata) == [(step, "copy") for step in steps]


def test_a_pipeline_keeps_its_notebooks_until_it_is_given_others(
    call: Call, metadata: Metadata, workspace: LocalWorkspace
):
    call(201, "POST", "/pipelines/copy", json=PIPELINE)
    wanted = {"libraries": [{"notebook": {"path": "/Shared/b"}}, {"notebook": {"path": "/Shared/a"}}]}
    for _ in range(2):  # the second time there is nothing to do
        spec = call(200, "PUT", "/pipelines/copy/libraries", json=wanted).json()["spec"]
        assert spec["libraries"] == wanted["libraries"]
    call(400, "PUT", "/pipelines/copy/libraries", json={"libraries": wanted["libraries"][:1] * 2})
    call(422, "PUT", "/pipelines/copy/libraries", json={"libraries": []})
    spec = call(200, "PUT", "/pipelines/copy/notifications/add", json={"notifications_list": ["a@b.com"]}).json()[
        "spec"
    ]
    assert spec["libraries"] == wanted["libraries"]
    assert told(metadata) == [("CreatePipeline", "copy"), *[("ChangePipeline", "copy")] * 2]


def test_a_schedule_is_made_changed_and_deleted(call: Call, metadata: Metadata, workspace: LocalWorkspace):
    client = workspace.client()
    call(201, "POST", "/pipelines/copy", json=PIPELINE)
    call(201, "POST", "/pipelines/copy/schedules", json=DAILY)
    call(409, "POST", "/pipelines/copy/schedules", json=DAILY)
    call(201, "POST", "/pipelines/copy/schedules", json={**DAILY, "job_name": "again"})
    call(200, "PATCH", "/pipelines/copy/schedules/daily/cron", params={"cron_expression": "0 0 7 * * ?"})
    call(200, "PATCH", "/pipelines/copy/schedules/daily/timezone", params={"time_zone": "UTC"})
    (daily,) = client.jobs.list(name="daily")
    assert daily.settings and daily.settings.schedule
    found = daily.settings.schedule
    assert (found.quartz_cron_expression, found.timezone_id) == ("0 0 7 * * ?", "UTC")
    call(200, "DELETE", "/pipelines/copy/schedules/daily")
    call(404, "DELETE", "/pipelines/copy/schedules/daily")
    call(200, "DELETE", "/pipelines/copy/schedules")
    assert list(client.jobs.list()) == []
    assert told(metadata) == [
        ("CreatePipeline", "copy"),
        ("CreateSchedule", "daily"),
        ("CreateSchedule", "again"),
        *[("ChangeSchedule", "daily")] * 2,
        ("DeleteSchedule", "daily"),
        ("DeleteSchedule", "again"),
    ]


def test_a_job_is_deleted_only_when_we_made_it_and_it_only_starts_the_pipeline(call: Call, workspace: LocalWorkspace):
    client = workspace.client()
    call(201, "POST", "/pipelines/copy", json=PIPELINE)
    (copy,) = client.pipelines.list_pipelines(filter="name LIKE 'copy'")
    start = Task(task_key="a", pipeline_task=PipelineTask(pipeline_id=copy.pipeline_id or ""))
    more = Task(task_key="b", pipeline_task=PipelineTask(pipeline_id=copy.pipeline_id or ""), depends_on=[])
    schedule = CronSchedule(quartz_cron_expression="0 0 6 * * ?", timezone_id="UTC")
    client.jobs.create(name="shared", tasks=[start, more], schedule=schedule, tags={MARK: "somebody"})
    client.jobs.create(name="unmarked", tasks=[start], schedule=schedule)
    call(201, "POST", "/pipelines/copy/schedules", json=DAILY)
    since = len(workspace.requests())
    for method, path, why in (
        ("DELETE", "/pipelines/copy/schedules/shared", "does other things"),
        ("PATCH", "/pipelines/copy/schedules/shared/cron?cron_expression=0 0 7 * * ?", "does other things"),
        ("DELETE", "/pipelines/copy/schedules/unmarked", "neither by a pack nor by this service"),
        ("DELETE", "/pipelines/copy/schedules", "neither by a pack nor by this service"),
    ):
        assert why in call(409, method, path).json()["detail"]
    assert {one.method for one in workspace.requests()[since:]} == {"GET"}
    (unmarked,) = client.jobs.list(name="unmarked")
    client.jobs.delete(unmarked.job_id or 0)
    call(200, "DELETE", "/pipelines/copy/schedules")
    assert [job.settings and job.settings.name for job in client.jobs.list()] == ["shared"]


def test_of_two_jobs_with_one_name_the_one_that_we_made_is_deleted(call: Call, workspace: LocalWorkspace):
    client = workspace.client()
    call(201, "POST", "/pipelines/copy", json=PIPELINE)
    (copy,) = client.pipelines.list_pipelines(filter="name LIKE 'copy'")
    task = Task(task_key="a", pipeline_task=PipelineTask(pipeline_id=copy.pipeline_id or ""))
    schedule = CronSchedule(quartz_cron_expression="0 0 6 * * ?", timezone_id="UTC")
    theirs = client.jobs.create(name="daily", tasks=[task], schedule=schedule, tags={"team": "x"})
    call(201, "POST", "/pipelines/copy/schedules", json={**DAILY, "job_name": "other"})
    (ours,) = client.jobs.list(name="other")
    client.jobs.update(ours.job_id or 0, new_settings=JobSettings(name="daily"))
    call(200, "DELETE", "/pipelines/copy/schedules/daily")
    assert [job.job_id for job in client.jobs.list()] == [theirs.job_id]


def test_a_catalog_is_made_once(call: Call, metadata: Metadata, workspace: LocalWorkspace):
    body = {"comment": "for partners", "external_location": "abfss://c@a.dfs.core.windows.net/x"}
    assert call(201, "POST", "/api/catalogs/partners", json=body).json()["comment"] == "for partners"
    call(409, "POST", "/catalogs/PARTNERS", json={})
    call(422, "POST", "/catalogs/more", json={"external_location": "x y"})
    assert told(metadata) == [("CreateCatalog", "partners")]
    workspace.client().catalogs.delete("partners")


def test_a_catalog_whose_reply_is_lost_is_made_once(call: Call, workspace: LocalWorkspace):
    workspace.drop_reply("catalogs.create")
    call(201, "POST", "/catalogs/lost", json={})
    assert len(workspace.requests("catalogs.create")) == 1 + _before(workspace, "catalogs.create", "lost")
    workspace.client().catalogs.delete("lost")


def _before(workspace: LocalWorkspace, operation: str, name: str) -> int:
    """How many requests of an operation are about other things."""
    return sum(name not in str(one.body) for one in workspace.requests(operation))


@pytest.mark.parametrize("lost", [False, True])
def test_a_full_refresh_begins_once(call: Call, metadata: Metadata, workspace: LocalWorkspace, lost: bool):
    client = workspace.client()
    client.workspace.mkdirs("/Shared")
    made = call(201, "POST", "/pipelines/copy", json=PIPELINE).json()["pipeline_id"]
    body = "from pyspark import pipelines as dp\n"
    client.workspace.upload("/Shared/empty.py", body.encode(), overwrite=True)
    client.api_client.do("PUT", f"/api/2.0/pipelines/{made}", body=_with_library(workspace, made))
    first = call(200, "POST", "/pipelines/copy/full-refresh").json()
    _stop(workspace, made)
    if lost:
        workspace.drop_reply("pipelines.start_update")
    second = call(200, "POST", "/pipelines/copy/full-refresh").json()
    updates = [(one.update_id, one.full_refresh) for one in client.pipelines.list_updates(made).updates or ()]
    assert updates == [(second["update_id"], True), (first["update_id"], True)]
    assert told(metadata) == [("CreatePipeline", "copy"), *[("StartUpdate", "copy")] * 2]
    call(404, "POST", "/pipelines/nothing/full-refresh")
    _stop(workspace, made)


def _stop(workspace: LocalWorkspace, pipeline: str) -> None:
    """Stop a pipeline and wait until nothing of it runs."""
    client = workspace.client()
    client.pipelines.stop(pipeline)
    while any(one.state not in _OVER for one in client.pipelines.list_updates(pipeline).updates or ()):
        time.sleep(0.05)


def _with_library(workspace: LocalWorkspace, pipeline: str) -> dict[str, Any]:
    spec = workspace.client().pipelines.get(pipeline).spec
    assert spec
    return {**spec.as_dict(), "libraries": [{"file": {"path": "/Shared/empty.py"}}]}


# ── what is somebody else's ──────────────────────────────────────────────────────────────────────────────────────────

DIRECT = "/pipelines/theirs"
THEIRS: list[tuple[str, str, dict[str, Any]]] = [
    ("PUT", "/recipients/theirs/description/update", {"params": {"description": "x"}}),
    ("PUT", "/recipients/theirs/ipaddress/add", {"params": {"ip_access_list": "10.0.0.0/8"}}),
    ("PUT", "/recipients/theirs/expiration_time/update", {"params": {"expiration_time": 30}}),
    ("PUT", "/recipients/theirs/tokens/rotate", {}),
    ("DELETE", "/recipients/theirs", {}),
    ("PUT", "/shares/theirs/dataobject/add", {"json": {"tables": ["m.s.orders"]}}),
    ("PUT", "/shares/theirs/recipients/add", {"params": {"recipient_name": "theirs"}}),
    ("DELETE", "/shares/theirs", {}),
    ("PUT", f"{DIRECT}/notifications/add", {"json": {"notifications_list": ["a@b.com"]}}),
    ("PUT", f"{DIRECT}/libraries", {"json": {"libraries": [{"notebook": {"path": "/Shared/b"}}]}}),
    ("PUT", f"{DIRECT}/continuous", {"params": {"continuous": True}}),
    ("POST", f"{DIRECT}/full-refresh", {}),
    ("DELETE", DIRECT, {}),
    ("PATCH", f"{DIRECT}/schedules/theirs/cron", {"params": {"cron_expression": "0 0 7 * * ?"}}),
    ("PATCH", f"{DIRECT}/schedules/theirs/timezone", {"params": {"time_zone": "Europe/Berlin"}}),
    ("DELETE", f"{DIRECT}/schedules/theirs", {}),
    ("DELETE", f"{DIRECT}/schedules", {}),
]


def _theirs(workspace: LocalWorkspace) -> None:
    """Let somebody else make one thing of each kind."""
    privileges = [Privilege.CREATE_SHARE, Privilege.CREATE_RECIPIENT]
    change = CatalogChange(principal=OTHER, add=privileges)
    workspace.client().grants.update("metastore", workspace.parts.unity.metastore_id, changes=[change])
    other = workspace.client(OTHER)
    other.shares.create("theirs")
    other.recipients.create("theirs", AuthenticationType.TOKEN)
    library = PipelineLibrary(notebook=NotebookLibrary(path="/Shared/x"))
    pipeline = other.pipelines.create(name="theirs", catalog="m", schema="s", libraries=[library]).pipeline_id
    task = Task(task_key="t", pipeline_task=PipelineTask(pipeline_id=pipeline or ""))
    schedule = CronSchedule(quartz_cron_expression="0 0 6 * * ?", timezone_id="UTC")
    other.jobs.create(name="theirs", tasks=[task], schedule=schedule)


def test_nothing_that_is_somebody_elses_is_changed(call: Call, metadata: Metadata, workspace: LocalWorkspace):
    _theirs(workspace)
    since = len(workspace.requests())
    for method, path, options in THEIRS:
        answer = call(409, method, path, **options)
        assert "belongs to" in answer.json()["detail"], (path, answer.text)
    assert {one.method for one in workspace.requests()[since:]} == {"GET"}
    assert told(metadata) == []
    other = workspace.client(OTHER)
    other.shares.delete("theirs")
    other.recipients.delete("theirs")

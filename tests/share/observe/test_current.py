"""What is read for a plan, on a workspace that really has it."""

from __future__ import annotations

from typing import Any

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.sharing import AuthenticationType
from tests.share.observe.conftest import World
from tests.share.plan.simulated import assets, d2o, pack

from brickyard.kernel.errors import BrickyardError, WorkspaceDown, WorkspaceRefused
from brickyard.local import LocalWorkspace
from brickyard.share import observe
from brickyard.share.model.current import ObjectKind, Source
from brickyard.share.model.pack import (
    AssetSpec,
    DeltaShareSpec,
    OidcSpec,
    PartitionSpec,
    PipelineSpec,
    RecipientSpec,
    RecipientType,
    ScheduleSpec,
    ShareSpec,
)
from brickyard.share.observe import pipelines, recipients, shares, sources
from brickyard.share.observe.sources import Asked


def whole(prefix: str):
    """A pack with one of everything."""
    people = [
        d2o(
            f"{prefix}_acme",
            description="A",
            recipient_ips=("10.0.0.0/24", "8.8.8.8/32"),
            properties={"region": "eu"},
            token_expiry=30,
        ),
        RecipientSpec(
            name=f"{prefix}_corp",
            type=RecipientType.OIDC,
            oidc=OidcSpec(issuer="https://id.example.com", subject_claim="sub", subject="me", audiences=("b", "a")),
        ),
        RecipientSpec(
            name=f"{prefix}_dbx",
            type=RecipientType.D2D,
            recipient_databricks_org=f"aws:us-east-1:{hash(prefix) % 10**8:08d}-0000-4000-8000-000000000000",
        ),
    ]
    orders = AssetSpec(
        name="src.s.orders", history=True, partitions=((PartitionSpec(name="day", value="2026-01-01"),),)
    )
    things = (orders, AssetSpec(name="src.s.t0", cdf=True, shared_as="x.zero"), *assets("src.s.few", "src.s.files"))
    share = ShareSpec(
        name=f"{prefix}_sales",
        description="S [draft]",
        share_assets=(*things, *assets("src.s.twice")),
        recipients=tuple(p.name for p in people),
        delta_share=DeltaShareSpec(ext_catalog_name="out", ext_schema_name=prefix),
        pipelines=(
            PipelineSpec(
                name_prefix=f"{prefix}_%orders",
                source_asset="src.s.orders",
                schedule=ScheduleSpec(cron="0 0 6 * * ?", timezone="Europe/Paris"),
                key_columns=("id",),
                notification=("a@corp.com",),
                tags={"team": "x"},
            ),
            PipelineSpec(
                name_prefix=f"{prefix}_t1",
                source_asset="src.s.t1",
                schedule=ScheduleSpec(continuous=True),
                scd_type="full_refresh",
            ),
        ),
    )
    return pack(people, [share])


def test_a_pack_that_was_applied_has_nothing_left_to_do(it: World, workspace: LocalWorkspace):
    wanted = whole("one")
    first = it.apply(wanted)
    assert len(first.steps) > 10
    before = len([r for r in workspace.requests() if r.method != "GET"])
    again = it.plan(wanted)
    assert (again.steps, again.refusals, again.losses) == ((), (), ())
    assert len([r for r in workspace.requests() if r.method != "GET"]) == before


def test_marks_are_read_and_taken_off(it: World):
    wanted = whole("two")
    it.apply(wanted)
    now = it.current(wanted)
    share, acme = now.shares["two_sales"], now.recipients["two_acme"]
    assert (share.comment, share.mark) == ("S [draft]", "pack-1")
    assert (dict(acme.properties), acme.mark, acme.type) == ({"region": "eu"}, "pack-1", RecipientType.D2O)
    assert {p.mark for p in now.pipelines.values()} == {"pack-1"}
    (job,) = now.schedules.values()
    assert (job.mark, job.settings.pipeline, job.settings.tags, job.other_tasks) == (
        "pack-1",
        "two_%orders",
        {"team": "x"},
        False,
    )


def test_a_version_that_lists_less_takes_away_what_the_one_before_had_made(it: World):
    wanted = whole("three")
    it.apply(wanted)
    (share,) = wanted.share
    less = share.model_copy(
        update={"share_assets": assets("src.s.orders"), "pipelines": (), "recipients": ("three_acme",)}
    )
    smaller = wanted.model_copy(update={"share": (less,), "recipient": wanted.recipient[:1]})
    it.apply(smaller)
    now = it.current(smaller)
    assert [o.name for o in now.shares["three_sales"].objects] == ["src.s.orders"]
    assert now.shares["three_sales"].readers == ("three_acme",)
    assert [n for n in now.every_recipient if n.startswith("three")] == ["three_acme"]
    assert list(now.pipelines) == ["three_%orders"]
    assert it.plan(smaller).steps == ()


@pytest.mark.parametrize(
    "operation",
    [
        "recipients.get",
        "recipients.list",
        "shares.get",
        "shares.list_shares",
        "shares.share_permissions",
        "pipelines.list_pipelines",
        "jobs.list",
        "schemas.get",
        "catalogs.list",
        "workspace.export",
        "current_user.me",
        "tables.list",
    ],
)
@pytest.mark.parametrize(("status", "code"), [(403, "PERMISSION_DENIED"), (500, "INTERNAL_ERROR")])
def test_what_cannot_be_read_is_an_error_with_databricks_own_words(
    it: World, client: WorkspaceClient, workspace: LocalWorkspace, operation: str, status: int, code: str
):
    if "err" not in shares.every_name(client):
        client.shares.create("err")
    feed = PipelineSpec(
        name_prefix="p", source_asset="src.s.t0", schedule=ScheduleSpec(continuous=True), key_columns=("id",)
    )
    place = DeltaShareSpec(ext_catalog_name="out", ext_schema_name="x")
    names = [f"src.s.t{n}" for n in range(5)]
    share = ShareSpec(name="err", share_assets=assets(*names), delta_share=place, pipelines=(feed,))
    workspace.fail_next(operation, status, code)
    with pytest.raises(WorkspaceRefused) as refused:
        it.current(pack([d2o("acme")], [share]))
    assert refused.value.status == status


def test_a_missing_metastore_is_not_a_missing_recipient(client: WorkspaceClient, workspace: LocalWorkspace):
    workspace.fail_next("recipients.get", 404, "METASTORE_DOES_NOT_EXIST")
    with pytest.raises(WorkspaceRefused):
        recipients.recipient(client, "acme")
    workspace.fail_next("recipients.get", 404, "RESOURCE_DOES_NOT_EXIST")
    assert recipients.recipient(client, "acme") is None


def test_a_workspace_that_does_not_answer_is_not_an_empty_one(client: WorkspaceClient, workspace: LocalWorkspace):
    workspace.drop_reply("recipients.get", times=50)
    try:
        with pytest.raises(WorkspaceDown):
            recipients.recipient(client, "acme")
    finally:
        workspace.parts.control.faults.clear()


def test_an_empty_page_with_a_token_is_followed(client: WorkspaceClient, workspace: LocalWorkspace):
    client.recipients.create("paged", AuthenticationType.TOKEN)
    client.shares.create("paged_share")
    for operation in ("recipients.list", "shares.list_shares", "shares.share_permissions"):
        workspace.empty_page(operation)
    assert "paged" in recipients.every(client)
    assert "paged_share" in shares.every_name(client)
    assert shares.readers(client, "paged_share") == ()


def test_kinds_are_looked_up_and_what_cannot_be_shared_says_why(client: WorkspaceClient):
    run = [
        "src.s.orders",
        "src.s.few",
        "src.s.twice",
        "src.s.files",
        "src.s",
        "src.information_schema.tables",
        "src.s.no",
    ]
    found = sources.sources(client, [Asked(name) for name in run], sources.catalogs(client))
    assert {name: source.kind for name, source in found.items() if source.why_not is None} == {
        "src.s.orders": ObjectKind.TABLE,
        "src.s.few": ObjectKind.VIEW,
        "src.s.twice": ObjectKind.FUNCTION,
        "src.s.files": ObjectKind.VOLUME,
        "src.s": ObjectKind.SCHEMA,
    }
    assert "src.s.no" not in found
    assert (
        found.get("src.information_schema.tables", Source(name="", kind=ObjectKind.VIEW, why_not="")).why_not
        is not None
    )


def test_many_tables_of_one_schema_are_one_listing(client: WorkspaceClient, workspace: LocalWorkspace):
    seen = len(workspace.requests())
    names = [f"src.s.t{n}" for n in range(5)]
    found = sources.sources(client, [*(Asked(n) for n in names), Asked("src.s.orders", columns=True)], {})
    asked = [r.operation for r in workspace.requests()[seen:]]
    assert sorted(asked) == ["tables.get", "tables.list"]
    assert set(found) == {*names, "src.s.orders"}
    assert (found["src.s.orders"].columns, found["src.s.orders"].partition_columns) == (("id", "day"), ("day",))


def test_pipelines_are_compared_by_name_and_not_by_wildcards(client: WorkspaceClient):
    for name in ("a_b", "axb"):
        client.api_client.do("POST", "/api/2.0/pipelines", body=_spec(name))
    assert list(pipelines.pipelines(client, ["a_b"])) == ["a_b"]
    assert pipelines.pipelines(client, ["a%"]) == {}


def _spec(name: str) -> dict[str, Any]:
    return {"name": name, "catalog": "out", "schema": "x", "libraries": [{"notebook": {"path": "/x"}}]}


def test_names_are_found_by_asking_and_by_listing(client: WorkspaceClient):
    client.recipients.create("Known", AuthenticationType.TOKEN)
    client.shares.create("Known_Share")
    few = observe.existing_names(client, ["KNOWN", "unknown"], ["known_share", "none"])
    many = observe.existing_names(client, ["KNOWN", *(f"no{n}" for n in range(30))], ["known_share"])
    assert (
        (few.recipients, few.shares)
        == (frozenset({"known"}), frozenset({"known_share"}))
        == (many.recipients, many.shares)
    )


def test_detection_that_cannot_read_is_an_error(client: WorkspaceClient, workspace: LocalWorkspace):
    for operation, names in (("recipients.get", 1), ("recipients.list", 30)):
        workspace.fail_next(operation, 403, "PERMISSION_DENIED")
        with pytest.raises(BrickyardError):
            observe.existing_names(client, [f"n{n}" for n in range(names)], [])


def test_the_whole_metastore_is_read_with_objects_and_readers(it: World, client: WorkspaceClient):
    it.apply(
        pack([d2o("m_acme")], [ShareSpec(name="m_share", share_assets=assets("src.s.t2"), recipients=("m_acme",))])
    )
    found = observe.metastore(client)
    share = found.shares["m_share"]
    assert ([o.name for o in share.objects], share.readers) == (["src.s.t2"], ("m_acme",))
    assert found.recipients["m_acme"].activated is False

"""Rows of recipients, shares and pipelines, and of business lines."""

from __future__ import annotations

from dataclasses import replace
from uuid import uuid4

from tests.share.store.samples import pack

from brickyard.metadata import Metadata, scd2
from brickyard.share.model.current import (
    Current,
    ObjectKind,
    PipelineSettings,
    PipelineState,
    RecipientState,
    ScheduleSettings,
    ScheduleState,
    SharedObject,
    ShareState,
)
from brickyard.share.model.pack import RecipientType, SharePack, Strategy
from brickyard.share.store import audit, entities, packs, tenants
from brickyard.share.tables import pipelines, recipients

ACME = RecipientState(
    name="acme", type=RecipientType.D2O, owner="me", comment="partner", ip_addresses=("10.0.0.2", "10.0.0.1")
)
SALES = ShareState(
    name="sales", owner="me", objects=(SharedObject(name="m.s.orders", kind=ObjectKind.TABLE),), readers=("acme",)
)
FEED = PipelineState(
    id="p1",
    settings=PipelineSettings(name="feed", source="m.s.orders", target="orders", catalog="x", schema="y", keys=("id",)),
)
NIGHTLY = ScheduleState(job_id=9, settings=ScheduleSettings(name="feed_schedule", pipeline="feed", cron="0 0 1 * * ?"))
AFTER = Current(
    recipients={"acme": ACME}, shares={"sales": SALES}, pipelines={"feed": FEED}, schedules={"feed_schedule": NIGHTLY}
)


def with_pipeline() -> SharePack:
    given = pack()
    line = {"name_prefix": "feed", "source_asset": "m.s.orders", "schedule": {"cron": "0 0 1 * * ?"}, "scd_type": "1"}
    share = given.share[0].model_dump() | {"pipelines": [line]}
    return SharePack.model_validate(given.model_dump() | {"share": [share]})


def test_what_a_run_left_becomes_rows_of_its_pack_once(metadata: Metadata):
    given = with_pipeline()
    with metadata.transaction() as tx:
        pack_id = packs.save(tx, given, by="ada", strategy=Strategy.NEW).pack_id
        for _ in range(2):
            entities.record(tx, pack_id, given, AFTER, by="service", reason="provisioned")
        (recipient,) = entities.listed(tx, "recipient", pack_id)
        (share,) = entities.listed(tx, "share", pack_id)
        (pipeline,) = entities.listed(tx, "pipeline", pack_id)
    assert [one.version for one in (recipient, share, pipeline)] == [1, 1, 1]
    assert recipient.fields == {
        "share_pack_id": pack_id,
        "recipient_name": "acme",
        "recipient_contact_email": None,
        "recipient_type": "D2O",
        "recipient_databricks_org": None,
        "recipient_databricks_id": None,
        "description": "partner",
        "client_ip_addresses": ["10.0.0.1", "10.0.0.2"],
        "token_expiry_days": 0,
        "token_rotation": False,
        "request_source": "share_pack",
    }
    assert (share.fields["share_assets"], share.fields["recipients"]) == (["m.s.orders"], ["acme"])
    assert pipeline.fields["share_id"] == share.key
    assert (pipeline.fields["databricks_pipeline_id"], pipeline.fields["databricks_job_id"]) == ("p1", "9")
    assert (pipeline.fields["target_table"], pipeline.fields["cron_expression"]) == ("x.y.orders", "0 0 1 * * ?")


def test_a_row_stays_with_the_pack_that_wrote_it_first_and_names_have_no_case(metadata: Metadata):
    with metadata.transaction() as tx:
        pack_id = packs.save(tx, pack(), by="ada", strategy=Strategy.NEW).pack_id
        first = entities.record_recipient(tx, ACME, pack_id=pack_id, by="ada", reason="made")
        other = replace(ACME, name="ACME", comment="changed")
        second = entities.record_recipient(tx, other, pack_id=uuid4(), by="bob", reason="api", source="api")
        row = entities.get(tx, "recipient", "Acme")
        lines = audit.of_entity(tx, "recipient", first.key)
    assert (second.key, second.version) == (first.key, 2)
    assert row and (row.fields["share_pack_id"], row.fields["request_source"]) == (pack_id, "share_pack")
    assert row.fields["description"] == "changed"
    assert [(line["action"], line["old_values"], line["new_values"]) for line in lines][1:] == [
        ("UPDATED", {"description": "partner"}, {"description": "changed"})
    ]


def test_what_is_gone_is_not_known_and_comes_back_under_its_old_id(metadata: Metadata):
    with metadata.transaction() as tx:
        first = entities.record_recipient(tx, ACME, by="ada", reason="made", source="api")
        assert entities.known(tx, "recipient") == {"acme"}
        assert entities.forget(tx, "recipient", "ACME", by="ada", reason="deleted")
        assert not entities.forget(tx, "recipient", "ACME", by="ada", reason="deleted")
        assert (entities.known(tx, "recipient"), entities.get(tx, "recipient", "acme")) == (frozenset(), None)
        again = entities.record_recipient(tx, ACME, by="ada", reason="made again")
        actions = [line["action"] for line in audit.of_entity(tx, "recipient", first.key)]
        then = entities.as_of(tx, "recipient", "acme", scd2.history(tx, recipients, first.key)[0].effective_from)
    assert (again.key, again.version) == (first.key, 3)
    assert actions == ["CREATED", "DELETED", "RECREATED"]
    assert then and then.version == 1


def test_a_continuous_pipeline_has_no_job(metadata: Metadata):
    state = replace(FEED, settings=replace(FEED.settings, continuous=True))
    with metadata.transaction() as tx:
        key = entities.record_pipeline(tx, state, by="ada", reason="made", source="api").key
        row = scd2.current(tx, pipelines, key)
    assert row and (row.fields["schedule_type"], row.fields["databricks_job_id"]) == ("CONTINUOUS", None)


# ── business lines ───────────────────────────────────────────────────────────────────────────────────────────────────

RETAIL = tenants.Tenant(
    business_line_name="Retail",
    short_name="RT",
    executive_team=("eve@acme.com",),
    owner="olga@acme.com",
    regions={"AM": "https://adb-2.azuredatabricks.net"},
    projects={"spring": tenants.Project(("ann@acme.com",), ("cfg",))},
)


def test_an_imported_business_line_is_found_by_a_pack_and_not_changed_by_it(metadata: Metadata):
    with metadata.transaction() as tx:
        assert tenants.save(tx, RETAIL, by="admin") == 3
        assert tenants.save(tx, RETAIL, by="admin") == 0
        (imported,) = tenants.listed(tx)
        place = tenants.place(tx, pack(business_line="RETAIL", project_name="Spring"), by="ada")
        (after,) = tenants.listed(tx)
    assert replace(imported, id=None) == RETAIL
    assert place.tenant_id == imported.id
    assert replace(after, regions=RETAIL.regions) == imported
    assert sorted(after.regions) == ["AM", "EMEA"]


def test_an_import_corrects_what_a_pack_has_named_first(metadata: Metadata):
    with metadata.transaction() as tx:
        place = tenants.place(tx, pack(), by="ada")
        assert tenants.save(tx, RETAIL, by="admin") == 3
        (after,) = tenants.listed(tx)
    assert (after.id, after.short_name, sorted(after.projects)) == (place.tenant_id, "RT", ["default", "spring"])

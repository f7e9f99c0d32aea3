"""A workspace that changes or refuses between plan and apply, and things of others."""

from __future__ import annotations

from databricks.sdk.service.catalog import PermissionsChange, Privilege
from databricks.sdk.service.sharing import AuthenticationType
from tests.share.flow.conftest import apply, pack_of, writes

from brickyard.context import Context
from brickyard.local import LocalWorkspace
from brickyard.share.model.runs import RunStatus

OTHER = "other@local"


def test_a_409_between_plan_and_apply_takes_the_run_back_and_the_next_apply_succeeds(
    house: Context, workspace: LocalWorkspace
):
    workspace.fail_next("shares.create", 409, "RESOURCE_ALREADY_EXISTS")
    run = apply(house, pack_of(house))
    assert (run.status, run.http_status) == (RunStatus.FAILED, 409)
    assert list(workspace.client().recipients.list()) == []
    assert apply(house, pack_of(house)).status is RunStatus.COMPLETED


def test_somebody_elses_recipient_of_the_same_name_and_an_absent_table_are_refused_each_with_its_code(
    house: Context, workspace: LocalWorkspace
):
    change = PermissionsChange(principal=OTHER, add=[Privilege.CREATE_RECIPIENT])
    workspace.client().grants.update("metastore", workspace.parts.unity.metastore_id, changes=[change])
    workspace.client(OTHER).recipients.create("acme", AuthenticationType.TOKEN)
    before = len(workspace.requests())
    share = [{"name": "sales", "share_assets": [{"name": "m.s.absent"}], "recipients": ["acme"]}]
    run = apply(house, pack_of(house, share=share))
    workspace.client(OTHER).recipients.delete("acme")
    assert (run.status, writes(workspace, before)) == (
        RunStatus.VALIDATION_FAILED,
        ["recipients.delete"],
    )  # its owner's
    assert {one.code for one in run.refusals} == {"share-someone-elses", "share-source-missing"}

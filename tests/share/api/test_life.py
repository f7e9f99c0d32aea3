"""Packs that come in by generated requests and are really provisioned, with everything that one may ask or say of them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import run_state_machine_as_test
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    missing_required_header,
    negative_data_rejection,
    positive_data_acceptance,
)
from tests.share.api.conftest import house_of, served

from brickyard.context import Context
from brickyard.kernel.errors import BrickyardError
from brickyard.local import LocalWorkspace
from brickyard.metadata import Metadata, tokens
from brickyard.share import flow
from brickyard.workspace import run_sql

# Three for the reasons of `test_contract`; the last because a header that was taken away is put back, and then nothing
# may be wrong any more but a query that nobody reads.
_EXCLUDED = [ignored_auth, missing_required_header, positive_data_acceptance, negative_data_rejection]
_PERSON = "ada@acme.com"
_WORLD = ("CREATE CATALOG IF NOT EXISTS m", "CREATE SCHEMA IF NOT EXISTS m.s")
_TABLES = ("m.s.orders", "m.s.items")


@st.composite
def packs(draw: st.DrawFn, workspace_url: str) -> bytes:
    """Packs that a person may write, over few names; JSON is YAML too."""
    partners = draw(st.lists(st.sampled_from(("acme", "beta")), min_size=1, unique=True))
    about = {
        **dict.fromkeys(("contact_email", "configurator", "approver", "executive_team", "requestor"), _PERSON),
        "business_line": draw(st.sampled_from(("Retail", "Bank"))),
        "delta_share_region": "EMEA",
        "workspace_url": workspace_url,
        "servicenow": "CHG1",
        "mode": draw(st.sampled_from(("merge", "exact"))),
    }
    people = [{"name": name, "type": "D2O", "description": draw(st.sampled_from(("", "x")))} for name in partners]
    assets = draw(st.lists(st.sampled_from((*_TABLES, "m.s.absent")), min_size=1, unique=True))
    readers = draw(st.lists(st.sampled_from(partners), unique=True))
    share = {"name": draw(st.sampled_from(("sales", "stock"))), "share_assets": assets, "recipients": readers}
    return json.dumps({"metadata": about, "recipient": people, "share": [share]}).encode()


def _machine(house: Context, client: httpx.Client, seen: list[int]) -> type[schemathesis.stateful.APIStateMachine]:
    """Return the machine that follows the document's links, in which a run is done as soon as it is queued."""
    schema = schemathesis.openapi.from_url(f"{client.base_url}/openapi.json", headers=dict(client.headers))
    workflow = schema.include(path_regex="^/workflow/sharepack")

    @workflow.hook
    def before_generate_body(context: Any, strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        if not context.operation.path.startswith("/workflow/sharepack/upload"):
            return strategy
        valid = packs(client.headers["X-Workspace-URL"]).map(lambda text: {"file": text})
        return st.one_of(valid, valid, strategy)

    class Life(workflow.as_state_machine()):
        def get_call_kwargs(self, case: schemathesis.Case) -> dict[str, Any]:
            if case.headers is not None:
                case.headers["X-Workspace-URL"] = client.headers["X-Workspace-URL"]
            return {"headers": dict(client.headers)}

        def validate_response(self, response: Any, case: schemathesis.Case, **kwargs: Any) -> None:
            case.validate_response(response, excluded_checks=_EXCLUDED, transport_kwargs=kwargs)
            seen.append(response.status_code)
            for run_id in response.headers.get("x-run-id", ()):
                _bring(house, run_id)

    return Life


def _bring(house: Context, run_id: str) -> None:
    try:
        flow.provision(house, run_id)
    except BrickyardError as error:
        flow.gave_up(house, run_id, error)


def _live(house: Context, workspace: LocalWorkspace, examples: int, steps: int) -> list[int]:
    for statement in (*_WORLD, *(f"CREATE TABLE IF NOT EXISTS {name} (id BIGINT)" for name in _TABLES)):
        run_sql(workspace.client(), statement)
    with house.metadata.transaction() as tx:
        secret = tokens.add(tx, "two@house.com", at=house.clock(), actor="test").secret
    seen: list[int] = []
    chosen = settings(
        max_examples=examples,
        derandomize=examples < 100,  # the same cases on every machine; the long variant looks for new ones
        stateful_step_count=steps,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate],
    )
    with served(house) as client:
        client.headers["Authorization"] = f"Bearer {secret}"
        run_state_machine_as_test(_machine(house, client, seen), settings=chosen)
    return seen


@pytest.mark.parametrize("approval", ["file", "one"])
def test_whatever_follows_an_upload_gets_the_documented_answers(
    approval: str, workspace: LocalWorkspace, metadata: Metadata, tmp_path: Any
):
    house = house_of(workspace, metadata, tmp_path, share_approval=approval, share_repeat_seconds=0)
    seen = _live(house, workspace, examples=8, steps=10)
    assert {200, 202} <= set(seen)
    assert max(seen) < 500


@pytest.mark.full
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("approval", ["file", "one"])
def test_very_long_lives_of_packs_get_the_documented_answers(
    approval: str, workspace: LocalWorkspace, metadata: Metadata, tmp_path: Any
):
    house = house_of(workspace, metadata, tmp_path, share_approval=approval, share_repeat_seconds=0)
    seen = _live(house, workspace, examples=110, steps=12)
    assert len(seen) >= 1000
    assert max(seen) < 500

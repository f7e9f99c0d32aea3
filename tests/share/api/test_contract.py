"""The OpenAPI document of share as a contract, called with generated requests, alone and one after the other."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import ignored_auth, missing_required_header, positive_data_acceptance

# The first cannot take away a header that a call was given, nor can the second; the third does not know rules that no
# schema can say.
_EXCLUDED = [ignored_auth, missing_required_header, positive_data_acceptance]


def _document(client: httpx.Client) -> Any:
    return schemathesis.openapi.from_url(f"{client.base_url}/openapi.json", headers=dict(client.headers))


def _call(client: httpx.Client, examples: int, **selected: Any) -> None:
    """Send requests generated from the document, valid and not, and check each answer against it."""
    found = _document(client).include(**selected)
    cases = st.one_of([operation.ok().as_strategy() for operation in found.get_all_operations()])

    @settings(
        max_examples=examples,
        derandomize=examples < 1000,  # the same cases on every machine; the long variant looks for new ones
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(case=cases)
    def conforms(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=dict(client.headers), excluded_checks=_EXCLUDED)

    conforms()


DIRECT = r"^/(health|catalogs|recipients|shares|pipelines|schedules)"


def test_generated_reads_of_the_direct_routes_get_the_documented_answers(client: httpx.Client):
    _call(client, 40, path_regex=DIRECT, method="GET")


def test_generated_changes_by_the_direct_routes_get_the_documented_answers(client: httpx.Client):
    _call(client, 60, path_regex=DIRECT, method=["POST", "PUT", "PATCH", "DELETE"])


def test_generated_requests_to_the_workflow_get_the_documented_answers(client: httpx.Client):
    _call(client, 60, path_regex="^/workflow")


@pytest.mark.full
def test_very_many_generated_requests_get_the_documented_answers(client: httpx.Client):
    _call(client, 3000, path_regex="^/")

"""The OpenAPI document as a contract, called with generated requests."""

from __future__ import annotations

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

# The first cannot take away a header that a call was given; the second does not know rules that no schema can say.
_EXCLUDED = [ignored_auth, positive_data_acceptance]


def _call(client: httpx.Client, examples: int) -> None:
    """Send requests generated from the document, valid and not, and check each answer against it."""
    document = schemathesis.openapi.from_url(f"{client.base_url}/openapi.json", headers=dict(client.headers))
    cases = st.one_of([operation.ok().as_strategy() for operation in document.get_all_operations()])

    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(case=cases)
    def conforms(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=dict(client.headers), excluded_checks=_EXCLUDED)

    conforms()


def test_generated_requests_get_the_documented_answers(client: httpx.Client):
    _call(client, 60)


@pytest.mark.full
def test_very_many_generated_requests_get_the_documented_answers(client: httpx.Client):
    _call(client, 3000)

"""system.serving: served entities, token counts of requests, and the payload logs of the endpoints that keep them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from brickyard.health.synthetic import activity, arrival, columns, draw
from brickyard.health.synthetic.columns import Where
from brickyard.health.synthetic.draw import Ints, Mask
from brickyard.health.synthetic.period import Period
from brickyard.health.synthetic.versions import ALIVE, versions
from brickyard.health.synthetic.world import World

ENTITIES = "serving.served_entities"
USAGE = "serving.endpoint_usage"
PAYLOADS = "serving.payload_logs"
_KINDS = ("CUSTOM_MODEL", "FOUNDATION_MODEL", "EXTERNAL_MODEL", "FEATURE_SPEC")
_TAG_MAP = pa.map_(pa.string(), pa.string())


def served_entities(world: World) -> pa.Table:
    """Return the versions of served entities; the last endpoint is deleted."""
    own, rng = world.endpoints, world.rng(ENTITIES)
    created = (world.period.start - rng.integers(draw.DAY, 200 * draw.DAY, len(own.id)))[own.entity_endpoint]
    deleted = np.full(len(created), ALIVE)
    deleted[own.entity_endpoint == len(own.id) - 1] = world.period.start + int(
        (world.period.stop - world.period.start) * 0.9
    )
    told = versions(rng, world, created, 0.5, deleted)
    at = told.owner
    endpoint, kind = own.entity_endpoint[at], at % len(_KINDS)
    bounds = {"min_concurrency": np.int32(0), "max_concurrency": np.int32(4), "compute_type": "CPU"}
    values: dict[str, Any] = {
        "served_entity_id": own.entity_id.take(pa.array(at)),
        "account_id": world.account_id,
        "workspace_id": world.workspaces.ids.take(pa.array(own.workspace[endpoint])),
        "created_by": world.users.email.take(pa.array(own.owner[endpoint])),
        "endpoint_name": own.name.take(pa.array(endpoint)),
        "endpoint_id": own.id.take(pa.array(endpoint)),
        "served_entity_name": draw.join("answers-", draw.digits(at)),
        "entity_type": draw.pick(_KINDS, kind),
        "entity_name": draw.join("main.models.answers_", draw.digits(at)),
        "entity_version": draw.digits(told.ordinal + 1),
        "endpoint_config_version": (told.ordinal + 1).astype(np.int32),
        "task": draw.pick((None, "llm/v1/chat", "llm/v1/embeddings", None), kind),
        "external_model_config": Where(kind == 2, {"provider": "openai"}),
        "foundation_model_config": Where(
            kind == 1, {"min_provisioned_throughput": 0, "max_provisioned_throughput": 9_500}
        ),
        "custom_model_config": Where(kind == 0, bounds),
        "feature_spec_config": Where(kind == 3, bounds),
        "change_time": told.changed,
        "endpoint_delete_time": draw.only(told.ends, columns.instants(told.changed)),
    }
    return arrival.told(
        columns.table(ENTITIES, len(at), arrival.arrive(rng, world, told.changed), values), ENTITIES, world
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Requests:
    """Requests to endpoints; a request that fell back has a second row for the entity that answered it."""

    id: pa.Array
    client: pa.Array
    endpoint: Ints
    entity: Ints
    user: Ints
    moment: Ints
    status: Ints
    logged: Mask


@lru_cache(maxsize=2)
def _requests(world: World, span: Period) -> _Requests:
    rng, up = world.rng("requests", span.first.toordinal()), activity.endpoint_sessions(world, span)
    size, own = world.events(240, span, 40), world.endpoints
    session = rng.integers(0, len(up.owner), size)
    endpoint = up.owner[session]
    fallen = np.flatnonzero((own.entities[endpoint] > 1) & (rng.random(size) < 0.03))
    at = np.concatenate([np.arange(size, dtype=np.int64), fallen])
    again = np.arange(len(at)) >= size
    status = np.asarray([200, 429, 500])[draw.choose(rng, (95, 3, 2), size)]
    status[fallen] = 500
    moment = up.start[session] + (rng.random(size) * (up.stop - up.start)[session]).astype(np.int64)
    return _Requests(
        id=draw.uuids(rng, size).take(pa.array(at)),
        client=draw.join("client-", draw.hex_ids(rng, size, 12)).take(pa.array(at)),
        endpoint=endpoint[at],
        entity=own.first[endpoint][at] + again,
        user=rng.integers(0, len(world.users.number), size)[at],
        moment=moment[at] + again * draw.SECOND,
        status=np.where(again, 200, status[at]),
        logged=(endpoint % 2 == 0)[at],
    )


def endpoint_usage(world: World, span: Period) -> pa.Table:
    """Return the token and character counts of the requests of a span."""
    asked, rng = _requests(world, span), world.rng(USAGE, span.first.toordinal())
    size = len(asked.moment)
    tokens, answered = rng.integers(5, 4_000, size), np.where(asked.status == 200, 1, 0)
    output = rng.integers(1, 900, size) * answered
    unknown = draw.within(size, draw.some(rng, size, 0.0001, 1))
    entity = world.endpoints.entity_id.take(pa.array(asked.entity))
    values: dict[str, Any] = {
        "workspace_id": world.workspaces.ids.take(pa.array(world.endpoints.workspace[asked.endpoint])),
        "account_id": world.account_id,
        "client_request_id": asked.client,
        "databricks_request_id": asked.id,
        "requester": world.users.email.take(pa.array(asked.user)),
        "status_code": asked.status.astype(np.int32),
        "request_time": asked.moment,
        "input_token_count": tokens,
        "output_token_count": output,
        "input_character_count": tokens * 4,
        "output_character_count": output * 4,
        "usage_context": draw.pick(([("app", "orders-desk")], [("app", "search")], [], None), asked.user % 4, _TAG_MAP),
        "request_streaming": asked.user % 3 == 0,
        "served_entity_id": draw.either(unknown, draw.join("lost-", entity), entity),
    }
    table = columns.table(USAGE, size, arrival.arrive(rng, world, asked.moment), values)
    return arrival.told(table, USAGE, world, tie=("client_request_id", ("client-twice", "client-again")))


def payload_logs(world: World, span: Period) -> pa.Table:
    """Return the payloads of the endpoints that log them: every second endpoint, some with a sample only."""
    asked, rng = _requests(world, span), world.rng(PAYLOADS, span.first.toordinal())
    at = np.flatnonzero(asked.logged)
    size, endpoint = len(at), asked.endpoint[at]
    failed = draw.within(size, draw.some(rng, size, 0.01, 1))
    sampled = endpoint % 4 == 2
    prompt = draw.join('{"messages":[{"role":"user","content":"question ', draw.digits(at), '"}]}')
    values: dict[str, Any] = {
        "account_id": world.account_id,
        "workspace_id": world.workspaces.ids.take(pa.array(world.endpoints.workspace[endpoint])),
        "request_date": columns.dates(asked.moment[at]),
        "databricks_request_id": asked.id.take(pa.array(at)),
        "client_request_id": asked.client.take(pa.array(at)),
        "request_time": asked.moment[at],
        "status_code": asked.status[at].astype(np.int32),
        "sampling_fraction": np.where(sampled, 0.5, 1.0),
        "execution_duration_ms": rng.integers(20, 9_000, size),
        "request": draw.only(~failed, prompt),
        "response": draw.only(~failed, draw.join('{"answer":"', draw.digits(at), '"}')),
        "logging_error_codes": draw.pick(
            (["MAX_SIZE_EXCEEDED"], []), (~failed).astype(np.int64), pa.list_(pa.string())
        ),
        "served_entity_id": world.endpoints.entity_id.take(pa.array(asked.entity[at])),
        "endpoint_table_id": draw.join("inference-", draw.digits(endpoint)),
        "requester": world.users.email.take(pa.array(asked.user[at])),
    }
    return arrival.told(
        columns.table(PAYLOADS, size, arrival.arrive(rng, world, asked.moment[at]), values), PAYLOADS, world
    )

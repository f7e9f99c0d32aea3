"""The workflow routes: a pack comes in, how it fares, what it would change, and who lets it through."""

from __future__ import annotations

import base64
import binascii
import re
from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, File, Header, Path, Query, Request, Response, UploadFile
from fastapi.responses import JSONResponse

from brickyard.context import Context
from brickyard.kernel.errors import MetadataDown, NotFound, QueueDown, SpecInvalid
from brickyard.queue.azure import AzureQueue, Length
from brickyard.share import flow
from brickyard.share.api import workspaces
from brickyard.share.api.contract import ContractRoute, Failure, answers
from brickyard.share.api.shapes import (
    AccessAnswer,
    CheckedAnswer,
    Decision,
    DriftAnswer,
    HealthAnswer,
    HistoryAnswer,
    PackAnswer,
    PackList,
    PlanAnswer,
    Refusal,
    Rollback,
    RunAnswer,
    UploadAnswer,
)
from brickyard.share.api.workspaces import Asked, Working
from brickyard.share.model.parse import parse
from brickyard.share.model.runs import PackStatus, Standing, Upload
from brickyard.share.store import health as counts
from brickyard.share.store import packs

contract = APIRouter(prefix="/workflow", tags=["share packs"], route_class=ContractRoute)
router = APIRouter(prefix="/workflow", tags=["share packs"])

_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE | re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_PACK_ROUTE = "#/paths/~1workflow~1sharepack~1{share_pack_id}"
_TABLES = 16  # of the schema `deltashare`; what we keep beside it is not counted

PackId = Annotated[str, Path(max_length=100, description="SharePackId of the upload's answer.")]
Text = Annotated[str | None, Query(max_length=255, pattern=r"^[^\x00]*$")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        max_length=255,
        pattern=r"^[\x21-\x7e]+$",
        description="The answer to the first upload with this key is given again.",
    ),
]
Compat = Annotated[bool | None, Query(description="Take unknown keys as warnings; the setting decides when absent.")]
Adopt = Annotated[bool, Query(description="Take over what others have made.")]
Replace = Annotated[bool, Query(description="Make anew what cannot be changed, though its tokens die.")]
Again = Annotated[bool, Query(description="Run it again though the same content was completed a moment ago.")]
Rows = Annotated[Literal["first", "all"], Query(description="`all` reads and counts every row.")]
DryRun = Annotated[bool, Query(description="Answer with the plan; nothing is remembered or changed.")]


def _links(pack_id: str, **routes: str) -> dict[str, dict[str, Any]]:
    """Say which routes an answer leads to, by the name of the link."""
    parameters = {"share_pack_id": pack_id}
    return {name: {"operationRef": _PACK_ROUTE + route, "parameters": parameters} for name, route in routes.items()}


def _with_body(links: dict[str, dict[str, Any]], body: dict[str, str]) -> dict[str, dict[str, Any]]:
    return {name: {**link, "requestBody": body} for name, link in links.items()}


_ON_ITS_WAY = _links(
    "$response.body#/SharePackId",
    status="/get",
    history="~1history/get",
    run="~1run/get",
    plan="~1plan/get",
    drift="~1drift/get",
    rollback="~1rollback/post",
    rollback_plan="~1rollback~1plan/post",
    decline="~1decline/post",
)
_PLANNED: dict[int | str, dict[str, Any]] = {
    200: {
        "links": _with_body(
            _links("$request.path.share_pack_id", approve="~1approve/post"), {"PlanHash": "$response.body#/PlanHash"}
        )
    }
}
_UPLOADED: dict[int | str, dict[str, Any]] = {
    **answers(404, 409),
    200: {"model": PlanAnswer, "description": "The plan, with `dry_run`."},
    202: {
        "model": UploadAnswer,
        "description": "The pack is on its way.",
        "headers": {
            "Location": {"schema": {"type": "string"}, "description": "Where its status is."},
            "X-Run-Id": {"schema": {"type": "string"}, "description": "Its run."},
        },
        "links": _ON_ITS_WAY,
    },
    400: {
        "model": UploadAnswer | Failure,
        "description": "The pack has faults, all of them listed; or X-Workspace-URL is not the pack's workspace.",
    },
}


@contract.post("/sharepack/upload", status_code=202, response_model=UploadAnswer, responses=_UPLOADED)
@contract.post("/sharepack/upload_and_validate", status_code=202, response_model=UploadAnswer, responses=_UPLOADED)
def upload(
    context: Working,
    request: Request,
    file: Annotated[UploadFile, File(description="A share pack: .yaml, .yml or .xlsx.")],
    x_workspace_url: workspaces.WorkspaceUrl,
    compat: Compat = None,
    adopt: Adopt = False,
    replace: Replace = False,
    dry_run: DryRun = False,
    again: Again = False,
    plan_hash: Annotated[str | None, Query(max_length=128, pattern=r"^[\x21-\x7e]+$")] = None,
    idempotency_key: IdempotencyKey = None,
) -> Response:
    """Check a share pack, remember it and queue its provisioning."""
    lenient = context.queue.settings.share_compat if compat is None else compat
    name = _file_name(file.filename)
    try:
        parsed = parse(name, file.file.read(), compat=lenient)
        workspaces.require_same(x_workspace_url, parsed.pack.metadata.workspace_url)
        sent = Upload(
            pack=parsed.pack,
            file_name=name,
            file_format=parsed.file_format,
            warnings=parsed.warnings,
            adopt=adopt,
            replace=replace,
            plan_hash=plan_hash,
            idempotency_key=idempotency_key,
            again=again,
        )
        if dry_run:
            return _json(PlanAnswer.of(flow.preview(context, sent)), 200)
        submitted = flow.submit(context, sent)
    except SpecInvalid as error:
        if error.error_code == "workspace-unknown":
            raise
        return _json(UploadAnswer.refused(error.message, error.problems), 400)
    place = request.url.path.rpartition("/")[0]
    headers = {"Location": f"{place}/{submitted.pack_id}", "X-Run-Id": submitted.run_id}
    return _json(UploadAnswer.accepted(submitted), 202, headers)


@contract.get("/health", responses={503: {"model": HealthAnswer, "description": "Something does not answer."}})
def health(context: Asked, response: Response) -> HealthAnswer:
    """Say whether database and queue answer, both asked now."""
    found = _look(context)
    response.status_code = 200 if found.message.endswith(" healthy") else 503
    return found


@contract.get("/sharepack/{share_pack_id}", responses=answers(404))
def status(context: Asked, share_pack_id: PackId) -> PackAnswer:
    """Say how a pack fares."""
    return PackAnswer.of(flow.standing(context, _pack_id(share_pack_id)))


@contract.get("/sharepack/{share_pack_id}/history", responses=answers(404))
def history(context: Asked, share_pack_id: PackId) -> HistoryAnswer:
    """Return every version of a pack."""
    pack = flow.standing(context, _pack_id(share_pack_id))
    return HistoryAnswer.of(pack, flow.history(context, pack.pack_id))


@contract.get("/sharepack", responses=answers())
def list_packs(
    context: Asked,
    status: PackStatus | None = None,
    name: Text = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
    page_token: Annotated[str | None, Query(max_length=300)] = None,
) -> PackList:
    """Return packs, the last changed first."""
    after = _read_token(page_token) if page_token else None
    found = flow.standings(context, status=status, name=name, after=after, limit=limit + 1)
    shown = found[:limit]
    return PackList(
        message=f"{len(shown)} share pack(s)",
        count=len(shown),
        share_packs=[PackAnswer.of(pack) for pack in shown],
        next_page_token=_token(shown[-1]) if len(found) > limit else None,
    )


@router.get("/sharepack/{share_pack_id}/plan", summary="Plan a pack as it is now", responses=_PLANNED)
def plan(context: Asked, share_pack_id: PackId) -> PlanAnswer:
    """Plan the current version of a pack against the workspace."""
    return PlanAnswer.of(flow.plan_of(context, _pack_id(share_pack_id)))


@router.post("/sharepack/{share_pack_id}/approve", summary="Approve a plan")
def approve(context: Asked, share_pack_id: PackId, decision: Decision) -> PackAnswer:
    """Approve the plan of a pack that waits, in the name of the token's owner."""
    found = flow.approve(context, _pack_id(share_pack_id), plan_hash=decision.plan_hash, reason=decision.reason)
    return PackAnswer.of(found)


@router.post("/sharepack/{share_pack_id}/decline", summary="Decline a pack")
def decline(context: Asked, share_pack_id: PackId, refusal: Refusal) -> PackAnswer:
    """Decline a pack that waits, in the name of the token's owner."""
    found = flow.decline(context, _pack_id(share_pack_id), plan_hash=refusal.plan_hash, reason=refusal.reason)
    return PackAnswer.of(found)


@router.post("/sharepack/{share_pack_id}/rollback/plan", summary="Plan a way back")
def preview_rollback(context: Asked, share_pack_id: PackId, wanted: Rollback) -> PlanAnswer:
    """Plan the way back to an earlier version; what cannot come back stands in Losses."""
    return PlanAnswer.of(flow.preview_rollback(context, _pack_id(share_pack_id), _aware(wanted.to)))


@router.post("/sharepack/{share_pack_id}/rollback", status_code=202, summary="Go back to an earlier version")
def rollback(context: Asked, response: Response, share_pack_id: PackId, wanted: Rollback) -> UploadAnswer:
    """Make an earlier version the newest one again and queue its run, which `X-Run-Id` names."""
    pack_id = _pack_id(share_pack_id)
    submitted = flow.rollback(context, pack_id, _aware(wanted.to), plan_hash=wanted.plan_hash)
    response.headers["X-Run-Id"] = submitted.run_id
    return UploadAnswer.accepted(submitted)


@router.get("/sharepack/{share_pack_id}/run", summary="Show a pack's newest run")
def newest_run(context: Asked, share_pack_id: PackId) -> RunAnswer:
    """Return the newest run of a pack with its steps."""
    pack = flow.status(context, _pack_id(share_pack_id))
    if pack.run is None:
        raise NotFound(f"no run of {pack.name} was made yet")
    return RunAnswer.of(flow.run_of(context, pack.run.id))


@router.get("/runs/{run}", summary="Show a run")
def show_run(context: Asked, run: Annotated[str, Path(pattern=r"^[0-9a-f-]{1,36}$")]) -> RunAnswer:
    """Return a run with its steps."""
    return RunAnswer.of(flow.run_of(context, run))


@router.get("/drift", summary="Show how far the workspace is from all packs")
def drift(context: Asked) -> list[DriftAnswer]:
    """Compare every pack with the workspace; what cannot be read is unknown, never missing."""
    return [DriftAnswer.of(found) for found in flow.drift(context)]


@router.get("/sharepack/{share_pack_id}/drift", summary="Show how far the workspace is from a pack")
def drift_of(context: Asked, share_pack_id: PackId) -> DriftAnswer:
    """Compare a pack with the workspace."""
    (found,) = flow.drift(context, _pack_id(share_pack_id))
    return DriftAnswer.of(found)


@router.post("/sharepack/{share_pack_id}/verify", summary="Read a pack as its recipients")
def verify(context: Asked, share_pack_id: PackId, rows: Rows = "first") -> list[CheckedAnswer]:
    """Read every table of a pack as each of its recipients, and try what was taken away; may take minutes."""
    return [CheckedAnswer.of(found) for found in flow.verify(context, _pack_id(share_pack_id), rows=rows)]


@router.get("/access", summary="Show who can read what")
def access(context: Asked, name: Text = None) -> list[AccessAnswer]:
    """Return every right to read a share, of all or of one recipient or share."""
    return [AccessAnswer.of(found) for found in flow.access(context, name)]


def _json(body: UploadAnswer | PlanAnswer, status: int, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(body.model_dump(mode="json", by_alias=True), status, headers)


def _file_name(given: str | None) -> str:
    """Return the last part of the name that the sender gave, without what no file name has."""
    return _CONTROL.sub("", re.split(r"[/\\]", given or "")[-1])[-255:]


def _pack_id(text: str) -> str:
    """Return a pack's id, or raise NotFound for what cannot be one."""
    if not _UUID.fullmatch(text):
        raise NotFound(f"no share pack has the id {text!r}")
    return text.lower()


def _aware(to: int | datetime) -> int | datetime:
    """Take a moment without a zone as UTC."""
    return to if isinstance(to, int) or to.tzinfo else to.replace(tzinfo=UTC)


def _token(pack: Standing) -> str:
    return base64.urlsafe_b64encode(f"{pack.last_updated.isoformat()}|{pack.pack_id}".encode()).decode()


def _read_token(text: str) -> tuple[datetime, str]:
    try:
        at, _, pack_id = base64.urlsafe_b64decode(text).decode("ascii").partition("|")
        return datetime.fromisoformat(at).astimezone(UTC), _pack_id(pack_id)
    except (binascii.Error, ValueError, OverflowError, NotFound) as error:
        raise SpecInvalid("the page token is none of ours", code="page-token", remedy="start without one") from error


def _look(context: Context) -> HealthAnswer:
    """Ask the database and the queue; what does not answer is said, not guessed."""
    try:
        with context.metadata.read() as tx:
            tables, waiting = packs.tables(tx), counts.waiting(tx)
    except MetadataDown:
        return _health(tables=0, queue=None, database=False)
    return _health(tables=tables, queue=_queue(context, waiting), database=True)


def _queue(context: Context, own: int) -> Length | None:
    """Return how long the queue is that is configured, or None when it does not answer; our own sets nothing aside."""
    try:
        azure = AzureQueue.of(context.queue.settings)
        if azure is None:
            return Length(own, 0)
        with closing(azure):
            return azure.length()
    except QueueDown:
        return None


def _health(*, tables: int, queue: Length | None, database: bool) -> HealthAnswer:
    whole = database and queue is not None and tables == _TABLES
    return HealthAnswer(
        message=f"Workflow system {'healthy' if whole else 'unhealthy'}",
        database_connected=database,
        queue_connected=queue is not None,
        tables_count=tables,
        queue_message_count=queue.waiting if queue else 0,
        queue_poison_count=queue.poisoned if queue else 0,
    )

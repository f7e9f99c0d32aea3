"""Commands that take packs: write a sample, show a plan, do it, do many."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from brickyard.kernel.terminal import emit, error_document, error_text, note, plain, table
from brickyard.share.cli.options import (
    Adopt,
    Compat,
    PlanHash,
    Replace,
    coloured,
    explained,
    followed,
    house,
    output,
    workspace_of,
)

if TYPE_CHECKING:
    from brickyard.context import Context
    from brickyard.share.model.runs import Checked, RunRecord, Submitted, Upload
    from brickyard.share.model.steps import Plan


class Layout(StrEnum):
    """The layouts of a workbook."""

    A = "A"
    B = "B"
    C = "C"


_PARTLY, _GUARD, _PLATFORM = 5, 4, 3


def sample(
    ctx: typer.Context,
    out: Annotated[Path | None, typer.Option("--out", help="Write to this file; .xlsx makes a workbook.")] = None,
    layout: Annotated[
        Layout, typer.Option("--layout", help="A: a row an asset, B: a row a share, C: wide.")
    ] = Layout.A,
    workspace_url: Annotated[
        str | None, typer.Option("--workspace-url", help="The workspace it is for; the home's own, where there is one.")
    ] = None,
) -> None:
    """Write a share pack to start from, as YAML to stdout or as a workbook.

    Example: brickyard share sample > pack.yaml
    """
    from brickyard.kernel.files import write_whole
    from brickyard.share.model.samples import sample

    url = workspace_url or workspace_of(ctx)
    if out is None:
        text = sample("yaml", workspace_url=url).decode()
        emit({"yaml": text}, output(ctx), text)
        return
    kind = "xlsx" if out.suffix.lower() == ".xlsx" else "yaml"
    write_whole({out: sample(kind, layout.value, url)})
    emit({"written": str(out)}, output(ctx), f"wrote {out}")


def plan(
    ctx: typer.Context,
    pack: Annotated[Path | None, typer.Argument(metavar="[PACK]", help="A share pack: .yaml, .yml or .xlsx.")] = None,
    known: Annotated[
        str | None, typer.Option("--pack", metavar="NAME|ID", help="An uploaded pack instead of a file.")
    ] = None,
    compat: Compat = None,
    adopt: Adopt = False,
    replace: Replace = False,
) -> None:
    """Show what a pack would change: what comes, changes and goes (in red), and the hash of it all.

    Example: brickyard share plan pack.yaml
    """
    from brickyard.share import report

    made = _planned(ctx, pack, known, compat=compat, adopt=adopt, replace=replace)
    emit(report.plan_document(made), output(ctx), lambda: report.plan_text(made, colour=coloured()))
    raise typer.Exit(_GUARD if made.refusals else 0)


def _planned(
    ctx: typer.Context, file: Path | None, known: str | None, *, compat: bool | None, adopt: bool, replace: bool
) -> Plan:
    """Plan a file, or an uploaded pack by what its sender allowed."""
    from brickyard.kernel.errors import SpecInvalid
    from brickyard.share import flow
    from brickyard.share.cli import files

    if (file is None) == (known is None):
        raise SpecInvalid("name one pack", code="usage", remedy="give a file, or --pack with the name or id of one")
    if file is not None:
        sent = _upload(file.name, files.read(file), compat=compat, adopt=adopt, replace=replace)
        return flow.preview(house(ctx), sent)
    if compat is not None or adopt or replace:
        raise SpecInvalid(
            "an uploaded pack was read and allowed what it may by its sender",
            code="usage",
            remedy="leave out --compat, --strict, --adopt and --replace, or plan the file",
        )
    return flow.plan_of(house(ctx), known or "")


def apply(
    ctx: typer.Context,
    pack: Annotated[Path, typer.Argument(metavar="PACK", help="A share pack, or a folder or .zip of packs.")],
    plan_hash: PlanHash = None,
    verify: Annotated[
        bool, typer.Option("--verify", help="Then read every shared table as a recipient would.")
    ] = False,
    compat: Compat = None,
    adopt: Adopt = False,
    replace: Replace = False,
) -> None:
    """Plan a pack, do it, and wait for its end.

    Example: brickyard share apply pack.yaml --plan-hash 3f2a…
    """
    from brickyard.share.cli import files

    if files.is_batch(pack):
        _refuse_hash(plan_hash)
        _all(ctx, pack, compat=compat, adopt=adopt, replace=replace)
    data = files.read(pack)
    sent = _upload(pack.name, data, compat=compat, adopt=adopt, replace=replace, plan_hash=plan_hash)
    context = house(ctx)
    done = _do(context, sent)
    if verify and done.exit_code == 0:
        done = _verified(context, done)
    emit(done.document, output(ctx), done.text)
    raise typer.Exit(done.exit_code)


def batch(
    ctx: typer.Context,
    path: Annotated[Path, typer.Argument(metavar="PATH", help="A folder or .zip of share packs.")],
    compat: Compat = None,
    adopt: Adopt = False,
    replace: Replace = False,
) -> None:
    """Apply every pack of a folder or archive; each has a result of its own.

    Example: brickyard share batch packs/
    """
    _all(ctx, path, compat=compat, adopt=adopt, replace=replace)


def _refuse_hash(plan_hash: str | None) -> None:
    """Refuse one hash for many packs."""
    from brickyard.kernel.errors import SpecInvalid

    if plan_hash is not None:
        raise SpecInvalid("a hash is one pack's", code="usage", remedy="apply the pack alone, or leave out --plan-hash")


def _all(ctx: typer.Context, path: Path, **wishes: bool | None) -> None:
    """Apply the packs of a folder or archive one after the other, and end the command."""
    from brickyard.share.cli import files

    found, context = files.packs(path), house(ctx)
    results = [_one(context, name, data, wishes) for name, data in found]
    codes = {result["exit_code"] for result in results}
    rows = [(r["file"], r["status"], r["message"] or "-") for r in results]
    emit({"packs": results}, output(ctx), lambda: table(("PACK", "STATUS", "MESSAGE"), rows))
    raise typer.Exit(codes.pop() if len(codes) == 1 else _PARTLY)


def _one(context: Context, name: str, data: bytes, wishes: dict[str, Any]) -> dict[str, Any]:
    """Apply one pack of a batch; what is wrong with it is its result."""
    from brickyard.kernel.errors import BrickyardError, Interrupted

    note(name)
    try:
        done = _do(context, _upload(name, data, **wishes))
    except Interrupted:
        raise
    except BrickyardError as error:
        note(error_text(error))
        return {
            "file": name,
            "status": "refused",
            "message": error.message,
            "exit_code": error.exit_code,
        } | error_document(error)
    run = done.run
    return {"file": name, "status": run.status, "message": run.message, "exit_code": done.exit_code} | done.document


@dataclass(frozen=True, slots=True)
class _Done:
    """An upload, how its run ended, and what recipients get of it where that was asked."""

    submitted: Submitted
    run: RunRecord
    checked: tuple[Checked, ...] | None = None

    @property
    def document(self) -> dict[str, Any]:
        found = {} if self.checked is None else {"verified": plain(self.checked)}
        return {"pack": plain(self.submitted), "run": plain(self.run), **found}

    def text(self) -> str:
        from brickyard.share import report

        head = [f"{self.submitted.pack_name} ({self.submitted.pack_id}) version {self.submitted.version}"]
        head += [f"warning: {warning}" for warning in self.submitted.warnings if warning not in self.run.warnings]
        found = [] if self.checked is None else ["", report.checked_text(self.checked)]
        return "\n".join([*head, explained(report.run_text(self.run), self.run.code), *self._asked(), *found])

    def _asked(self) -> Iterator[str]:
        """Say what a pack waits for that others must approve."""
        from brickyard.share.model.runs import RunStatus

        if self.run.status is RunStatus.PENDING_APPROVAL:
            approve = f"brickyard share approve {self.submitted.pack_id} --plan-hash HASH"
            yield f"to do: somebody who did not ask for it looks at its plan (brickyard share plan --pack {self.submitted.pack_id}), then: {approve}"

    @property
    def exit_code(self) -> int:
        from brickyard.share.model.runs import RunStatus

        match self.run.status:
            case RunStatus.COMPLETED:
                return 0 if all(one.expected for one in self.checked or ()) else 1
            case RunStatus.FAILED:
                return _PLATFORM
        return _GUARD  # not allowed, not approved yet, or a newer version has taken its place


def _do(context: Context, sent: Upload) -> _Done:
    """Submit a pack and wait for its run, doing it here where no worker is alive."""
    from brickyard.share import flow

    submitted = flow.submit(context, sent)
    return _Done(submitted, followed(context, submitted))


def _verified(context: Context, done: _Done) -> _Done:
    from brickyard.share import flow

    return _Done(done.submitted, done.run, flow.verify(context, done.submitted.pack_id))


def _upload(
    name: str,
    data: bytes,
    *,
    compat: bool | None,
    adopt: bool,
    replace: bool,
    plan_hash: str | None = None,
) -> Upload:
    """Read a pack before anything is started for it."""
    from brickyard.settings import Settings
    from brickyard.share.model.parse import parse
    from brickyard.share.model.runs import Upload

    lenient = Settings().share_compat if compat is None else compat
    parsed = parse(name, data, compat=lenient)
    return Upload(
        pack=parsed.pack,
        file_name=name,
        file_format=parsed.file_format,
        warnings=parsed.warnings,
        adopt=adopt,
        replace=replace,
        plan_hash=plan_hash,
        again=True,
    )

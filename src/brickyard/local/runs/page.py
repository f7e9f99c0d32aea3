"""The page of a run: what it did, cell by cell. Everything that came from outside is escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from html import escape

from brickyard.local.runs.model import Attempt, JsonObject, Run

_STYLE = """
:root{color-scheme:light dark;--edge:#8884;--bad:#c62828;--good:#2e7d32}
body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:70rem;padding:0 1rem}
h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;display:block;overflow:auto;max-height:28rem}td,th{border:1px solid var(--edge);padding:.2rem .5rem;text-align:left}
pre{background:#8881;padding:.6rem;overflow:auto;margin:.3rem 0;white-space:pre-wrap}
.cell{border-left:3px solid var(--edge);padding-left:.8rem;margin:1rem 0}.FAILED{border-color:var(--bad)}.SUCCESS,.EXITED{border-color:var(--good)}
.error{color:var(--bad)}.quiet{opacity:.7;font-size:.85rem}iframe{width:100%;height:20rem;border:1px solid var(--edge)}
""".strip()
POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self' data:; base-uri 'none'; form-action 'none'"


def render(run: Run, tasks: Sequence[tuple[Attempt, Sequence[JsonObject], str, JsonObject]]) -> str:
    """The page of *run*; each task comes with its cells, its log and its output as the API tells it."""
    title = f"Run {run.run_id}: {run.name}"
    facts = {
        "Job": str(run.job_id),
        "State": _state(run.life, run.outcome),
        "Message": run.message,
        "Started": _time(run.created),
        "Ended": _time(run.ended),
        "By": run.creator,
        "Parameters": ", ".join(f"{k}={v}" for k, v in run.parameters.items()),
    }
    body = f"<h1>{escape(title)}</h1>{_facts(facts)}" + "".join(_task(*task) for task in tasks)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>{body}</body></html>"
    )


def _task(attempt: Attempt, cells: Sequence[JsonObject], log: str, output: JsonObject) -> str:
    facts = {
        "State": _state(attempt.life, attempt.outcome),
        "Message": attempt.message,
        "Duration": _duration(attempt),
        "Attempt": str(attempt.number + 1),
        "Result": _result(output),
    }
    head = f"<h2>Task {escape(attempt.task_key)} <span class=quiet>run {attempt.task_run_id}</span></h2>{_facts(facts)}"
    error = f"<pre class=error>{escape(str(output['error']))}</pre>" if output.get("error") else ""
    printed = "" if cells or not log else f"<pre>{escape(log)}</pre>"
    return head + error + "".join(map(_cell, cells)) + printed


def _cell(cell: JsonObject) -> str:
    words = [f"cell {cell['cell']}", str(cell["language"]), str(cell["status"]), f"{cell['duration_ms']} ms"]
    head = f"{escape(str(cell['title']))} · " if cell.get("title") else ""
    where = f" · {escape(str(cell['notebook']))}" if cell.get("depth") else ""
    parts = [f"<p class=quiet>{head}{escape(' · '.join(words))}{where}</p>", _pre(cell["source"]), _pre(cell["stdout"])]
    outputs = cell.get("outputs")
    parts += [_output(item) for item in outputs if isinstance(item, dict)] if isinstance(outputs, list) else []
    parts.append(_pre(cell.get("trace"), "error"))
    return f'<div class="cell {escape(str(cell["status"]))}">{"".join(parts)}</div>'


def _output(item: Mapping[str, object]) -> str:
    match item.get("type"):
        case "table":
            return _table(item)
        case "html":
            return f'<iframe sandbox srcdoc="{escape(str(item["html"]))}"></iframe>'
        case _:
            return _pre(item.get("text"))


def _table(item: Mapping[str, object]) -> str:
    columns, rows = item.get("columns"), item.get("rows")
    if not isinstance(columns, list) or not isinstance(rows, list):
        return ""
    head = "".join(
        f"<th>{escape(str(c['name']))}<br><span class=quiet>{escape(str(c['type']))}</span></th>" for c in columns
    )
    body = "".join(f"<tr>{''.join(_value(v) for v in row)}</tr>" for row in rows)
    note = "<p class=quiet>Only the first rows are kept.</p>" if item.get("truncated") else ""
    return f"<table><tr>{head}</tr>{body}</table>{note}"


def _value(value: object) -> str:
    return "<td class=quiet>null</td>" if value is None else f"<td>{escape(str(value))}</td>"


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<tr><th>{name}</th><td>{escape(value)}</td></tr>" for name, value in facts.items() if value)
    return f"<table>{rows}</table>"


def _pre(text: object, css: str = "") -> str:
    return f'<pre class="{css}">{escape(str(text))}</pre>' if text else ""


def _state(life: str, outcome: str | None) -> str:
    return f"{life} {outcome}" if outcome else str(life)


def _result(output: Mapping[str, object]) -> str:
    given = output.get("notebook_output")
    return str(given.get("result", "")) if isinstance(given, dict) else ""


def _duration(attempt: Attempt) -> str:
    if attempt.started is None or attempt.ended is None:
        return ""
    return f"{(attempt.ended - attempt.started) / 1000:.1f} s"


def _time(at: int | None) -> str:
    return f"{datetime.fromtimestamp(at / 1000, UTC):%Y-%m-%d %H:%M:%S} UTC" if at else ""

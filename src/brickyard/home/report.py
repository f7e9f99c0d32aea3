"""The state of a home as text."""

from __future__ import annotations

from brickyard.home.control import Status
from brickyard.kernel.terminal import table


def status_text(status: Status) -> str:
    """Say what runs, where it answers and where the tokens are."""
    rows = [
        (service.name, "running" if service.running else "stopped", service.pid or "-", service.address or "-")
        for service in status.services
    ]
    facts = (
        ("home", status.home),
        ("service", status.url or "-"),
        ("token", f"in {status.token_file}"),
        ("workspace", status.workspace_host or "-"),
        ("token", f"in {status.workspace_token_file}"),
        ("kept running", "yes" if status.supervised else "no: `brickyard up` starts and watches everything"),
    )
    lines = [f"{name + ':':<14}{value}" for name, value in facts]
    return "\n".join([*lines, "", table(("SERVICE", "STATE", "PID", "ADDRESS"), rows)])

"""The OpenAPI document as a program's input: a client generator makes a package of it, and the package's client works."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx

_CALL = """
import json, sys
from brickyard_client import AuthenticatedClient
from brickyard_client.api.share_packs import health_workflow_health_get as health
from brickyard_client.api.share_packs import status_workflow_sharepack_share_pack_id_get as status
client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2])
found = health.sync_detailed(client=client)
absent = status.sync_detailed("5b8e5c1c-6f0e-4d0a-9c1d-0b8f6f1a2c3d", client=client)
print(json.dumps([found.status_code, found.parsed.to_dict(), absent.status_code, absent.parsed.error_type]))
"""


def test_a_generated_client_calls_the_service(client: httpx.Client, tmp_path: Path):
    document = tmp_path / "openapi.json"
    document.write_text(client.get("/openapi.json").text)
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"package_name_override": "brickyard_client", "post_hooks": []}))
    generator = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none", "--fail-on-warning"]
    places = ["--path", str(document), "--config", str(config), "--output-path", str(tmp_path / "brickyard_client")]
    made = subprocess.run([*generator, *places], capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    call = [sys.executable, "-c", _CALL, str(client.base_url), "t"]
    done = subprocess.run(call, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    status, health, absent, kind = json.loads(done.stdout)
    assert (status, health["Message"], absent, kind) == (200, "Workflow system healthy", 404, "NotFound")

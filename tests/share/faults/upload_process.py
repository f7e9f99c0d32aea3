"""A client of its own: says that it is ready, waits for a line, uploads one pack, and prints status and answer."""

from __future__ import annotations

import json
import sys
import urllib.error
import urllib.request
from pathlib import Path

BOUNDARY = "brickyard-boundary"


def main(url: str, token: str, workspace: str, file: str) -> None:
    """Upload a file when a line comes in."""
    content = Path(file).read_bytes()
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="file"; filename="pack.yaml"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{BOUNDARY}--\r\n".encode()
    request = urllib.request.Request(f"{url}/workflow/sharepack/upload", body, method="POST")
    request.add_header("Authorization", f"Bearer {token}")
    request.add_header("X-Workspace-URL", workspace)
    request.add_header("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    sys.stdin.readline()
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            told = {"status": answer.status, "run": answer.headers["X-Run-Id"], "body": json.load(answer)}
    except urllib.error.HTTPError as error:
        told = {"status": error.code, "run": None, "body": error.read().decode()}
    sys.stdout.write(json.dumps(told) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])

"""The engine's own process: a Spark Connect server that ends when its standard input does, so that no parent can outlive it."""

from __future__ import annotations

import json
import os
import sys


def main() -> None:
    """Serve on a free loopback port, say which one, and wait for the parent to go away."""
    from pysail.spark import SparkConnectServer

    server = SparkConnectServer("127.0.0.1", 0)
    server.start(background=True)
    address = server.listening_address
    if address is None:
        raise SystemExit("the SQL engine has no address")
    host, port = address
    sys.stdout.write(json.dumps({"host": host, "port": port}) + "\n")
    sys.stdout.flush()
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()

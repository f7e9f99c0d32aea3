"""Run by the Spark environment's Python: Spark with Delta as a Spark Connect server that ends when its standard input does.

The argument is a JSON object of Spark settings; the token that clients must show is in SPARK_CONNECT_AUTHENTICATE_TOKEN.
"""

from __future__ import annotations

import json
import os
import sys


def main(settings: str) -> None:
    """Serve on a free loopback port, say which one, and wait for the parent to go away."""
    said = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what Java prints must not stand before what we say

    from pyspark import SparkConf, SparkContext

    conf = SparkConf(loadDefaults=False).setAll(list(json.loads(settings).items()))
    context = SparkContext.getOrCreate(conf)
    service = getattr(context._jvm.org.apache.spark.sql.connect.service, "SparkConnectService$")
    # a client shows its token without TLS only to `localhost` by that name
    said.write(json.dumps({"host": "localhost", "port": getattr(service, "MODULE$").localPort()}) + "\n")
    said.close()
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1])

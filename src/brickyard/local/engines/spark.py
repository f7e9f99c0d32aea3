"""Real Spark with Delta as the engine: the profile that tells what is true, slower and heavier than Sail."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import replace
from pathlib import Path

from brickyard.local.engines import spark_env
from brickyard.local.engines.connect import Child, ConnectEngine, start
from brickyard.local.engines.model import EngineDied
from brickyard.local.engines.spark_env import SparkEnvironment

_CHILD = Path(__file__).with_name("spark_child.py")
_LOOPBACK = "127.0.0.1"
_CODE_CACHE = "256m"  # one tier gets 48 MB, which a few hundred statements fill; then Java compiles the same again


class SparkEngine(ConnectEngine):
    """Spark in a process of its own environment, which is made when it is first needed."""

    name = "spark"
    whole_spark = True

    def __init__(self, log: Path, environment: SparkEnvironment | None = None) -> None:
        super().__init__(log)
        self.environment = environment or spark_env.from_environ(os.environ)

    def _launch(self, log: Path) -> Child:
        self.environment.ensure(spark_env.say)
        token, scratch = secrets.token_hex(32), log.parent / "spark"
        scratch.mkdir(exist_ok=True)
        command = [str(self.environment.python), str(_CHILD), json.dumps(settings(self.environment, scratch))]
        variables = self.environment.environment(os.environ) | {"SPARK_CONNECT_AUTHENTICATE_TOKEN": token}
        child = start(command, log, variables, scratch)
        if child is None:
            raise EngineDied("NoEngine", f"Spark did not start; see {log}")
        return replace(child, token=token)


def settings(environment: SparkEnvironment, scratch: Path) -> dict[str, str]:
    """What Spark is told: Delta, loopback only, and few partitions, since the tables of a laptop are small."""
    return {
        "spark.master": f"local[{max(2, min(4, os.cpu_count() or 2))}]",
        "spark.app.name": "brickyard",
        "spark.plugins": "org.apache.spark.sql.connect.SparkConnectPlugin",
        "spark.connect.grpc.binding.address": _LOOPBACK,
        "spark.connect.grpc.binding.port": "0",
        "spark.connect.session.manager.defaultSessionTimeout": "-1",  # never; else an hour without a statement
        "spark.driver.bindAddress": _LOOPBACK,
        "spark.driver.host": _LOOPBACK,
        "spark.driver.memory": "2g",
        "spark.driver.extraJavaOptions": f"-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize={_CODE_CACHE} -XX:+UseSerialGC",
        "spark.driver.extraClassPath": f"{environment.jars}/*",
        # without checksum files beside the files: others write the same tables, and rewrite what Spark has written
        "spark.hadoop.fs.file.impl": "org.apache.hadoop.fs.RawLocalFileSystem",
        "spark.hadoop.fs.AbstractFileSystem.file.impl": "org.apache.hadoop.fs.local.RawLocalFs",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.warehouse.dir": str(scratch / "warehouse"),
        "spark.local.dir": str(scratch / "local"),
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "2",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.ui.enabled": "false",
        "spark.log.level": "ERROR",
    }

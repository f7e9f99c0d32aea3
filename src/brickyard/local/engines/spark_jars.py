"""Run by the Spark environment's Python: let Spark fetch packages, and keep those jars that Spark does not bring itself.

Arguments: the coordinates, the folder that Ivy may fill, the folder of the jars.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path


def main(coordinates: str, ivy: str, jars: str) -> None:
    """Fetch and copy."""
    import pyspark
    from pyspark.conf import SparkConf
    from pyspark.java_gateway import launch_gateway

    wanted = {"spark.jars.packages": coordinates, "spark.jars.ivy": ivy}
    gateway = launch_gateway(SparkConf(loadDefaults=False).setAll(list(wanted.items())))
    gateway.shutdown()
    brought = {_artifact(jar.name) for jar in Path(pyspark.__file__).parent.joinpath("jars").glob("*.jar")}
    Path(jars).mkdir(parents=True)
    for jar in Path(ivy, "jars").glob("*.jar"):
        if _artifact(jar.name.partition("_")[2]) not in brought:
            shutil.copy2(jar, jars)


def _artifact(name: str) -> str:
    """The name of a jar without its version."""
    return re.sub(r"-\d[\w.\-]*\.jar$", "", name)


if __name__ == "__main__":
    main(*sys.argv[1:])

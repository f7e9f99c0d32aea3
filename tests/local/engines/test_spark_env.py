"""The Spark engine's environment: what it is made of, and what it says when it cannot be."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from brickyard.local import LocalWorkspace
from brickyard.local.engines import spark, spark_env
from brickyard.local.engines.model import EngineUnavailable
from brickyard.local.engines.spark_env import SparkEnvironment

HALF_FILLED = """
\t\t[NOT FOUND  ] io.delta#delta-storage;4.4.0!delta-storage.jar (0ms)
\t==== local-m2-cache: tried
\t\t::::::::::::::::::::::::::::::::::::::::::::::
\t\t::              FAILED DOWNLOADS            ::
\t\t:: ^ see resolution messages for details  ^ ::
\t\t::::::::::::::::::::::::::::::::::::::::::::::
\t\t:: io.delta#delta-storage;4.4.0!delta-storage.jar
\t\t:: org.antlr#antlr4-runtime;4.13.1!antlr4-runtime.jar
\t\t::::::::::::::::::::::::::::::::::::::::::::::
"""


def _silent(text: str) -> None:
    raise AssertionError(text)


def _java(folder: Path, said: str) -> Path:
    java = folder / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{said}\"' >&2\n")
    java.chmod(0o755)
    return folder


def test_the_extra_and_the_engine_name_the_same_versions():
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    wanted = {f"pyspark=={spark_env.PYSPARK}", f"delta-spark=={spark_env.DELTA}"}
    assert set(project["project"]["optional-dependencies"]["spark"]) == wanted
    assert f"pyspark-client=={spark_env.PYSPARK}" in project["project"]["optional-dependencies"]["local"]


def test_a_java_that_is_too_old_is_named_with_the_cure(tmp_path):
    environment = SparkEnvironment(tmp_path / "env", java_home=_java(tmp_path / "java", "11.0.2"))
    with pytest.raises(EngineUnavailable) as refusal:
        environment.ensure(_silent)
    assert refusal.value.reason == f"Spark needs Java 17, and {tmp_path}/java/bin/java is 11"
    assert refusal.value.cure == "install Java 17 or newer and put it on PATH, or set JAVA_HOME"


@pytest.mark.parametrize(("said", "version"), [("17.0.15", 17), ("21", 21), ("1.8.0_402", 8), ("none", None)])
def test_java_says_its_version(tmp_path, said, version):
    assert spark_env.java_version(str(_java(tmp_path, said) / "bin" / "java")) == version


def test_own_python_and_own_jars_that_are_not_there_are_named(tmp_path):
    java = _java(tmp_path / "java", "17.0.1")
    with pytest.raises(EngineUnavailable, match="BRICKYARD_SPARK_PYTHON names /nowhere/python, which is not there"):
        SparkEnvironment(tmp_path, own_python=Path("/nowhere/python"), java_home=java).ensure(_silent)
    with pytest.raises(EngineUnavailable, match="which has no delta-spark jar"):
        SparkEnvironment(tmp_path, own_jars=tmp_path / "jars", java_home=java).ensure(_silent)


def test_a_half_filled_maven_cache_is_told_from_an_unreachable_one():
    half = spark_env.no_jars(HALF_FILLED)
    assert half.reason == (
        "Ivy found descriptions but no jars"
        " (FAILED DOWNLOADS: io.delta#delta-storage;4.4.0, org.antlr#antlr4-runtime;4.13.1)"
    )
    assert "remove those artifacts from ~/.m2/repository" in half.cure
    assert "https://repo1.maven.org" in spark_env.no_jars("Server access error").cure


def test_the_variables_of_the_user_say_where_things_are(tmp_path):
    environ = {"BRICKYARD_SPARK_ENV": str(tmp_path), "BRICKYARD_SPARK_JARS": "/j", "JAVA_HOME": "/java"}
    assert spark_env.from_environ(environ) == SparkEnvironment(tmp_path, None, Path("/j"), Path("/java"))
    cached = spark_env.from_environ({"XDG_CACHE_HOME": "/cache"}).folder
    assert cached.parent == Path("/cache/brickyard")
    assert cached.name.startswith("spark-4.2.0-delta-4.4.0-python-3.")


def test_no_other_spark_of_the_user_leads_the_engine_astray(tmp_path):
    inherited = {"SPARK_HOME": "/old", "PYSPARK_SUBMIT_ARGS": "x", "PYTHONPATH": "/p", "PATH": "/bin"}
    assert SparkEnvironment(tmp_path).environment(inherited) == {
        "PATH": "/bin",
        "PYSPARK_PYTHON": str(tmp_path / "venv" / "bin" / "python"),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


def test_spark_listens_on_loopback_only(tmp_path):
    said = spark.settings(SparkEnvironment(tmp_path), tmp_path)
    assert {value for key, value in said.items() if "ddress" in key or key.endswith("host")} == {"127.0.0.1"}
    assert said["spark.ui.enabled"] == "false"


def test_an_unavailable_engine_is_a_refusal_of_the_statement_with_its_cure(tmp_path, monkeypatch):
    monkeypatch.setenv("BRICKYARD_SPARK_PYTHON", "/nowhere/python")
    with LocalWorkspace(tmp_path, engine="spark") as workspace:
        client = workspace.client()
        done = client.statement_execution.execute_statement("SELECT 1", workspace.parts.warehouses.default_id)
        assert done.status and done.status.error and done.status.error.message
        assert done.status.error.message.startswith("[ENGINE_UNAVAILABLE] BRICKYARD_SPARK_PYTHON names /nowhere/python")

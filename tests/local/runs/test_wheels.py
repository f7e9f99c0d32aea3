"""Tasks of wheels: their environment, entry point, parameters, output and errors."""

from __future__ import annotations

import importlib.util
import io
import os
import shutil
import time
from pathlib import Path

import pytest
from databricks.sdk.service import catalog, compute, jobs

from brickyard.local.api.errors import ApiError
from brickyard.local.api.tokens import Principal
from brickyard.local.runs.environments import Environments

HERE = Path(__file__).parent
_HAS_PIP = importlib.util.find_spec("pip") is not None
_spec = importlib.util.spec_from_file_location("wheelhouse", HERE / "wheelhouse.py")
wheelhouse = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(wheelhouse)

CODE = """
import os, sys

def main():
    print(sys.argv)
    print(bool(os.environ["DATABRICKS_TOKEN"]), os.environ["DATABRICKS_HOST"].startswith("http://127.0.0.1"))

def fail():
    helper()

def helper():
    raise ValueError("boom")

def leave():
    sys.exit(0)

def leave_badly():
    sys.exit("no more")

def spark():
    from pyspark.sql import SparkSession
    print(SparkSession.builder.getOrCreate().sql("SELECT 40 + 2 AS n").collect()[0].n)

def values():
    from databricks.sdk.runtime import dbutils
    from databricks.sdk import WorkspaceClient
    dbutils.jobs.taskValues.set("rows", 7)
    print(WorkspaceClient().current_user.me().user_name)
    print(dbutils.notebook.entry_point.getDbutils().notebook().getContext().tags().apply("taskKey"))

def delta():
    from delta.tables import DeltaTable
    from pyspark.sql import SparkSession
    SparkSession.builder.getOrCreate().sql("CREATE TABLE IF NOT EXISTS main.default.wheeled AS SELECT 1 AS id")
    print(DeltaTable.forName(None, "main.default.wheeled").toDF().count())
"""


@pytest.fixture(scope="module")
def whl(lake):
    content = wheelhouse.wheel("acme-gold", {"acme/__init__.py": "", "acme/job.py": CODE}, {"run": "acme.job:main"})
    if "main" not in [c.name for c in lake.client().catalogs.list()]:
        lake.client().catalogs.create("main")
    return wheelhouse.put(lake.client(), "/Shared/dist/acme_gold-1.0-py3-none-any.whl", content)


def wheel_task(point: str, key: str = "main", package: str = "acme-gold", **more) -> jobs.SubmitTask:
    named = jobs.PythonWheelTask(package_name=package, entry_point=point, **more)
    return jobs.SubmitTask(task_key=key, python_wheel_task=named, environment_key="default")


def environment(*dependencies: str) -> list[jobs.JobEnvironment]:
    spec = compute.Environment(environment_version="2", dependencies=list(dependencies))
    return [jobs.JobEnvironment(environment_key="default", spec=spec)]


def finished(bench, *tasks, dependencies):
    run = bench.ended(bench.submit(*tasks, environments=environment(*dependencies)))
    return run, bench.client.jobs.get_run_output(run.tasks[0].run_id)


def test_an_entry_point_of_the_metadata_gets_its_parameters_and_its_output_is_kept(bench, whl):
    run, output = finished(bench, wheel_task("run", parameters=["a", "{{job.run_id}}"]), dependencies=[whl])
    assert run.state.result_state.value == "SUCCESS", output.error
    assert output.logs == f"['run', 'a', '{run.run_id}']\nTrue True\n"
    assert run.tasks[0].resolved_values.python_wheel_task.parameters == ["a", str(run.run_id)]


def test_named_parameters_become_options_and_job_parameters_are_laid_over_them(bench, whl):
    named = jobs.PythonWheelTask("acme-gold", "run", named_parameters={"table": "x", "day": "1"})
    job = bench.client.jobs.create(
        name="wheel",
        tasks=[jobs.Task("main", python_wheel_task=named, libraries=[compute.Library(whl=whl)])],
        parameters=[jobs.JobParameterDefinition("day", "2")],
    ).job_id
    run = bench.ended(bench.client.jobs.run_now(job, python_named_params={"table": "y"}).response.run_id)
    output = bench.client.jobs.get_run_output(run.tasks[0].run_id)
    assert output.logs.splitlines()[0] == "['run', '--table=y', '--day=2']"


def test_a_function_of_the_package_is_an_entry_point_too(bench, lake):
    content = wheelhouse.wheel("plain", {"plain/__init__.py": "def go():\n    print('went')\n"})
    path = wheelhouse.put(lake.client(), "/Shared/dist/plain-1.0-py3-none-any.whl", content)
    _, output = finished(bench, wheel_task("go", package="plain"), dependencies=[path])
    assert output.logs == "went\n"


@pytest.mark.parametrize(
    ("point", "state", "error"),
    [
        ("leave", "SUCCESS", None),
        ("leave_badly", "FAILED", "SystemExit: no more (acme.job, leave_badly)"),
        ("fail", "FAILED", "ValueError: boom (job.py, line 12)"),
        (
            "nothing",
            "FAILED",
            "NotServed: The wheel acme.job has no entry point nothing, and its package no function of that name. "
            "(acme.job, nothing)",
        ),
    ],
)
def test_how_an_entry_point_ends_is_how_the_task_ends(bench, whl, point, state, error):
    run, output = finished(bench, wheel_task(point, package="acme.job"), dependencies=[whl])
    assert (run.state.result_state.value, output.error) == (state, error)
    if point == "fail":
        assert "in helper" in output.error_trace
        assert "/kernel/" not in output.error_trace


def test_a_wheel_of_a_volume_and_a_file_of_requirements_are_libraries_too(bench, whl, lake):
    volume = bench.client.volumes.create("main", "default", "libs", catalog.VolumeType.MANAGED)
    content = wheelhouse.wheel("shelf", {"shelf.py": "def main():\n    print('shelf')\n"}, {"go": "shelf:main"})
    path = f"/Volumes/{volume.full_name.replace('.', '/')}/shelf-1.0-py3-none-any.whl"
    bench.client.files.upload(path, io.BytesIO(content))
    listed = wheelhouse.put(lake.client(), "/Shared/requirements.txt", f"# ours\n{path}\nhttpx\n".encode())
    _, output = finished(bench, wheel_task("go", package="shelf"), dependencies=[f"-r {listed}", whl])
    assert (output.error, output.logs) == (None, "shelf\n")


def test_a_package_that_is_not_there_is_told_in_databricks_words(bench, whl):
    run, output = finished(bench, wheel_task("run", package="other"), dependencies=[whl])
    assert run.state.result_state.value == "FAILED"
    assert output.error.startswith("ImportError: Python wheel with name other could not be found.")


def test_spark_dbutils_and_the_sdk_are_those_of_the_task(bench, whl):
    tasks = [wheel_task(point, point, "acme.job") for point in ("spark", "values", "delta")]
    run = bench.ended(bench.submit(*tasks, environments=environment(whl)))
    logs = {t.task_key: bench.client.jobs.get_run_output(t.run_id) for t in run.tasks}
    assert {key: (out.logs, out.error) for key, out in logs.items()} == {
        "spark": ("42\n", None), "values": ("owner@local\nvalues\n", None), "delta": ("1\n", None),
    }  # fmt: skip


def test_the_wheels_code_runs_also_when_the_kernel_has_a_package_of_that_name(bench, lake):
    code = (
        "import brickyard\nfrom brickyard.kernel import errors\ndef main():\n    print(brickyard.MARK, errors.MARK)\n"
    )
    modules = {"brickyard/__init__.py": "MARK = 'wheel'", "brickyard/kernel/__init__.py": "", "brickyard/kernel/errors.py": "MARK = 'too'", "brickyard/job.py": code}  # fmt: skip
    content = wheelhouse.wheel("brickyard", modules, {"gold": "brickyard.job:main"}, version="0.1.0")
    path = wheelhouse.put(lake.client(), "/Shared/dist/brickyard-0.1.0-py3-none-any.whl", content)
    _, output = finished(bench, wheel_task("gold", package="brickyard"), dependencies=[path])
    assert (output.error, output.logs) == (None, "wheel too\n")


def test_a_wheel_that_replaces_compiled_code_gets_a_new_interpreter(bench, lake):
    code = "import zstandard\ndef main():\n    print(zstandard.__version__)\n"
    modules = {"zstandard/__init__.py": "__version__ = '99.0'", "tool.py": code}
    content = wheelhouse.wheel("zstandard", modules, {"tool": "tool:main"}, version="99.0")
    path = wheelhouse.put(lake.client(), "/Shared/dist/zstandard-99.0-py3-none-any.whl", content)
    _, output = finished(bench, wheel_task("tool", package="zstandard"), dependencies=[path])
    assert (output.error, output.logs) == (None, "99.0\n")


def test_a_changed_wheel_of_the_same_name_is_a_new_environment_and_an_equal_one_is_not(bench, lake):
    def run(text):
        content = wheelhouse.wheel("again", {"again.py": f"def main():\n    print('{text}')\n"}, {"go": "again:main"})
        path = wheelhouse.put(lake.client(), "/Shared/dist/again-1.0-py3-none-any.whl", content)
        return finished(bench, wheel_task("go", package="again"), dependencies=[path])[1].logs

    environments = lake.home / "environments"
    before = len(list(environments.iterdir()))
    assert [run("one"), run("two"), run("two")] == ["one\n", "two\n", "two\n"]
    assert len(list(environments.iterdir())) == before + 2


@pytest.mark.parametrize(
    ("dependency", "says"),
    [
        ("/Workspace/Shared/none-1.0-py3-none-any.whl", "Path (/Shared/none-1.0-py3-none-any.whl) doesn't exist."),
        ("/Workspace/Shared/none.whl", "is not named as a wheel is"),
        ("not a requirement", "'not a requirement' is neither the path of a wheel nor a requirement."),
        ("x-1.0-cp27-none-win32.whl", "is not a supported wheel on this platform."),
    ],
)
def test_libraries_that_cannot_be_had_fail_the_task_and_say_why(bench, dependency, says):
    run, output = finished(bench, wheel_task("run"), dependencies=[dependency])
    assert run.tasks[0].status.termination_details.code.value == "LIBRARY_INSTALLATION_ERROR"
    assert says in output.error and says in run.tasks[0].state.state_message


def test_what_the_interpreter_has_is_not_installed_and_what_is_missing_needs_an_installer(tmp_path, lake):
    environments = Environments(tmp_path, lake.parts.files, {"PATH": str(tmp_path)})
    owner = Principal("owner@local", owner=True)
    assert list(environments.site(["databricks-sdk>=0.1", "pandas # comment", ""], owner).iterdir()) == []
    with pytest.raises(ApiError) as refused:
        environments.site(["no-such-distribution>=1", 'nothing; python_version < "3"'], owner)
    assert refused.value.message == (
        "Library installation failed: no-such-distribution>=1 is not there, and neither uv nor pip is there to install it."
    )
    assert [p.name for p in (tmp_path / "environments").iterdir() if p.name.startswith(".new")] == []


def test_notebooks_and_python_files_import_from_their_libraries_too(bench, whl, lake, task):
    code = b"import acme.job, sys\nprint(acme.job.__name__)\n"
    path = wheelhouse.put(lake.client(), "/Shared/uses_wheel.py", code).removeprefix("/Workspace")
    file = jobs.SubmitTask("file", spark_python_task=jobs.SparkPythonTask(path), environment_key="default")
    book = task(
        bench.put("# Databricks notebook source\nimport acme.job\ndbutils.notebook.exit(acme.job.__name__)"), "book"
    )
    book.libraries = [compute.Library(whl=whl), compute.Library(pypi=compute.PythonPyPiLibrary("httpx>=0.1"))]
    run = bench.ended(bench.submit(file, book, environments=environment(whl)))
    outputs = {t.task_key: bench.client.jobs.get_run_output(t.run_id) for t in run.tasks}
    assert (outputs["file"].logs, outputs["book"].notebook_output.result) == ("acme.job\n", "acme.job")


def test_an_environment_that_is_not_defined_is_refused_at_once(bench):
    with pytest.raises(Exception, match="names the environment default, which is not defined"):
        bench.submit(wheel_task("run"))


def test_environments_that_nobody_used_for_a_month_are_removed_when_a_new_one_is_made(tmp_path, lake):
    owner, day = Principal("owner@local", owner=True), 86400
    clock = [time.time()]
    environments = Environments(tmp_path, lake.parts.files, {}, lambda: clock[0])
    old = environments.site(["pandas"], owner)
    clock[0] += 29 * day
    middle = environments.site(["httpx"], owner)
    assert old.is_dir()
    clock[0] += 2 * day
    new = environments.site(["pyarrow"], owner)
    assert set((tmp_path / "environments").iterdir()) == {middle, new}


@pytest.mark.skipif(shutil.which("uv") is None and not _HAS_PIP, reason="needs uv or pip")
def test_what_is_missing_is_installed_with_what_it_needs_from_where_the_user_says(tmp_path, lake):
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    for name, requires in (("brickyard_outer", ["brickyard-inner>=1", "httpx"]), ("brickyard_inner", [])):
        content = wheelhouse.wheel(name, {f"{name}.py": ""}, requires=requires)
        (shelf / f"{name}-1.0-py3-none-any.whl").write_bytes(content)
    settings = {"UV_FIND_LINKS": str(shelf), "UV_OFFLINE": "1", "PIP_FIND_LINKS": str(shelf), "PIP_NO_INDEX": "1"}
    environments = Environments(tmp_path, lake.parts.files, {**os.environ, **settings})
    site = environments.site(["brickyard-outer"], Principal("owner@local", owner=True))
    assert {file.name for file in site.glob("*.py")} == {"brickyard_outer.py", "brickyard_inner.py"}

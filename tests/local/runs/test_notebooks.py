"""Python notebooks, run as one-time runs through databricks-sdk."""

from __future__ import annotations

import json

import pytest
from databricks.sdk.service.workspace import ImportFormat, Language

NEXT = "\n# COMMAND ----------\n"


def source(*cells: str) -> str:
    return "# Databricks notebook source\n" + NEXT.join(cells)


def cells_of(bench, run):
    folder = bench.workspace.parts.runs.folder(run.tasks[0].run_id)
    return [json.loads(line) for line in (folder / "cells.jsonl").read_text().splitlines()]


def test_cells_share_a_namespace_and_keep_what_they_print_and_echo(bench):
    run, output = bench.run(
        source(
            "x = 40\nimport sys\nprint('one ü')\nsys.stdout.buffer.write(b'two')",
            "def f():\n    return x + 2\nf()",
            "f();",
        )
    )
    assert run.state.result_state.value == "SUCCESS"
    assert output.error is None
    kept = [(c["cell"], c["status"], c["stdout"], c["outputs"]) for c in cells_of(bench, run)]
    assert kept == [
        (1, "SUCCESS", "one ü\ntwo", [{"type": "text", "text": "3", "truncated": False}]),
        (2, "SUCCESS", "", [{"type": "text", "text": "42", "truncated": False}]),
        (3, "SUCCESS", "", []),
    ]


def test_an_error_names_its_cell_and_line_and_stops_the_notebook(bench):
    run, output = bench.run(source("def f():\n    raise ValueError('boom')", "y = 1\nf()", "print('never')"))
    assert run.state.as_dict() == {
        "life_cycle_state": "INTERNAL_ERROR",
        "result_state": "FAILED",
        "state_message": "Task main failed with message: Workload failed, see run output for details. "
        "This caused all downstream tasks to get skipped.",
        "user_cancelled_or_timedout": False,
    }
    task = run.tasks[0]
    assert (task.state.life_cycle_state.value, task.state.result_state.value) == ("TERMINATED", "FAILED")
    assert task.status.termination_details.as_dict() == {
        "code": "RUN_EXECUTION_ERROR",
        "message": "Workload failed, see run output for details",
        "type": "CLIENT_ERROR",
    }
    path = task.notebook_task.notebook_path
    assert output.error == "ValueError: boom (cell 2, line 2)"
    assert output.error_trace == (
        "Traceback (most recent call last):\n"
        f'  File "<cell 2 of {path}>", line 2, in <module>\n    f()\n'
        f"  File \"<cell 1 of {path}>\", line 2, in f\n    raise ValueError('boom')\n"
        "ValueError: boom\n"
    )
    assert output.notebook_output is None
    assert [c["status"] for c in cells_of(bench, run)] == ["SUCCESS", "FAILED"]


@pytest.mark.parametrize(
    ("cell", "error"),
    [
        ("a = 1\nif a\n", "SyntaxError: expected ':' (cell 1, line 2)"),
        ("import sys\nsys.exit(3)", "SystemExit: 3 (cell 1, line 2)"),
        (
            "try:\n    1/0\nexcept ZeroDivisionError as e:\n    raise KeyError('k') from e",
            "KeyError: 'k' (cell 1, line 4)",
        ),
        ("# MAGIC %scala\n# MAGIC val x = 1", "NotServed: %scala cells do not run in the local workspace"),
        ("# MAGIC %sh ls", "NotServed: %sh is off in the local workspace"),
        (
            "# MAGIC %pip install no-such-package-here",
            "NotServed: %pip install no-such-package-here: the local workspace",
        ),
        ("sc.parallelize([1])", "NotServed: sc: the SparkContext does not exist under Spark Connect"),
        ("dbutils.widgets.get('x')", "InputWidgetNotDefined: No input widget named x is defined (cell 1, line 1)"),
    ],
)
def test_what_cannot_run_says_so(bench, cell, error):
    _, output = bench.run(source(cell))
    assert output.error.startswith(error)


def test_pip_accepts_what_is_there(bench):
    run, _ = bench.run(
        source("# MAGIC %pip install -q pandas>=1.0", "import pandas\npandas.DataFrame({'a': [1, None]})")
    )
    (_, frame) = cells_of(bench, run)
    assert frame["outputs"] == [
        {"type": "table", "columns": [{"name": "a", "type": ""}], "rows": [["1.0"], ["nan"]], "truncated": False}
    ]


def test_exit_ends_the_notebook_with_a_result(bench):
    text = source("try:\n    dbutils.notebook.exit('done')\nexcept Exception:\n    print('caught')", "1/0")
    run, output = bench.run(text)
    assert run.state.result_state.value == "SUCCESS"
    assert output.notebook_output.as_dict() == {"result": "done", "truncated": False}


def test_a_result_is_cut_at_five_megabytes(bench):
    _, output = bench.run(source("dbutils.notebook.exit('x' * (5 * 1024 * 1024 + 1))"))
    assert (len(output.notebook_output.result), output.notebook_output.truncated) == (5 * 1024 * 1024, True)


def test_parameters_lie_over_the_defaults_of_widgets(bench):
    text = source(
        "dbutils.widgets.text('a', 'da')\ndbutils.widgets.dropdown('b', 'x', ['x', 'y'])\n"
        "dbutils.widgets.text('a', 'again')",
        "import json\ndbutils.notebook.exit(json.dumps([dbutils.widgets.getAll(), getArgument('nope', 'dflt')]))",
    )
    _, output = bench.run(text, a="given", extra="e")
    assert json.loads(output.notebook_output.result) == [{"a": "given", "b": "x", "extra": "e"}, "dflt"]


def test_run_executes_another_notebook_in_the_same_namespace(bench):
    bench.put(
        source("import json\nseen = dbutils.widgets.get('who')\ndeep = 1", "# MAGIC %run ./deeper"),
        "/Shared/inc/helper",
    )
    bench.put(source("deep += 1"), "/Shared/inc/deeper")
    path = bench.put(
        source(
            "before = 1", '# MAGIC %run ./inc/helper $who="you"', "dbutils.notebook.exit(f'{before} {seen} {deep}')"
        ),
        "/Shared/caller",
    )
    run = bench.ended(bench.submit_notebook(path))
    output = bench.client.jobs.get_run_output(run.tasks[0].run_id)
    assert output.notebook_output.result == "1 you 2"


def test_run_refuses_circles_and_missing_notebooks(bench):
    bench.put(source("# MAGIC %run ./b"), "/Shared/circle/a")
    bench.put(source("# MAGIC %run ./a"), "/Shared/circle/b")
    _, output = bench.run(source("# MAGIC %run /Shared/circle/a"))
    assert "%run makes a circle: " in output.error
    assert "(cell 1 of /Shared/circle/b, run by " in output.error
    _, output = bench.run(source("# MAGIC %run ./not/there"))
    assert output.error == "NotServed: %run ./not/there: Path (/Shared/not/there) doesn't exist. (cell 1)"


def test_an_error_in_a_notebook_that_is_run_inline_names_both(bench):
    bench.put(source("pass", "a = 1\nb = missing_name"), "/Shared/inner")
    run, output = bench.run(source("x = 1", "# MAGIC %run ./inner"))
    outer = run.tasks[0].notebook_task.notebook_path
    assert (
        output.error
        == f"NameError: name 'missing_name' is not defined (cell 2, line 2 of /Shared/inner, run by {outer})"
    )


def test_notebook_run_is_a_run_of_its_own(bench):
    child = bench.put(source("dbutils.notebook.exit('child of ' + dbutils.widgets.get('who'))"))
    run, output = bench.run(
        source(f"r = dbutils.notebook.run('{child}', 60, {{'who': 'me'}})\ndbutils.notebook.exit(r)")
    )
    assert output.notebook_output.result == "child of me"
    children = [r for r in bench.client.jobs.list_runs(job_id=run.job_id) if r.run_type.value == "WORKFLOW_RUN"]
    assert [(c.state.result_state.value, c.run_name) for c in children] == [("SUCCESS", child.rpartition("/")[2])]


def test_a_failing_child_fails_its_caller_with_the_reason(bench):
    child = bench.put(source("raise RuntimeError('inner trouble')"))
    _, output = bench.run(source(f"dbutils.notebook.run('{child}', 60)"))
    assert output.error.startswith(f"ChildFailed: {child} (run ")
    assert "RuntimeError: inner trouble (cell 1, line 1)" in output.error


def test_a_child_over_its_time_fails_its_caller(bench):
    child = bench.put(source("import time\ntime.sleep(60)"))
    run, output = bench.run(source(f"dbutils.notebook.run('{child}', 1)"))
    assert run.state.result_state.value == "FAILED"
    assert "timed out" in output.error.lower()


def test_files_are_reached_by_dbutils_and_by_python(bench):
    text = source(
        "dbutils.fs.mkdirs('dbfs:/tmp/t1')\ndbutils.fs.put('dbfs:/tmp/t1/a.txt', 'hello')",
        "with open('/dbfs/tmp/t1/b.txt', 'w') as f:\n    f.write('world')\n"
        "import os, pathlib\nassert os.path.exists('/dbfs/tmp/t1/a.txt')\n"
        "assert pathlib.Path('/dbfs/tmp/t1/b.txt').read_text() == 'world'",
        "# MAGIC %fs ls dbfs:/tmp/t1",
        "import json\ndbutils.notebook.exit(json.dumps([[f.path for f in dbutils.fs.ls('/tmp/t1')], "
        "sorted(os.listdir('/dbfs/tmp/t1')), dbutils.fs.head('/tmp/t1/b.txt'), dbutils.fs.rm('/tmp/t1', True)]))",
    )
    run, output = bench.run(text)
    assert output.error is None, output.error_trace
    assert json.loads(output.notebook_output.result) == [
        ["dbfs:/tmp/t1/a.txt", "dbfs:/tmp/t1/b.txt"], ["a.txt", "b.txt"], "world", True,
    ]  # fmt: skip
    listing = cells_of(bench, run)[2]["outputs"][0]
    assert [row[:3] for row in listing["rows"]] == [
        ["dbfs:/tmp/t1/a.txt", "a.txt", "5"],
        ["dbfs:/tmp/t1/b.txt", "b.txt", "5"],
    ]


@pytest.mark.parametrize("path", ["dbfs:/../../../etc/passwd", "file:/../../../../etc/passwd", "s3://bucket/x"])
def test_paths_cannot_lead_out_of_the_workspace(bench, path):
    _, output = bench.run(source(f"dbutils.fs.head('{path}')"))
    assert output.error.startswith(("PathRefused", "FileNotFoundError"))
    assert "root:" not in output.error_trace


def test_workspace_files_can_be_imported_as_modules(bench):
    bench.client.workspace.mkdirs("/Shared/mods")
    bench.client.workspace.upload("/Shared/mods/lib_x.py", b"VALUE = 7\n", format=ImportFormat.AUTO, overwrite=True)
    path = bench.put(source("import lib_x\ndbutils.notebook.exit(lib_x.VALUE)"), "/Shared/mods/main")
    run = bench.ended(bench.submit_notebook(path))
    assert bench.client.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result == "7"


def test_the_sdk_in_a_notebook_is_the_runs_own_principal(bench):
    text = source(
        "from databricks.sdk import WorkspaceClient\nfrom databricks.sdk.runtime import *\n"
        "import os, json\nw = WorkspaceClient()",
        "dbutils.notebook.exit(json.dumps([w.current_user.me().user_name, os.environ['HOME'] != os.path.expanduser('~root'),"
        " [n for n in os.environ if 'SECRET' in n or 'AWS' in n]]))",
    )
    _, output = bench.run(text)
    assert output.error is None, output.error_trace
    assert json.loads(output.notebook_output.result) == ["owner@local", True, []]


def test_statements_that_a_notebook_sends_are_its_runs_in_the_history(bench):
    text = source(
        "from databricks.sdk import WorkspaceClient\nfrom databricks.sdk.runtime import *\nw = WorkspaceClient()\n"
        "warehouse = next(iter(w.warehouses.list())).id\n"
        "made = w.statement_execution.execute_statement('CREATE TABLE default.sent AS SELECT 1 AS a', warehouse)\n"
        "dbutils.notebook.exit(made.status.state.value)",
    )
    run, output = bench.run(text)
    assert output.notebook_output.result == "SUCCEEDED"
    warehouse = next(iter(bench.client.warehouses.list())).id
    asked = bench.client.statement_execution.execute_statement("DESCRIBE HISTORY default.sent", warehouse)
    (commit,) = asked.result.data_array
    found = dict(zip((column.name for column in asked.manifest.schema.columns), commit, strict=True))
    status = bench.client.workspace.get_status(run.tasks[0].notebook_task.notebook_path)
    assert json.loads(found["job"])["jobRunId"] == str(run.run_id)
    assert json.loads(found["notebook"]) == {"notebookId": str(status.object_id)}


def test_secrets_are_blotted_out_of_everything_that_is_shown(bench):
    if "local" not in {s.name for s in bench.client.secrets.list_scopes()}:
        bench.client.secrets.create_scope("local")
    bench.client.secrets.put_secret("local", "key", string_value="hush-hush-42")
    text = source("v = dbutils.secrets.get('local', 'key')\nprint('it is', v)\nv", "dbutils.notebook.exit(v)")
    run, output = bench.run(text)
    assert output.notebook_output.result == "[REDACTED]"
    folder = bench.workspace.parts.runs.folder(run.tasks[0].run_id)
    assert all("hush-hush-42" not in file.read_text() for file in folder.iterdir() if file.is_file())


def test_a_jupyter_notebook_runs_with_the_widgets_of_its_metadata(bench):
    widget = {"currentValue": "", "widgetInfo": {"defaultValue": "from-meta", "name": "w", "widgetType": "text"}}
    notebook = {
        "cells": [
            {"cell_type": "markdown", "metadata": {}, "source": ["# title"]},
            {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None, "source": ["x = 'ü'\n", "x"]},
            {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None,
             "source": "dbutils.notebook.exit(dbutils.widgets.get('w') + x)"},
        ],
        "metadata": {"application/vnd.databricks.v1+notebook": {"language": "python", "widgets": {"w": widget}}},
        "nbformat": 4, "nbformat_minor": 0,
    }  # fmt: skip
    data = json.dumps(notebook).encode()
    bench.client.workspace.upload("/Shared/jup.ipynb", data, format=ImportFormat.AUTO, overwrite=True)
    run = bench.ended(bench.submit_notebook("/Shared/jup"))
    assert bench.client.jobs.get_run_output(run.tasks[0].run_id).notebook_output.result == "from-metaü"


def test_the_page_of_a_run_opens_without_a_token_and_escapes_what_it_shows(bench):
    import httpx

    run, _ = bench.run(
        source("print('<script>alert(1)</script>')", "displayHTML('<b>hi</b>')", "raise ValueError('<i>')")
    )
    answer = httpx.get(run.run_page_url)
    assert answer.status_code == 200
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "<script>" not in answer.text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in answer.text
    assert "ValueError: &lt;i&gt; (cell 3, line 1)" in answer.text
    assert httpx.get(run.run_page_url[:-4] + "0000").status_code == 404
    views = bench.client.jobs.export_run(run.run_id).views
    assert "&lt;script&gt;" in views[0].content


def test_an_empty_notebook_succeeds(bench):
    run, _ = bench.run("# Databricks notebook source\n")
    assert run.state.result_state.value == "SUCCESS"


def test_a_notebook_in_scala_is_refused_in_words(bench):
    path = bench.put("// Databricks notebook source\nval x = 1", language=Language.SCALA)
    run = bench.ended(bench.submit_notebook(path))
    output = bench.client.jobs.get_run_output(run.tasks[0].run_id)
    assert output.error.startswith("NotServed: %scala cells do not run in the local workspace")


def test_a_notebook_that_is_not_text_fails_with_the_reason(bench):
    data = b"# Databricks notebook source\nx = '\xff'\n"
    bench.client.workspace.upload(
        "/Shared/broken", data, format=ImportFormat.SOURCE, language=Language.PYTHON, overwrite=True
    )
    run = bench.ended(bench.submit_notebook("/Shared/broken"))
    output = bench.client.jobs.get_run_output(run.tasks[0].run_id)
    assert output.error == "/Shared/broken.py: byte 0xff is not UTF-8 (line 2, byte offset 34)"

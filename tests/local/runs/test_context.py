"""What a notebook learns of its own run, the way that notebooks write it."""

from __future__ import annotations

import json

import pytest

from brickyard.local.kernel.context import NotebookContext, Option

ASKED = """# Databricks notebook source
import json
context = dbutils.notebook.entry_point.getDbutils().notebook().getContext()
tags = json.loads(context.toJson())["tags"]
dbutils.notebook.exit(json.dumps({
    "path": context.notebookPath().get(),
    "user": context.tags().apply("user"),
    "run": context.tags().get("multitaskParentRunId").get(),
    "task": tags["taskKey"],
    "url": context.apiUrl().get(),
    "token": len(context.apiToken().get()) > 20,
    "same": dbutils.entry_point.getDbutils().notebook().getContext() is dbutils.notebook.getContext(),
    "safe": "api_token" in context.safeToJson(),
}))
"""


def test_a_notebook_finds_its_path_user_and_run(bench):
    path = bench.put(ASKED)
    run = bench.ended(bench.submit_notebook(path))
    output = bench.client.jobs.get_run_output(run.tasks[0].run_id)
    assert output.error is None
    assert json.loads(output.notebook_output.result) == {
        "path": path,
        "user": "owner@local",
        "run": str(run.run_id),
        "task": run.tasks[0].task_key,
        "url": bench.client.config.host,
        "token": True,
        "same": True,
        "safe": False,
    }


def test_what_is_not_known_is_an_empty_option():
    context = NotebookContext({"user": "ann"})
    assert (context.jobId().isDefined(), context.jobId().getOrElse("none"), context.userName().get()) == (
        False,
        "none",
        "ann",
    )
    with pytest.raises(LookupError):
        Option(None).get()
    with pytest.raises(AttributeError, match="no clusterName"):
        context.clusterName()

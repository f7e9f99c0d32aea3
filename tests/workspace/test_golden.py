"""The golden statements: Sail answers what real Spark answered, or the difference is known; real Spark still answers so."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from tests.workspace.golden import suite

import brickyard.local
from brickyard.local import LocalWorkspace
from brickyard.local.engines import spark_env
from brickyard.local.engines.model import EngineUnavailable

DIFFERENCES = Path(brickyard.local.__file__).parent / "assets" / "differences.yaml"
KNOWN = [name for entry in YAML(typ="safe").load(DIFFERENCES.read_text()) for name in entry.get("golden", ())]


@pytest.fixture(scope="module")
def sail(tmp_path_factory):
    with LocalWorkspace(tmp_path_factory.mktemp("sail") / "home") as workspace:
        yield workspace.client()


@pytest.fixture(scope="module")
def spark(tmp_path_factory):
    try:
        spark_env.from_environ(os.environ).ensure(spark_env.say)
    except EngineUnavailable as error:
        pytest.skip(f"real Spark cannot run here: {error.message}")
    with LocalWorkspace(tmp_path_factory.mktemp("spark") / "home", engine="spark") as workspace:
        yield workspace.client()


@pytest.mark.parametrize("area", suite.AREAS)
def test_sail_differs_from_spark_just_where_the_list_says(sail, area):
    wanted = suite.expected(area)
    different = {f"{area}/{case}" for case, found in suite.answers(sail, area) if found != wanted[case]}
    assert different == {name for name in KNOWN if name.startswith(f"{area}/")}


@pytest.mark.full
@pytest.mark.timeout(900)
@pytest.mark.parametrize("area", suite.AREAS)
def test_spark_still_answers_so(spark, area):
    assert dict(suite.answers(spark, area)) == suite.expected(area)


def test_every_statement_has_a_name_of_its_own_and_an_answer():
    for area in suite.AREAS:
        names = [case.id for case in suite.cases(area)]
        assert Counter(names) == Counter(list(suite.expected(area)))


def test_each_difference_is_listed_once_and_is_a_statement():
    assert Counter(KNOWN) == Counter(
        {f"{area}/{case.id}" for area in suite.AREAS for case in suite.cases(area)} & set(KNOWN)
    )

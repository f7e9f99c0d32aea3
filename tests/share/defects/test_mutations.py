"""Each of the 43 defects is held by its test: where the defect is put back, that test turns red."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.share.defects.mutants import ROOT, cases, copied, loaded_from, mutants, mutated, run

DEFECTS = range(1, 44)
BROKEN = ("ImportError", "ModuleNotFoundError", "SyntaxError", "IndentationError", "NameError", "AttributeError")


def test_every_defect_has_a_test_and_a_mutant():
    assert (sorted(cases()), sorted(mutants())) == (list(DEFECTS), list(DEFECTS))


@pytest.mark.parametrize("number", sorted(mutants()))
def test_a_mutant_fits_the_code_as_it_is(number: int):
    mutant = mutants()[number]
    text = (ROOT / mutant.file).read_text("utf-8")
    assert (text.count(mutant.old), mutant.old == mutant.new) == (1, False)
    compile(text.replace(mutant.old, mutant.new), mutant.file, "exec")


@pytest.mark.full
@pytest.mark.timeout(1200)
def test_all_tests_pass_on_a_copy_of_the_code_as_it_is(tmp_path: Path):
    source = copied(tmp_path)
    assert loaded_from(source) == str(source / "brickyard" / "__init__.py")
    ended = run(source, *cases().values())
    assert (ended.code, ended.failure) == (0, ""), ended.output


@pytest.mark.full
@pytest.mark.parametrize("number", sorted(mutants()))
def test_with_its_defect_put_back_a_test_turns_red(number: int, tmp_path: Path):
    mutant = mutants()[number]
    ended = run(mutated(tmp_path, mutant), cases()[number])
    assert (ended.code, ended.errors) == (1, 0), ended.output
    assert mutant.says in ended.failure, ended.output
    assert not any(word in ended.failure.partition("\n")[0] for word in BROKEN), ended.output

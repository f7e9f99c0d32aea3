"""A plain name for folders that the engine cannot read."""

from __future__ import annotations

from pathlib import Path

import pytest

from brickyard.kernel.errors import SpecInvalid
from brickyard.local.alias import plain


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_plain_folder_is_its_own_name(tmp_path: Path, cache: Path):
    assert (plain(tmp_path), cache.exists()) == (tmp_path, False)


@pytest.mark.parametrize("name", ["Application Support", "é", "a+b", "a@b"])
def test_another_folder_gets_a_link_that_stays_the_same(tmp_path: Path, cache: Path, name: str):
    home = tmp_path / name
    home.mkdir()
    link = plain(home)
    assert (link.resolve(), link.parent, plain(home)) == (home, cache / "brickyard", link)
    assert oct((cache / "brickyard").stat().st_mode & 0o777) == "0o700"


@pytest.mark.parametrize("name", ["100%41", "a[b", "a:b"])
def test_a_folder_that_no_link_helps_is_refused(tmp_path: Path, cache: Path, name: str):
    with pytest.raises(SpecInvalid):
        plain(tmp_path / name)


def test_two_folders_have_two_names(tmp_path: Path, cache: Path):
    assert plain(tmp_path / "a b") != plain(tmp_path / "a  b")


def test_a_link_that_leads_elsewhere_is_corrected(tmp_path: Path, cache: Path):
    link = plain(tmp_path / "a b")
    link.unlink()
    link.symlink_to("/etc")
    assert plain(tmp_path / "a b").readlink() == tmp_path / "a b"


def test_a_cache_that_leads_elsewhere_is_refused(tmp_path: Path, cache: Path):
    (tmp_path / "elsewhere").mkdir()
    cache.mkdir()
    (cache / "brickyard").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SpecInvalid):
        plain(tmp_path / "a b")

"""Paths of Databricks and the files behind them; nothing leads out of the workspace."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickyard.local.kernel.places import PathRefused, Places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    for name in ("dbfs", "tree", "scratch", "vol"):
        (tmp_path / name).mkdir()
    return Places(tmp_path / "dbfs", tmp_path / "tree", tmp_path / "scratch", lambda name: str(tmp_path / "vol" / name))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("dbfs:/a/b", "dbfs/a/b"),
        ("/a/b", "dbfs/a/b"),
        ("dbfs:/Volumes/c/s/v/x", "vol/c.s.v/x"),
        ("/Volumes/c/s/v", "vol/c.s.v"),
        ("file:/Workspace/Users/me/f.txt", "tree/Users/me/f.txt"),
        ("file:/dbfs/a", "dbfs/a"),
        ("file:/tmp/x", "scratch/tmp/x"),
    ],
)
def test_paths_have_their_places(places, tmp_path, path, expected):
    assert places.local(path) == tmp_path / expected


def test_only_mounted_prefixes_are_mapped_for_python(places, tmp_path):
    assert places.mounted("/dbfs/a") == tmp_path / "dbfs" / "a"
    assert places.mounted("/dbfs") == tmp_path / "dbfs"
    assert places.mounted("/Workspace/Shared") == tmp_path / "tree" / "Shared"
    assert places.mounted("/dbfsx/a") is None
    assert places.mounted("/etc/passwd") is None


def test_a_symbolic_link_that_leads_out_is_refused(places, tmp_path):
    (tmp_path / "dbfs" / "out").symlink_to("/etc")
    with pytest.raises(PathRefused):
        places.local("dbfs:/out/passwd")


@settings(deadline=None)  # what is measured is where a path leads, not how busy the machine is
@given(path=st.lists(st.sampled_from(["..", ".", "a", "", "%2e%2e", "Volumes", "dbfs", "ü"]), max_size=8))
def test_no_path_leads_out(tmp_path_factory, path):
    root = tmp_path_factory.mktemp("home").resolve()
    places = Places(root / "dbfs", root / "tree", root / "scratch", lambda name: str(root / "vol" / name))
    for scheme in ("dbfs:/", "file:/", "/", "/Volumes/"):
        try:
            found = places.local(scheme + "/".join(path))
        except (PathRefused, FileNotFoundError):
            continue
        assert root in found.resolve().parents

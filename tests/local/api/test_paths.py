"""The path resolver: what is let through stays inside, what could lead out is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from brickyard.local.api.errors import ApiError
from brickyard.local.files.paths import inside, normalize, parts_of

HOSTILE = st.sampled_from(
    ["..", ".", "", "\\", "a\\b", "\0", "%2e%2e", "..%2f", "a", "é", "\n", "x" * 300, "\ud800", "。。"]
)
ANY_PATH = st.one_of(st.text(), st.lists(st.one_of(HOSTILE, st.text(max_size=8))).map(lambda p: "/" + "/".join(p)))


@pytest.mark.parametrize(
    "path", ["", "a/b", "/a/../b", "/..", "/a/./b", "/a\0b", "/a\\b", "/\ud800", "/" + "x" * 256, "/a\nb"]
)
def test_a_path_that_could_lead_astray_is_refused(path: str):
    with pytest.raises(ApiError) as refused:
        parts_of(path)
    assert (refused.value.status, refused.value.error_code) == (400, "INVALID_PARAMETER_VALUE")


def test_a_percent_sign_is_a_character_and_not_an_escape():
    assert parts_of("/a/%2e%2e%2fetc") == ("a", "%2e%2e%2fetc")


def test_slashes_that_say_nothing_are_dropped():
    assert normalize("//Users///me//") == "/Users/me"


@given(path=ANY_PATH)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_asked_for_the_place_is_inside_the_root_or_refused(tmp_path: Path, path: str):
    root = tmp_path.resolve()
    try:
        place = inside(root, path)
    except ApiError:
        return
    landed = place.resolve()
    assert landed == root or root in landed.parents


@given(path=ANY_PATH)
def test_a_normal_path_is_its_own_normal_form(path: str):
    try:
        once = normalize(path)
    except ApiError:
        return
    assert normalize(once) == once


def test_a_symbolic_link_that_leads_out_is_refused(tmp_path: Path):
    root = tmp_path / "root"
    root.mkdir()
    (root / "out").symlink_to("/etc")
    (root / "loop").symlink_to(root / "loop")
    with pytest.raises(ApiError) as refused:
        inside(root, "/out/passwd")
    assert refused.value.error_code == "PERMISSION_DENIED"
    with pytest.raises(ApiError):
        inside(root, "/loop/x")


def test_a_symbolic_link_that_stays_inside_is_followed(tmp_path: Path):
    root = tmp_path / "root"
    (root / "real").mkdir(parents=True)
    (root / "link").symlink_to(root / "real")
    assert inside(root, "/link/file") == root / "link" / "file"

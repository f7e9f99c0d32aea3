"""The home folder."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from brickyard.home.folder import Home
from brickyard.kernel.errors import SpecInvalid


def test_preparing_twice_keeps_the_token_and_the_addresses(tmp_path: Path):
    home = Home(tmp_path / "a" / "home").prepare()
    before = (home.token_file.read_text(), home.addresses)
    assert (home.prepare().token_file.read_text(), home.addresses) == before


def test_folder_and_token_are_for_their_owner_alone(tmp_path: Path):
    home = Home(tmp_path / "home").prepare()
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.token_file.stat().st_mode) == 0o600
    assert len(home.token_file.read_text()) >= 32


def test_a_home_that_exists_keeps_its_mode(tmp_path: Path):
    (tmp_path / "home").mkdir(mode=0o755)
    Home(tmp_path / "home").prepare()
    assert stat.S_IMODE((tmp_path / "home").stat().st_mode) == 0o755


def test_what_cannot_be_a_home_is_refused_with_its_code(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(SpecInvalid) as raised:
        Home(tmp_path / "file").prepare()
    assert raised.value.error_code == "home-unusable"


def test_a_temporary_home_leaves_nothing_and_the_usual_port_to_others():
    with Home.temporary() as home:
        home.prepare()
        assert home.addresses.web_port != 8642
    assert not home.path.exists()

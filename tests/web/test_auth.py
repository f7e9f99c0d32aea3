"""The service's token."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from brickyard.kernel.errors import SpecInvalid
from brickyard.web import auth


def test_the_token_is_made_once_and_only_its_owner_can_read_it(tmp_path: Path):
    file = tmp_path / "home" / "service.token"
    token = auth.ensure_token(file)
    assert (auth.ensure_token(file), file.stat().st_mode & 0o777, len(token) >= 43) == (token, 0o600, True)


def test_a_token_that_others_can_read_is_refused(tmp_path: Path):
    file = tmp_path / "service.token"
    auth.ensure_token(file)
    file.chmod(0o644)
    with pytest.raises(SpecInvalid, match="others"):
        auth.ensure_token(file)


def test_an_empty_token_file_is_refused(tmp_path: Path):
    file = tmp_path / "service.token"
    file.touch(mode=0o600)
    with pytest.raises(SpecInvalid, match="no token"):
        auth.ensure_token(file)


def test_starts_at_the_same_time_agree_on_one_token(tmp_path: Path):
    with ThreadPoolExecutor(8) as pool:
        tokens = set(pool.map(lambda _: auth.ensure_token(tmp_path / "service.token"), range(8)))
    assert len(tokens) == 1

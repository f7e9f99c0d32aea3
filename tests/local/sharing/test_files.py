"""Signed links: good for one file, one recipient and one hour; whatever else they say is refused."""

from __future__ import annotations

import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from brickyard.local.api.errors import ApiError
from brickyard.local.sharing.files import LIFETIME, Links, links

NOW = datetime(2026, 1, 2, tzinfo=UTC)
BASE = "http://127.0.0.1:1/files"


@pytest.fixture
def signer(tmp_path: Path) -> Links:
    (tmp_path / "tables" / "t").mkdir(parents=True)
    (tmp_path / "tables" / "t" / "a b%20.parquet").write_bytes(b"rows")
    (tmp_path / "secret").write_text("secret")
    return links(tmp_path)


def parts(url: str) -> tuple[str, dict[str, str]]:
    split = urlsplit(url)
    return split.path.rpartition("/")[2], dict(parse_qsl(split.query))


def signed(signer: Links, file: str = "a b%20.parquet", at: datetime = NOW) -> tuple[str, dict[str, str]]:
    return parts(signer.sign(BASE, "acme", signer.home / "tables" / "t", file, at).url)


def test_a_link_leads_to_its_file_until_it_ends(signer: Links):
    place, query = signed(signer)
    last = NOW + LIFETIME - timedelta(milliseconds=1)
    assert signer.open(place, query, last) == (signer.home / "tables" / "t" / "a b%20.parquet").resolve()
    with pytest.raises(ApiError, match="expired") as caught:
        signer.open(place, query, NOW + LIFETIME)
    assert caught.value.status == 403


def test_the_key_is_kept_and_only_its_owner_can_read_it(signer: Links):
    place, query = signed(signer)
    assert links(signer.home).open(place, query, NOW)
    assert stat.S_IMODE((signer.home / "sharing.key").stat().st_mode) == 0o600


def test_the_link_carries_a_key_that_deltas_kernel_takes_for_a_signed_link(signer: Links):
    assert "X-Databricks-Signature" in signed(signer)[1]


@pytest.mark.parametrize("name", ["X-Databricks-Expires", "X-Databricks-Recipient", "X-Databricks-Signature"])
@pytest.mark.parametrize("value", ["", "0", "9" * 30, "²", "other", None])
def test_a_link_of_which_a_part_was_altered_is_refused(signer: Links, name: str, value: str | None):
    place, query = signed(signer)
    altered = {k: v for k, v in {**query, name: value}.items() if v is not None}
    with pytest.raises(ApiError) as caught:
        signer.open(place, altered, NOW)
    assert caught.value.status == 403


def test_a_link_for_another_file_is_refused(signer: Links):
    other, _ = signed(signer, "../../secret")
    with pytest.raises(ApiError, match="signature"):
        signer.open(other, signed(signer)[1], NOW)


@pytest.mark.parametrize("file", ["../../secret", "/etc/passwd", "../t2/x", "a/../../../secret"])
def test_even_a_signed_link_does_not_lead_out_of_its_table(signer: Links, file: str):
    with pytest.raises(ApiError, match="out of the table"):
        signer.open(*signed(signer, file), NOW)


def test_a_symbolic_link_does_not_lead_out_of_its_table(signer: Links):
    (signer.home / "tables" / "t" / "link").symlink_to(signer.home / "secret")
    with pytest.raises(ApiError, match="out of the table"):
        signer.open(*signed(signer, "link"), NOW)


def test_a_file_that_is_gone_is_said_to_be_gone(signer: Links):
    with pytest.raises(ApiError) as caught:
        signer.open(*signed(signer, "gone.parquet"), NOW)
    assert (caught.value.status, caught.value.error_code) == (404, "DATA_LOSS")


@given(place=st.text(max_size=40), expires=st.text(max_size=15), signature=st.text(max_size=70))
def test_nobody_guesses_a_link(place: str, expires: str, signature: str):
    query = {"X-Databricks-Expires": expires, "X-Databricks-Recipient": "acme", "X-Databricks-Signature": signature}
    with pytest.raises(ApiError) as caught:
        Links(Path("/nowhere"), b"key").open(place, query, NOW)
    assert caught.value.status == 403

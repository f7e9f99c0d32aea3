"""What is written reads back as the same pack, in every format, and hashes the same in any order."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.share.model.packs import PACK, changed, packs, read

from brickyard.kernel.errors import SpecInvalid
from brickyard.share.model.content import content_hash
from brickyard.share.model.excel_out import to_xlsx
from brickyard.share.model.pack import SharePack
from brickyard.share.model.parse import parse
from brickyard.share.model.samples import sample
from brickyard.share.model.yaml_out import to_yaml

LAYOUTS = ("A", "B", "C")
SLOW = settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_sample_parses_without_a_warning_to_the_pack_of_the_yaml_sample(layout: Any):
    yaml, xlsx = parse("pack.yaml", sample("yaml")), parse("pack.xlsx", sample("xlsx", layout))
    assert (xlsx.pack, xlsx.content_hash, xlsx.warnings, yaml.warnings) == (yaml.pack, yaml.content_hash, (), ())


def test_a_sample_names_the_workspace_that_is_asked_for():
    pack = parse("pack.yaml", sample("yaml", workspace_url="http://127.0.0.1:8643")).pack
    assert pack.metadata.workspace_url == "http://127.0.0.1:8643"


@SLOW
@given(pack=packs())
def test_every_pack_written_as_yaml_reads_back(pack: SharePack):
    assert read(to_yaml(pack)).pack == pack


@SLOW
@given(pack=packs(), layout=st.sampled_from(LAYOUTS))
def test_every_pack_written_as_a_workbook_reads_back(pack: SharePack, layout: Any):
    assert parse("pack.xlsx", to_xlsx(pack, layout)).pack == pack


@SLOW
@given(pack=packs())
def test_a_pack_kept_as_json_is_the_same_pack(pack: SharePack):
    kept = SharePack.model_validate(pack.model_dump(mode="json"))
    assert (kept, content_hash(kept)) == (pack, content_hash(pack))


def _shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        return {key: _shuffled(value[key], chance) for key in chance.sample(list(value), len(value))}
    if isinstance(value, list):
        return [_shuffled(item, chance) for item in chance.sample(value, len(value))]
    return value


@SLOW
@given(pack=packs(), seed=st.integers(0, 1000))
def test_the_order_of_lists_does_not_change_the_hash(pack: SharePack, seed: int):
    other = SharePack.model_validate(_shuffled(pack.model_dump(mode="json"), random.Random(seed)))
    assert content_hash(other) == content_hash(pack)


def test_the_case_of_names_does_not_change_the_hash_but_a_text_does():
    assert read(changed("name: acme\n", "name: ACME\n")).content_hash == read(PACK).content_hash
    assert read(changed("RITM1", "RITM2")).content_hash != read(PACK).content_hash


def test_a_list_of_addresses_that_is_said_to_be_empty_stays_so():
    said, silent = (
        read(changed("[203.0.113.7]", "[]")).pack,
        read(changed("    recipient_ips: [203.0.113.7]\n", "")).pack,
    )
    kept = [SharePack.model_validate(pack.model_dump(mode="json")) for pack in (said, silent)]
    assert [pack.recipient[0].clears_addresses for pack in (said, silent, *kept)] == [True, False, True, False]


def test_it_stays_so_in_every_format():
    pack = read(changed("[203.0.113.7]", "[]")).pack
    written = [read(to_yaml(pack)), *(parse("pack.xlsx", to_xlsx(pack, layout)) for layout in ("A", "B", "C"))]
    assert [other.pack.recipient[0].clears_addresses for other in written] == [True] * 4


def test_it_counts_in_the_hash_only_where_it_clears():
    said, silent = changed("[203.0.113.7]", "[]"), changed("    recipient_ips: [203.0.113.7]\n", "")
    exact = [text.replace("recipient:\n", "  mode: exact\nrecipient:\n", 1) for text in (said, silent)]
    assert read(said).content_hash == read(silent).content_hash
    assert len({read(text).content_hash for text in exact}) == 2


def test_what_a_layout_cannot_express_is_refused():
    pack = read(changed("[main.s.orders]", "[{name: main.s.orders, shared_as: s.o}]")).pack
    assert parse("pack.xlsx", to_xlsx(pack, "A")).pack == pack
    with pytest.raises(SpecInvalid, match="layout B"):
        to_xlsx(pack, "B")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)"])
def test_a_text_that_looks_like_a_formula_stays_text(text: str):
    pack = read(changed("token_expiry: 30", f'comment: "{text}"')).pack
    assert parse("pack.xlsx", to_xlsx(pack)).pack == pack


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_pack_that_deletes_is_written_and_read(layout: Any):
    head = PACK.split("recipient:\n")[0] + "  strategy: DELETE\n"
    pack = read(head + "recipient: [acme]\nshare: [{name: sales, pipelines: [orders]}, other]\n").pack
    assert read(to_yaml(pack)).pack == pack
    assert parse("pack.xlsx", to_xlsx(pack, layout)).pack == pack

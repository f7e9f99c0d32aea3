"""Packs in YAML: what is accepted, what is refused and where, and what the compatible reading makes of it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.share.model.packs import PACK, changed, read, refused, said

from brickyard.kernel.errors import Problem, SpecInvalid
from brickyard.share.model.pack import RecipientType, Removal, ScheduleSpec, Strategy

HEAD = PACK.split("recipient:\n")[0]


def test_a_pack_is_read_in_the_one_way_that_is_compared():
    text = changed("type: D2O", "type: d2o").replace("region: AM", "region: am").replace("net\n", "net/\n")
    assert read(text).pack == read(PACK).pack
    assert read(PACK).pack.recipient[0].type is RecipientType.D2O


# Form


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("[acme]", "[&a acme]", "19:18", "the anchor &a is not accepted"),
        ("[acme]", "[*a]", "19:18", "the alias *a is not accepted"),
        ("[acme]", "!!python/object/apply:os.system [acme]", "19:17", "the tag"),
        ("    token_expiry: 30", "    <<: {token_expiry: 30}", "15:5", "merge keys"),
        ("    token_expiry: 30", "    name: other", "15:5", "the key 'name' stands twice, first at 12:5"),
        ("    token_expiry: 30", "\ttoken_expiry: 30", "15:1", "a tab stands where YAML wants spaces"),
        ("    token_expiry: 30", "    ? [a]\n    : b", "15:7", "a key is a mapping or a list"),
        ("    token_expiry: 30", "    token_expiry: 30\n  bad", "17:1", "this is not YAML"),
        ("key_columns: id\n", "key_columns: id\n---\na: 1\n", "26:1", "a second document begins here"),
    ],
)
def test_yaml_that_is_more_than_plain_data_is_refused(old: str, new: str, place: str, message: str):
    assert any(line.startswith(f"pack.yaml:{place}: {message}") for line in said(changed(old, new)))


def test_a_byte_order_mark_is_fine_and_other_encodings_are_not():
    assert read(b"\xef\xbb\xbf" + PACK.encode()).pack == read(PACK).pack
    assert said(PACK.encode("utf-16")) == ["pack.yaml:1:1: the text is not UTF-8"]
    assert said(b"a: \xe4\n") == ["pack.yaml:1:4: the text is not UTF-8"]
    assert said(b"a: b\nc: \0d\n") == ["pack.yaml:2:4: a NUL character stands here"]


def test_a_character_that_is_escaped_in_two_halves_is_joined_and_half_of_one_is_refused():
    with_pair = PACK.replace("[acme]", '["acme"]').replace("metadata:", 'metadata:\n  client: "a\\ud83d\\ude00"', 1)
    assert read(with_pair).pack.metadata.client == "a😀"
    assert said(with_pair.replace("\\ude00", "")) == ["pack.yaml:2:11: an escape here is half of a character"]
    for text in ('{"a\\ud85b": 1}', '{"a": ["\\udef0"]}'):
        assert "an escape here is half of a character" in "".join(said(text)).encode().decode()


def test_depth_and_number_of_nodes_are_limited_before_anything_is_built():
    assert said("a: " + "[" * 5000) == ["pack.yaml:1:23: the file is nested deeper than 20 levels"]
    assert said("a:\n" + "- b\n" * 100_000)[0].endswith("the file has more than 100,000 nodes")


def test_csv_and_things_that_are_no_mapping_are_named():
    csv = "name,type\nacme,D2O\n"
    assert refused(csv) == (
        Problem("this looks like CSV, not YAML", "pack.yaml:1:1", "send the pack as .yaml or .xlsx"),
    )
    assert said("- a\n") == ["pack.yaml:1:1: the file holds no mapping of keys to values, so it is not a share pack"]


# Types


@pytest.mark.parametrize(
    ("old", "new", "message", "remedy"),
    [
        ("30\n", '"30"\n', "token_expiry: '30' is text, not a number", "write 30 without quotes"),
        (
            "expiry: 30",
            "rotation: yes",
            "token_rotation: 'yes' is text, not true or false",
            "write true without quotes",
        ),
        ("RITM1", "4711", "servicenow: 4711 is a number where text is wanted", 'write "4711" in quotes'),
    ],
)
def test_a_value_of_the_wrong_type_is_refused_kindly_and_taken_where_compatible(
    old: str, new: str, message: str, remedy: str
):
    (problem,) = refused(changed(old, new))
    assert (problem.message.split(".")[-1], problem.remedy) == (message, remedy)
    assert len(read(changed(old, new), compat=True).warnings) == 1


def test_numbers_and_dates_that_old_packs_write_for_text_are_text():
    old = "metadata:\n  version: 1.10\n  last_updated: 2026-11-20\n"
    metadata = read(changed("metadata:\n", old)).pack.metadata
    assert (metadata.version, metadata.last_updated) == ("1.10", "2026-11-20")
    assert read(changed("key_columns: id", "scd_type: 1")).pack.share[0].pipelines[0].scd_type == "1"


def test_no_is_a_word():
    assert read(changed("business_line: Sales", "business_line: no")).pack.metadata.business_line == "no"


@pytest.mark.parametrize("text", ["recipient: null", "recipient:", "recipient: []\nshare: 3", "share: [3]"])
def test_a_part_of_the_wrong_shape_is_refused(text: str):
    assert refused(HEAD + text + "\n")


def test_a_pack_with_neither_recipient_nor_share_is_refused():
    assert [p.message for p in refused(HEAD)] == ["share: the pack has neither a recipient nor a share"]


# Keys


def test_an_unknown_key_is_refused_with_the_nearest_one_and_a_warning_where_compatible():
    text = changed("recipient_ips", "recipint_ips")
    message = "recipient[0].recipint_ips: the key 'recipint_ips' is not known"
    assert refused(text) == (Problem(message, "pack.yaml:14:5", "did you mean 'recipient_ips'?"),)
    assert read(text, compat=True).warnings == (f"pack.yaml:14:5: {message} (did you mean 'recipient_ips'?)",)


def test_a_comment_is_a_description_but_not_both():
    assert read(changed("token_expiry: 30", "comment: x")).pack.recipient[0].description == "x"
    assert said(changed("token_expiry: 30", "comment: x\n    description: y"))


def test_every_fault_is_told_at_once_in_the_order_of_the_file():
    text = PACK.replace("  approver: boss@example.com\n", "").replace("data@example", "data@gmial")
    text = text.replace("203.0.113.7", "10.0.0.0/33").replace("timezone: UTC", "timezone: Mars/Phobos")
    text = text.replace("30 6 * * ?", "30 6 * *").replace("type: D2O", "type: D2X").replace("token_expiry: 30", "x: 1")
    places = ["2:3", "2:3", "12:5", "13:21", "14:5", "23:20", "23:40"]
    assert [p.where for p in refused(text)] == [f"pack.yaml:{place}" for place in places]


def test_a_rule_keeps_silent_where_what_it_rests_on_is_wrong():
    assert len(refused(changed("type: D2O", "type: D2X\n    recipient_databricks_org: aws:eu:x"))) == 2
    assert len(refused(changed("source_asset: main.s.orders", "source_asset: orders"))) == 1


# Rules


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("delta_share_region: AM", "delta_share_region: EU", "metadata.delta_share_region: 'EU' is not accepted"),
        ("https://adb", "http://adb", "does not begin with https://"),
        ("https://adb", "https://u:p@adb", "holds more than a host"),
        ("azuredatabricks.net\n", "azuredatabricks.net/x\n", "holds more than a host"),
        ("servicenow: RITM1", "servicenow: ' '", "metadata.servicenow: is empty"),
        ("servicenow: RITM1", "project_name: " + "x" * 256, "metadata.project_name: has 256 characters"),
        ("configurator: data-team", "configurator: a@b.co,,c", "metadata.configurator: has an empty entry"),
        ("configurator: data-team", "configurator: x", "'x' is neither an e-mail address nor the name of a group"),
        ("requestor: rita@example.com", "approver_status: maybe", "metadata.approver_status: 'maybe' is not accepted"),
        ("requestor: rita@example.com", "strategy: UPSERT", "metadata.strategy: 'UPSERT' is not accepted"),
        ("name: acme\n", 'name: "ac me"\n', "recipient[0].name: 'ac me' holds ' '"),
        ("name: acme\n", 'name: "ac\\u200bme"\n', "recipient[0].name:"),
        ("name: acme\n", 'name: "ac\\ud800me"\n', "an escape here is half of a character"),
        ("[203.0.113.7]", "[10.0.0.0/33]", "recipient[0].recipient_ips[0]: '10.0.0.0/33' is not an IP address"),
        ("[203.0.113.7]", "[999.1.1.1/77]", "is not an IP address or a range"),
        ("[203.0.113.7]", "[junk]", "is not an IP address or a range"),
        ("[203.0.113.7]", "[10.0.0.5/24]", "'10.0.0.5/24' names an address inside a range"),
        (
            "[203.0.113.7]",
            "[1.1.1.1]\n    recipient_ips_to_remove: [1.1.1.1/32]",
            "1.1.1.1 stands in recipient_ips too",
        ),
        ("token_expiry: 30", "token_expiry: -1", "recipient[0].token_expiry"),
        ("token_expiry: 30", "token_expiry: 366", "recipient[0].token_expiry: 366 days are too long"),
        ("token_expiry: 30", "expires_on: tomorrow", "'tomorrow' is not a date"),
        ("token_expiry: 30", "recipient: nobody", "'nobody' is not an e-mail address"),
        ("token_expiry: 30", "properties: {databricks.x: a}", "cannot be the key of a property"),
        ("token_expiry: 30", "oidc: {issuer: 'https://i', subject_claim: s, subject: x}", "a D2O recipient has none"),
        ("token_expiry: 30", "recipient_databricks_org: x", "'x' is not a sharing identifier"),
        ("type: D2O", "type: OIDC", "recipient[0].oidc: is missing, and an OIDC recipient needs it"),
        ("type: D2O", "type: D2D", "recipient[0].recipient_ips: a D2D recipient has no list of addresses"),
        ("type: D2O", "type: D2D", "recipient[0].recipient_databricks_org: is missing"),
        ("[main.s.orders]", "[main..orders]", "share[0].share_assets[0].name"),
        ("[main.s.orders]", "[orders]", "'orders' has the wrong number of parts"),
        ("[main.s.orders]", "[main.s.orders, main.s.x]", "main.s.x has no pipeline"),
        ("[main.s.orders]", "[{name: main.s.orders, cdf: true, history: true}]", "stands beside history"),
        ("[main.s.orders]", "[{name: main.s.orders, shared_as: a b}]", "'a b' is not an alias"),
        ("[main.s.orders]", "[{name: main.s.orders, type: TABEL}]", "'TABEL' is not accepted"),
        ("[main.s.orders]", "[{name: main.s.orders, partitions: [[{name: d}]]}]", "needs one of value and recipient"),
        ("[acme]", "[acme]\n    recipients_to_remove: [ACME]", "ACME stands in recipients too"),
        (
            "delta_share: {ext_catalog_name: ext, ext_schema_name: acme}",
            "comment: x",
            "share[0].delta_share: is missing",
        ),
        ("key_columns: id", "serverless: true", "key_columns: is missing, and scd_type 2 needs it"),
        ("key_columns: id", "scd_type: 3", "scd_type: '3' is not accepted"),
        ('cron: "0 30 6 * * ?", ', "", "schedule.cron: is missing, and the schedule is not continuous"),
        ('"0 30 6 * * ?"', "banana x", "'banana x' is not a Quartz cron expression"),
        ('"0 30 6 * * ?"', "a b c d e f", "'a b c d e f' is not a Quartz cron expression"),
        ("timezone: UTC", "timezone: Mars/Phobos", "the zone 'Mars/Phobos' is not known"),
        ("key_columns: id", "key_columns: id\n        notification: [team]", "'team' is not an e-mail address"),
    ],
)
def test_a_rule_that_is_broken_is_told(old: str, new: str, message: str):
    assert any(message in line for line in said(changed(old, new)))


@pytest.mark.parametrize(
    ("name", "more"),
    [
        ("recipient", "recipient:\n  - {name: ACME, type: D2O}\n"),
        ("share", "share:\n  - {name: SALES}\n"),
    ],
)
def test_names_are_unique_without_case(name: str, more: str):
    (line,) = said(PACK.replace(f"{name}:\n", more, 1))
    assert "stands twice" in line


def test_two_pipelines_cannot_have_one_name():
    text = changed("[main.s.orders]", "[main.s.orders, main.s.x]")
    text += "      - {name_prefix: ORDERS, source_asset: main.s.x, schedule: continuous, key_columns: [id]}\n"
    assert [line.partition(": ")[2] for line in said(text)] == [
        "share[0].pipelines[1].name_prefix: two pipelines are named 'ORDERS'"
    ]


@pytest.mark.parametrize("group", ["data-team", "Data Team 1", "a@b.example, Group.x", "rita@ymail.com", "x@mail.com"])
def test_groups_and_addresses_are_people(group: str):
    assert read(changed("configurator: data-team", f"configurator: {group}")).pack.metadata.configurator == group


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("a@gmial.com", "a@gmail.com"),
        ("a@gmai.com", "a@gmail.com"),
        ("a@gmail.con", "a@gmail.com"),
        ("a@yahooo.com", "a@yahoo.com"),
        ("a@outlok.com", "a@outlook.com"),
        ("a@hotnail.com", "a@hotmail.com"),
    ],
)
def test_a_misspelt_provider_is_refused_with_what_was_meant(written: str, meant: str):
    (problem,) = refused(changed("approver: boss@example.com", f"approver: {written}"))
    assert problem.remedy == f"did you mean {meant}?"


def test_addresses_are_written_the_shortest_way():
    text = changed("[203.0.113.7]", "[203.0.113.7/32, 10.0.0.0/255.255.255.0, '2001:DB8::0/64']")
    assert read(text).pack.recipient[0].recipient_ips == ("203.0.113.7", "10.0.0.0/24", "2001:db8::/64")
    wide = read(changed("[203.0.113.7]", "[0.0.0.0/0]")).warnings
    assert wide == ("pack.yaml:14:21: recipient[0].recipient_ips[0]: 0.0.0.0/0 lets every address in",)


def test_more_than_a_hundred_addresses_are_refused():
    many = ", ".join(f"10.0.0.{n}" for n in range(101))
    assert "has more than 100 addresses" in said(changed("203.0.113.7", many))[0]


def test_five_fields_are_refused_and_read_as_second_0_where_compatible():
    text = changed('"0 30 6 * * ?"', '"30 6 * * *"')
    assert "5 fields are the Unix form" in said(text)[0]
    parsed = read(text, compat=True)
    assert parsed.pack.share[0].pipelines[0].schedule.cron == "0 30 6 * * ?"
    assert len(parsed.warnings) == 1


def test_weekdays_in_numbers_are_not_guessed_because_unix_counts_them_otherwise():
    assert said(changed('"0 30 6 * * ?"', '"30 6 * * 1"'), compat=True)


def test_what_stands_twice_in_a_set_is_taken_once_and_said():
    text = changed("[203.0.113.7]", "[203.0.113.7, 203.0.113.7/32]").replace(
        "[main.s.orders]", "[main.s.orders, MAIN.s.orders]"
    )
    parsed = read(text.replace("[acme]", "[acme, acme]"))
    assert (parsed.pack, parsed.content_hash) == (read(PACK).pack, read(PACK).content_hash)
    assert len(parsed.warnings) == 3
    readers = read(changed("[acme]", "[b, acme, B, c]")).pack.share[0].recipients
    assert readers == ("b", "acme", "c")


def test_one_object_said_in_two_ways_or_two_objects_of_one_alias_are_refused():
    for other in ("{name: main.s.orders, cdf: true}", "{name: main.t.orders, shared_as: S.orders}"):
        lines = said(changed("[main.s.orders]", f"[main.s.orders, {other}]"))
        assert any(
            "share[0].share_assets[1]: goes by 's.orders' in the share, as main.s.orders does" in line for line in lines
        )


# Older and shorter forms


@pytest.mark.parametrize(
    ("schedule", "read_as"),
    [
        ("{main.s.orders: {cron: '0 0 6 * * ?', timezone: utc}}", ScheduleSpec(cron="0 0 6 * * ?")),
        ("{main.s.orders: continuous}", ScheduleSpec(continuous=True)),
    ],
)
def test_version_1_names_the_source_in_the_schedule(schedule: str, read_as: ScheduleSpec):
    text = changed("        source_asset: main.s.orders\n", "")
    text = text.replace('{cron: "0 30 6 * * ?", timezone: UTC}', schedule)
    pipeline = read(text).pack.share[0].pipelines[0]
    assert (pipeline.source_asset, pipeline.schedule) == ("main.s.orders", read_as)


def test_key_columns_are_a_list_or_a_text_with_commas():
    texts = [changed("key_columns: id", f"key_columns: {keys}") for keys in ("'id, day'", "[id, day]")]
    assert [read(text).pack.share[0].pipelines[0].key_columns for text in texts] == [("id", "day")] * 2


def test_a_pack_that_deletes_needs_names_only():
    parsed = read(
        HEAD + "  strategy: delete\nrecipient: [a, {name: b}]\nshare: [s, {name: t, pipelines: [x, {name_prefix: y}]}]"
    )
    assert parsed.pack.removal == Removal(recipients=("a", "b"), shares=("s", "t"), pipelines={"t": ("x", "y")})
    assert (parsed.pack.metadata.strategy, parsed.pack.recipient, parsed.pack.share) == (Strategy.DELETE, (), ())


def test_a_full_pack_that_deletes_says_what_is_not_looked_at():
    parsed = read(PACK.replace("recipient:\n", "  strategy: DELETE\nrecipient:\n", 1))
    assert parsed.pack.removal == Removal(recipients=("acme",), shares=("sales",), pipelines={"sales": ("orders",)})
    assert all("not needed to delete" in warning for warning in parsed.warnings)


@pytest.mark.parametrize(
    "rest",
    ["", "recipient: a", "recipient: [{nmae: a}]", "recipient: [3]", "share: [a, A]", "removal: {recipients: [a]}"],
)
def test_a_pack_that_deletes_is_refused_where_it_names_nothing(rest: str):
    assert refused(HEAD + "  strategy: DELETE\n" + rest + "\n")


def test_a_bare_name_is_only_for_packs_that_delete():
    assert "enough in a pack with strategy DELETE alone" in said(HEAD + "recipient: [acme]\n")[0]


# Anything at all

ANY = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@ANY
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes):
    refused(data)


@ANY
@given(st.text(st.sampled_from("ab:-[]{}#&*!|>'\"%@`,? \n\t~<01.\\"), max_size=60))
def test_any_text_that_resembles_yaml_is_read_or_refused(text: str):
    refused(text)


@ANY
@given(at=st.integers(0, len(PACK) - 1), cut=st.integers(0, 12), put=st.text(max_size=6))
def test_a_pack_with_anything_in_any_place_is_read_or_refused(at: int, cut: int, put: str):
    text = PACK[:at] + put + PACK[at + cut :]
    try:
        read(text, compat=True)
    except SpecInvalid as error:
        assert error.problems


_JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 400)
    | st.sampled_from(["x", "", "a@b.co", "continuous", "DELETE", "D2D"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["name", "cron", "x", "type"]), inner),
    max_leaves=6,
)


@ANY
@given(key=st.sampled_from(["metadata", "recipient", "share", "schedule", "pipelines", "name", "strategy"]), junk=_JUNK)
def test_any_value_in_place_of_a_part_is_read_or_refused(key: str, junk: object):
    import json

    lines = PACK.splitlines()
    at = next((n for n, line in enumerate(lines) if line.strip().removeprefix("- ").startswith(f"{key}:")), 0)
    indent = len(lines[at]) - len(lines[at].lstrip("- "))
    deeper = [n for n, line in enumerate(lines[at + 1 :], at + 1) if len(line) - len(line.lstrip()) <= indent]
    end = deeper[0] if deeper else len(lines)
    head = lines[at].partition(":")[0] + ": " + json.dumps(junk)
    refused("\n".join([*lines[:at], head, *lines[end:]]))

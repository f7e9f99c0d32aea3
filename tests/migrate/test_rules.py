"""Rule packs, mapping files and parameters: what is accepted, and how faults are reported."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from brickyard.dbsql.model import Side
from brickyard.kernel.errors import NotFound, SpecInvalid
from brickyard.kernel.names import TableName
from brickyard.migrate.model.inputs import (
    MAPPING_COLUMNS,
    PlanOptions,
    parse_mapping,
    parse_params,
    read_params,
    read_sources,
)
from brickyard.migrate.model.nouns import EditClass
from brickyard.migrate.model.pack import parse_pack, read_pack, shipped_packs
from brickyard.migrate.plan.names import Target, path_target, schema_target, target

HEAD = "format: 1\nname: mine\noriginal_catalog: hive_metastore\n"
VELOCITY = read_pack("velocity")


def problems(text: str) -> list[str]:
    with pytest.raises(SpecInvalid) as refused:
        parse_pack("mine.yaml", text)
    return [f"{problem} [{problem.remedy}]" if problem.remedy else str(problem) for problem in refused.value.problems]


def mapped(name: str, side: Side = Side.READ) -> Target:
    return target(TableName.parse(name), side, PlanOptions(VELOCITY))


@pytest.mark.parametrize("name", shipped_packs())
def test_each_shipped_pack_is_valid(name: str):
    assert read_pack(name).name == name


def test_the_shipped_packs_are_those_of_the_documentation():
    assert shipped_packs() == ["default", "velocity"]


def test_every_fault_of_a_pack_is_reported_at_once_with_its_place():
    text = HEAD + (
        "mapings: []\n"
        "max_lag: soon\n"
        "mappings:\n"
        "  - id: a\n    schema: s\n    pattern: '('\n    to: m.s.{name}\n"
        "  - id: b\n    schma: s\n    to: m.s\n"
    )
    assert problems(text) == [
        "mine.yaml:4:1: unknown key 'mapings' [did you mean 'mappings'?]",
        "mine.yaml:5:1: max_lag: 'soon' is not a duration such as 30m, 12h or 1d",
        "mine.yaml:9:5: mappings.0.pattern: the regular expression does not compile: "
        "missing ), unterminated subpattern at position 0",
        "mine.yaml:11:5: mappings.1.schema: field required",
        "mine.yaml:12:5: unknown key 'schma' [did you mean 'schema'?]",
    ]


@pytest.mark.parametrize(
    ("to", "fault"),
    [
        ("m.s", "`to` must have three parts: catalog.schema.name"),
        ("m.s.{rest}", "`to` has the unknown placeholder {rest}"),
        ("m.s.{1}", "`to` has the unknown placeholder {1}"),
    ],
)
def test_a_target_that_cannot_be_filled_in_is_refused(to: str, fault: str):
    text = HEAD + f"mappings:\n  - id: a\n    schema: s\n    to: '{to}'\n"
    assert problems(text) == [f"mine.yaml:5:5: mappings.0: {fault}"]


def test_a_rewrite_that_does_not_exist_is_refused():
    [fault] = problems(HEAD + "rewrites:\n  fancy: {}\n")
    assert fault.startswith("mine.yaml:4:1: rewrites: unknown rewrite 'fancy'; known: ")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("name: a\nname: b\n", 'mine.yaml:2:1: found duplicate key "name" with value "b" (original value: "a")'),
        ("a: &x 1\nb: *x\n", "mine.yaml:1:1: aliases (`*name`) are not accepted"),
        ("a: [1\n", "mine.yaml:2:1: expected ',' or ']', but got '<stream end>'"),
        ("a: 1\nb: \x0b\n", "mine.yaml:2:4: the character '\\x0b' is not accepted in YAML"),
        ("just words\n", "mine.yaml:1:1: the file must hold a mapping of keys to values"),
    ],
)
def test_text_that_is_no_plain_yaml_mapping_is_refused_with_its_line(text: str, fault: str):
    assert problems(text) == [fault]


def test_an_unknown_pack_is_refused_with_the_names_of_the_shipped_ones():
    with pytest.raises(SpecInvalid, match=r"neither a shipped rule pack \(default, velocity\) nor a file"):
        read_pack("nope")


def test_a_pack_says_lag_class_and_style():
    pack = parse_pack(
        "p",
        HEAD + "max_lag: 12h\nrewrites:\n  ordinals: {class: advice}\n  time-zone: {enabled: false}\n"
        'emitter:\n  - {dbr: "9.1", style: literal}\n  - {dbr: "15.2", style: identifier}\n',
    )
    assert (pack.lag, pack.class_of("ordinals"), pack.enabled("time-zone"), pack.enabled("markers")) == (
        timedelta(hours=12),
        EditClass.ADVICE,
        False,
        False,
    )
    assert [pack.style(dbr) for dbr in ("9.1", "13.3", "15.4")] == ["literal", "literal", "identifier"]


@pytest.mark.parametrize(
    ("name", "becomes", "rule"),
    [
        (
            "foreign_edp_prd_hive.velocity_analytics_foundation.member",
            "wb_velocityanalytics_prd.loyalty.member",
            "loyalty",
        ),
        (
            "foreign_edp_prd_hive.VELOCITY_ANALYTICS_FOUNDATION.Member",
            "wb_velocityanalytics_prd.loyalty.Member",
            "loyalty",
        ),
        (
            "foreign_edp_prd_hive.velocity_analytics_foundation.staging_x",
            "wb_velocityanalytics_prd.staging.x",
            "staging",
        ),
        ("hive_metastore.velocity_analytics_foundation.stage_x", "wb_velocityanalytics_prd.staging.x", "staging"),
        (
            "foreign_edp_prd_hive.velocity_analytics_foundation.staging_",
            "wb_velocityanalytics_prd.loyalty.staging_",
            "loyalty",
        ),
        (
            "foreign_edp_prd_hive.velocity_analytics_foundation.rpt_x",
            "wb_velocityanalytics_prd.reporting_loyalty.rpt_x",
            "reporting",
        ),
        ("foreign_edp_prd_hive.va_alms_prd.stage_x", "edp_prd.silver_alms.stage_x", "alms"),
        ("wb_velocityanalytics_prd.loyalty.x", "wb_velocityanalytics_prd.loyalty.x", None),
        ("other.velocity_analytics_foundation.x", "other.velocity_analytics_foundation.x", None),
        ("foreign_edp_prd_hive.unheard_of.x", None, None),
    ],
)
def test_velocitys_conventions_say_where_a_table_goes(name: str, becomes: str | None, rule: str | None):
    assert mapped(name) == Target(TableName.parse(becomes) if becomes else None, rule)


def test_a_row_of_the_mapping_file_comes_before_the_rules():
    rows = parse_mapping("m.csv", f"{','.join(MAPPING_COLUMNS)}\nw,main,Va_alms_prd,gold,fact,facts\n")
    found = target(TableName("hive_metastore", "va_alms_prd", "FACT"), Side.READ, PlanOptions(VELOCITY, rows))
    assert found == Target(TableName("main", "gold", "facts"), "m.csv:2")


def test_a_rule_may_hold_for_one_side_and_by_a_pattern():
    pack = parse_pack(
        "p",
        HEAD + "mappings:\n  - {id: w, schema: s, side: write, to: 'm.out.{name}'}\n"
        "  - {id: p, schema: s, pattern: 'f_(\\w+)_(?P<year>\\d+)', to: 'm.y{year}.{1}'}\n",
    )
    options = PlanOptions(pack)
    name = TableName("hive_metastore", "s", "f_sales_2024")
    assert [target(name, side, options).name for side in Side] == [
        TableName("m", "y2024", "sales"),
        TableName("m", "out", "f_sales_2024"),
        TableName("m", "out", "f_sales_2024"),
    ]


def test_a_whole_schema_goes_where_its_unconditional_rule_says():
    assert schema_target("velocity_analytics_foundation", VELOCITY) == ("wb_velocityanalytics_prd", "loyalty")
    assert schema_target("unheard_of", VELOCITY) is None


def test_files_go_to_the_volume_of_their_prefix_however_they_are_written():
    pack = parse_pack("p", HEAD + "paths:\n  - {prefix: /mnt/out, to: /Volumes/m/s/v}\n")
    written = ["/mnt/out/a.csv", "/dbfs/mnt/out/a.csv", "dbfs:/mnt/out/a.csv", "/mnt/output/a.csv", "/Volumes/x/y/z/a"]
    assert [path_target(path, pack) for path in written] == ["/Volumes/m/s/v/a.csv"] * 3 + [None, "/Volumes/x/y/z/a"]


def test_a_mapping_file_without_a_column_is_refused():
    with pytest.raises(SpecInvalid) as refused:
        parse_mapping("m.csv", "workspace_name,catalog_name,src_schema,dst_schema,src_table\n")
    assert [str(p) for p in refused.value.problems] == ["m.csv:1: the column dst_table is missing"]


def test_two_rows_for_one_table_and_empty_cells_are_refused_with_their_lines():
    rows = ["w,main,a,b,t,t", "", "w,main,A,c,T,u", "w,,a,b,x,"]
    with pytest.raises(SpecInvalid) as refused:
        parse_mapping("m.csv", "\n".join(["\ufeff" + ",".join(MAPPING_COLUMNS), *rows]))
    assert [str(p) for p in refused.value.problems] == [
        "m.csv:4: a.t is mapped twice, first at m.csv:2",
        "m.csv:5: catalog_name, dst_table is empty",
    ]


def test_parameters_come_from_options_lines_and_json(tmp_path: Path):
    lines, document = tmp_path / "p.txt", tmp_path / "p.json"
    lines.write_text("# widgets\n\nenv = prd\ndb=a=b\n")
    document.write_text('{"env": "prd", "days": 3}')
    assert parse_params(["a=1", "b="]) == {"a": "1", "b": ""}
    assert read_params(lines) == {"env": "prd", "db": "a=b"}
    assert read_params(document) == {"env": "prd", "days": "3"}


@pytest.mark.parametrize(
    ("text", "fault"), [("a=1\nnonsense\n", ":2: 'nonsense' is not K=V"), ("{oops}", ":1:2: Expecting property name")]
)
def test_a_parameter_file_with_a_fault_is_refused_with_its_line(tmp_path: Path, text: str, fault: str):
    path = tmp_path / "p"
    path.write_text(text)
    with pytest.raises(SpecInvalid) as refused:
        read_params(path)
    assert str(refused.value.problems[0]).startswith(f"{path}{fault}")


def test_a_parameter_option_without_a_value_is_refused():
    with pytest.raises(SpecInvalid) as refused:
        parse_params(["a=1", "b", "=c"])
    assert [str(p) for p in refused.value.problems] == ["--param: 'b' is not K=V", "--param: '=c' is not K=V"]


def test_a_runtime_version_that_is_none_is_refused():
    with pytest.raises(SpecInvalid, match="'latest' is not a Databricks Runtime version"):
        PlanOptions(VELOCITY, dbr="latest").checked()


def test_a_path_that_does_not_exist_or_holds_no_notebook_is_refused(tmp_path: Path):
    with pytest.raises(NotFound):
        read_sources(tmp_path / "gone")
    (tmp_path / "note.txt").write_text("x")
    with pytest.raises(SpecInvalid, match="holds no notebook"):
        read_sources(tmp_path)


def test_large_and_hidden_files_of_a_folder_are_not_read(tmp_path: Path):
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "x.py").write_text("1")
    (tmp_path / "a.sql").write_text("SELECT 1")
    with (tmp_path / "big.py").open("wb") as file:
        file.truncate(50 * 1024 * 1024)
    sources, problems = read_sources(tmp_path)
    assert [source.path for source in sources] == ["a.sql"]
    assert [str(p) for p in problems] == ["big.py: the notebook has 50 MB; the limit is 10 MB"]

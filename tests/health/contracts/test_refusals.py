"""What the compiler refuses: each class of defect is one fault, at its file and line, with what to do about it."""

from __future__ import annotations

from textwrap import dedent

import pytest

from brickyard.health.model.reading import Read, read
from brickyard.health.plan.compile import compile_all
from brickyard.kernel.errors import Problem, SpecInvalid

NODES = dedent("""\
    table: compute.dim_node_type
    kind: dim_scd1
    description: Instance types with the size of their hardware.
    grain: one row per account and instance type
    source: compute.node_types
    key: [account_id, node_type]
    sequence: [_snapshot_at]
    columns:
      - copy: [account_id, node_type, core_count]
      - {name: memory_mb, from: memory_mb}
      - copy: [gpu_count]
    """)

RUNS = dedent("""\
    table: lakeflow.fact_job_run_timeline
    kind: fact_slices
    description: Slices of job runs with the state of the last.
    grain: one row per run and begin of a slice
    source: lakeflow.job_run_timeline
    key: [workspace_id, run_id, period_start_time]
    sequence: [period_end_time]
    auxiliary: true
    columns:
      - copy: [account_id, workspace_id, run_id, period_start_time, result_state]
      - name: is_success
        type: boolean
        expr: result_state = 'SUCCEEDED'
        comment: Whether the run ended well
    """)

PRICES = dedent("""\
    table: billing.fact_list_prices
    kind: snapshot
    description: Published prices by interval of validity.
    grain: one row per price and begin of validity
    source: billing.list_prices
    key: [account_id, sku_name, cloud, currency_code, usage_unit, price_start_time]
    sequence: [_snapshot_at]
    auxiliary: true
    columns:
      - copy: [account_id, sku_name, cloud, currency_code, usage_unit, price_start_time, price_end_time]
      - {name: list_price, from: pricing__default, type: "decimal(18,10)", narrow: quarantine}
    """)

USAGE = dedent("""\
    table: billing.fact_usage
    kind: fact_corrections
    description: Billable usage with its list price.
    grain: one row per record
    source: billing.usage
    key: [record_id, record_type]
    sequence: [ingestion_date]
    auxiliary: true
    columns:
      - copy: [account_id, record_id, record_type, sku_name, cloud, usage_unit, usage_start_time]
    enrich:
      joins:
        - to: billing.fact_list_prices
          alias: p
          on: {account_id: account_id, sku_name: sku_name, cloud: cloud, usage_unit: usage_unit}
          where: {currency_code: USD}
          as_of: usage_start_time
          valid: [price_start_time, price_end_time]
      columns:
        - {name: list_price, type: "decimal(18,10)", expr: p.list_price, comment: Price of a unit}
    """)

DERIVED = dedent("""\
    table: compute.fact_node_hour
    kind: rollup
    description: Use of nodes by the hour in which a minute began.
    grain: one row per node and hour
    source: compute.node_timeline
    auxiliary: true
    key: [instance_id]
    rows: SELECT instance_id, max(node_type) AS node_type FROM {source} GROUP BY instance_id
    columns:
      - copy: [instance_id, node_type]
    """)


def refused(*texts: str) -> tuple[Problem, ...]:
    """Compile contracts from files a.yaml, b.yaml, ... and return what is told against them."""
    with pytest.raises(SpecInvalid) as told:
        compile_all([read(text, f"{name}.yaml") for name, text in zip("abcdef", texts, strict=False)])
    return told.value.problems


def with_column(line: str, contract: str = NODES) -> str:
    """The contract with one more entry of `columns`, its last line."""
    return contract + "  - " + line + "\n"


def test_the_contracts_that_are_spoilt_here_are_good_themselves() -> None:
    texts = {"a": NODES, "b": RUNS, "c": PRICES, "d": USAGE, "e": DERIVED}
    reads: list[Read] = [read(text, f"{name}.yaml") for name, text in texts.items()]
    assert [table.table for table in compile_all(reads)] == [
        "billing.fact_list_prices",
        "billing.fact_usage",
        "compute.dim_node_type",
        "compute.fact_node_hour",
        "lakeflow.fact_job_run_timeline",
    ]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        (
            NODES.replace("sequence:", "sequense:"),
            Problem("sequense: is no key here", "a.yaml:7", "did you mean sequence?"),
        ),
        (
            NODES.replace("from: memory_mb", "form: memory_mb"),
            Problem("columns.1.form: is no key here", "a.yaml:10", "did you mean from?"),
        ),
        (
            NODES.replace("- copy: [gpu_count]", "- {copy: [gpu_count], narow: quarantine}"),
            Problem("columns.2.narow: is no key here", "a.yaml:11", "did you mean narrow?"),
        ),
        (
            NODES.replace("- copy: [gpu_count]", "- coppy: [gpu_count]"),
            Problem("columns.2: an entry of columns has the key copy, flatten or name", "a.yaml:11"),
        ),
        (
            NODES.replace("kind: dim_scd1", "kind: dim_scd3"),
            Problem(
                "kind: Input should be 'dim_scd1', 'dim_scd2', 'fact_append', 'fact_corrections', 'fact_slices', "
                "'fact_final', 'snapshot', 'rollup', 'derived' or 'static'",
                "a.yaml:2",
            ),
        ),
        (
            NODES.replace("grain: one row per account and instance type\n", ""),
            Problem("grain: Field required", "a.yaml:1"),
        ),
    ],
    ids=["key of a contract", "key of a column", "key of a copy", "no sort of entry", "kind", "key left out"],
)
def test_a_misspelt_key_is_one_fault_where_it_stands(text: str, fault: Problem) -> None:
    assert refused(text) == (fault,)


def test_what_is_no_yaml_is_told_at_its_line() -> None:
    assert refused(NODES + "  - {name: x\n") == (Problem("expected ',' or '}', but got '<stream end>'", "a.yaml:13"),)


def test_a_tab_is_told_as_by_every_reader_of_yaml() -> None:
    problems = refused(NODES.replace("key: [", "key:\t["))
    assert [problem.where.partition(":")[0] for problem in problems if problem.where] == ["a.yaml"]


def test_a_key_column_that_the_table_does_not_have() -> None:
    faulty = NODES.replace("key: [account_id, node_type]", "key: [account_id, node_typ]")
    assert refused(faulty) == (
        Problem("key column node_typ is no column of the table", "a.yaml:6", "did you mean node_type?"),
    )


def test_a_literal_that_no_source_has() -> None:
    assert refused(RUNS.replace("'SUCCEEDED'", "'SUCCESS'")) == (
        Problem("result_state never is 'SUCCESS'", "a.yaml:13", "did you mean SUCCEEDED?"),
    )


def test_a_literal_that_no_source_has_in_a_rule_over_a_column_with_another_name() -> None:
    faulty = RUNS.replace("result_state]", "run_type]").replace("result_state =", "run_type =").replace(
        "'SUCCEEDED'", "'JOB_RUN'"
    ) + dedent("""\
          - {name: outcome, from: result_state}
        expect:
          - {name: ends, check: "outcome <> 'TIMEDOUT'"}
        """)
    assert refused(faulty) == (Problem("outcome never is 'TIMEDOUT'", "a.yaml:17", "did you mean TIMED_OUT?"),)


def test_a_decimal_that_is_narrower_than_its_source() -> None:
    assert refused(PRICES.replace(", narrow: quarantine", "")) == (
        Problem(
            "list_price decimal(18,10) is narrower than its source decimal(38,18)",
            "a.yaml:11",
            "widen it, or say `narrow: quarantine`",
        ),
    )


def test_a_decimal_that_an_expression_would_round_in_silence() -> None:
    line = '{name: net, type: "decimal(18,10)", expr: coalesce(pricing__default), comment: Price}'
    assert refused(with_column(line, PRICES)) == (
        Problem(
            "net decimal(18,10) is narrower than pricing__default decimal(38,18), which it reads",
            "a.yaml:12",
            "widen it, or say `narrow: quarantine`",
        ),
    )


def test_a_bare_decimal() -> None:
    line = "{name: memory_gb, type: decimal, expr: memory_mb / 1024, comment: Memory}"
    assert refused(with_column(line)) == (
        Problem("memory_gb: a bare decimal is decimal(10,0); write both numbers", "a.yaml:12"),
    )


def test_two_contracts_for_one_table() -> None:
    assert refused(NODES, NODES.replace("account_id, node_type, core_count", "account_id, node_type, core_count")) == (
        Problem("compute.dim_node_type has a second contract in b.yaml", "a.yaml:1", "keep one of them"),
        Problem("compute.dim_node_type has a second contract in a.yaml", "b.yaml:1", "keep one of them"),
    )


def test_two_tables_with_the_same_content() -> None:
    twin = NODES.replace("compute.dim_node_type", "compute.dim_node_kind").replace("Instance types", "Kinds of nodes")
    assert refused(NODES, twin) == (
        Problem("compute.dim_node_type is the same as compute.dim_node_kind", "a.yaml:1", "keep one of them"),
        Problem("compute.dim_node_kind is the same as compute.dim_node_type", "b.yaml:1", "keep one of them"),
    )


def test_a_join_that_can_multiply_rows() -> None:
    assert refused(USAGE.replace("      where: {currency_code: USD}\n", ""), PRICES) == (
        Problem(
            "the join can multiply rows: currency_code of the key of billing.fact_list_prices is left open",
            "a.yaml:13",
            "join on it, or fix it under `where`",
        ),
    )


def test_a_source_column_that_is_not_mapped() -> None:
    assert refused(NODES.replace("  - copy: [gpu_count]\n", "")) == (
        Problem("source column gpu_count is not mapped", "a.yaml:8", "map it, or ignore it with a reason"),
    )


def test_a_column_that_the_source_does_not_have() -> None:
    assert refused(with_column("copy: [memry_mb]")) == (
        Problem("the source has no column memry_mb", "a.yaml:12", "did you mean memory_mb?"),
    )
    line = "{name: memory_gb, type: bigint, expr: memory_gib / 1024, comment: Memory}"
    assert refused(with_column(line)) == (
        Problem("memory_gb reads memory_gib, which the source does not have", "a.yaml:12", "did you mean memory_mb?"),
    )


def test_a_source_that_is_not_described() -> None:
    faulty = NODES.replace("source: compute.node_types", "source: compute.nodes")
    told = "source compute.nodes is not described"
    assert refused(faulty) == (Problem(told, "a.yaml:5", "add its file to system_tables"),)


@pytest.mark.parametrize(
    ("reference", "fault"),
    [
        (
            "{columns: [node_type], to: compute.dim_node}",
            Problem("compute.dim_node is no gold table", "a.yaml:13", "did you mean compute.dim_node_type?"),
        ),
        (
            "{columns: [account_id], to: lakeflow.fact_job_run_timeline}",
            Problem(
                "account_id is not the key of lakeflow.fact_job_run_timeline: workspace_id, run_id, period_start_time",
                "a.yaml:13",
            ),
        ),
        (
            "{columns: [nodetype], to: compute.dim_node_type, target: [node_type]}",
            Problem("nodetype is no column of the table", "a.yaml:13", "did you mean node_type?"),
        ),
        (
            "{columns: [node_type], to: compute.dim_node_type, target: [node_type, account_id]}",
            Problem("1 columns point at 2 of compute.dim_node_type", "a.yaml:13", "name as many"),
        ),
    ],
    ids=["missing table", "not a key", "missing column", "unequal"],
)
def test_a_reference_that_leads_nowhere(reference: str, fault: Problem) -> None:
    assert refused(f"{NODES}references:\n  - {reference}\n", RUNS) == (fault,)


@pytest.mark.parametrize("call", ["current_timestamp()", "rand()", "uuid()", "current_date()"])
def test_an_expression_that_gives_another_result_tomorrow(call: str) -> None:
    problems = refused(with_column(f"{{name: drawn, type: string, expr: cast({call} as string), comment: Drawn}}"))
    assert [
        (problem.where, problem.message.endswith("so that a second run gives another result")) for problem in problems
    ] == [("a.yaml:12", True)]


def test_rows_of_which_an_arbitrary_one_is_taken() -> None:
    problems = refused(DERIVED.replace("max(node_type)", "first(node_type)"))
    assert [(problem.where, problem.message) for problem in problems] == [
        ("a.yaml:8", "rows calls first, so that a second run gives another result")
    ]


def test_an_expression_that_is_no_sql() -> None:
    line = '{name: broken, type: string, expr: "coalesce(node_type,", comment: Broken}'
    assert refused(with_column(line)) == (Problem("broken: Expecting ). Line 1, Col: 19.", "a.yaml:12"),)


def test_a_kind_that_needs_what_is_not_said() -> None:
    assert refused(NODES.replace("sequence: [_snapshot_at]\n", "")) == (
        Problem("dim_scd1 needs a sequence that tells which version of a key is newest", "a.yaml:2"),
    )
    assert refused(NODES.replace("kind: dim_scd1", "kind: dim_scd2")) == (
        Problem("a history needs `valid_from`: the source column that dates a version", "a.yaml:2"),
    )
    derived = DERIVED.replace(
        "rows: SELECT instance_id, max(node_type) AS node_type FROM {source} GROUP BY instance_id\n", ""
    )
    assert refused(derived) == (Problem("rollup needs `rows`: the SQL that makes its rows", "a.yaml:2"),)


def test_rows_that_would_vanish_where_no_quarantine_keeps_them() -> None:
    told = "a rollup keeps no quarantine, so rows that break it would vanish"
    faulty = DERIVED.replace("copy: [instance_id, node_type]", "{name: node_type, from: node_type, not_null: true}")
    rule = "expect:\n  - {name: typed, check: \"node_type <> ''\"}\n"
    assert refused(with_column("copy: [instance_id]", faulty) + rule) == (
        Problem(f"node_type: {told}", "a.yaml:10", "leave such rows out in `rows`, or judge them in the fact"),
        Problem(f"typed: {told}", "a.yaml:13", "judge them in the fact that this table is made from"),
    )


def test_a_prune_column_that_does_not_name_a_day() -> None:
    assert refused(NODES.replace("sequence:", "prune: node_type\nsequence:")) == (
        Problem("node_type is a string; only a date or a timestamp bounds a merge by days", "a.yaml:7"),
    )


def test_a_column_that_stands_twice() -> None:
    assert refused(with_column("copy: [node_type]")) == (
        Problem("column node_type stands twice", "a.yaml:8", "rename or drop one of them"),
    )


def test_every_fault_of_every_file_is_told_at_once() -> None:
    problems = refused(NODES.replace("node_type]", "node_typ]"), RUNS.replace("'SUCCEEDED'", "'SUCCESS'"))
    assert [problem.where for problem in problems] == ["a.yaml:6", "b.yaml:13"]

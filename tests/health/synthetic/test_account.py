"""The synthetic account is the same each time, has the sources' own columns, and shows what has arrived."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from brickyard.health import synthetic
from brickyard.health.synthetic import ARRIVED, Shape, activity, source, world
from brickyard.health.synthetic.ddl import arrow_type
from brickyard.health.synthetic.period import Period

SMALL = synthetic.generate(scale=0.02)
GROWING = [name for name in SMALL.sources if source(name).shape is not Shape.SNAPSHOT]
DATED = [name for name in SMALL.sources if source(name).shape is Shape.SNAPSHOT]
INSTANTS = [datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=step, hours=4) for step in range(0, 77, 7)]


@pytest.mark.parametrize("name", GROWING)
def test_arrivals_have_the_columns_of_the_source_and_when_they_came(name: str) -> None:
    table = SMALL.arrivals(name)
    described = {column.name: arrow_type(column.text) for column in source(name).columns}
    assert {field.name: field.type for field in table.schema} == {**described, ARRIVED: pa.timestamp("us", "UTC")}
    assert table.schema.names[-1] == ARRIVED
    assert table.num_rows > 0
    assert table.column(ARRIVED).null_count == 0
    table.validate(full=True)


@pytest.mark.parametrize("name", DATED)
def test_states_are_dated_and_differ(name: str) -> None:
    states = SMALL.snapshots(name)
    days = [day for day, _ in states]
    assert days == sorted(set(days))
    assert days[0] == SMALL.first_day
    assert days[-1] <= SMALL.last_day
    assert all(table.schema == source(name).schema() for _, table in states)
    assert all(not before.equals(after) for (_, before), (_, after) in pairwise(states))


@pytest.mark.parametrize("name", SMALL.sources)
def test_what_is_visible_has_the_schema_of_the_day(name: str) -> None:
    for at in (datetime(2026, 3, 20, tzinfo=UTC), SMALL.settled_at):
        seen = SMALL.visible(name, at)
        assert seen.schema == SMALL.arrow_schema(name, at.date())
        assert {each.name: each.type for each in seen.schema} == {
            column: arrow_type(text) for column, text in SMALL.schema(name, at.date()).items()
        }


@pytest.mark.parametrize("name", GROWING)
def test_keys_are_never_null_where_the_source_promises_it(name: str) -> None:
    table = SMALL.arrivals(name)
    nullable = {"served_entity_id", "consumer_email", "consumer_delta_sharing_recipient_name"}
    nullable |= {"consumer_cloud", "consumer_region"}
    assert [key for key in source(name).key if table.column(key).null_count and key not in nullable] == []


@pytest.mark.parametrize("name", GROWING)
def test_a_later_reader_sees_no_row_less(name: str) -> None:
    counts = [SMALL.visible(name, at).num_rows for at in INSTANTS]
    assert counts == sorted(counts)
    assert SMALL.visible(name, INSTANTS[-1]).num_rows == SMALL.visible(name, SMALL.settled_at).num_rows


@pytest.mark.parametrize("name", [each for each in GROWING if source(each).shape is Shape.LATEST])
def test_a_source_updated_in_place_shows_each_key_once(name: str) -> None:
    seen = SMALL.visible(name, SMALL.settled_at)
    assert seen.group_by(list(source(name).key)).aggregate([]).num_rows == seen.num_rows
    assert seen.num_rows < SMALL.arrivals(name).num_rows


@pytest.mark.parametrize("name", SMALL.sources)
def test_columns_that_came_with_the_drift_are_null_before_it(name: str) -> None:
    new = [column.name for column in source(name).columns if column.text_before is None]
    before = SMALL.drift_day
    if source(name).shape is Shape.SNAPSHOT:
        old = pa.concat_tables([table for day, table in SMALL.snapshots(name) if day < before])
    else:
        table = SMALL.arrivals(name)
        old = table.filter(pc.less(table.column(ARRIVED), datetime(before.year, before.month, before.day, tzinfo=UTC)))
    assert {column: old.column(column).null_count for column in new} == dict.fromkeys(new, old.num_rows)


@pytest.mark.parametrize("name", SMALL.sources)
def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(name: str) -> None:
    again, other = synthetic.generate(scale=0.02, days=59), synthetic.generate(scale=0.02, days=59, seed=8)
    first = everything(again, name)
    for cached in (world.build, activity.job_runs, activity.task_runs, activity.updates):
        cached.cache_clear()
    assert first.equals(everything(again, name))
    assert not first.equals(everything(other, name))


def everything(account: synthetic.Account, name: str) -> pa.Table:
    """Return all that a source ever holds."""
    if source(name).shape is Shape.SNAPSHOT:
        return pa.concat_tables([table for _, table in account.snapshots(name)])
    return pa.concat_tables(list(account.chunks(name)))


def test_an_account_tells_its_days() -> None:
    account = synthetic.generate(days=60)
    assert (account.first_day, account.drift_day, account.last_day) == (
        date(2026, 3, 2),
        date(2026, 4, 1),
        date(2026, 4, 30),
    )


def test_an_account_of_one_day_or_of_no_size_is_refused() -> None:
    with pytest.raises(ValueError, match="two days"):
        synthetic.generate(days=1)
    with pytest.raises(ValueError, match="positive scale"):
        synthetic.generate(scale=0)


@pytest.mark.parametrize("scale", [0.02, 1.0, 20.0, 200.0, 5000.0])
def test_a_large_account_is_told_in_spans_that_cover_its_days_once(scale: float) -> None:
    period = Period(date(2026, 3, 2), 60)
    spans = period.spans(scale)
    assert [day for span in spans for day in span.days_from().tolist()] == period.days_from().tolist()
    assert max(span.days for span in spans) * 1_200 * scale <= 1_000_000 or max(span.days for span in spans) == 1


@pytest.mark.full
def test_an_account_of_ten_million_usage_rows_comes_in_chunks_of_a_million() -> None:
    chunks = synthetic.generate(scale=200.0).chunks("billing.usage")
    sizes = [next(chunks).num_rows for _ in range(2)]
    assert all(900_000 < size < 1_600_000 for size in sizes)


def test_an_account_has_every_source_of_the_gold_layer() -> None:
    assert len(SMALL.sources) == 34

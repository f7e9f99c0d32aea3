"""Where packs stand: in one query, and page by page without a gap or a repetition."""

from __future__ import annotations

from datetime import datetime

from tests.share.flow.conftest import apply, pack_of, submit

from brickyard.context import Context
from brickyard.share import flow
from brickyard.share.model.runs import PackStatus, Standing


def _pages(house: Context, size: int) -> list[str]:
    found: list[str] = []
    after: tuple[datetime, str] | None = None
    while page := flow.standings(house, after=after, limit=size):
        found += [one.pack_id for one in page]
        after = page[-1].last_updated, page[-1].pack_id
    return found


def test_a_standing_is_what_the_whole_record_says(house: Context):
    pack_id = apply(house, pack_of(house)).pack_id or ""
    standing, record = flow.standing(house, pack_id), flow.status(house, pack_id)
    assert standing == Standing(**{name: getattr(record, name) for name in Standing.__slots__})
    assert (standing.status, standing.version) == (PackStatus.COMPLETED, 1)


def test_pages_of_any_size_show_each_pack_once_and_the_last_changed_first(house: Context):
    made = [submit(house, pack_of(house, metadata={"project_name": f"p{n}"})) for n in range(5)]
    apply(house, pack_of(house, metadata={"project_name": "p1"}))
    expected = [made[n].pack_id for n in (1, 4, 3, 2, 0)]
    assert [_pages(house, size) for size in (1, 2, 3, 9)] == [expected] * 4


def test_a_page_may_be_of_one_status_or_one_name(house: Context):
    done = apply(house, pack_of(house, metadata={"project_name": "done"}))
    waiting = submit(
        house, pack_of(house, metadata={"project_name": "waiting"}, recipient=[{"name": "B", "type": "D2O"}])
    )
    assert [one.pack_id for one in flow.standings(house, status=PackStatus.COMPLETED)] == [done.pack_id]
    assert [one.pack_id for one in flow.standings(house, name="b")] == [waiting.pack_id]
    assert [one.pack_id for one in flow.standings(house, name="SALES")] == [waiting.pack_id, done.pack_id]

"""What comes again and again: queued once a period, however many workers a lane has and whenever they die."""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import text

from brickyard.kernel.errors import Conflict
from brickyard.queue.jobs import Queue
from brickyard.queue.registry import SCHEDULES, Schedule

_FIRST_SECONDS = 60.0  # the longest that a new worker waits before it does for the first time what is due rarely
_LONGEST_SECONDS, _SHORTEST_SECONDS = 30.0, 0.05  # between two looks
_BEGIN = text("""
    INSERT INTO queue_periods AS known (lane, task, due_at) VALUES (:lane, :task, now() + make_interval(secs => :first))
    ON CONFLICT (lane, task) DO UPDATE SET due_at = now() + make_interval(secs => :every)
    WHERE known.due_at > now() + make_interval(secs => :every)
""")
_LEFT = text("SELECT task, extract(epoch FROM due_at - now())::float AS seconds FROM queue_periods WHERE lane = :lane")
_CLAIM = text("""
    UPDATE queue_periods SET due_at = now() + make_interval(secs => :every)
    WHERE lane = :lane AND task = :task AND due_at <= now()
""")


def begin(queue: Queue) -> None:
    """Write down the first time of what has none, and bring forward what a shorter period makes due earlier."""
    with queue.metadata.transaction() as tx:
        for schedule in _active(queue):
            every = schedule.seconds(queue.settings)
            values = {"lane": queue.lane, "task": schedule.task, "every": every}
            tx.execute(_BEGIN, {**values, "first": min(every, _FIRST_SECONDS)})


def look(queue: Queue, context: object) -> float:
    """Queue what is due and has something to do, and return in how many seconds to look again."""
    with queue.metadata.read() as tx:
        left = {row.task: row.seconds for row in tx.execute(_LEFT, {"lane": queue.lane})}
        due = [one for one in _active(queue) if left.get(one.task, 1) <= 0]
        wanted = [one for one in due if one.due is None or one.due(context, tx)]
    for schedule in wanted:
        _fire(queue, schedule)
    waits = [left[one.task] for one in _active(queue) if left.get(one.task, 0) > 0]
    waits += [one.seconds(queue.settings) for one in due]
    return max(_SHORTEST_SECONDS, min([_LONGEST_SECONDS, *waits]))


def _active(queue: Queue) -> list[Schedule]:
    return [one for one in SCHEDULES.values() if one.seconds(queue.settings) > 0]


def _fire(queue: Queue, schedule: Schedule) -> None:
    """Queue a task unless another worker was faster, or one of it waits already."""
    name = f"{queue.lane}:{schedule.task}"
    values = {"lane": queue.lane, "task": schedule.task, "every": schedule.seconds(queue.settings)}
    with queue.metadata.transaction() as tx:
        if tx.execute(_CLAIM, values).rowcount:
            with suppress(Conflict):
                queue.defer(tx, schedule.task, lock=name, queueing_lock=name)

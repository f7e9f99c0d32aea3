"""Definitions that change: one row per version of a job, a pipeline, a cluster, a warehouse or a served entity."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brickyard.health.synthetic.draw import HOUR, MINUTE, Ints, Mask
from brickyard.health.synthetic.world import World

ALIVE = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Versions:
    """The versions of things: whose, the how manyeth of it, since when, and whether it ends the thing."""

    owner: Ints
    ordinal: Ints
    changed: Ints
    ends: Mask


def versions(
    rng: np.random.Generator, world: World, created: Ints, changes: float, deleted: Ints | None = None
) -> Versions:
    """Draw versions: one at creation, *changes* on average in the period, one at the deletion if there is any.

    Owner 4 changes twice within six hours, so that a source can deliver the two in the wrong order.
    """
    size, period = len(created), world.period
    gone = np.full(size, ALIVE) if deleted is None else deleted
    many = rng.poisson(changes, size)
    many[3] = max(1, many[3])
    changed = period.start + (rng.random(int(many.sum())) * (period.stop - period.start - HOUR)).astype(np.int64)
    twice = period.start + int((period.stop - period.start) * 0.3) + np.asarray([0, 6 * HOUR])
    ended = np.flatnonzero(gone != ALIVE)
    owner = np.concatenate([np.arange(size), np.repeat(np.arange(size), many), [4, 4], ended]).astype(np.int64)
    moment = np.concatenate([created, changed // MINUTE * MINUTE, twice, gone[ended]])
    ends = np.concatenate([np.zeros(len(owner) - len(ended), dtype=np.bool_), np.ones(len(ended), dtype=np.bool_)])
    alive = (moment >= created[owner]) & ((moment < gone[owner]) | ends)
    return _in_order(owner[alive], moment[alive], ends[alive])


def _in_order(owner: Ints, moment: Ints, ends: Mask) -> Versions:
    moment = moment + np.arange(len(moment), dtype=np.int64)  # no two versions of one thing share an instant
    order = np.lexsort((moment, owner))
    owner, moment = owner[order], moment[order]
    first = np.searchsorted(owner, owner)
    return Versions(owner, np.arange(len(owner), dtype=np.int64) - first, moment, ends[order])


def out_of_order(arrived: Ints, told: Versions) -> Ints:
    """Let the earlier of the two close changes of owner 4 arrive after the later one, by exchanging their arrivals."""
    own = np.flatnonzero(told.owner == 4)
    close = own[:-1][np.diff(told.changed[own]) <= 7 * HOUR]
    swapped = arrived.copy()
    for at in close:
        low, high = sorted((arrived[at], arrived[at + 1]))
        swapped[at], swapped[at + 1] = max(high, low + MINUTE), low
    early = swapped < told.changed
    swapped[early] = told.changed[early] + HOUR
    return swapped

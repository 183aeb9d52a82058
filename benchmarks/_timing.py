"""Times of acts that take turns, A B A B, so that a change in the machine's load meets them alike; their ratios."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple


class Spread(NamedTuple):
    """The median of several numbers, and the smallest and largest of them."""

    median: float
    low: float
    high: float


def in_turns(
    acts: Mapping[str, Callable[[], Any]],
    repeats: int,
    *,
    warmups: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each act, one a turn: first A then B then A again ...

    Args:
        acts: by name; each waits for its device itself. One that another process carries out gives back the seconds
            that it took there, a float, which stand in place of those seen from here.
        repeats: turns that are timed.
        warmups: turns before them that are not.
        clock: `time.process_time` where one process computes and the machine is shared; it counts all its threads'.
    """
    taken: dict[str, list[float]] = {name: [] for name in acts}
    for turn in range(warmups + repeats):
        for name, act in acts.items():
            started = clock()
            there = act()
            here = clock() - started
            if turn >= warmups:
                taken[name].append(there if isinstance(there, float) else here)
    return taken


def spread(values: Sequence[float]) -> Spread:
    """Example: `spread([3.0, 1.0, 2.0])` is 2, from 1 to 3."""
    return Spread(statistics.median(values), min(values), max(values))


def ratio(above: Sequence[float], below: Sequence[float]) -> Spread:
    """How many times as long the one takes as the other, turn by turn: both times of a turn saw the same load."""
    return spread([a / b for a, b in zip(above, below, strict=True)])

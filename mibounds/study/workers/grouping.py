"""Groups of packs that are worth a journey: minutes of work each where there is that much, however short a pack."""

from __future__ import annotations

import math
from collections.abc import Sequence

SHORTEST_SECONDS, LONGEST_SECONDS = 20.0, 600.0
ROUNDS = 3  # groups that a worker gets, so that those who are done early take some of the rest


def grouped(seconds: Sequence[float], n_workers: int, longest: float = LONGEST_SECONDS) -> list[range]:
    """Cut a row of packs into groups of consecutive ones.

    Each group lasts as long as it takes to keep all workers busy for a few rounds; but no less than twenty seconds, so
    that a worker's start does not matter, and, unless a single pack does, no more than `longest`.

    Args:
        seconds: of each pack, as guessed.
        n_workers: groups that are measured at the same time.
        longest: in seconds.

    Returns:
        The groups' indices, in order; together all of them, each once.

    Example:
        >>> grouped([10.0] * 8, n_workers=1)
        [range(0, 2), range(2, 4), range(4, 6), range(6, 8)]
        >>> grouped([0.001] * 10_000, n_workers=2), grouped([1000.0] * 3, n_workers=2)
        ([range(0, 10000)], [range(0, 1), range(1, 2), range(2, 3)])
    """
    target = min(max(sum(seconds) / (ROUNDS * n_workers), SHORTEST_SECONDS), longest)
    groups: list[range] = []
    start, taken = 0, 0.0
    for i, one in enumerate(seconds):
        if i > start and taken + one > target * (1 + 1e-9):
            groups.append(range(start, i))
            start, taken = i, 0.0
        taken += one
    return [*groups, range(start, len(seconds))] if len(seconds) else groups


def evenly(n: int, n_groups: int) -> list[range]:
    """Groups of as many packs each, where nothing is known of their seconds.

    Example:
        >>> evenly(5, 2), evenly(2, 5)
        ([range(0, 3), range(3, 5)], [range(0, 1), range(1, 2)])
    """
    size = math.ceil(n / n_groups) or 1
    return [range(start, min(start + size, n)) for start in range(0, n, size)]

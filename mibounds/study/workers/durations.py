"""How long packs will take, guessed from the cells in their folder that are finished."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from pathlib import Path

from mibounds.study.engines.base import Task
from mibounds.study.store import Store
from mibounds.study.study import Point

SAMPLE = 64
BESIDE_SECONDS = 0.01  # of a pack, beside its cells: sending it and storing what it gave


def guessed_seconds(tasks: Sequence[Task]) -> list[float] | None:
    """Seconds of each task: its cells times the mean of the finished ones that share most of its axis values.

    None if no cell of these settings is finished. A guess: groups are cut by it, and nothing else depends on it.
    """
    known = _finished(tasks[0])
    if not known:
        return None
    guesses: dict[tuple[object, ...], float] = {}  # tasks that differ in the replicate alone share theirs
    for task in tasks:
        kind = _kind(task)
        if kind not in guesses:
            guesses[kind] = _like(task.points[0], known)
    return [BESIDE_SECONDS + len(task.points) * guesses[_kind(task)] for task in tasks]


def _kind(task: Task) -> tuple[object, ...]:
    return tuple(task.points[0].values())[:-1]


def _like(point: Point, known: Sequence[tuple[Point, float]]) -> float:
    shared = [sum(other.get(axis) == value for axis, value in point.items()) for other, _ in known]
    most = max(shared)
    return statistics.fmean(seconds for n, (_, seconds) in zip(shared, known, strict=True) if n == most)


def _finished(task: Task) -> list[tuple[Point, float]]:
    """Some cells of the folder, spread over all: their names are hashes."""
    store = Store(Path(task.folder))
    found = []
    for name in sorted(store.present())[: 4 * SAMPLE]:
        try:
            payload = json.loads(store.path(name).read_bytes())
            if payload["settings"] == task.settings:
                found.append((dict(payload["point"]), float(payload["seconds"])))
        except (OSError, ValueError, KeyError, TypeError):  # a spoilt cell is the runner's to find
            continue
        if len(found) == SAMPLE:
            break
    return found

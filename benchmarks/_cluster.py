"""A cluster in simulated time whose nodes fail, under the scheduling code that the Ray engine runs."""

from __future__ import annotations

import heapq
import itertools
import random
import time
from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mibounds.study import Cell, Measurement, Study
from mibounds.study.engines.base import Ended, Engine, Started, Task
from mibounds.study.engines.ray import _in_groups
from mibounds.study.store import Store, content_of
from mibounds.study.workers.ledger import Group, Ledger

START_SECONDS = 10.0  # of a worker, for each group
REPAIR_SECONDS = 600.0


@dataclass
class Account:
    """What happened, in simulated seconds but for `writing_seconds`, which are the processor's and the workers' work.

    Attributes:
        worked: seconds of packs that ended well.
        wasted: seconds of packs that were lost on the way.
    """

    clock: float = 0.0
    node_failures: int = 0
    packs_lost: int = 0
    worked: float = 0.0
    wasted: float = 0.0
    failed: int = 0
    groups: int = 0
    writing_seconds: float = 0.0


@dataclass(eq=False)
class _Place:
    """A slot of a node, and what is on it."""

    node: int
    group: Group | None = None
    started: float = 0.0
    number: int = -1
    turn: int = field(default=0)  # of its events: older ones in the queue count no more


class SimulatedCluster(Engine):
    """Nodes with slots; each node fails at exponential times and comes back after a repair.

    Groups, retries and events are those of the Ray engine: its ledger, its way to cut groups. Only where it would
    hand a group to Ray stands this simulation, which stores a pack's cells when its time is up, and of a pack that
    is lost midway those that were done.

    Args:
        mean_hours: between failures of one node; None for none.
        seconds_of: of a cell, from its point.
    """

    def __init__(
        self, study: Study, nodes: int, slots: int, mean_hours: float | None, seconds_of: Any, seed: int = 0
    ):
        self.study, self.mean_hours, self.seconds_of = study, mean_hours, seconds_of
        self.slots, self.account = nodes * slots, Account()
        self._random = random.Random(seed)
        self._ledger = Ledger()
        self._places = [_Place(node) for node in range(nodes) for _ in range(slots)]
        self._down: set[int] = set()
        self._free = deque(self._places)
        self._waiting: deque[Group] = deque()
        self._busy = 0
        self._order = itertools.count()
        self._queue: list[tuple[float, int, Any]] = []
        if mean_hours is not None:
            for node in range(nodes):
                self._at(self._until_failure(), ("fails", node))

    def facts(self) -> dict[str, Any]:
        return {"engine": "simulated", "workers": self.slots, "device": "none", "device_name": "none"}

    def run(self, tasks: Sequence[Task], device: str) -> Generator[Started | Ended | None]:
        yield from _in_groups(self, tasks, self.slots)  # type: ignore[arg-type]

    def send(self, group: Group) -> None:
        """As of `_Sent`: the group waits for a free slot."""
        self.account.groups += 1
        self._waiting.append(group)

    def events(self) -> Generator[Started | Ended | None]:
        """As of `_Sent`: until all groups are over."""
        while self._waiting or self._busy:
            while self._waiting and self._free:
                if (place := self._free.popleft()).node not in self._down:
                    place.group, place.number = self._waiting.popleft(), -1
                    self._busy += 1
                    yield from self._next(place, START_SECONDS)
            self.account.clock, _, what = heapq.heappop(self._queue)
            match what:
                case ("ends", place, turn) if turn == place.turn:
                    yield from self._end(place)
                case ("fails", node):
                    yield from self._fail(node)
                case ("returns", node):
                    self._down.discard(node)
                    self._free += [place for place in self._places if place.node == node]
                    self._at(self._until_failure(), ("fails", node))

    def _at(self, later: float, what: Any) -> None:
        heapq.heappush(self._queue, (self.account.clock + later, next(self._order), what))

    def _until_failure(self) -> float:
        assert self.mean_hours is not None
        return self._random.expovariate(1 / (3600 * self.mean_hours))

    def _task(self, place: _Place) -> Task:
        assert place.group is not None
        return place.group.tasks[place.number]

    def _seconds(self, task: Task) -> float:
        return sum(map(self.seconds_of, task.points))

    def _next(self, place: _Place, start: float = 0.0) -> Generator[Started | Ended | None]:
        """Take up the next task of the group, or be free."""
        assert place.group is not None
        left = place.group.left
        if not left:
            place.group = None
            self._busy -= 1
            self._free.append(place)
            return
        place.number, place.started, place.turn = left[0], self.account.clock + start, place.turn + 1
        yield self._ledger.hear(place.group, {"event": "started", "task": place.number})
        self._at(start + self._seconds(self._task(place)), ("ends", place, place.turn))

    def _end(self, place: _Place) -> Generator[Started | Ended | None]:
        assert place.group is not None
        task = self._task(place)
        self._store(task, len(task.points))
        self.account.worked += self._seconds(task)
        told = {"event": "ended", "task": place.number, "kind": "done", "reason": "", "trace": "", "note": ""}
        yield self._ledger.hear(place.group, told)
        yield from self._next(place)

    def _fail(self, node: int) -> Generator[Started | Ended | None]:
        self.account.node_failures += 1
        self._down.add(node)
        self._free = deque(place for place in self._free if place.node != node)
        for place in self._places:
            if place.node != node or place.group is None:
                continue
            task, gone = self._task(place), max(0.0, self.account.clock - place.started)
            self._store(task, int(len(task.points) * gone / self._seconds(task)))
            self.account.wasted += gone
            self.account.packs_lost += 1
            ended, again = self._ledger.lose(place.group, "its node was lost")
            place.group, place.turn = None, place.turn + 1
            self._busy -= 1
            for group in again:
                self.send(group)
            self.account.failed += len(ended)
            yield from ended
        self._at(REPAIR_SECONDS, ("returns", node))

    def _store(self, task: Task, n_done: int) -> None:
        """The files that a worker would leave, without its care for a kill in the midst of one."""
        started, store = time.process_time(), Store(Path(task.folder))
        for point in task.points[:n_done]:
            cell = Cell(self.study, point, task.settings)
            path = store.path(cell.id)
            if not path.exists():
                row = {"estimate_nats": (cell.seed("data") % 1000) / 1000, "status": "ok"}
                path.write_text(
                    content_of(cell, Measurement(row), self.seconds_of(point), {"device": "none"})
                )
        self.account.writing_seconds += time.process_time() - started

"""Groups that were sent away: what is heard of them, and what becomes of those whose machine was lost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from mibounds.errors import ParameterError
from mibounds.study.engines.base import Ended, Started, Task, halved, in_parts
from mibounds.study.workers.group import Event

RETRIES = 3


@dataclass(eq=False)
class Group:
    """Tasks that travel together, one measured after the other.

    Attributes:
        running: number of the one that was started last, unless it has ended.
        ended: numbers of those that have.
    """

    tasks: Sequence[Task]
    running: int | None = None
    ended: set[int] = field(default_factory=set)

    @property
    def left(self) -> list[int]:
        return [number for number in range(len(self.tasks)) if number not in self.ended]


class Ledger:
    """Keeps account of all groups of a run.

    Attributes:
        here: what groups said of where they were, by node.
    """

    def __init__(self) -> None:
        self.here: dict[str, dict[str, Any]] = {}
        self._losses: Counter[int] = Counter()
        self._halved: dict[int, Task] = {}
        self._notes: dict[int, str] = {}

    def requests(self, group: Group) -> list[tuple[int, dict[str, Any]]]:
        """What `group.serve` takes."""
        return [
            (number, self._halved.get(id(task), task).as_dict())
            for number in group.left
            for task in [group.tasks[number]]
        ]

    def hear(self, group: Group, event: Event) -> Started | Ended | None:
        """What an event means to the runner.

        Raises: ParameterError if the group was refused where it came to.
        """
        kind, number = event["event"], event.get("task")
        if kind == "refused":
            raise ParameterError(event["reason"])
        if kind == "here":
            self.here[event["node"]] = event
        elif kind == "started":
            group.running = number
            return Started(group.tasks[event["task"]])
        elif kind == "ended":
            group.running = None
            group.ended.add(event["task"])
            task = group.tasks[event["task"]]
            note = event["note"] or self._notes.get(id(task), "")
            return Ended(task, event["kind"], event["reason"], event["trace"], note)
        return None

    def lose(self, group: Group, reason: str, for_memory: bool = False) -> tuple[list[Ended], list[Group]]:
        """The group's machine or process was lost: which tasks end by that, and what to send anew.

        The task that was running, or the first that was not started yet, is tried again by itself, in halves if memory
        was short; with its last try it has failed. The others are not to blame.
        """
        if not group.left:
            return [], []
        number = group.left[0] if group.running is None else group.running
        task, rest = group.tasks[number], [group.tasks[other] for other in group.left if other != number]
        again = [Group(rest)] if rest else []
        current = self._halved.get(id(task), task)
        narrower = halved(current) if for_memory else None
        if narrower is not None:
            self._halved[id(task)] = narrower
            self._notes[id(task)] = f"{reason}; {in_parts(narrower)}"
            return [], [*again, Group([task])]
        self._losses[id(task)] += 1
        if for_memory or self._losses[id(task)] > RETRIES:
            times = "" if for_memory else f", {self._losses[id(task)]} times"
            return [Ended(task, "failed", f"{reason}{times}")], again
        self._notes[id(task)] = reason
        return [], [*again, Group([task])]

    def facts(self) -> dict[str, Any]:
        """For the record; without names of machines."""
        there = list(self.here.values())
        found = {name: sorted({str(one[name]) for one in there}) for name in ("device", "device_name")}
        return {"nodes": len(there)} | {name: ", ".join(values) for name, values in found.items()}

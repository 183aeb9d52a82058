"""Groups of packs, guesses of their seconds, and the account of groups that were sent away."""

from __future__ import annotations

import dataclasses
import random
import time

import pytest

from mibounds.errors import ParameterError
from mibounds.study import make_grid
from mibounds.study.engines.base import Ended, Started, Task
from mibounds.study.workers.durations import guessed_seconds
from mibounds.study.workers.group import gathered
from mibounds.study.workers.grouping import LONGEST_SECONDS, SHORTEST_SECONDS, evenly, grouped
from mibounds.study.workers.job import Job, Log
from mibounds.study.workers.ledger import RETRIES, Group, Ledger


def task(n_cells: int = 1, folder: str = "", **point: object) -> Task:
    points = [{"kind": "a", "replicate": i, **point} for i in range(n_cells)]
    return Task(
        "s.py", "", folder, f"{point} x{n_cells}", points, {"shift": 0.5}, [str(i) for i in range(n_cells)]
    )


@pytest.mark.parametrize("seed", range(20))
def test_groups_hold_each_pack_once_in_order_and_last_minutes(seed: int):
    draw = random.Random(seed)
    scale, n_workers = 10 ** draw.uniform(-4, 4), draw.randint(1, 200)
    seconds = [draw.expovariate(1 / scale) for _ in range(draw.randint(1, 2000))]
    groups = grouped(seconds, n_workers)
    assert [i for group in groups for i in group] == list(range(len(seconds)))
    sums = [sum(seconds[i] for i in group) for group in groups]
    assert all(total <= LONGEST_SECONDS * 1.001 or len(g) == 1 for total, g in zip(sums, groups, strict=True))
    for total, group, following in zip(sums, groups, groups[1:], strict=False):
        assert total + seconds[following[0]] > SHORTEST_SECONDS * 0.999, (group, "is too short to travel")


def test_groups_are_equal_where_nothing_is_known():
    for n in (1, 7, 54, 1000):
        groups = evenly(n, 64)
        assert [i for group in groups for i in group] == list(range(n)) and len(groups) <= 64
    assert evenly(10_000, 4) == [range(start, start + 2500) for start in (0, 2500, 5000, 7500)]


def test_seconds_are_guessed_from_what_is_most_alike(toy, run):
    folder = str(run(toy).folder)
    tasks = [task(3, folder, scale=scale, kind=kind) for scale in (1.0, 2.0) for kind in ("a", "b")]
    for path in (run(toy).folder / "cells").glob("*.json"):
        text = path.read_text()
        at = text.index('"seconds": ') + len('"seconds": ')
        taken = "10.0" if '"kind": "b"' in text else "1.0"
        path.write_text(text[:at] + taken + text[text.index(",", at) :])
    assert guessed_seconds(tasks) == pytest.approx([3.0, 30.0, 3.0, 30.0], abs=0.1)
    other = [dataclasses.replace(one, settings={"shift": 0.25}) for one in tasks]
    assert guessed_seconds(other) is None, "cells of other settings say nothing"
    assert guessed_seconds([task(1, folder + "/nowhere")]) is None
    assert len(make_grid(toy).cells) == 12


def ended(number: int, kind: str = "done", note: str = "") -> dict:
    return {"event": "ended", "task": number, "kind": kind, "reason": "", "trace": "", "note": note}


def test_who_was_running_is_tried_again_alone_and_fails_in_the_end():
    ledger, tasks = Ledger(), [task(), task(), task()]
    group = Group(tasks)
    assert ledger.hear(group, ended(0)) == Ended(tasks[0], "done")
    assert ledger.hear(group, {"event": "started", "task": 2}) == Started(tasks[2])
    over, again = ledger.lose(group, "the node went")
    assert over == [] and [one.tasks for one in again] == [[tasks[1]], [tasks[2]]]
    for _ in range(RETRIES - 1):
        over, again = ledger.lose(again[-1], "the node went")
        assert over == [] and [one.tasks for one in again] == [[tasks[2]]]
    over, again = ledger.lose(again[-1], "the node went")
    assert over == [Ended(tasks[2], "failed", "the node went, 4 times")] and again == []
    assert ledger.lose(Group([tasks[0]], ended={0}), "it was done") == ([], [])


def test_a_machine_without_memory_halves_the_pack_that_was_running():
    ledger, wide = Ledger(), task(3)
    group = Group([wide])
    for width in (2, 1):
        over, (group,) = ledger.lose(group, "no memory", for_memory=True)
        ((number, request),) = ledger.requests(group)
        assert over == [] and number == 0 and request["width"] == width
    heard = ledger.hear(group, ended(0))
    assert heard.task is wide and heard.note == "no memory; its 3 cells are measured 1 at a time"
    over, again = ledger.lose(Group([wide]), "no memory", for_memory=True)
    assert over == [Ended(wide, "failed", "no memory")] and again == []


def test_a_group_that_is_refused_where_it_comes_to_is_the_users_input():
    with pytest.raises(ParameterError, match="no CUDA device"):
        Ledger().hear(Group([task()]), {"event": "refused", "reason": "no CUDA device"})


def test_facts_count_nodes_and_name_none():
    ledger = Ledger()
    for node in ("one", "two", "one"):
        ledger.hear(Group([]), {"event": "here", "node": node, "device": "cuda", "device_name": "H100"})
    assert ledger.facts() == {"nodes": 2, "device": "cuda", "device_name": "H100"}


def job(log: Log, seconds: float) -> Job:
    one = Job([], "cpu", 1, None, log.path, seconds)
    one()  # an empty group: it notes when it began
    return one


@pytest.mark.parametrize(("seconds", "fails"), [(0.0, True), (3600.0, False)])
def test_a_pack_that_had_all_of_a_jobs_time_has_failed(seconds: float, fails: bool, tmp_path, monkeypatch):
    pytest.importorskip("submitit", reason="submitit is not installed")
    monkeypatch.setattr("mibounds.study.workers.job.serve", lambda *arguments: iter(()))
    log = Log(tmp_path / "log.jsonl")
    stopped = job(log, seconds)
    for event in ({"event": "here"}, ended(0), {"event": "here"}, {"event": "started", "task": 1}):
        log.append(event)
    log.new()
    assert stopped.checkpoint().function is stopped
    assert [(event["task"], event["kind"]) for event in log.new()] == [(1, "failed")] * fails


def test_a_pack_that_came_after_others_has_its_next_chance(tmp_path, monkeypatch):
    pytest.importorskip("submitit", reason="submitit is not installed")
    monkeypatch.setattr("mibounds.study.workers.job.serve", lambda *arguments: iter(()))
    log = Log(tmp_path / "log.jsonl")
    stopped = job(log, 0.0)
    for event in (
        {"event": "here"},
        {"event": "started", "task": 0},
        ended(0),
        {"event": "started", "task": 1},
    ):
        log.append(event)
    log.new()
    stopped.checkpoint()
    assert log.new() == []


def test_events_are_gathered_and_none_is_lost():
    def events():
        for number in range(1000):
            if number in (0, 500):
                time.sleep(0.3)
            yield {"event": "started", "task": number}

    lists = list(gathered(events()))
    assert [event["task"] for one in lists for event in one] == list(range(1000))
    assert 2 <= len(lists) <= 6


def test_what_ends_badly_while_events_are_gathered_ends_badly():
    def events():
        yield {"event": "here"}
        raise RuntimeError("no good")

    with pytest.raises(RuntimeError, match="no good"):
        list(gathered(events()))


def test_a_line_that_is_being_written_is_read_when_it_is_whole(tmp_path):
    log = Log(tmp_path / "log.jsonl")
    assert log.new() == []
    log.append({"event": "here"})
    with log.path.open("a") as file:
        file.write('{"event": "ov')
        file.flush()
        assert log.new() == [{"event": "here"}]
        file.write('er"}\n')
    assert log.new() == [{"event": "over"}]

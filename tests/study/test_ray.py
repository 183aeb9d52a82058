"""The Ray engine, on one Ray of this machine for all tests but those that end it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from mibounds import study
from mibounds.errors import ParameterError
from mibounds.study import RunFailed, engines, make_grid
from mibounds.study.engines import ray as engine_of_ray
from mibounds.study.runner import _tasks
from tests.study.processes import SLEEPER, is_running, wait_until, workers_of

pytest.importorskip("ray", reason="Ray is not installed: pip install 'mibounds[ray]'")
DRIVER = """
import sys
from mibounds import study
from mibounds.study import engines
study.run(study.load(sys.argv[1]), "full", sys.argv[2], device="cpu", engine=engines.make("ray"))
"""
KILLS_ITS_RAY_WORKER = """
def measure(pack):
    mark = Path(__file__).parent / "killed"
    if pack.cells[0]["kind"] == "a" and {when}:
        mark.touch(); os.kill(os.getppid(), signal.SIGKILL); time.sleep(60)
    return [Measurement(row(cell)) for cell in pack.cells]
FIELDS["measure"] = measure
FIELDS["width"] = 6
"""


@pytest.fixture(scope="module")
def connected() -> Iterator[None]:
    """A Ray with two cores, which the engine then uses and leaves."""
    ray = engine_of_ray._ray(here=True)
    ray.init("local", **(engine_of_ray._started_here(None) | {"num_cpus": 2}), logging_level="ERROR")
    yield
    ray.shutdown()


def test_the_table_is_the_local_engines(connected, toy, run, tmp_path: Path):
    here = run(toy).table.drop(columns="seconds")
    there = run(toy, out=tmp_path / "ray", engine=engines.make("ray"), device="auto")
    pd.testing.assert_frame_equal(there.table.drop(columns="seconds"), here)
    record = there.record
    facts = {name: record[name] for name in ("engine", "workers", "nodes", "device", "device_name")}
    assert facts == {"engine": "ray", "workers": 2, "nodes": 1, "device": "cpu", "device_name": "cpu"}
    assert study.check(toy, there.folder) == []


def test_what_was_lost_with_a_worker_is_sent_anew(connected, write_study, run, lines):
    toy = study.load(write_study(KILLS_ITS_RAY_WORKER.format(when="not mark.exists()")))
    assert len(run(toy, engine=engines.make("ray")).table) == 12
    assert "tried again: kind=a x6: lost by Ray (WorkerCrashedError" in lines.getvalue()


def test_who_loses_every_worker_has_failed_and_the_others_go_on(connected, write_study, run, monkeypatch):
    monkeypatch.setattr("mibounds.study.workers.ledger.RETRIES", 1)
    toy = study.load(write_study(KILLS_ITS_RAY_WORKER.format(when="True")))
    with pytest.raises(RunFailed, match="6 of 12") as caught:
        run(toy, engine=engines.make("ray"))
    assert (
        "kind=a" in caught.value.failures[0] and "lost by Ray (WorkerCrashedError" in caught.value.failures[0]
    )
    assert caught.value.failures[0].endswith(", 2 times")


def test_a_run_that_is_stopped_leaves_no_worker(connected, write_study, tmp_path: Path):
    """Ctrl-C closes the engine's events; so does the test."""
    toy = study.load(write_study(SLEEPER))
    (tmp_path / "out" / "cells").mkdir(parents=True)
    events = engines.make("ray").run(_tasks(make_grid(toy), tmp_path / "out", set()), "cpu")
    assert wait_until(lambda: next(events) is None and len(workers_of(toy)) == 2, seconds=60)
    assert any(map(is_running, workers_of(toy)))
    events.close()
    assert wait_until(lambda: not any(map(is_running, workers_of(toy))))
    assert study.status(toy, "full", tmp_path / "out").done == 2


def test_a_killed_runner_takes_its_ray_and_all_workers_with_it(write_study, tmp_path: Path):
    toy = study.load(write_study(SLEEPER))
    runner = subprocess.Popen([sys.executable, "-c", DRIVER, str(toy.file), str(tmp_path / "out")])
    assert wait_until(lambda: len(workers_of(toy)) >= min(2, len(os.sched_getaffinity(0))), seconds=120)
    runner.kill()
    runner.wait()
    assert wait_until(lambda: not any(map(is_running, workers_of(toy))), seconds=30)


def test_more_than_there_is(connected, toy, run):
    with pytest.raises(ParameterError, match="a pack asks for 99 cores and 0 GPUs; here are 2 and 0"):
        run(toy, engine=engines.make("ray", cpus_per_pack=99))
    with pytest.raises(ParameterError, match="no CUDA device"):
        run(toy, engine=engines.make("ray"), device="cuda")

"""Runs that are killed, stopped or doubled end with the table of an undisturbed one."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from mibounds import study
from mibounds.study import Study
from tests.study.processes import is_running, wait_until, workers_of

DRIVER = """
import sys
from mibounds import study
study.run(study.load(sys.argv[1]), "full", sys.argv[2], device="cpu", workers=2)
"""
SLOW = """
def measure(pack):
    for cell in pack.cells:
        time.sleep(0.01)
        yield Measurement(row(cell), curve=[{"step": step} for step in range(50)])
FIELDS["measure"] = measure
FIELDS["presets"] = {"full": {"replicates": 40}}
"""
N_KILLS = 20


def start(path: Path, out: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", DRIVER, str(path), str(out)]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)


def table_of(folder: Path) -> pd.DataFrame:
    return study.read_results(folder)[1]["table"].drop(columns="seconds")


def wait_for_cells(of: Study, out: Path, more: int) -> None:
    before = study.status(of, "full", out)
    target = min(before.done + more, before.total)
    wait_until(lambda: study.status(of, "full", out).done >= target)


@pytest.fixture
def slow(write_study) -> Study:
    return study.load(write_study(SLOW))


@pytest.fixture
def undisturbed(slow: Study, run, tmp_path: Path) -> pd.DataFrame:
    return run(slow, out=tmp_path / "undisturbed", workers=2).table.drop(columns="seconds")


def test_killed_at_twenty_moments_and_resumed(slow: Study, undisturbed: pd.DataFrame, tmp_path: Path):
    """Every other time the workers die with the runner, in the midst of writing for all we know."""
    out, moments = tmp_path / "out", random.Random(0)
    finished = []
    for kill in range(N_KILLS):
        process = start(slow.file, out)
        if kill % 4 < 2:  # however slow the machine, half of the kills fall among the cells
            wait_for_cells(slow, out, moments.randint(1, 10))
        time.sleep(moments.uniform(0.0, 0.4))
        os.killpg(process.pid, signal.SIGKILL) if kill % 2 else process.kill()
        process.communicate()
        finished.append(study.status(slow, "full", out).done)
    assert finished == sorted(finished), "a finished cell stays finished"
    assert 0 < finished[2] < len(undisturbed), "the kills fell into the work, not before or after it"

    last = start(slow.file, out)
    assert "cannot be used" not in last.communicate()[1]
    assert last.returncode == 0
    pd.testing.assert_frame_equal(table_of(out), undisturbed)
    assert study.check(slow, out) == []


def test_two_runners_on_one_folder(slow: Study, undisturbed: pd.DataFrame, tmp_path: Path):
    out = tmp_path / "out"
    runners = [start(slow.file, out) for _ in range(2)]
    said = [runner.communicate()[1] for runner in runners]
    assert [runner.returncode for runner in runners] == [0, 0], said
    pd.testing.assert_frame_equal(table_of(out), undisturbed)
    assert study.check(slow, out) == []
    assert not [path for path in out.rglob("*") if ".tmp" in path.name]


@pytest.fixture
def sleeper(write_study) -> Study:
    """Writes down its worker's process id, finishes one cell, then sleeps through the second."""
    return study.load(
        write_study(
            "def measure(pack):\n"
            "    (Path(__file__).parent / f'worker_{os.getpid()}').touch()\n"
            "    yield Measurement(row(pack.cells[0]))\n"
            "    time.sleep(60)\n"
            "FIELDS['measure'] = measure\n"
        )
    )


def test_no_process_of_a_worker_outlives_a_killed_runner(write_study, tmp_path: Path):
    sleeper = study.load(
        write_study(
            "def measure(pack):\n"
            "    forked = os.fork() or time.sleep(60)\n"
            "    for process in (os.getpid(), forked):\n"
            "        (Path(__file__).parent / f'worker_{process}').touch()\n"
            "    time.sleep(60)\n"
            "FIELDS['measure'] = measure\n"
        )
    )
    runner = start(sleeper.file, tmp_path / "out")
    assert wait_until(lambda: len(workers_of(sleeper)) == 4)
    runner.kill()
    runner.wait()
    assert wait_until(lambda: not any(map(is_running, workers_of(sleeper))), seconds=3)


def test_no_worker_outlives_a_killed_runner(sleeper: Study, tmp_path: Path):
    runner = start(sleeper.file, tmp_path / "out")
    assert wait_until(lambda: len(workers_of(sleeper)) == 2)
    assert all(map(is_running, workers_of(sleeper)))
    runner.kill()
    runner.wait()
    assert wait_until(lambda: not any(map(is_running, workers_of(sleeper))), seconds=3)


@pytest.mark.parametrize("to_all", [False, True])
def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(sleeper: Study, tmp_path: Path, to_all: bool):
    """A terminal sends it to the workers too."""
    out = tmp_path / "out"
    runner = start(sleeper.file, out)
    assert wait_until(lambda: study.status(sleeper, "full", out).done == 2)
    os.killpg(runner.pid, signal.SIGINT) if to_all else runner.send_signal(signal.SIGINT)
    said = runner.communicate(timeout=10)[1]
    assert "stopped: 2 of 12 cells are finished; the same command goes on from there" in said
    assert runner.returncode == -signal.SIGINT
    assert said.count("Traceback") == 1, "the runner's own, none of a worker"
    assert wait_until(lambda: not any(map(is_running, workers_of(sleeper))), seconds=3)
    assert study.status(sleeper, "full", out).done == 2

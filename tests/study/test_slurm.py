"""The Slurm engine by submitit's jobs on this machine. On a real Slurm, `python -m benchmarks slurm` goes further."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd
import pytest

from mibounds import study
from mibounds.errors import ParameterError
from mibounds.study import engines, make_grid
from mibounds.study.engines import slurm
from mibounds.study.runner import _tasks
from mibounds.study.workers import batch
from tests.study.processes import SLEEPER, is_running, wait_until, workers_of

pytest.importorskip("submitit", reason="submitit is not installed: pip install 'mibounds[slurm]'")
SIGNALS_ITS_JOB = """
def measure(pack):
    mark = Path(__file__).parent / "signalled"
    if pack.cells[0]["kind"] == "a" and not mark.exists():
        mark.touch(); os.kill(os.getppid(), signal.{signal}); time.sleep(60)
    return [Measurement(row(cell)) for cell in pack.cells]
FIELDS["measure"] = measure
FIELDS["width"] = 6
"""


def local(**options) -> engines.Engine:
    return engines.make("slurm", cluster="local", jobs=2, **options)


def test_the_table_is_the_local_engines_and_jobs_leave_nothing(toy, run, tmp_path: Path):
    here = run(toy).table.drop(columns="seconds")
    there = run(toy, out=tmp_path / "slurm", engine=local())
    pd.testing.assert_frame_equal(there.table.drop(columns="seconds"), here)
    facts = {name: there.record[name] for name in ("engine", "workers", "nodes", "device", "device_name")}
    assert facts == {
        "engine": "slurm (local)",
        "workers": 2,
        "nodes": 1,
        "device": "cpu",
        "device_name": "cpu",
    }
    assert {path.suffix for path in (there.folder / "cells").iterdir()} == {".json"}


def test_a_job_that_must_give_way_is_queued_anew_and_goes_on(write_study, run, lines):
    """SIGUSR2 is what Slurm sends before it ends a job; submitit hears it."""
    toy = study.load(write_study(SIGNALS_ITS_JOB.format(signal="SIGUSR2")))
    assert len(run(toy, engine=local()).table) == 12
    assert "tried again" not in lines.getvalue(), "nothing was lost"


def test_a_job_that_was_lost_is_sent_anew(write_study, run, lines, monkeypatch):
    monkeypatch.setattr(slurm, "LOST_AFTER_SECONDS", 0.6)
    toy = study.load(write_study(SIGNALS_ITS_JOB.format(signal="SIGKILL")))
    assert len(run(toy, engine=local()).table) == 12
    assert "tried again: kind=a x6: its job " in lines.getvalue()


def test_a_run_that_is_stopped_cancels_its_jobs(write_study, tmp_path: Path):
    toy = study.load(write_study(SLEEPER))
    (tmp_path / "out" / "cells").mkdir(parents=True)
    events = local().run(_tasks(make_grid(toy), tmp_path / "out", set()), "cpu")
    assert wait_until(lambda: next(events) is None and len(workers_of(toy)) == 2, seconds=30)
    events.close()
    assert wait_until(lambda: not any(map(is_running, workers_of(toy))))
    assert study.status(toy, "full", tmp_path / "out").done == 2


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"gpus_per_pack": 0.25}, "gpus per pack must be whole with slurm; got 0.25"),
        ({"cluster": "aws"}, "cluster must be one of slurm, local; got 'aws'"),
        ({"minutes": 0}, "minutes must be at least 1; got 0"),
        ({"minutes": 10, "limit": 10}, "a pack's limit of 10 minutes must be less than a job's, 10"),
    ],
)
def test_what_cannot_be_is_refused(options: dict, said: str):
    with pytest.raises(ParameterError) as caught:
        engines.make("slurm", **{"cluster": "local"} | options)
    assert str(caught.value) == said


def test_without_slurm_it_says_so(monkeypatch, tmp_path: Path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ParameterError, match=r"sbatch on the path; --cluster local tries"):
        engines.make("slurm")


COMMANDS = {
    "squeue": """case "$*" in *7*) printf '7_1\\n7_3\\n';; *) echo 'Invalid job id' >&2; exit 1;; esac""",
    "scontrol": 'echo "JobId=9 JobName=mibounds"; echo "   JobState=OUT_OF_MEMORY Reason=OutOfMemory"',
    "sbatch": 'echo "sbatch: error: invalid partition specified: nowhere" >&2; exit 1',
    "srun": "exit 1",
}


@pytest.fixture
def commands(tmp_path: Path, monkeypatch) -> Path:
    """What Slurm's commands answer, as of Slurm 22.05."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, script in COMMANDS.items():
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(folder), os.environ["PATH"]]))
    return folder


def test_slurms_answers_are_understood(commands: Path):
    assert batch.alive(["7_1", "7_2", "7_3"]) == {"7_1", "7_3"}
    assert batch.alive(["8"]) == set(), "jobs that Slurm has forgotten are gone"
    assert batch.state("9") == "OUT_OF_MEMORY"
    (commands / "squeue").write_text("#!/bin/sh\necho 'Unable to contact slurm controller' >&2; exit 1\n")
    assert batch.alive(["7_1"]) is None, "no answer says nothing about jobs"


def test_what_sbatch_refuses_is_one_line(commands: Path, toy, run):
    with pytest.raises(ParameterError) as caught:
        run(toy, engine=engines.make("slurm", partition="nowhere"))
    assert "invalid partition specified: nowhere" in str(caught.value) and "\n" not in str(caught.value)
    assert not (run(toy).folder / "cells" / "slurm").exists()

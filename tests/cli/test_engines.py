"""`mibounds run --engine`: each option reaches its engine, and no other one takes it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from mibounds.cli.engine_options import OPTIONS, engine_of
from mibounds.cli.main import mibounds as group
from mibounds.study import engines

MISTAKES = {
    "engine": (("--engine", "ry"), "unknown engine 'ry'; did you mean 'ray'?"),
    "ray's with local": (("--address", "auto"), "--address belongs to the engine ray, not to local"),
    "slurm's with ray": (
        ("--engine", "ray", "--partition", "gpu"),
        "--partition belongs to the engine slurm, not to ray",
    ),
    "two engines' with local": (
        ("--gpus-per-pack", "0.25"),
        "--gpus-per-pack belongs to the engine ray and slurm, not to local",
    ),
    "local's with slurm": (
        ("--engine", "slurm", "--workers", "2"),
        "--workers belongs to the engine local, not to slurm",
    ),
    "no limit": (("--limit", "0"), "the limit of a pack must be a number of minutes, more than 0; got 0"),
    "an endless limit": (("--limit", "inf"), "must be a number of minutes, more than 0; got inf"),
    "a share below none": (
        ("--engine", "ray", "--gpus-per-pack", "-1"),
        "gpus per pack must be 0 or more; got -1",
    ),
    "one and a half": (("--engine", "ray", "--gpus-per-pack", "1.5"), "a share of one or whole; got 1.5"),
    "no cores": (("--engine", "ray", "--cpus-per-pack", "0"), "cpus per pack must be at least 1; got 0"),
    "sbatch": (("--engine", "slurm", "--sbatch", "account"), "--sbatch takes name=value; got 'account'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_before_any_work(toy, mibounds, mistake):
    options, expected = MISTAKES[mistake]
    answer = mibounds("run", "toy", *options)
    assert answer.code == 2 and expected in answer.error
    assert list(Path().iterdir()) == []


@pytest.mark.parametrize(("engine", "module"), [("ray", "ray"), ("slurm", "submitit")])
def test_what_is_not_installed_is_named_with_its_extra(toy, mibounds, monkeypatch, engine, module):
    monkeypatch.setitem(sys.modules, module, None)
    answer = mibounds("run", "toy", "--engine", engine)
    assert answer.code == 2 and answer.error.endswith(f"pip install 'mibounds[{engine}]'")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "nowhere", "ray://127.0.0.1:10001"])
def test_an_address_where_no_ray_is(toy, mibounds, address):
    pytest.importorskip("ray", reason="Ray is not installed: pip install 'mibounds[ray]'")
    answer = mibounds("run", "toy", "--engine", "ray", "--address", address)
    assert answer.code == 2 and address in answer.err.splitlines()[-1]


def test_every_option_belongs_to_an_engine_and_is_an_option():
    words = {word for parameter in group.commands["run"].params for word in parameter.opts}
    assert OPTIONS.keys() <= words
    assert all(engines.owners(name) for name in OPTIONS.values())
    taken = {name for engine in engines.names() for name in engines._parameters(engine)}
    assert taken == set(OPTIONS.values()), "and every parameter has its option"


def test_options_reach_the_engine(tmp_path, monkeypatch):
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'mibounds[slurm]'")
    chosen = {
        "minutes": 30,
        "jobs": 3,
        "cluster": "local",
        "gpus_per_pack": 1.0,
        "limit": 2.0,
        "address": None,
    }
    made = engine_of("slurm", {**chosen, "sbatch": ("account=me", "mem=8G")})
    assert (made.minutes, made.jobs, made.gpus("auto"), made._limit) == (30, 3, 1, 120.0)
    assert made.sbatch == {"account": "me", "mem": "8G"}


def test_a_run_in_jobs_goes_on_where_another_engine_was_and_status_sees_it(toy, mibounds):
    pytest.importorskip("submitit", reason="submitit is not installed: pip install 'mibounds[slurm]'")
    in_jobs = ("run", "toy", "--engine", "slurm", "--cluster", "local", "--jobs", "1", "--device", "cpu")
    assert mibounds("run", "toy", "--workers", "1", "--replicates", "2", "--out", "mine").code == 0
    assert "4 of 6 cells" in mibounds("status", "toy", "--out", "mine").out
    answer = mibounds(*in_jobs, "--replicates", "3", "--out", "mine")
    assert answer.code == 0 and "4 of them finished already" in answer.err
    record = json.loads(Path("mine/toy/record.json").read_text())
    assert (record["engine"], record["cells"]) == ("slurm (local)", 6)
    assert mibounds("status", "toy", "--out", "mine").out.startswith("toy (full): 6 of 6 cells")


def test_an_engine_of_ones_own_is_a_file(toy, mibounds, monkeypatch):
    own = toy.parents[1] / "engines" / "serial.py"
    own.parent.mkdir()
    own.write_text(
        "from mibounds.study.engines.local import LocalEngine\n"
        "class SerialEngine(LocalEngine):\n"
        "    def __init__(self):\n"
        "        super().__init__(workers=1)\n"
        "    def facts(self):\n"
        "        return super().facts() | {'engine': 'serial'}\n"
    )
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(own.parent)])
    assert mibounds("run", "toy", "--engine", "serial", "--preset", "smoke").code == 0
    assert json.loads(Path("results/toy/smoke/record.json").read_text())["engine"] == "serial"

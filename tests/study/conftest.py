"""Toy studies without torch: arithmetic on seeds, written as files, run by the real runner."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from mibounds import study
from mibounds.study import Results, Study

TOY = """
import os, signal, time
from pathlib import Path
from mibounds.study import Claim, Measurement, Study, Verdict

def row(cell):
    return {"value": cell.seed("data") / 2**63 * cell["scale"] + cell.settings["shift"], "status": "ok"}

def measure(pack):
    return [Measurement(row(cell), curve=[{"step": 0, "w": cell.seed("weights")}]) for cell in pack.cells]

def mean_is_positive(tables):
    values = tables["table"]["value"]
    return Verdict.above(values.mean(), values.min(), values.max(), threshold=0.0, unit="units")

FIELDS = dict(
    slug=Path(__file__).stem,
    question="Is it?",
    axes={"scale": (1.0, 2.0), "kind": ("a", "b")},
    stacked=("scale", "replicate"),
    seeds={"data": (), "weights": ("kind",)},
    settings={"shift": 0.5},
    presets={"full": {"replicates": 3}, "smoke": {"replicates": 1, "scale": (1.0,), "shift": 0.25}},
    claims=(Claim("T1", "it is", "a source", "mean above 0", mean_is_positive),),
    measure=measure,
    width=4,
)
"""


@pytest.fixture
def write_study(tmp_path: Path) -> Callable[..., Path]:
    """Write a toy study; `changes` is code between its pieces and its last line."""

    def write(changes: str = "", name: str = "toy", folder: Path = tmp_path) -> Path:
        path = folder / f"{name}.py"
        path.write_text(TOY + changes + "\nSTUDY = Study(**FIELDS)\n")
        return path

    return write


@pytest.fixture
def toy(write_study) -> Study:
    return study.load(write_study())


@pytest.fixture
def lines() -> io.StringIO:
    """What the runner said."""
    return io.StringIO()


@pytest.fixture
def run(tmp_path: Path, lines: io.StringIO) -> Callable[..., Results]:
    """`study.run` into `tmp_path/out` with one worker, its lines kept."""

    def run(of: Study, preset: str = "full", out: Path = tmp_path / "out", **options) -> Results:
        options = {"workers": 1, "device": "cpu"} | options
        return study.run(of, preset, out, console=Console(file=lines), **options)

    return run

"""A cheap study in which a cell can go wrong, once: which and how stands in `fault.json` beside the file."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

from mibounds.study import Cell, Claim, Measurement, Pack, Study, Verdict

SECONDS = 0.02  # of a cell
HOUR = 3600.0


def measure(pack: Pack) -> Iterator[Measurement]:
    for cell in pack.cells:
        time.sleep(SECONDS)
        value = cell.seed("data") / 2**63 * cell["scale"]
        if strikes(cell):
            value *= FAULTS[kind()]()
        yield Measurement(
            {"value": value, "status": "ok" if value == value else "not finite"},
            curve=[{"step": step, "weight": value * step} for step in range(5)],
        )


def told() -> dict[str, object]:
    try:
        return json.loads(Path(__file__).with_name("fault.json").read_text())
    except FileNotFoundError:
        return {}


def kind() -> str:
    return str(told()["kind"])


def strikes(cell: Cell) -> bool:
    """Whether it is this one's turn: the first time that it is measured, in whatever process."""
    if told().get("cell") != cell.id:
        return False
    try:
        os.close(os.open(Path(__file__).with_name("struck"), os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return kind() == "nan"
    return True


def raises() -> float:
    raise ValueError("this cell raises once")


def hangs() -> float:
    time.sleep(HOUR)
    return 1.0


def nan() -> float:
    return float("nan")


def memory() -> float:
    """The process may take a tenth of a GiB more, and takes more."""
    import resource

    pages = int(Path("/proc/self/statm").read_text().split()[0])
    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**27, before[1]))
    try:
        return float(len([bytearray(2**24) for _ in range(2**10)]))
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


def clock() -> float:
    """From now on this process sees a clock that was set back by an hour."""
    real = time.time
    time.time = lambda: real() - HOUR
    return 1.0


FAULTS = {"raises": raises, "hangs": hangs, "nan": nan, "memory": memory, "clock": clock}


def mean_is_positive(tables) -> Verdict:
    values = tables["table"]["value"].dropna()
    return Verdict.above(values.mean(), values.min(), values.max(), threshold=0.0, unit="units")


STUDY = Study(
    slug="_faulty",
    question="Does a table come out as if nothing had happened?",
    axes={"scale": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), "kind": ("a", "b")},
    stacked=("replicate",),
    seeds={"data": ("kind",)},
    presets={"full": {"replicates": 8}},
    claims=(Claim("F1", "the mean is positive", "here", "above 0", mean_is_positive),),
    measure=measure,
    width=4,
)

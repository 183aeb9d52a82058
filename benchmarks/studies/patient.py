"""Packs that wait, one for ever if asked to; and in a table of its own, how often their job had been requeued."""

from __future__ import annotations

import os
import time

from mibounds.study import Claim, Measurement, Study, Verdict


def measure(pack):
    """A number from the seed, after some seconds a cell."""
    for cell in pack.cells:
        time.sleep(10_000 if cell["kind"] == "hanging" else cell.settings["wait"])
        row = {"value": cell.seed("data") / 2**63, "status": "ok"}
        yield Measurement(row, job=[{"restarts": int(os.environ.get("SLURM_RESTART_COUNT", "0"))}])


STUDY = Study(
    slug="patient",
    question="Does a job go on where it was stopped?",
    axes={"kind": ("waiting", "hanging")},
    seeds={"data": ()},
    settings={"wait": 0.0},
    presets={
        "full": {"replicates": 12, "kind": ("waiting",), "wait": 8.0},
        "short": {"replicates": 12, "kind": ("waiting",), "wait": 1.0},
        "hanging": {"replicates": 1},
    },
    claims=(
        Claim("P1", "nothing", "this file", "none", lambda tables: Verdict.inconclusive("it claims nothing")),
    ),
    measure=measure,
    width=1,
)

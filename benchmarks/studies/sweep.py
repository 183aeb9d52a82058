"""Cells that cost nothing, in packs of several widths; or cells that multiply matrices, each a pack of its own."""

from __future__ import annotations

import numpy as np

from mibounds.seeding import seed_of
from mibounds.study import Claim, Measurement, Study, Verdict


def measure(pack):
    """`products` products of two matrices a cell, one after the other."""
    return [Measurement({"value": value(cell), "status": "ok"}) for cell in pack.cells]


def value(cell):
    random = np.random.default_rng(seed_of(cell["replicate"]))
    matrix = random.normal(size=(cell.settings["side"],) * 2)
    product = matrix
    for _ in range(cell.settings["products"]):
        product = matrix @ product
        product /= np.abs(product).max()
    return float(product[0, 0])


STUDY = Study(
    slug="sweep",
    question="What does a cell cost beside its work?",
    axes={"width": (1, 4, 16, 64)},
    stacked=("replicate",),
    width=lambda point: point["width"],
    seeds={},
    settings={"side": 1, "products": 0},
    presets={
        "full": {"replicates": 2500},
        "alone": {"replicates": 10_000, "width": (1,)},
        "working": {"replicates": 80, "width": (1,), "side": 1024, "products": 10},
        "tiny": {"replicates": 3},
    },
    claims=(
        Claim("S1", "nothing", "this file", "none", lambda tables: Verdict.inconclusive("it claims nothing")),
    ),
    measure=measure,
)

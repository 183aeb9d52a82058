"""The tables of coverage: a share a cell, marked where chance does not allow it, none of a cell that is not whole."""

from __future__ import annotations

import pandas as pd

from tests.docs.pages import hook


def rows(law: str, n: int, held: int, estimator: str = "info_nce") -> list[dict]:
    return [
        {"estimator": estimator, "law": law, "n_samples": 500, "control": "none", "replicate": k}
        | {"truth_nats": 1.0, "estimate_nats": 1.0, "low_nats": 0.9 if k < held else 1.1, "high_nats": 1.2}
        | {"direction": "none", "status": "ok"}
        for k in range(n)
    ]


def test_shares_are_counted_and_marked():
    page = hook("coverage")
    laws = ("well", "badly", "in part", "not run")
    found = pd.DataFrame([*rows("well", 50, 48), *rows("badly", 50, 30), *rows("in part", 49, 49)])
    (line,) = page.table(found, laws, "holds_truth").splitlines()[2:]
    assert line == '| `info_nce` | 500 | 96% | <span class="over">60%</span> | - | - | 3.1% |'

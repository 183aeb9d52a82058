"""The coverage study: what is asked of whom, and its claims against tables with a known answer."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mibounds import study
from mibounds.study.grid import make_grid

STUDY = study.load("interval_coverage")
here = SimpleNamespace(**STUDY.measure.__globals__)


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY, estimator=("gaussian", "ksg"))


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke):
    table = smoke["table"]
    assert (table["status"] == "ok").all()
    assert (table["low_nats"] <= table["estimate_nats"]).all()
    assert set(study.verdicts(STUDY, smoke)) == {claim.id for claim in STUDY.claims}
    assert all(found.outcome == "inconclusive" for found in study.verdicts(STUDY, smoke).values())
    assert len(STUDY.draw(smoke).axes) == 3


def test_the_full_grid_asks_each_as_often_as_is_said():
    cells = make_grid(STUDY, "full").cells
    of = pd.DataFrame([cell.point for cell in cells])
    counts = of.groupby(["estimator", "law", "n_samples", "control"]).size()
    assert set(counts) == {50, 200}
    assert (counts["auto-standard"] == 50).all() and (counts["ksg"] == 200).all()
    assert set(of[of["control"] == "each_twice"]["estimator"]) == {"gaussian", "ksg"}
    wide = of[(of["law"] == "independent_50") & (of["n_samples"] == 10_000)]
    assert {"auto-fast", "ksg", "gaussian"} <= set(wide["estimator"])


def test_pairs_taken_twice_have_intervals_that_are_too_sure(tables_of):
    cells = [
        cell
        for cell in make_grid(STUDY, "full", {"estimator": ("gaussian",), "law": here.TASKS[:1]}).cells
        if cell["n_samples"] == 500 and cell["replicate"] == 0
    ]
    once, twice = ({**here.row(c)} for c in sorted(cells, key=lambda c: c["control"], reverse=True))
    widths = [found["high_nats"] - found["low_nats"] for found in (once, twice)]
    assert widths[1] == pytest.approx(widths[0] / np.sqrt(2), rel=0.02)


def table_of(share: float = 0.95, control: float = 0.8, lower: float = 1.0) -> pd.DataFrame:
    """Shares of intervals that hold the truth and the expectation, both 0; `lower`, of those of a lower bound."""

    def rows(n: int, held: float, **point: object) -> list[dict]:
        # Intervals miss on both sides alike, so that the estimates' mean is the truth.
        missed, sign = np.arange(n) >= round(n * held), np.where(np.arange(n) % 2, 1.0, -1.0)
        return [
            {"replicate": k, "estimate_nats": c, "low_nats": c - 1, "high_nats": c + 1, **point}
            for k, c in enumerate(np.where(missed, 2 * sign, 0.0))
        ]

    found = []
    for law in (*here.TASKS, *here.INDEPENDENT):
        for name in ("gaussian", "auto-fast"):
            found += rows(
                200, share, law=law, estimator=name, n_samples=2000, control="none", direction="none"
            )
        found += rows(
            50, share, law=law, estimator="auto-standard", n_samples=2000, control="none", direction="none"
        )
        below = rows(
            50, lower, law=law, estimator="info_nce", n_samples=1000, control="none", direction="lower"
        )
        found += below
    found += rows(
        200,
        control,
        law=here.TASKS[0],
        estimator="gaussian",
        n_samples=500,
        control="each_twice",
        direction="none",
    )
    return pd.DataFrame(found).assign(truth_nats=0.0, status="ok")


CASES = [
    ("interval_coverage.zero", {}, "supported"),
    ("interval_coverage.zero", {"share": 0.84}, "refuted"),
    ("interval_coverage.zero", {"control": 0.95}, "inconclusive"),
    ("interval_coverage.expectation", {}, "supported"),
    ("interval_coverage.expectation", {"share": 0.84}, "refuted"),
    ("interval_coverage.auto", {}, "supported"),
    ("interval_coverage.auto", {"share": 0.7}, "refuted"),
    ("interval_coverage.auto", {"share": 0.85}, "inconclusive"),
]


@pytest.mark.parametrize(("claim", "change", "expected"), CASES)
def test_claims_follow_the_table(outcome, claim, change, expected):
    assert outcome(STUDY, claim, table_of(**change)) == expected


def test_a_lower_bound_is_asked_for_its_low_end_alone(outcome):
    table = table_of()
    of_bound = (table["estimator"] == "info_nce") & table["law"].isin(here.INDEPENDENT)
    ends = ["low_nats", "high_nats", "estimate_nats"]
    table.loc[of_bound, ends] -= 5.0
    assert outcome(STUDY, "interval_coverage.zero", table) == "supported"
    table.loc[of_bound, ends] += 10.0
    assert outcome(STUDY, "interval_coverage.zero", table) == "refuted"


def test_a_failed_row_decides_nothing_about_zero(outcome):
    table = table_of()
    table.loc[table["law"] == here.INDEPENDENT[0], "status"] = "DataError: too few"
    assert outcome(STUDY, "interval_coverage.zero", table) == "inconclusive"

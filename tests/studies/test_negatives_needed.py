"""How many negatives are needed: K*, its censoring, and the choice between laws against known curves."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mibounds import study
from mibounds.study.grid import make_grid

STUDY = study.load("negatives_needed")
here = SimpleNamespace(**STUDY.measure.__globals__)


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY, dim=(8,))


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert (table["status"] == "ok").all()
    assert table["budget_steps"].value_counts().nunique() == 1
    assert {f"accuracy_{c}_classes" for c in here.CLASSES} <= set(table)
    assert set(study.verdicts(STUDY, smoke)) == {claim.id for claim in STUDY.claims}
    assert len(STUDY.draw(smoke).axes) == 6


def test_the_oracle_rises_to_the_truth(smoke) -> None:
    for _, of in smoke["oracle"].groupby(["arm", "dim"]):
        shares = of.sort_values("n_candidates")["exact_nats"] / of["truth_nats"]
        assert shares.is_monotonic_increasing and 0.99 < shares.iloc[-1] <= 1


LOG_K = np.log(np.array([2.0, 4, 8, 16]))


@pytest.mark.parametrize(
    ("curve", "k_star", "censored"),
    [
        ([0.5, 0.7, 0.9, 0.9], 7.46, 0),  # 0.89 is reached at 19/20 of the way from 4 to 8
        ([0.9, 0.9, 0.9, 0.9], 2.0, -1),
        ([0.5, 0.6, 0.7, 0.8], 16.0, 1),
        ([0.5, 0.9, 0.884, 0.9], 4.0, 0),  # isotonic: the second and third are pooled at 0.892
    ],
)
def test_k_star_of_a_curve(curve: list[float], k_star: float, censored: int) -> None:
    found, mark = here.least_enough(np.array(curve), LOG_K, 0.01)
    assert mark == censored
    assert math.exp(found) == pytest.approx(k_star, rel=0.05)


def table_of(k_star: Callable[[int], float], harder: float = 2.0, shuffled: float = 0.9) -> pd.DataFrame:
    """R^2 reaches a hundredth of its plateau at K = k_star(d); accuracy on 50 classes at `harder` times that."""
    rng = np.random.default_rng(0)

    def value(k: int, enough: float) -> float:
        return 0.95 - 0.3 * math.exp(-3.4 * math.log(k) / math.log(enough)) + 0.001 * rng.normal()

    rows = []
    for cell in make_grid(STUDY).cells:
        k, enough = cell["n_negatives"] + 1, k_star(cell["dim"])
        r2 = value(k, enough) if cell["arm"] != "shuffled" else shuffled + 0.001 * rng.normal()
        for budget in (300, 900):
            rows.append(
                {
                    **cell.point,
                    "budget_steps": budget,
                    "n_candidates": k,
                    "latent_r2": r2,
                    "accuracy_2_classes": value(k, enough),
                    "accuracy_50_classes": value(k, harder * enough),
                    "status": "ok",
                }
            )
    return pd.DataFrame(rows)


def test_a_line_in_d_refutes_the_logarithm(outcome) -> None:
    assert outcome(STUDY, "C9.dimension", table_of(lambda d: math.exp(0.6 + 0.12 * d))) == "refuted"


def test_a_constant_leaves_the_laws_undecided(outcome) -> None:
    assert outcome(STUDY, "C9.dimension", table_of(lambda d: 30.0)) == "inconclusive"


def test_exact_values_that_follow_the_text_s_law_support_it() -> None:
    dims = [2, 4, 8, 16, 32]
    log_k_star = np.log(np.array([5 * math.log(d) - 1 for d in dims]))[:, None]
    found = here.judge_laws(dims, log_k_star, np.zeros((5, 1)), np.zeros(5), "here", 0.05)
    assert found.outcome == "supported"


def test_a_censored_k_star_is_a_tail_and_no_value() -> None:
    far = here.log_density(np.array([[0.0]]), np.array([5.0]), np.array([1]), 0.35)
    beyond = here.log_density(np.array([[9.0]]), np.array([5.0]), np.array([1]), 0.35)
    assert far[0, 0] < -50 and beyond[0, 0] == pytest.approx(0.0, abs=1e-9)


def test_shuffled_pairs_for_which_a_k_is_enough_decide_nothing(outcome) -> None:
    table = table_of(lambda d: math.exp(0.6 + 0.12 * d), shuffled=0.95)
    assert outcome(STUDY, "C9.dimension", table) == "inconclusive"


def test_harder_tasks(outcome) -> None:
    assert outcome(STUDY, "C9.difficulty", table_of(lambda d: 12.0, harder=4.0)) == "supported"
    assert outcome(STUDY, "C9.difficulty", table_of(lambda d: 40.0, harder=0.25)) == "refuted"
    assert outcome(STUDY, "C9.difficulty", table_of(lambda d: 12.0).query("replicate == 0")) == "inconclusive"


def test_budgets_are_read_from_one_training() -> None:
    cells = make_grid(STUDY, "full", {"arm": ("constant_nats",), "dim": (8,)}, 1).cells
    assert len({cell.seed("data") for cell in cells}) == len({cell.seed("weights") for cell in cells}) == 1

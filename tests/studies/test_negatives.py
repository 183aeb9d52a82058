"""The study of negatives: clean negatives, gradients at shared weights, and claims against known tables."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from mibounds import study
from mibounds.representation.contrast import contrast
from mibounds.study.grid import make_grid

STUDY = study.load("negatives")
here = SimpleNamespace(**STUDY.measure.__globals__)


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY, n_classes=(10,), arm=("fixed_batch", "batch_moves"))


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert set(here.MEASURED) | {"gradient_cosine", "gradient_signal_to_noise", "status"} <= set(table)
    assert (table["status"] == "ok").all()
    assert set(study.verdicts(STUDY, smoke)) == {claim.id for claim in STUDY.claims}
    assert len(STUDY.draw(smoke).axes) == 8


def test_the_confounded_arm_moves_the_batch_with_k(smoke) -> None:
    moving = smoke["table"].query("arm == 'batch_moves'")
    assert (2 * moving["batch_size"] - 2 == moving["n_negatives"]).all()
    assert (smoke["table"].query("arm == 'fixed_batch'")["batch_size"] == 128).all()


def test_the_largest_k_s_gradient_agrees_with_itself(smoke) -> None:
    """Its cosine to its own other half is high at these early weights: no noise is shared, the direction is."""
    largest = smoke["table"].query("arm == 'fixed_batch' and loss == 'simclr' and n_negatives == 254")
    assert (largest["gradient_cosine"] > 0.3).all()


def test_clean_negatives_are_the_nearest_of_other_classes() -> None:
    z = torch.nn.functional.normalize(
        torch.randn(1, 8, 3, generator=torch.Generator().manual_seed(0)), dim=-1
    )
    labels = torch.tensor([[0, 1, 0, 2, 1, 0, 2, 1]]).repeat(1, 2)
    kept = here.without_class(contrast(z, z, 1.0, "two-view"), labels, torch.tensor([4])).kept[0]
    both = labels[0]
    for anchor in range(16):
        others = [(anchor + step) % 16 for step in range(16)]
        clean = [j for j in others if both[j] != both[anchor]]
        assert kept[anchor].nonzero().flatten().tolist() == sorted(clean[:4])


def test_tuned_settings_pass_through_what_was_found() -> None:
    cells = make_grid(STUDY, "full", {"n_classes": (10,), "loss": ("simclr",)}, 1).cells
    tuned = {cell["n_negatives"]: here.settings_of(cell) for cell in cells if cell["tuning"] == "tuned"}
    for k, found in here.TUNED[10].items():
        assert tuned[k] == pytest.approx(found)
    low, high = sorted((here.TUNED[10][1][0], here.TUNED[10][16][0]))
    assert low <= tuned[4][0] <= high


def table_of(
    slope: float = 1.0, drop: float = 0.0, shuffled: float = -3.0, debiased: float = 0.5
) -> pd.DataFrame:
    """Accuracy rises by `slope` points a doubling of K up to 64, and falls by `drop` points at the largest K."""
    rows = []
    for cell in make_grid(STUDY).cells:
        k = cell["n_negatives"]
        wobble = 0.02 * ((cell["replicate"] * 7 + k) % 10 - 4.5) + 0.3 * cell["replicate"]
        points = 80 + slope * min(math.log2(k), 6) - drop * (k == 254) + wobble
        if cell["loss"] == "shuffled":
            points += shuffled - slope * min(math.log2(k), 6)
        if cell["loss"] == "debiased":
            points += debiased
        if cell["arm"] == "batch_moves":
            points -= 2 * (7 - math.log2(k))
        rows.append(
            {
                **cell.point,
                "n_candidates": k + 1,
                "accuracy": points / 100,
                "random_accuracy": (80 + wobble / 2) / 100,
                "gradient_signal_to_noise": 0.01 * k**0.3 * (1 + cell["replicate"] / 50),
                "gradient_cosine": 0.5 + 0.05 * math.log2(k) + 1e-3 * (k * cell["replicate"] % 7),
                "status": "ok",
            }
        )
    return pd.DataFrame(rows)


@pytest.mark.parametrize("claim", [claim.id for claim in STUDY.claims])
def test_a_table_that_agrees_supports(claim: str, outcome) -> None:
    assert outcome(STUDY, claim, table_of()) == "supported"


def with_small_batches_ahead() -> pd.DataFrame:
    table = table_of()
    ahead = (table["arm"] == "batch_moves") & (table["n_negatives"] < 9)
    return table.assign(accuracy=table["accuracy"] + 0.2 * ahead)


@pytest.mark.parametrize(
    ("claim", "table"),
    [
        ("C7.clean", table_of(slope=-1.0)),
        ("C7.false", table_of(drop=3.0)),
        ("C7.debiased", table_of(debiased=-0.5)),
        ("C7.gradient", table_of().assign(gradient_cosine=lambda t: 0.9 - 0.1 * np.log2(t["n_candidates"]))),
        ("C7.batch", with_small_batches_ahead()),
    ],
)
def test_a_table_that_contradicts_refutes(claim: str, table: pd.DataFrame, outcome) -> None:
    assert outcome(STUDY, claim, table) == "refuted"


def test_shuffled_pairs_that_teach_decide_nothing(outcome) -> None:
    assert outcome(STUDY, "C7.clean", table_of(shuffled=3.0)) == "inconclusive"


def test_the_best_k_of_a_replicate_is_chosen_by_the_others() -> None:
    own_luck = pd.DataFrame([[70.0, 90.0], [70.0, 60.0], [70.0, 60.0]], columns=[2, 3])
    assert here.behind_the_best(own_luck) == [90.0 - 70.0, 0.0, 0.0]

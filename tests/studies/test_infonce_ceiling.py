"""The ceiling study: its arithmetic against slow sums, its claims against tables with a known answer."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from mibounds import study
from mibounds.bounds.info_nce import InfoNCE
from mibounds.errors import ParameterError
from mibounds.study.grid import make_grid

STUDY = study.load("infonce_ceiling")
here = SimpleNamespace(**STUDY.measure.__globals__)
SMALL = {"n_pool": 255, "n_blocks": 20, "n_anchors": 32, "n_pairs": 20_000, "batch_size": 16, "steps": 2}


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def pack_of(**point):
    """The one pack of these axis values, with small settings."""
    values = {"law": "gaussian", "critic": "optimal", "truth_nats": 2.0, "control": "none"} | point
    grid = make_grid(
        STUDY, "full", {name: np.atleast_1d(value).tolist() for name, value in values.items()}, 1
    )
    (pack,) = grid.packs
    pack.settings.update(SMALL)
    for cell in pack.cells:
        cell.settings.update(SMALL)
    return pack


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert {"truth_nats", "estimate_nats", "standard_error_nats", "ceiling_nats", "status"} <= set(table)
    assert (table["status"] == "ok").all()
    assert (table["n_candidates"] == table["n_negatives"] + 1).all()
    assert {name for name, rows in table.groupby("critic") if len(rows)} == set(STUDY.axes["critic"])
    assert set(study.verdicts(STUDY, smoke)) == {claim.id for claim in STUDY.claims}
    assert len(STUDY.draw(smoke).axes) == 4


@pytest.mark.parametrize("control", ["none", "without_positive"])
def test_an_anchors_term_is_the_equation(control: str) -> None:
    positives = torch.tensor([1.0, -0.5], dtype=torch.float64)
    negatives = torch.randn(2, 7, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    terms = here.anchor_terms((negatives - positives.unsqueeze(1)).exp(), 3, control)
    assert terms.shape == (2, 2)  # two groups of three negatives, one negative left over
    for i, group in itertools.product(range(2), range(2)):
        others = negatives[i, 3 * group : 3 * group + 3].exp().sum()
        denominator = others if control == "without_positive" else others + positives[i].exp()
        assert terms[i, group] == pytest.approx((positives[i] - (denominator / 4).log()).item())


def test_only_the_control_passes_ln_k() -> None:
    odds = torch.full((1, 4), 1e-9)
    assert here.anchor_terms(odds, 4, "none").item() <= math.log(5) + here.ROUNDING
    assert here.anchor_terms(odds, 4, "without_positive").item() > math.log(5) + 10


def test_more_positives_correct_the_mean_and_shrink_its_error() -> None:
    source = torch.Generator().manual_seed(1)
    positives = torch.randn(20, 50, generator=source)
    values = 2 * positives + 0.1 * torch.randn(20, 50, generator=source) + 3
    more = torch.randn(1_000_000, generator=source)
    estimate, error = here.mean_with_more_positives(values, positives, more)
    assert abs(estimate - 3) < 4 * error
    assert error < 0.2 * values.std().item() / math.sqrt(values.numel())
    constant = here.mean_with_more_positives(torch.full((4, 5), 1.5), positives[:4, :5], more)
    assert constant == pytest.approx((1.5, 0.0))


@pytest.mark.parametrize("law", ["gaussian", "von_mises_fisher"])
def test_the_oracle_meets_its_exact_expectation(law: str) -> None:
    pack = pack_of(law=law, n_negatives=(1, 15, 255))
    for measured in STUDY.measure(pack):
        (row,) = measured.tables["table"]
        assert abs(row["estimate_nats"] - row["exact_nats"]) < 4.5 * row["standard_error_nats"]
        assert row["standard_error_nats"] < 0.05
        assert row["largest_batch_nats"] <= row["ceiling_nats"]


def test_shuffled_pairs_share_nothing() -> None:
    (measured,) = STUDY.measure(pack_of(control="shuffled_pairs", n_negatives=15))
    assert measured.tables["table"][0]["estimate_nats"] < 0


def test_further_negatives_on_the_axis_change_no_number() -> None:
    alone, *_ = STUDY.measure(pack_of(n_negatives=15))
    among, *_ = STUDY.measure(pack_of(n_negatives=(15, 63, 255)))
    assert alone.tables == among.tables


def test_more_negatives_than_are_drawn_are_refused() -> None:
    with pytest.raises(ParameterError, match="at most 255"):
        STUDY.measure(pack_of(n_negatives=511))


def test_subsampled_scores_give_info_nce_over_k_candidates() -> None:
    n, sizes = 5, [2, 4, 5]
    scores = torch.randn(3, n, n, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    left = here.without_surplus(scores, sizes)
    for r, size in enumerate(sizes):
        value = InfoNCE()(left[r]) - math.log(n / size)
        rows = [[scores[r, i, (i + step) % n] for step in range(size)] for i in range(n)]
        slow = sum(row[0] - torch.stack(row).exp().mean().log() for row in rows) / n
        assert value.item() == pytest.approx(slow.item())
    assert torch.equal(left[2], scores[2])


@pytest.mark.parametrize("critic", ["separable", "separable_batch_k", "trained_cosine_0.5"])
def test_trained_critics_stay_below_their_ceilings(critic: str) -> None:
    law = "von_mises_fisher" if "cosine" in critic else "gaussian"
    (measured,) = STUDY.measure(pack_of(law=law, critic=critic, n_negatives=15))
    (row,) = measured.tables["table"]
    assert row["status"] == "ok" and math.isnan(row["exact_nats"])
    assert row["largest_batch_nats"] <= row["ceiling_nats"] <= math.log(16)


def table_of(spread: float = 1e-3, **shift: float) -> pd.DataFrame:
    """A table in which all holds: cells at 1 nat (K = 1024) and 8 nats (K = 4), with their controls.

    `shift` moves a control's estimates, or those of "none".
    """
    rows = []
    for (nats, k), control in itertools.product([(1.0, 1024), (8.0, 4)], STUDY.axes["control"]):
        exact, ceiling = min(nats, math.log(k)), math.log(k)
        mean = {"none": exact, "without_positive": nats + 0.5, "shuffled_pairs": -1.0}[control]
        for replicate in range(10):
            estimate = mean + shift.get(control, 0.0) + spread * (replicate - 4.5)
            rows.append(
                {
                    "law": "gaussian",
                    "critic": "optimal",
                    "truth_nats": nats,
                    "control": control,
                    "n_negatives": k - 1,
                    "n_candidates": k,
                    "replicate": replicate,
                    "estimate_nats": estimate,
                    "exact_nats": exact,
                    "ceiling_nats": ceiling,
                    "largest_batch_nats": estimate if control == "without_positive" else ceiling - 0.01,
                    "n_batches": 1,
                    "status": "ok",
                }
            )
    return pd.DataFrame(rows)


MEANS = ("C2.validity", "C2.tight", "C2.saturation", "C2.expectation")


@pytest.mark.parametrize("claim", [*MEANS, "C2.ceiling"])
def test_a_table_in_which_all_holds_supports(claim: str, outcome) -> None:
    assert outcome(STUDY, claim, table_of()) == "supported"


@pytest.mark.parametrize(
    ("claim", "shift"),
    [("C2.validity", 0.1), ("C2.tight", -0.1), ("C2.saturation", -0.2), ("C2.expectation", -0.1)],
)
def test_a_mean_on_the_wrong_side_refutes(claim: str, shift: float, outcome) -> None:
    assert outcome(STUDY, claim, table_of(none=shift)) == "refuted"


@pytest.mark.parametrize("claim", MEANS)
def test_a_wide_interval_decides_nothing(claim: str, outcome) -> None:
    noisy = table_of()
    intact = noisy["control"] == "none"
    noisy.loc[intact, "estimate_nats"] += 0.5 * (noisy.loc[intact, "replicate"] - 4.5)
    assert outcome(STUDY, claim, noisy) == "inconclusive"


def test_one_batch_over_the_ceiling_refutes(outcome) -> None:
    table = table_of()
    table.loc[0, "largest_batch_nats"] = table.loc[0, "ceiling_nats"] + 1e-3
    assert outcome(STUDY, "C2.ceiling", table) == "refuted"


@pytest.mark.parametrize("claim", [*MEANS, "C2.ceiling"])
def test_a_control_that_breaks_nothing_makes_the_claim_inconclusive(claim: str, outcome) -> None:
    table = table_of()
    intact = table[table["control"] == "none"]
    for control in ("without_positive", "shuffled_pairs"):
        columns = ["estimate_nats", "largest_batch_nats"]
        table.loc[table["control"] == control, columns] = intact[columns].to_numpy()
    assert outcome(STUDY, claim, table) == "inconclusive"
    assert outcome(STUDY, claim, table[table["control"] == "none"]) == "inconclusive"


@pytest.mark.parametrize("claim", [*MEANS, "C2.ceiling"])
def test_a_failed_row_makes_the_claim_inconclusive(claim: str, outcome) -> None:
    table = table_of()
    table.loc[0, "status"] = "diverged at step 3"
    assert outcome(STUDY, claim, table) == "inconclusive"

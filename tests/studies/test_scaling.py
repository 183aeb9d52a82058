"""The scaling study: what one row holds, and claims against tables with a known answer."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pandas as pd
import pytest

from mibounds import study, theory
from mibounds.study.grid import make_grid

STUDY = study.load("scaling")
here = SimpleNamespace(**STUDY.measure.__globals__)


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert set(here.MEASURED) | {"training_k_nats", "shuffled_nats", "status"} <= set(table)
    assert (table["status"] == "ok").all()
    assert set(study.verdicts(STUDY, smoke)) == {claim.id for claim in STUDY.claims}
    assert len(STUDY.draw(smoke).axes) == 4 * 2


def test_truth_ceilings_and_oracle_stand_in_each_row(smoke) -> None:
    table = smoke["table"]
    assert table["truth_nats"].tolist() == pytest.approx((table["dim"] / 2).tolist())
    assert table["training_k_ceiling_nats"].tolist() == pytest.approx(
        [math.log(k + 1) for k in table["n_negatives"]]
    )
    ceilings = [theory.temperature_ceiling(here.EMBEDDING, tau) for tau in table["temperature"]]
    assert table["temperature_ceiling_nats"].tolist() == pytest.approx(ceilings)
    of_one_pair = table.groupby(["dim", "n_negatives"])["training_k_oracle_nats"].nunique()
    assert (of_one_pair == 1).all()  # the same held-out pairs for every temperature


def table_of(
    gain: float = 1.0, r2_gain: float = 0.005, rank: float = 1.0, over: float = -0.1
) -> pd.DataFrame:
    """Bound and R^2 gain so much from K = 16 to 127; accuracy follows the bound if `rank` is 1, the reverse if -1."""
    rows = []
    for cell in make_grid(STUDY).cells:
        log_k = math.log2(cell["n_negatives"] + 1)
        wobble = 1e-3 * (cell["replicate"] - 4.5)
        truth = cell["dim"] / 2
        estimate = truth + over - 0.05 * (7 - log_k) - cell["temperature"] / 10 + wobble
        rows.append(
            {
                **cell.point,
                "truth_nats": truth,
                "sampled_truth_nats": truth,
                "training_k_sampled_truth_nats": truth,
                "estimate_nats": estimate,
                "ceiling_nats": 8.3,
                "temperature_ceiling_nats": 9.0,
                "training_k_nats": min(truth, 0.1 * log_k) - 0.5 + (gain - 0.3) * (log_k - 7) / 3 + wobble,
                "training_k_ceiling_nats": log_k * math.log(2),
                "shuffled_nats": -1.0 + wobble,
                "accuracy": 0.5 + 0.05 * rank * (estimate - wobble),
                "latent_r2": 0.9 + r2_gain * log_k / 3 + wobble,
                "status": "ok",
            }
        )
    return pd.DataFrame(rows)


@pytest.mark.parametrize("claim", [claim.id for claim in STUDY.claims])
def test_a_table_that_agrees_supports(claim: str, outcome) -> None:
    assert outcome(STUDY, claim, table_of()) == "supported"


@pytest.mark.parametrize(
    ("claim", "table"),
    [
        ("scaling.validity", table_of(over=1.0)),
        ("scaling.bound_and_representation", table_of(gain=0.2)),
        ("scaling.bound_and_representation", table_of(r2_gain=0.05)),
        ("scaling.bound_ranks", table_of(rank=-1.0)),
    ],
)
def test_a_table_that_contradicts_refutes(claim: str, table: pd.DataFrame, outcome) -> None:
    assert outcome(STUDY, claim, table) == "refuted"


def test_shuffled_pairs_that_show_information_decide_nothing(outcome) -> None:
    assert outcome(STUDY, "scaling.validity", table_of().assign(shuffled_nats=0.3)) == "inconclusive"


def test_a_failed_row_decides_nothing(outcome) -> None:
    table = table_of()
    table.loc[0, "status"] = "diverged at step 3"
    assert {outcome(STUDY, claim.id, table) for claim in STUDY.claims} == {"inconclusive"}

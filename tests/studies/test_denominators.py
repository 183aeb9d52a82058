"""The denominators study: each loss against its sum written out, and claims against tables with a known answer."""

from __future__ import annotations

import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import normalize

from mibounds import study
from mibounds.representation.network import Network
from mibounds.study.grid import make_grid

STUDY = study.load("denominators")
here = SimpleNamespace(**STUDY.measure.__globals__)
CLAIMS = ("bounded", "unbounded", "falls", "few", "many", "tuned")


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert (table["status"] == "ok").all()
    assert np.isfinite(table[["accuracy", "raw_accuracy", "reading_nats", "ceiling_nats"]]).all(axis=None)
    assert table.query("source == 'content_style'")[["oracle_nats", "truth_nats"]].notna().all(axis=None)
    assert (table.query("positive == 'in'")["n_batches_over"] == 0).all()
    assert {found.outcome for found in study.verdicts(STUDY, smoke).values()} == {"inconclusive"}
    assert len(STUDY.draw(smoke).axes) == 6


def test_all_denominators_of_a_replicate_are_paired(smoke) -> None:
    for _, of in smoke["table"].groupby("source"):
        assert of["raw_accuracy"].nunique() == 1
    cells = make_grid(STUDY, "full").cells
    for purpose in STUDY.seeds:
        assert len({cell.seed(purpose) for cell in cells if cell["replicate"] == 3}) == 1
        assert len({cell.seed(purpose) for cell in cells}) == 10


def test_the_grid_is_what_the_study_says() -> None:
    cells = [cell for cell in make_grid(STUDY, "full").cells if cell["replicate"] == 0]
    assert Counter(cell["positive"] for cell in cells) == {"in": 26, "out": 26}
    usual = [
        c for c in cells if c["layout"] == "two_view" and c["pairs"] == "intact" and c["temperature"] == 0.1
    ]
    assert Counter(c["source"] for c in usual) == {"content_style": 12, "digits": 12}
    others = {(c["layout"], c["n_negatives"]) for c in cells if c["layout"] != "two_view"}
    assert others == {("self_in", 1), ("self_in", 15), ("self_in", 512)} | {
        ("cross_view", 1),
        ("cross_view", 15),
        ("cross_view", 256),
    }
    assert {c["n_negatives"] for c in cells if c["pairs"] == "shuffled" or c["temperature"] != 0.1} == {15}


@pytest.mark.parametrize("positive", ["in", "out"])
@pytest.mark.parametrize("layout", here.LAYOUTS)
def test_each_loss_is_the_one_written_out(layout: str, positive: str) -> None:
    n, tau = 5, 0.3
    network = Network.build((4,), [0], embedding=3)
    method = here.method_of(layout, positive)(network, [0], temperature=tau)
    z_a, z_b = normalize(torch.randn(2, 1, n, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    views = {("a", i): z_a[0, i] for i in range(n)} | {("b", i): z_b[0, i] for i in range(n)}

    def loss_of(anchor: tuple[str, int]) -> float:
        side, row = anchor
        total, own = 0.0, 0.0
        for (other_side, other_row), z in views.items():
            score = math.exp(float(views[anchor] @ z) / tau)
            if (other_side, other_row) == anchor:
                total += score if layout == "self_in" else 0.0
            elif other_row == row:
                own = score
                total += score if positive == "in" else 0.0
            elif layout != "cross_view" or other_side != side:
                total += score
        return math.log(total / own)

    slow = sum(map(loss_of, views)) / len(views)
    assert method.loss(method.arranged(z_a, z_b)).item() == pytest.approx(slow, abs=1e-5)


@pytest.mark.parametrize("layout", here.LAYOUTS)
def test_a_perfect_batch_reads_ln_k_with_the_positive_in_and_more_without(layout: str) -> None:
    """Views that agree, things at right angles, a low temperature: the anchor left in costs ln 2."""
    network = Network.build((4,), [0], embedding=8)
    z = torch.eye(8).unsqueeze(0)
    n_negatives = 7 if layout == "cross_view" else 14
    read = {}
    for positive in ("in", "out"):
        method = here.method_of(layout, positive)(network, [0], temperature=0.05)
        losses = method.loss(method.arranged(z, z)).detach().double().numpy()
        read[positive] = here.readings(losses, n_negatives, layout, positive)
    ceiling = read["in"]["ceiling_nats"]
    assert ceiling == pytest.approx(math.log(n_negatives + 1 + (layout == "self_in")))
    if layout == "self_in":
        assert read["in"]["largest_reading_nats"] == pytest.approx(ceiling - math.log(2), abs=1e-4)
        assert read["out"]["n_batches_over"] == 0
    else:
        assert read["in"]["largest_reading_nats"] == pytest.approx(ceiling, abs=1e-4)
        assert read["out"]["largest_reading_nats"] == pytest.approx(20, abs=1e-4)
        assert read["out"]["n_batches_over"] == 1
    assert read["in"]["n_batches_over"] == 0


def test_readings_count_each_batch_and_average_the_last_tenth() -> None:
    losses = np.concatenate([[-0.5], np.full(17, 0.2), [0.4, 0.6]])
    read = here.readings(losses, 3, "two_view", "in")
    assert (read["n_batches"], read["n_batches_over"], read["n_candidates"]) == (20, 1, 4)
    assert read["largest_reading_nats"] == pytest.approx(math.log(4) + 0.5)
    assert read["reading_nats"] == pytest.approx(math.log(4) - 0.5)


def table_of(spread: float = 1e-3, n: int = 10, **changes: float) -> pd.DataFrame:
    """A table in which every claim holds: the gain is 3, 2.5, 2 points to K = 16, then 0; or set otherwise."""
    known = {
        "gain_1": 0.03,
        "gain_3": 0.025,
        "gain_15": 0.02,
        "gain_512": 0.0,
        "cold": -0.05,
        "cold_out": 0.0,
    }
    known |= {"shuffled": 0.5, "over": 0, "self": 1.0, "out": 1.0, "masked": 0.01} | changes
    rows = []
    for cell in make_grid(STUDY, "full", replicates=n).cells:
        k, positive, layout = cell["n_negatives"], cell["positive"], cell["layout"]
        wobble = spread * (cell["replicate"] - 4.5) * (1 + (positive == "out") / (1 + k))
        right = 0.7 + known.get(f"gain_{k}", 0.0) * (positive == "out") + wobble
        if cell["temperature"] != 0.1:
            right += known["cold_out" if positive == "out" and cell["temperature"] == 0.5 else "cold"]
        if cell["pairs"] == "shuffled":
            right = known["shuffled"] + wobble
        candidates = k + 1 + (layout == "self_in")
        short = -known["out"] if positive == "out" else known["self" if layout == "self_in" else "masked"]
        row = {
            "accuracy": right,
            "n_candidates": candidates,
            "n_batches": 500,
            "n_batches_over": known["over"] * (k == 512 and layout == "two_view"),
            "ceiling_nats": math.log(candidates),
            "largest_reading_nats": math.log(candidates) - short + wobble / 10,
        }
        rows.append(dict(cell.point) | row | {"status": "ok"})
    return pd.DataFrame(rows)


REFUTED = {
    "bounded": {"over": 1},
    "unbounded": {"out": -0.5},
    "falls": {"gain_512": 0.1},
    "few": {"gain_3": 0.005},
    "many": {"gain_512": 0.01},
    "tuned": {"gain_15": 0.002},
}
CONTROLS = {"bounded": [{"self": 0.3}, {"masked": 0.9}]} | {
    claim: [{"shuffled": 0.71}] for claim in ("falls", "few", "many", "tuned")
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_each_claim_can_be_supported_and_refuted(claim: str, outcome) -> None:
    assert outcome(STUDY, f"C5.{claim}", table_of()) == "supported"
    assert outcome(STUDY, f"C5.{claim}", table_of(**REFUTED[claim])) == "refuted"


@pytest.mark.parametrize("claim", CLAIMS)
def test_noise_a_broken_control_or_a_failed_row_decides_nothing(claim: str, outcome) -> None:
    claim_id = f"C5.{claim}"
    for control in CONTROLS.get(claim, []):
        assert outcome(STUDY, claim_id, table_of(**control)) == "inconclusive"
    if claim != "bounded":  # a count of batches has no noise between replicates
        assert outcome(STUDY, claim_id, table_of(spread=100.0)) == "inconclusive"
    assert outcome(STUDY, claim_id, table_of(n=1)) == "inconclusive"
    failed = table_of()
    usual = failed.query("layout == 'two_view' and pairs == 'intact' and n_negatives == 15")
    failed.loc[usual.index, "status"] = "diverged at step 3"
    assert outcome(STUDY, claim_id, failed) == "inconclusive"
    assert outcome(STUDY, claim_id, table_of().iloc[:0]) == "inconclusive"


@pytest.mark.parametrize(
    ("claim", "without"),
    [
        ("bounded", "layout != 'self_in'"),
        ("bounded", "n_negatives != 1"),
        ("unbounded", "positive == 'in'"),
        ("few", "n_negatives > 15 or pairs == 'shuffled'"),
        ("many", "n_negatives != 512"),
        ("tuned", "n_negatives != 15 or pairs == 'shuffled'"),
        *((claim, "pairs == 'intact'") for claim in CLAIMS[2:]),
        *((claim, "source == 'digits'") for claim in CLAIMS[2:]),
        *((claim, "positive == 'in'") for claim in CLAIMS[2:]),
    ],
)
def test_without_the_rows_that_it_needs_a_claim_says_so(claim: str, without: str, outcome) -> None:
    assert outcome(STUDY, f"C5.{claim}", table_of().query(without)) == "inconclusive"


def test_the_gain_with_few_negatives_may_come_from_the_temperature_alone(outcome) -> None:
    """At 0.1 the positive in is two points behind; at another temperature it is as good as the other."""
    table = table_of()
    other = (table["positive"] == "in") & (table["temperature"] == 0.2)
    table.loc[other, "accuracy"] += 0.07
    assert outcome(STUDY, "C5.few", table) == "supported"
    assert outcome(STUDY, "C5.tuned", table) == "refuted"


def test_no_replicate_chooses_a_temperature_by_its_own_luck(outcome) -> None:
    """Two temperatures equal on average, the positive out: own best would gain a point, the others' best does not."""
    table = table_of(gain_15=0.0, spread=1e-4)
    lucky = (table["positive"] == "out") & (table["n_negatives"] == 15) & (table["pairs"] == "intact")
    for temperature, parity in ((0.1, 0), (0.2, 1)):
        of = lucky & (table["temperature"] == temperature)
        table.loc[of, "accuracy"] = 0.7 + 0.04 * (table.loc[of, "replicate"] % 2 == parity)
    assert outcome(STUDY, "C5.tuned", table) == "refuted"

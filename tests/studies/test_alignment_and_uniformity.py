"""The alignment and uniformity study: the limit against enumeration, and claims against tables with a known answer."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn.functional import normalize

from mibounds import study
from mibounds.representation import geometry
from mibounds.representation.network import Network
from mibounds.study.grid import make_grid

STUDY = study.load("alignment_and_uniformity")
here = SimpleNamespace(**STUDY.measure.__globals__)


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def unit(*shape: int, seed: int = 0) -> torch.Tensor:
    source = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(*shape, generator=source, dtype=torch.float64), dim=-1)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table, losses = smoke["table"], smoke["losses"]
    assert {"accuracy", "alignment", "negative_distance", "estimate_nats", "truth_nats"} <= set(table)
    assert (table["status"] == "ok").all() and (losses["status"] == "ok").all()
    assert losses["deviation_nats"].notna().all()
    assert len(losses) == 2 * 2 * 2 * 2 * len(here.N_NEGATIVES)  # sources, temperatures, encoders, negatives
    assert {found.outcome for found in study.verdicts(STUDY, smoke).values()} == {"inconclusive"}
    assert len(STUDY.draw(smoke).axes) == 6


def test_all_cells_of_a_source_and_replicate_are_paired(smoke) -> None:
    for shared in ("untrained_accuracy", "untrained_alignment", "untrained_negative_distance"):
        assert (smoke["table"].groupby("source")[shared].nunique() == 1).all()
    untrained = smoke["losses"].query("encoder == 'untrained'")
    assert (untrained.groupby(["source", "temperature"])["limit_nats"].nunique() == 1).all()
    cells = make_grid(STUDY, "full").cells
    for purpose in STUDY.seeds:
        assert len({cell.seed(purpose) for cell in cells}) == 2 * 20


def test_the_grid_is_what_the_study_says() -> None:
    points = {tuple(cell[axis] for axis in STUDY.axes) for cell in make_grid(STUDY, "full").cells}
    assert {tau for _, objective, tau, _ in points if objective == "simclr"} == set(here.TEMPERATURES)
    assert {w for _, objective, _, w in points if objective == "alignment_uniformity"} == set(here.WEIGHTS)
    assert len(points) == 2 * (5 + 5 + 1)


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_the_loss_is_its_expectation_over_all_draws_of_negatives(share: float) -> None:
    """Every pair of negatives out of a pool of three; of the copies only their share is known."""
    anchors, positives, pool, tau = unit(4, 5), unit(4, 5, seed=1), unit(3, 5, seed=2), 0.5
    scores, own = (anchors @ pool.T / tau).exp(), ((anchors * positives).sum(-1) / tau).exp()
    losses = [
        -((own / (own + (1 - share) * (scores[:, i] + scores[:, j]) + share * 2 * own)).log()).mean().item()
        for i, j in itertools.product(range(3), repeat=2)
    ]
    log_partition = scores.mean(-1).log()
    limit = (log_partition - own.log()).mean().item()
    odds = scores / log_partition.exp().unsqueeze(-1)
    all_draws = torch.stack(
        [(odds[:, i] + odds[:, j]) / 2 for i, j in itertools.product(range(3), repeat=2)], -1
    )
    away = here.deviation(all_draws, (own / log_partition.exp()).unsqueeze(-1), 2, share).mean().item()
    assert limit + away == pytest.approx(np.mean(losses) - math.log(2), abs=1e-12)


def test_drawn_means_are_those_of_rows_drawn_with_replacement() -> None:
    odds = torch.arange(6, dtype=torch.float64).view(2, 3)
    means = here.mean_odds(odds, 4, 5000)
    steps = 4 * means[0]
    assert means.shape == (2, 5000) and torch.equal(steps, steps.round())
    assert means.mean(1).tolist() == pytest.approx([1.0, 4.0], abs=0.03)
    assert means.var(1).tolist() == pytest.approx([(2 / 3) / 4] * 2, rel=0.1)
    assert torch.allclose(means[1], means[0] + 3)  # the anchors share their negatives


def test_limit_rate_and_theory_agree_where_negatives_are_many() -> None:
    anchors, pool = unit(64, 8), unit(200, 8, seed=2)
    positives = normalize(anchors + 0.3 * unit(64, 8, seed=1), dim=-1)
    rows = pd.DataFrame(here.loss_rows(anchors, positives, pool, 0.5, 64))
    clean = rows[rows["negatives"] == here.INDEPENDENT].set_index("n_negatives")
    many = clean.loc[4096:]
    assert (many["deviation_nats"] / many["theory_deviation_nats"]).tolist() == pytest.approx(
        [1.0] * len(many), rel=0.03
    )
    aligned = 1 - geometry.alignment(anchors, positives).item() / 2  # the mean cosine
    uniform = (anchors @ pool.T / 0.5).exp().mean(1).log().mean().item()
    assert clean["limit_nats"].iloc[0] == pytest.approx(uniform - aligned / 0.5)
    copied = rows[rows["negatives"] == here.COPIED].set_index("n_negatives")["deviation_nats"]
    assert copied[65536] == pytest.approx(copied[4096], rel=0.02) and copied[65536] > 0.1


def test_no_anchor_s_positive_is_in_the_pool() -> None:
    for name, sizes in (("content_style", (64, 256)), ("digits", (256, 2048))):
        source = here.source_of(name)
        network = Network.build(source.shape, [0], embedding=4)
        anchors, positives, pool = here.embedded_pairs(network, source, [0], *sizes)
        n = {"content_style": (64, 256), "digits": (256, 899 - 256)}[name]
        assert (anchors.shape[1], positives.shape[1], pool.shape[1]) == (n[0], *n)
        assert torch.cdist(positives[0], pool[0]).min() > 1e-6
        assert torch.allclose(anchors.norm(dim=-1), torch.ones((), dtype=torch.float64))


def tables_with(spread: float = 1e-3, n: int = 8, **level: float) -> dict[str, pd.DataFrame]:
    """Tables in which every claim holds, but for what `level` sets otherwise."""
    level = {"parts": 0.95, "attraction": 0.8, "alignment": 0.2, "negatives": 2.0, "slope": -1.0} | level
    level = {"copies": -0.02, "attraction_distance": 0.0} | level
    rows, losses = [], []
    for cell in make_grid(STUDY, "full", replicates=n).cells:
        objective, r = cell["objective"], cell["replicate"]
        wobble = spread * math.sin(7 * r + 3 * len(objective) + 60 * cell["temperature"] + cell["weight"])
        right = {"simclr": 0.95, "alignment_uniformity": level["parts"], "attraction": level["attraction"]}
        usual = cell["temperature"] == 0.2 and cell["weight"] == 1.0
        apart = objective == "attraction"
        row = {
            "accuracy": right[objective] - (0.0 if usual else 0.02) + wobble,
            "alignment": (level["attraction_distance"] if apart else level["alignment"]) + wobble,
            "negative_distance": (level["attraction_distance"] if apart else level["negatives"]) + wobble,
            "untrained_alignment": 0.3,
            "untrained_negative_distance": 0.5,
        }
        rows.append(dict(cell.point) | row | {"status": "ok"})
        if objective != "simclr":
            continue
        for encoder, kind, n_negatives in itertools.product(
            ("untrained", "trained"), (here.INDEPENDENT, here.COPIED), here.N_NEGATIVES
        ):
            slope = level["slope"] if kind == here.INDEPENDENT else level["copies"]
            sign = -1 if encoder == "trained" else 1
            size = sign * (n_negatives + 1) ** (slope + 10 * wobble)
            known = {"encoder": encoder, "negatives": kind, "n_negatives": n_negatives}
            losses.append(dict(cell.point) | known | {"deviation_nats": size, "status": "ok"})
    return {"table": pd.DataFrame(rows), "losses": pd.DataFrame(losses)}


def outcome(claim: str, tables: dict[str, pd.DataFrame]) -> str:
    return study.verdicts(STUDY, tables)[f"C21.{claim}"].outcome


REFUTED = {
    "limit": {"slope": -0.2},
    "parts": {"parts": 0.90},
    "pull": {"alignment": 0.4},
    "push": {"negatives": 0.4},
}
BROKEN = {
    "limit": {"copies": -0.5},
    "parts": {"attraction": 0.95},
    "pull": {"attraction_distance": 0.6},
    "push": {"attraction_distance": 0.6},
}


@pytest.mark.parametrize("claim", REFUTED)
def test_each_claim_can_be_supported_and_refuted(claim: str) -> None:
    assert outcome(claim, tables_with()) == "supported"
    assert outcome(claim, tables_with(**REFUTED[claim])) == "refuted"


@pytest.mark.parametrize("claim", REFUTED)
def test_noise_a_broken_control_or_a_failed_row_decides_nothing(claim: str) -> None:
    assert outcome(claim, tables_with(**BROKEN[claim])) == "inconclusive"
    assert outcome(claim, tables_with(spread=5.0)) == "inconclusive"
    assert outcome(claim, tables_with(n=1)) == "inconclusive"
    failed = tables_with()
    for table in failed.values():
        table.loc[(table["objective"] == "simclr") & (table["replicate"] == 2), "status"] = (
            "diverged at step 3"
        )
    assert outcome(claim, failed) == "inconclusive"
    empty = {name: table.iloc[:0] for name, table in tables_with().items()}
    assert outcome(claim, empty) == "inconclusive"
    assert outcome(claim, {"table": empty["table"]}) == "inconclusive"


@pytest.mark.parametrize("objective", here.OBJECTIVES)
def test_without_an_objective_the_claims_that_compare_it_say_so(objective: str) -> None:
    tables = tables_with()
    tables["table"] = tables["table"].query(f"objective != '{objective}'")
    assert outcome("parts", tables) == "inconclusive"
    if objective != "alignment_uniformity":
        assert outcome("pull", tables) == outcome("push", tables) == "inconclusive"


def test_a_rise_at_one_temperature_refutes_the_pull() -> None:
    tables = tables_with()
    at = (tables["table"]["temperature"] == 0.1) & (tables["table"]["source"] == "digits")
    tables["table"].loc[at, "alignment"] += 0.3
    found = study.verdicts(STUDY, tables)["C21.pull"]
    assert found.outcome == "refuted" and "digits at 0.1" in found.reason


def test_only_many_negatives_count_for_the_slope() -> None:
    tables = tables_with()
    few = tables["losses"]["n_negatives"] < here.MANY
    tables["losses"].loc[few, "deviation_nats"] = 1.0
    assert outcome("limit", tables) == "supported"


def test_no_replicate_chooses_by_its_own_luck() -> None:
    """Two settings that are equal on average: each replicate's own best would gain, the others' best does not."""
    lucky = pd.DataFrame({0.1: [1.0, 0.0, 1.0, 0.0], 0.2: [0.0, 1.0, 0.0, 1.0]})
    assert here.best_by_others(lucky).mean() == 0.0

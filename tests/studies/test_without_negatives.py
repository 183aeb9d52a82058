"""The study without negatives: its cells, its linear network against theory, claims on tables with known answers."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from mibounds import study
from mibounds.representation.batch_norm import StackedBatchNorm
from mibounds.study.grid import make_grid

STUDY = study.load("without_negatives")
here = SimpleNamespace(**STUDY.measure.__globals__)
PIECE = {"barlow_twins": "off-diagonal term", "vicreg": "variance term"}


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert {"spread_share", "effective_rank", "accuracy", "distance_from_theory"} <= set(table)
    assert (table["status"] == "ok").all()
    assert {found.outcome for found in study.verdicts(STUDY, smoke).values()} == {"inconclusive"}
    assert len(STUDY.draw(smoke).axes) == 6


def test_a_pack_shares_all_but_the_replicate(smoke) -> None:
    grid = make_grid(STUDY, "full")
    assert {len(pack.cells) for pack in grid.packs} == {10}
    for purpose in STUDY.seeds:
        assert len({cell.seed(purpose) for cell in grid.cells if cell["replicate"] == 3}) == 1
        assert len({cell.seed(purpose) for cell in grid.cells}) == 10
    of_byol = smoke["table"].query("method == 'byol'")
    assert of_byol.groupby("norm")["untrained_spread_share"].nunique().eq(1).all()
    assert of_byol.groupby("norm")["random_accuracy"].nunique().eq(1).all()


def test_the_grid_is_what_the_study_says() -> None:
    cells = {tuple(cell[axis] for axis in STUDY.axes) for cell in make_grid(STUDY, "full").cells}
    by_method = {m: {(norm, removed) for method, norm, removed in cells if method == m} for m in here.MODELS}
    assert {m: len(found) for m, found in by_method.items()} == {
        "byol": 18,
        "simsiam": 3,
        "barlow_twins": 2,
        "vicreg": 2,
        "linear": 4,
    }
    assert set(here.STAND) | set(here.FALL) == set(here.MODELS["byol"])


def test_what_is_removed_is_not_there() -> None:
    def made(method: str, removed: str, norm: str = "batch"):
        return here.built({"method": method, "norm": norm, "removed": removed}, (16,), [0, 1])

    _, intact = made("byol", here.NOTHING)
    assert intact.target is not None and intact.stop_gradient and len(intact.predictor) > 1
    assert made("byol", here.NO_MOMENTUM)[1].target is None
    assert not list(made("byol", here.NO_PREDICTOR)[1].predictor.parameters())
    assert made("byol", here.NO_STOP)[1].target is None and not made("byol", here.NO_STOP)[1].stop_gradient
    assert made("simsiam", here.REPLACED)[1].redundancy == 1.0
    assert made("barlow_twins", PIECE["barlow_twins"])[1].off_diagonal == 0
    assert made("vicreg", PIECE["vicreg"])[1].variance == 0
    for norm, there in (("batch", True), ("group", False), ("none", False)):
        network, method = made("byol", here.NOTHING, norm)
        for part in (network, method):
            assert any(isinstance(module, StackedBatchNorm) for module in part.modules()) == there
        assert any(type(module).__name__ == "StackedGroupNorm" for module in method.target.modules()) == (
            norm == "group"
        )


def test_weights_do_not_depend_on_the_norm_or_on_what_is_removed() -> None:
    points = [
        {"method": "byol", "norm": n, "removed": r} for n in here.NORMS for r in (here.NOTHING, here.NO_STOP)
    ]
    first = [next(here.built(point, (16,), [5])[0].parameters()) for point in points]
    assert all(torch.equal(one, first[0]) for one in first)


# ---- the linear network


def slow_dynamics(s: float, p: float, time: float, rate: float = 1e-2) -> tuple[float, float]:
    """One mode's gradient flow in small steps: s of F, p of the predictor, both with decay (Tian et al. 2021)."""
    scale = 1 + here.NOISE**2
    for _ in range(int(time / rate)):
        pull = 1 - scale * p
        s, p = s + rate * 2 * s * (p * pull - here.DECAY), p + rate * (s * pull - here.DECAY * p)
    return s, p


def test_the_stable_eigenvalue_is_where_a_modes_flow_ends() -> None:
    stable = here.stable_eigenvalue()
    for start in (0.2, 0.5, 1.5):
        s, p = slow_dynamics(start**2, start, time=400)
        assert (s, p) == (pytest.approx(stable**2, rel=1e-3), pytest.approx(stable, rel=1e-3))
    assert slow_dynamics(1e-4, 1e-2, time=400)[0] < 1e-6, "under the smaller root a mode dies"
    assert here.stable_eigenvalue(0.0, 1e-9) == pytest.approx(1.0)


def test_modes_are_eigenvalues_and_their_alignment() -> None:
    w = torch.diag(torch.tensor([3.0, 2.0, 1.0]))
    p = torch.tensor([[0.5, 0.0, 0.0], [0.0, 0.3, 0.4], [0.0, 0.4, 0.3]])
    found = pd.DataFrame(here.modes(w, p, 7)).sort_values("eigenvalue")
    assert found["eigenvalue"].tolist() == pytest.approx([1.0, 4.0, 9.0], rel=1e-5)
    assert found["predictor_eigenvalue"].tolist() == pytest.approx([0.3, 0.3, 0.5], rel=1e-5)
    assert found["eigenspace_cosine"].tolist() == pytest.approx([0.6, 0.6, 1.0], rel=1e-5)


def test_a_summary_sets_each_mode_against_the_nearer_fixed_point() -> None:
    stable = here.stable_eigenvalue() ** 2
    first = [{"step": 0, "eigenvalue": 2.0, "eigenspace_cosine": 0.1}]
    last = [
        {"step": 9, "eigenvalue": e * stable, "eigenspace_cosine": c} for e, c in ((1.05, 0.9), (0.02, 0.0))
    ]
    found = here.summary(first + last)
    assert found["n_modes"] == 1 and found["least_eigenspace_cosine"] == 0.9
    assert found["distance_from_theory"] == pytest.approx(0.05)
    assert found["eigenvalue_left"] == pytest.approx(1.05 * stable / 2)
    broken = here.modes(torch.full((3, 3), math.nan), torch.eye(3), 9)
    assert here.summary(first + broken)["status"] == "diverged"


def test_a_short_linear_training_moves_towards_theory() -> None:
    axes = {"method": ("linear",), "norm": ("none",), "removed": (here.NO_MOMENTUM, here.NO_STOP)}
    rows, eigenvalues = {}, {}
    for pack in make_grid(STUDY, "smoke", axes).packs:
        pack.settings.update(linear_steps=1500, linear_batch=32, linear_rate=0.1)
        tables, removed = here.measure(pack)[0].tables, pack.cells[0]["removed"]
        (rows[removed],) = tables["table"]
        eigenvalues[removed] = [row["eigenvalue"] for row in tables["modes"] if row["step"] == 1480]
    assert rows[here.NO_MOMENTUM]["n_modes"] > 0
    assert max(eigenvalues[here.NO_MOMENTUM]) == pytest.approx(here.stable_eigenvalue() ** 2, rel=0.2)
    assert rows[here.NO_STOP]["n_modes"] == 0 and rows[here.NO_STOP]["eigenvalue_left"] < 0.01


def test_the_linear_loss_stops_the_gradients_that_it_says() -> None:
    """By the loss on constants: a stopped side gives the gradient of the other alone."""
    x = torch.randn(1, 3, 6, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    w, p = (
        torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(s), dtype=torch.float64) for s in (1, 2)
    )
    w.requires_grad_()
    target = torch.ones_like(w)

    def gradient(removed: str) -> torch.Tensor:
        return torch.autograd.grad(here.linear_loss(x, w, p, target, removed), w)[0]

    def by_hand(of_target: torch.Tensor, predictor: torch.Tensor) -> torch.Tensor:
        seen = [x[:, 0] + here.NOISE * x[:, i] for i in (1, 2)]
        parts = [(seen[i] @ w @ predictor - seen[1 - i] @ of_target).square().sum() for i in (0, 1)]
        return torch.autograd.grad(sum(parts) / 6 / 4, w)[0]

    torch.testing.assert_close(gradient(here.NOTHING), by_hand(target, p))
    torch.testing.assert_close(gradient(here.NO_MOMENTUM), by_hand(w.detach(), p))
    torch.testing.assert_close(
        gradient(here.NO_PREDICTOR), by_hand(w.detach(), torch.eye(4, dtype=w.dtype)[None])
    )
    torch.testing.assert_close(gradient(here.NO_STOP), by_hand(w, p))


# ---- claims


def table_of(spread: float = 1e-3, n: int = 10, **changed: dict) -> pd.DataFrame:
    """A table in which every claim holds; `changed` sets columns of "method_norm_removed" otherwise."""
    fallen = {"byol": here.FALL, "simsiam": (here.NO_STOP,), "vicreg": (PIECE["vicreg"],)}
    rows = []
    for cell in make_grid(STUDY, "full", replicates=n).cells:
        method, norm, removed = (cell[axis] for axis in STUDY.axes)
        falls, wobble = removed in fallen.get(method, ()), spread * (cell["replicate"] - 4.5)
        row = {"spread_share": 0.02 if falls else 0.9, "effective_rank": 2.5 if falls else 15.0}
        row |= {
            "untrained_spread_share": 0.5,
            "deviation_share": row["spread_share"],
            "untrained_deviation_share": 0.5,
        }
        if removed == PIECE["barlow_twins"]:
            row["effective_rank"] = 2.0
        if method == "linear":
            alive = removed in here.STAND
            row |= {"distance_from_theory": 0.04, "eigenvalue_left": 0.3 if alive else 1e-6}
            row |= {"least_eigenspace_cosine": 0.99 if alive else np.nan, "n_modes": 5 if alive else 0}
        row |= changed.get(f"{method}_{norm}_{removed}", {})
        wobbled = {
            name: value if name == "n_modes" else value + wobble * (1 + len(removed) / 30)
            for name, value in row.items()
        }
        rows.append(dict(cell.point) | wobbled | {"status": "ok"})
    return pd.DataFrame(rows)


BYOL = {"batch_norm": "batch", "group_norm": "group", "no_norm": "none"}
REFUTED = {
    **{
        f"C12.{claim}": [(f"byol_{norm}_{r}", {"spread_share": 0.3}) for r in here.FALL]
        for claim, norm in BYOL.items()
    },
    "C12.eigenvalues": [
        (f"linear_none_{here.NOTHING}", {"distance_from_theory": 0.4}),
        (f"linear_none_{here.NO_MOMENTUM}", {"least_eigenspace_cosine": 0.7}),
        (f"linear_none_{here.NO_STOP}", {"eigenvalue_left": 0.2}),
        (f"linear_none_{here.NOTHING}", {"n_modes": 0}),
    ],
    "C13.stop_gradient": [
        (f"simsiam_batch_{here.NO_STOP}", {"spread_share": 0.3}),
        (f"simsiam_batch_{here.NOTHING}", {"spread_share": 0.05}),
    ],
    "C13.redundancy": [
        (f"simsiam_batch_{here.REPLACED}", {"spread_share": 0.05}),
        (f"simsiam_batch_{here.REPLACED}", {"effective_rank": 1.2}),
    ],
    "C13.barlow_twins": [
        (f"barlow_twins_batch_{PIECE['barlow_twins']}", {"effective_rank": 9.0}),
        (f"barlow_twins_batch_{PIECE['barlow_twins']}", {"spread_share": 0.5}),
    ],
    "C13.vicreg": [(f"vicreg_batch_{PIECE['vicreg']}", {"deviation_share": 0.3})],
}
for claim, norm in BYOL.items():
    REFUTED[f"C12.{claim}"] += [
        (f"byol_{norm}_{here.NO_MOMENTUM}", {"spread_share": 0.05}),
        (f"byol_{norm}_{here.NO_MOMENTUM}", {"effective_rank": 1.2}),
    ]
CLAIMS = tuple(claim.id for claim in STUDY.claims)


def test_every_claim_is_tried() -> None:
    assert set(REFUTED) == set(CLAIMS) and len(CLAIMS) == here.N_CLAIMS


@pytest.mark.parametrize("claim", CLAIMS)
def test_each_claim_can_be_supported_and_refuted(claim: str, outcome) -> None:
    assert outcome(STUDY, claim, table_of()) == "supported"
    for cell, columns in REFUTED[claim]:
        assert outcome(STUDY, claim, table_of(**{cell: columns})) == "refuted", (cell, columns)


@pytest.mark.parametrize("claim", CLAIMS)
def test_noise_missing_rows_or_a_failure_decide_nothing(claim: str, outcome) -> None:
    cell, _ = REFUTED[claim][0]
    method, norm, removed = (
        cell.rsplit("_", 2) if cell.count("_") == 2 else ("barlow_twins", *cell.rsplit("_", 2)[1:])
    )
    assert outcome(STUDY, claim, table_of(spread=1.0)) == "inconclusive"
    assert outcome(STUDY, claim, table_of(n=1)) == "inconclusive"
    assert outcome(STUDY, claim, table_of().iloc[:0]) == "inconclusive"
    where = f"method == '{method}' and norm == '{norm}' and removed == '{removed}'"
    table = table_of()
    assert len(table.query(where)) == 10
    assert outcome(STUDY, claim, table.drop(table.query(where).index)) == "inconclusive"
    table.loc[table.query(where).index[:1], "status"] = "diverged at step 3"
    assert outcome(STUDY, claim, table) == "inconclusive"


@pytest.mark.parametrize("claim", [claim for claim in CLAIMS if claim != "C12.eigenvalues"])
def test_a_network_that_starts_collapsed_decides_nothing(claim: str, outcome) -> None:
    start = {"untrained_spread_share": 0.05, "untrained_deviation_share": 0.05}
    cells = {cell: start for cell, _ in REFUTED[claim]}
    assert outcome(STUDY, claim, table_of(**cells)) == "inconclusive"


def test_a_rank_counts_against_the_intact_methods(outcome) -> None:
    """Rank 3 is over 2, and yet a collapse where the intact method has 40."""
    ranks = {here.NOTHING: 40.0, here.NO_MOMENTUM: 3.0}
    changed = {f"byol_batch_{removed}": {"effective_rank": rank} for removed, rank in ranks.items()}
    assert outcome(STUDY, "C12.batch_norm", table_of(**changed)) == "refuted"

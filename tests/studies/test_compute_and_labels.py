"""The study of compute: operations against torch's count, linear maps against a slow way, claims on known tables."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import scipy.linalg
import torch
from torch.utils.flop_counter import FlopCounterMode

from mibounds import study
from mibounds.representation.measuring import Sizes, baselines
from mibounds.representation.sources import Pairs, load
from mibounds.study import Cell, Pack
from mibounds.study.grid import make_grid

STUDY = study.load("compute_and_labels")
here = SimpleNamespace(**STUDY.measure.__globals__)
FULL = make_grid(STUDY, "full")


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def cell_of(method: str, dim: int = 16) -> Cell:
    arm = "compute" if method == "supervised" else "dimension"
    wanted = {"arm": arm, "method": method, "dim": dim, "replicate": 0}
    return next(cell for cell in FULL.cells if wanted.items() <= cell.point.items())


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert {"content_r2", "accuracy", "raw_content_r2", "random_accuracy", "gigaflops", "steps"} <= set(table)
    assert (table["status"] == "ok").all()
    assert table["accuracy"].between(0, 1).all() and (table["gigaflops"] > 0).all()
    assert {found.outcome for found in study.verdicts(STUDY, smoke).values()} == {"inconclusive"}
    assert len(STUDY.draw(smoke).axes) == 3


def test_models_that_are_compared_are_paired(smoke) -> None:
    for _, of_place in smoke["table"].groupby(["arm", "dim"]):
        assert of_place["raw_accuracy"].nunique() == 1
    for _, of_width in smoke["table"].groupby(["arm", "dim", "width"]):
        assert of_width["random_accuracy"].nunique() == 1, "encoders that are compared start alike"
    for arm, dim in (("dimension", 64), ("scale", 16), ("compute", 16)):
        of_arm = [
            cell for cell in FULL.cells if (cell["arm"], cell["dim"], cell["replicate"]) == (arm, dim, 3)
        ]
        for purpose, shared in (
            ("data", 1),
            ("evaluation", 1),
            ("weights", len({c["width"] for c in of_arm})),
        ):
            assert len({cell.seed(purpose) for cell in of_arm}) == shared
    assert len({cell.seed("data") for cell in FULL.cells if cell["arm"] == "compute"}) == 10


def test_the_grid_is_what_the_study_says() -> None:
    models = {tuple(cell[axis] for axis in STUDY.axes) for cell in FULL.cells}
    of = {arm: [one[1:] for one in models if one[0] == arm] for arm in STUDY.axes["arm"]}
    assert len(FULL.cells) == 10 * len(models)
    assert len(of["dimension"]) == 5 * 6 + 2 and {one[2:] for one in of["dimension"]} == {(128, 0, 1)}
    assert len(of["scale"]) == 4 * 4 + 1 and {one[1] for one in of["scale"]} == {16}
    assert len(of["compute"]) == 2 * 9 + 1 and {one[1:4] for one in of["compute"]} == {(16, 64, 0)}
    assert {(arm, *one[1:]) for arm in of for one in of[arm] if one[0] == "shuffled"} == {
        ("dimension", 32, 128, 0, 1),
        ("dimension", 64, 128, 0, 1),
        ("scale", 16, 128, 16384, 1),
        ("compute", 16, 64, 0, 1),
    }


# Cost


@pytest.mark.parametrize("method", ["simclr", "vicreg", "autoencoder", "regression", "supervised"])
def test_operations_are_those_that_torch_counts(method: str) -> None:
    """3 times the forward pass; the first layer's input has no gradient, which torch leaves out of the backward one."""
    cell, n = cell_of(method), 24
    source = here.source_of(cell["arm"], 16)
    network = here.untrained(Pack((cell,)), source)
    loss = here.method_of(method, network, [0], cell)
    pairs = source.pairs(n, seed=0)
    stacked = Pairs(pairs.view_a[None], pairs.view_b[None], {k: v[None] for k, v in pairs.factors.items()})
    with FlopCounterMode(display=False) as forward:
        value = loss(network, stacked)
    with FlopCounterMode(display=False) as backward:
        value.sum().backward()
    views = 1 if method in ("regression", "supervised") else 2
    input_layer = 2 * views * n * source.shape[0] * cell["width"]
    claimed = here.step_flops(method, source.shape[0], cell["width"], n)
    assert claimed == 3 * forward.get_total_flops()
    assert claimed == forward.get_total_flops() + backward.get_total_flops() + input_layer


def test_a_budget_buys_every_method_as_many_operations() -> None:
    for dim in (4, 64):
        budget = 2000 * here.step_flops("simclr", 2 * dim, 128, 64)
        for method in ("simclr", "vicreg", "autoencoder", "regression"):
            steps, each = here.plan(method, cell_of(method, dim), 2 * dim)
            assert steps * each == pytest.approx(budget, abs=each / 2)
    assert here.plan("simclr", cell_of("simclr"), 32)[0] == 2000


def test_more_of_the_budget_is_more_steps(smoke) -> None:
    compute = smoke["table"].query("arm == 'compute' and method != 'shuffled'")
    for _, of_method in compute.groupby("method"):
        assert of_method.sort_values("multiple")["steps"].is_monotonic_increasing
    at_most = compute[compute["multiple"] == 16].set_index("method")["gigaflops"]
    assert at_most["simclr"] == pytest.approx(at_most["supervised"], rel=0.1)


# Data and maps


def test_fewer_pairs_are_part_of_more_and_come_again() -> None:
    source = here.source_of("scale", 4)
    few, more = (here.few_pairs(source, n, seed=5) for n in (256, 1024))
    seen = {name: rows_of(source, 40) for name, source in (("few", few), ("more", more))}
    assert len(seen["few"]) == 256 and seen["few"] <= rows_of(more, 200)
    assert len(seen["more"] - seen["few"]) > 256
    assert not seen["few"] & rows_of(here.few_pairs(source, 256, seed=6), 40)
    assert source.steps_a_draw == 32, "the source itself is left alone"


def rows_of(source: Any, n_blocks: int) -> set[tuple[float, ...]]:
    blocks = [source.training_block(block, 64, seed=1) for block in range(n_blocks)]
    return {tuple(row) for pairs in blocks for row in torch.cat([pairs.view_a, pairs.view_b], 1).tolist()}


def test_canonical_axes_are_those_of_the_generalised_eigenproblem() -> None:
    a, b, _ = here.source_of("dimension", 3).pairs(500, seed=0)
    axes = here.canonical_axes(a.double(), b.double()).numpy()
    joint = np.cov(np.concatenate([a, b], 1).astype(float).T)
    of_a, across, of_b = joint[:6, :6], joint[:6, 6:], joint[6:, 6:]
    values, slow = scipy.linalg.eigh(across @ np.linalg.inv(of_b) @ across.T, of_a)
    for found, wanted in zip(axes.T, slow.T[::-1], strict=True):
        cosine = found @ of_a @ wanted / np.sqrt((found @ of_a @ found) * (wanted @ of_a @ wanted))
        assert abs(cosine) == pytest.approx(1, abs=1e-6)
    assert values[::-1][:3].min() > 0.3


@pytest.mark.parametrize(("method", "least", "most"), [("cca", 0.97, 1.0), ("pca", 0.1, 0.9)])
def test_the_linear_maps_do_as_theory_says_where_all_is_linear(
    method: str, least: float, most: float
) -> None:
    """Seen as they are, CCA takes the content alone; the principal axes of equal variances are any."""
    source = load("content_style")(3, 3, shared_correlation=0.9, depth=0)
    mapped = here.seen_through(method, source, seed=0, n=4000)
    (row,) = baselines(None, mapped, sizes=Sizes(500, 250, 500))
    assert least <= row["raw_content_r2"] <= most
    assert row["raw_content_r2"] + row["raw_style_r2"] == pytest.approx(1, abs=0.05), "3 axes for 6 numbers"
    assert source.examples(2, 0).x.shape == (2, 6), "the source itself is left alone"


def test_the_best_accuracy_is_that_of_the_classes_own_posterior() -> None:
    source = here.source_of("compute", here.USUAL_DIM)
    x, factors = source.examples(20000, 1)
    right = (source.log_posterior(x).argmax(-1) == factors["label"]).float().mean().item()
    assert right == pytest.approx(here.BEST_ACCURACY, abs=0.008)


# Claims


def table_of(spread: float = 1e-3, n: int = 10, **changes: float) -> pd.DataFrame:
    """A table in which every claim holds; `changes` set a method's value, or what a factor of scale is worth."""
    level = {
        "simclr": 0.8,
        "raw": 0.6,
        "width": 0.02,
        "pairs": 0.02,
        "supervised": 0.85,
        "contrastive": 0.7,
    } | changes
    rows, noise = [], np.random.default_rng(0)
    for cell in FULL.cells:
        if cell["replicate"] >= n:
            continue
        method = cell["method"]
        wobble = spread * noise.normal()
        value = level.get(method, 0.5)
        if method == "shuffled":
            value = level.get(f"shuffled_{cell['arm']}", 0.3)
        elif cell["arm"] == "scale":
            value += level["width"] * np.log2(cell["width"] / 128) + level["pairs"] * np.log2(
                cell["n_pairs"] / 16384
            )
            value -= level.get("dip", 0.0) * (cell["width"] == 64)
        elif cell["arm"] == "compute" and method == "simclr":
            value = level.get(f"at_{cell['multiple']}", level["contrastive"])
        row = {"content_r2": value + wobble, "accuracy": value + wobble, "status": "ok"}
        row |= {"raw_content_r2": level["raw"], "raw_accuracy": 0.4, "gigaflops": cell["multiple"]}
        rows.append(dict(cell.point) | row)
    return pd.DataFrame(rows)


REFUTED: dict[str, list[dict[str, float]]] = {
    "C10.efficiency": [{"regression": 0.79}, {"vicreg": 0.9}, {"cca": 0.79}, {"pca": 0.9}, {"raw": 0.79}],
    "C10.unlabelled": [{"autoencoder": 0.79}, {"vicreg": 0.9}, {"cca": 0.79}, {"raw": 0.9}],
    "C10.scale": [{"width": 0.002}, {"pairs": 0.001}, {"width": -0.02}, {"dip": 0.05}],
    "C20.compute": [{"contrastive": 0.84}, {"at_1": 0.84}, {"at_3": 0.845}],
}
ARM = {
    "C10.efficiency": "dimension",
    "C10.unlabelled": "dimension",
    "C10.scale": "scale",
    "C20.compute": "compute",
}
NEEDED = {
    "C10.efficiency": [
        "method == 'regression'",
        "method == 'cca' and dim == 64",
        "method == 'simclr' and dim == 32",
    ],
    "C10.unlabelled": ["method == 'autoencoder'", "method == 'shuffled' and dim == 64"],
    "C10.scale": ["width == 16", "n_pairs == 256", "width == 32"],
    "C20.compute": ["method == 'supervised' and multiple == 1", "multiple == 3"],
}


@pytest.mark.parametrize("claim", REFUTED)
def test_each_claim_can_be_supported_and_refuted(claim: str, outcome) -> None:
    assert outcome(STUDY, claim, table_of()) == "supported"
    for changes in REFUTED[claim]:
        assert outcome(STUDY, claim, table_of(**changes)) == "refuted", changes


@pytest.mark.parametrize("claim", REFUTED)
def test_noise_a_broken_control_or_missing_rows_decide_nothing(claim: str, outcome) -> None:
    arm = ARM[claim]
    assert outcome(STUDY, claim, table_of(spread=0.5)) == "inconclusive"
    assert outcome(STUDY, claim, table_of(n=1)) == "inconclusive"
    assert outcome(STUDY, claim, table_of(**{f"shuffled_{arm}": 0.795})) == "inconclusive"
    table = table_of()
    for needed in ("method == 'shuffled'", *NEEDED[claim]):
        assert (
            outcome(STUDY, claim, table.drop(table.query(f"arm == '{arm}' and {needed}").index))
            == "inconclusive"
        )
    assert outcome(STUDY, claim, table.iloc[:0]) == "inconclusive"
    failed = table.copy()
    failed.loc[failed["arm"].eq(arm) & failed["replicate"].eq(3), "status"] = "diverged at step 3"
    assert outcome(STUDY, claim, failed) == "inconclusive"


def test_a_lead_that_is_no_margin_is_undecided(outcome) -> None:
    assert outcome(STUDY, "C10.efficiency", table_of(regression=0.78)) == "inconclusive"
    assert outcome(STUDY, "C20.compute", table_of(at_3=0.84)) == "inconclusive"


def test_what_needs_no_labels_is_not_held_against_what_does(outcome) -> None:
    assert outcome(STUDY, "C10.unlabelled", table_of(regression=0.9)) == "supported"


def test_the_verdict_on_compute_names_the_multiple_at_which_it_comes_close() -> None:
    (claim,) = [one for one in STUDY.claims if one.id == "C20.compute"]
    assert "at no multiple tried" in claim.verdict({"table": table_of()}).reason
    near = table_of(at_8=0.845, at_16=0.85)
    assert "within a point on average at 8 times" in claim.verdict({"table": near}).reason

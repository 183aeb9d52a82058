"""The self-consistency study: arrangements of images, and claims against tables with a known answer."""

from __future__ import annotations

import itertools
import math
import sys
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from mibounds import study
from mibounds.errors import DataError
from mibounds.study.grid import make_grid

STUDY = study.load("self_consistency")
here = SimpleNamespace(**STUDY.measure.__globals__)


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert {"truth_nats", "estimate_nats", "ceiling_nats", "status"} <= set(table)
    assert (table["status"] == "ok").all()
    assert table["truth_nats"].isna().eq(table["law"] == "digits").all()
    assert set(study.verdicts(STUDY, smoke)) == {claim.id for claim in STUDY.claims}
    assert len(STUDY.draw(smoke).axes) == 6


def test_gaussian_views_share_four_nats() -> None:
    image, view = here.draw_gaussian(40, 500, torch.Generator().manual_seed(0))
    correlation = (image * view).mean() / (image.square().mean() * view.square().mean()).sqrt()
    assert -16 / 2 * math.log(1 - correlation.item() ** 2) == pytest.approx(4.0, abs=0.1)


@pytest.mark.parametrize(
    ("arrangement", "rows", "nats"),
    [
        ("one_image", 2, 1.0),
        ("one_image", 8, 4.0),
        ("with_part", 4, 2.0),
        ("two_images", 8, 8.0),
        ("shuffled_pairs", 8, 0.0),
        ("with_more", 4, 4.0),
        ("one_image_twice", 4, 2.0),
    ],
)
def test_what_an_arrangement_shares(arrangement: str, rows: int, nats: float) -> None:
    assert here.gaussian_truth_nats(arrangement, rows) == nats
    # a Gaussian's truth again, from the covariance of what the critic sees
    pairs = (here.draw_gaussian(1, 60_000, torch.Generator().manual_seed(seed)) for seed in (1, 2))
    x, y = (side[0].double() for side in here.arrange(arrangement, rows, *pairs))
    assert gaussian_nats(x, y) == pytest.approx(nats, abs=0.1)


def gaussian_nats(x: torch.Tensor, y: torch.Tensor) -> float:
    """MI of jointly Gaussian columns by their canonical correlations; copies and zeros add nothing."""
    bases = []
    for side in (x, y):
        u, s, _ = torch.linalg.svd(side - side.mean(0), full_matrices=False)
        bases.append(u[:, s > 1e-6 * s[0]])
    correlations = torch.linalg.svdvals(bases[0].T @ bases[1])
    return -0.5 * (1 - correlations.square()).log().sum().item()


def test_all_arrangements_have_one_width() -> None:
    pairs = [here.draw_gaussian(2, 3, torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    for arrangement in STUDY.axes["arrangement"]:
        x, y = here.arrange(arrangement, 4, *pairs)
        assert x.shape == y.shape == (2, 3, 32)


def test_the_callers_images_stay_as_they_are() -> None:
    pair = here.draw_gaussian(1, 2, torch.Generator().manual_seed(0))
    kept = pair[1].clone()
    here.arrange("with_part", 4, pair, pair)
    assert torch.equal(pair[1], kept)


def test_digits_are_held_out_and_none_comes_twice_in_a_batch() -> None:
    folds = [here.DigitViews.of_fold(purpose, 7) for purpose in ("data", "evaluation")]
    assert [len(fold.images) for fold in folds] == [1200, 597]
    everything = torch.cat([fold.images for fold in folds]).flatten(1)
    whole = here.DigitViews.of_fold("data", 8).images.flatten(1)
    assert everything.shape[1] == 64 and everything.max() == 1.0
    trained_on = {tuple(image.tolist()) for image in folds[0].images.flatten(1)}
    assert sum(tuple(image.tolist()) in trained_on for image in folds[1].images.flatten(1)) == 0
    assert not torch.equal(whole, folds[0].images.flatten(1))  # another split
    still = here.DigitViews(folds[1].images, noise=0.0)
    image, view = still.draw(3, 64, torch.Generator().manual_seed(0))
    assert torch.equal(image, view)
    assert all(len(batch.flatten(1).unique(dim=0)) == 64 for batch in image)


def test_without_scikit_learn_the_extra_is_named(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(DataError, match=r"mibounds\[examples\]"):
        here.DigitViews.of_fold("data", 0)


def test_bounds_that_share_an_objective_share_a_training(tables_of) -> None:
    overrides = {"law": ("gaussian",), "arrangement": ("one_image",), "rows": (8,)}
    both = tables_of(STUDY, bound=("jensen_shannon", "smile"), **overrides)["table"]
    alone = tables_of(STUDY, bound=("smile",), **overrides)["table"]
    among = both[both["bound"] == "smile"]["estimate_nats"].tolist()
    assert among == pytest.approx(alone["estimate_nats"].tolist(), abs=1e-6)


def test_arrangements_see_the_same_images() -> None:
    (pack,) = make_grid(STUDY, "smoke", {"law": ("gaussian",), "bound": ("nwj",)}, 1).packs
    arranged = [("one_image", 8), ("two_images", 8)]
    x, y = next(here.batches(pack, arranged, "data"))
    assert torch.equal(x[0, :, :16], x[1, :, :16]) and torch.equal(y[0, :, :16], y[1, :, :16])
    assert x[0, :, 16:].abs().max() == 0 < x[1, :, 16:].abs().max()


def table_of(spread: float = 1e-3, **share: float) -> pd.DataFrame:
    """A table of perfect estimates; `share` scales an arrangement's."""
    points = [
        (law, arrangement, rows, bound, replicate)
        for law, (arrangement, shown), bound in itertools.product(
            ("gaussian", "digits"), here.ARRANGEMENTS.items(), here.BOUNDS
        )
        for rows, replicate in itertools.product(shown, range(10))
        if law == "gaussian" or arrangement not in here.CONTROLS
    ]
    table = pd.DataFrame(points, columns=["law", "arrangement", "rows", "bound", "replicate"])
    truth = [here.gaussian_truth_nats(a, t) for a, t in zip(table["arrangement"], table["rows"], strict=True)]
    scale = table["arrangement"].map(lambda name: share.get(name, 1.0))
    wobble = 1 + spread * (table["replicate"] - 4.5) * (1 + (table["arrangement"] == "one_image"))
    return table.assign(estimate_nats=truth * scale * wobble + 1e-3 * table["rows"], status="ok")


@pytest.mark.parametrize("test", here.TESTS)
def test_perfect_estimates_pass(test: str, outcome) -> None:
    assert outcome(STUDY, f"nwj.{test}", table_of()) == "supported"


@pytest.mark.parametrize(
    ("test", "table"),
    [
        ("data_processing", table_of(with_part=1.3)),
        ("additivity", table_of(two_images=0.6)),
        ("baseline", table_of().assign(estimate_nats=lambda t: t["estimate_nats"] + 4)),
        (
            "baseline",
            table_of().assign(
                estimate_nats=lambda t: t["estimate_nats"].where(t["law"] == "gaussian", 5.0 - t["rows"] / 4)
            ),
        ),
    ],
)
def test_a_ratio_that_is_off_refutes(test: str, table: pd.DataFrame, outcome) -> None:
    control = table["arrangement"].isin(here.CONTROLS)
    table.loc[control, "estimate_nats"] = table_of().loc[control, "estimate_nats"]
    assert outcome(STUDY, f"smile.{test}", table) == "refuted"


@pytest.mark.parametrize("test", here.TESTS)
def test_a_wide_interval_decides_nothing(test: str, outcome) -> None:
    table = table_of()
    noisy = (table["law"] == "digits") & (table["arrangement"] == here.ARRANGEMENT[test])
    noisy &= (table["rows"] < 8) | (test != "baseline")
    table.loc[noisy, "estimate_nats"] *= 1 + (table.loc[noisy, "replicate"] - 4.5) / 5
    assert outcome(STUDY, f"nwj.{test}", table) == "inconclusive"


@pytest.mark.parametrize(
    ("test", "share"),
    [("baseline", 1.0), ("data_processing", 0.5), ("additivity", 2.0)],
)
def test_a_control_that_breaks_nothing_makes_the_claim_inconclusive(test: str, share: float, outcome) -> None:
    table = table_of(**{here.CONTROL[test]: share})
    if test == "baseline":
        table.loc[table["arrangement"] == "shuffled_pairs", "estimate_nats"] = 4.0
    assert outcome(STUDY, f"nwj.{test}", table) == "inconclusive"
    assert outcome(STUDY, f"nwj.{test}", table[table["arrangement"] != here.CONTROL[test]]) == "inconclusive"


def test_the_papers_sentence_needs_each_estimator_to_fail(outcome) -> None:
    claim = "existing_estimators_fail"
    assert outcome(STUDY, claim, table_of(two_images=0.6)) == "supported"
    assert outcome(STUDY, claim, table_of()) == "refuted"
    one_passes = table_of(two_images=0.6)
    perfect = table_of()
    one_passes.loc[one_passes["bound"] == "nwj"] = perfect[perfect["bound"] == "nwj"]
    assert outcome(STUDY, claim, one_passes) == "refuted"
    assert outcome(STUDY, claim, table_of(one_image_twice=2.0)) == "inconclusive"


def test_a_failed_row_makes_the_claim_inconclusive(outcome) -> None:
    table = table_of()
    table.loc[table["bound"] == "nwj", "status"] = "diverged at step 3"
    assert outcome(STUDY, "nwj.additivity", table) == "inconclusive"
    assert outcome(STUDY, "smile.additivity", table) == "supported"

"""Classes beside numbers, by Gaussians: alone, and among the models of `auto`; tables and mixed columns there."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.special import entr
from scipy.stats import norm

import mibounds
from benchmarks.labels import entropy, interacting
from mibounds.data import Samples
from mibounds.errors import DataError, ParameterError
from mibounds.estimators import auto
from mibounds.estimators._classes import beside_classes
from mibounds.estimators._crosswise import Refitted, read_crosswise
from mibounds.estimators._shrinkage import shrunk_covariance
from mibounds.estimators.discriminant import Discriminant
from mibounds.estimators.ksg_extrapolated import ExtrapolatedKSG


def classes_apart(n: int, dim: int, distance: float, seed: int, n_classes: int = 2):
    """Unit normals in `dim` columns, each class's mean so far out along a column of its own; x, labels, and ln r."""
    random = np.random.default_rng(seed)
    means = distance * np.eye(n_classes, dim)
    labels = random.integers(n_classes, size=n)
    x = means[labels] + random.normal(size=(n, dim))
    log_densities = -((x[:, None] - means) ** 2).sum(-1) / 2
    return x, labels, log_densities[np.arange(n), labels] - np.log(np.exp(log_densities).mean(1))


def truth(*law) -> float:
    return float(classes_apart(200_000, *law)[2].mean())


def terms(x, labels, covariances="shared", seed=0):
    return Discriminant(covariances).terms(Samples(x, labels[:, None].astype(float)), seed)


@pytest.mark.parametrize("covariances", ["shared", "own"])
@pytest.mark.parametrize(("n_classes", "dim", "distance"), [(2, 1, 2.0), (2, 10, 1.5), (5, 8, 2.0)])
def test_it_is_the_truth_of_gaussian_classes(covariances, n_classes, dim, distance):
    x, labels, _ = classes_apart(3000, dim, distance, 0, n_classes)
    found = terms(x, labels, covariances)
    assert found.nats == pytest.approx(truth(dim, distance, 1, n_classes), abs=3 * found.error)
    assert found.error < 0.05


def test_each_pair_is_read_as_what_it_tells():
    x, labels, log_ratio = classes_apart(5000, 5, 2.0, 0)
    assert np.abs(terms(x, labels).pointwise - log_ratio).mean() < 0.05


def test_on_labels_that_tell_nothing_the_interval_holds_zero_in_many_columns():
    found = []
    for seed in range(40):
        x, labels, _ = classes_apart(200, 30, 0.0, seed, 4)
        found.append(terms(x, labels))
    assert sum(abs(f.nats) < 1.96 * f.error for f in found) >= 34
    assert np.mean([f.pointwise.mean() for f in found]) < 0  # what did not fit the others, read from them


def test_what_spreads_apart_without_moving_needs_covariances_of_its_own():
    random = np.random.default_rng(0)
    labels = random.integers(2, size=4000)
    x = np.where(labels == 0, 1.0, 4.0)[:, None] * random.normal(size=(4000, 3))
    assert terms(x, labels).nats < 0.02 < 0.35 < terms(x, labels, "own").nats


def test_no_pair_is_read_by_what_it_fitted():
    """Half the columns are nothing but a pair's own number: a fit that saw it would know its class."""
    random = np.random.default_rng(0)
    labels = random.integers(2, size=60)
    assert terms(random.normal(size=(60, 50)), labels, "own").pointwise.mean() < 0.05


def test_a_class_that_a_fold_never_saw_costs_no_infinity():
    x, labels, _ = classes_apart(100, 2, 1.0, 0)
    labels[0] = 7
    for covariances in ("shared", "own"):
        assert np.isfinite(terms(x, labels, covariances).pointwise).all()


def test_shrinking_leaves_variances_and_takes_off_what_is_chance():
    random = np.random.default_rng(0)
    few = random.normal(size=(20, 50)) * np.linspace(1, 5, 50)
    shrunk = shrunk_covariance(few)
    assert np.allclose(np.diag(shrunk), (few**2).mean(0))
    assert np.linalg.eigvalsh(shrunk).min() > 0.1 and np.linalg.matrix_rank(few.T @ few) == 20
    shared = random.normal(size=(5000, 1)) + random.normal(size=(5000, 3))
    assert np.abs(shrunk_covariance(shared) - shared.T @ shared / 5000).max() < 0.01


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"covariances": "none"}, ParameterError, "covariances must be shared or own; got 'none'"),
        ({"discrete": "z"}, ParameterError, "discrete must be auto, x or y; got 'z'"),
    ],
)
def test_what_is_no_option_is_refused(options, kind, said):
    with pytest.raises(kind, match=said):
        mibounds.estimate([1.0, 2, 3, 4], ["a", "b", "a", "b"], method="discriminant", **options)


def test_too_few_and_continuous_sides_are_refused():
    random = np.random.default_rng(0)
    with pytest.raises(DataError, match="expected at least 10"):
        mibounds.estimate(random.normal(size=8), ["a", "b"] * 4, method="discriminant")
    with pytest.raises(DataError, match="never repeats"):
        mibounds.estimate(*random.normal(size=(2, 100)), method="discriminant")


# Among the models of `auto`


@pytest.mark.parametrize(
    ("n_classes", "dim", "distance"), [(2, 1, 2.0), (3, 3, 1.5), (10, 20, 2.0), (2, 20, 1.0)]
)
def test_auto_is_near_the_truth_of_classes_named_or_numbered(n_classes, dim, distance):
    x, labels, _ = classes_apart(2000, dim, distance, 0, n_classes)
    truth_nats = truth(dim, distance, 1, n_classes)
    names = np.array([f"class {k}" for k in range(n_classes)])[labels]
    named, numbered, turned = (
        mibounds.estimate(*sides, budget="fast") for sides in ((x, names), (x, labels), (names, x))
    )
    assert named.nats == pytest.approx(truth_nats, abs=0.06)
    assert numbered == named and turned == named


def test_neighbours_are_chosen_for_classes_that_wind_around_each_other():
    random = np.random.default_rng(0)
    labels = random.integers(2, size=2000)
    angle = random.uniform(0, 3 * math.pi, 2000)
    radius = angle + math.pi * labels + 3
    x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1) + 0.2 * random.normal(size=(2000, 2))
    samples = beside_classes(Samples(x, labels[:, None].astype(float)))
    models = [Refitted(m, samples, name) for name, m in auto.OF_CLASSES.items()]
    models.append(Refitted(ExtrapolatedKSG(), samples))
    assert {r.model for r in read_crosswise(models, 2000, 0)} == {"ksg_extrapolated"}
    assert mibounds.estimate(x, labels, budget="fast").nats == pytest.approx(math.log(2), abs=0.06)


def test_labels_that_tell_nothing_have_an_interval_that_holds_zero():
    held = 0
    for seed in range(40):
        x, labels, _ = classes_apart(300, 4, 0.0, seed, 3)
        low, high = mibounds.estimate(x, labels, budget="fast").interval
        held += low <= 0 <= high
    assert held >= 34


def test_what_holds_classes():
    random = np.random.default_rng(0)
    numbers, few = random.normal(size=(200, 2)), random.integers(4, size=(200, 1)).astype(float)
    many = random.integers(40, size=(200, 1)).astype(float)
    assert (beside_classes(Samples(few, numbers)).x == numbers).all()
    assert beside_classes(Samples(numbers, many)) is None
    assert beside_classes(Samples(numbers, many, categories_y={0: "town"})) is not None
    assert beside_classes(Samples(few, few[::-1])) is None
    both = beside_classes(Samples(np.hstack([numbers, few]), few, categories_x={2: "town"}))
    assert both.categories_x == {2: "town"} and both.categories_y == {0: "class"}


def test_given_numbers_classes_are_read_by_the_chain_rule():
    """Of two columns the label sees one: given the other, nothing is lost; given the same, nothing is left."""
    x, labels, _ = classes_apart(2000, 2, 2.0, 0)
    names = np.array(["a", "b"])[labels]
    z = x + 0.0
    left = mibounds.estimate(x[:, :1], names, given=z[:, :1], budget="fast")
    assert left.conditional and abs(left.nats) < 0.02
    more = mibounds.estimate(x[:, :1], names, given=z[:, 1:], budget="fast")
    parts = [mibounds.estimate(side, names, budget="fast").nats for side in (x, z[:, 1:])]
    assert more.nats == pytest.approx(parts[0] - parts[1], abs=0.03) and more.nats > 0.1


def test_classes_beside_numbers_and_labels():
    truth_nats = interacting(200_000, 1)[2]
    found = [mibounds.estimate(*interacting(2000, seed)[:2], budget="fast", seed=seed) for seed in range(4)]
    assert np.mean([e.nats for e in found]) == pytest.approx(truth_nats, abs=0.03)
    # Of 24 such runs 19 held it: neighbours scatter more than their parts say.
    assert sum(e.interval[0] < truth_nats < e.interval[1] for e in found) >= 2


def test_numbers_beside_numbers_and_labels():
    """y is normal around a mean that the label shifts: h(y) by quadrature less h(y | x)."""
    random = np.random.default_rng(0)
    label, a = random.integers(4, size=2000), random.normal(size=2000)
    y = a + np.array([0.0, 2.0, 1.0, 3.0])[label] + 0.7 * random.normal(size=2000)
    at, step = np.linspace(-8, 12, 4001, retstep=True)
    density = np.mean([norm.pdf(at, mean, math.hypot(1, 0.7)) for mean in range(4)], axis=0)
    truth_nats = entr(density).sum() * step - norm.entropy(scale=0.7)
    frame = pd.DataFrame({"a": a, "label": np.array(list("pqrs"))[label]})
    found = mibounds.estimate(frame, y, budget="fast")
    assert found.nats == pytest.approx(truth_nats, abs=0.06)
    assert found.interval[0] < truth_nats < found.interval[1]


def test_columns_that_hardly_vary_do_not_drown_the_others():
    """Four columns that are 0 but for a few rows, at random: their scores there are far out, and tell nothing."""
    x, labels, _ = classes_apart(600, 2, 2.0, 0)
    rare = np.where(
        np.random.default_rng(1).random((600, 4)) < 0.01, np.random.default_rng(2).random((600, 4)), 0.0
    )
    for covariances in ("shared", "own"):
        alone, beside = (
            mibounds.estimate(side, labels, method="discriminant", covariances=covariances)
            for side in (x, np.hstack([x, rare]))
        )
        assert beside.nats == pytest.approx(alone.nats, abs=0.03)


def test_numbers_of_which_few_come_often_are_read_as_classes_too():
    """Fifty classes of ten pairs each beside three columns: their order tells nothing."""
    x, labels, _ = classes_apart(500, 50, 8.0, 0, 50)
    found = mibounds.estimate(x @ np.random.default_rng(0).normal(size=(50, 3)), labels, budget="fast")
    assert found.nats > 0.8


def test_neighbours_are_not_carried_beyond_the_entropy_of_the_classes(monkeypatch):
    """Thirty columns that all hang on the label: neighbours gain by every pair, and would be carried to 0.80 nats."""
    random = np.random.default_rng(0)
    labels = random.integers(2, size=600)
    x = labels[:, None] + random.normal(size=(600, 30))
    names = np.array(["a", "b"])[labels]
    found = mibounds.estimate(x, names, method="ksg_extrapolated")
    assert found.nats == pytest.approx(entropy((labels == 0).mean()), abs=1e-12)
    monkeypatch.setattr("mibounds.estimators.ksg_extrapolated._most_nats", lambda samples: np.inf)
    assert mibounds.estimate(x, names, method="ksg_extrapolated").nats > found.nats + 0.05
    with pytest.raises(DataError, match="got categories alone; take discrete"):
        mibounds.estimate(names, names[::-1], method="ksg_extrapolated")


def test_tables_of_numbers_and_of_labels_are_read_as_tables():
    random = np.random.default_rng(0)
    x = random.integers(4, size=1000)
    y = np.where(random.random(1000) < 0.5, (3 * x) % 4, random.integers(4, size=1000))
    by_table = mibounds.estimate(x, y, method="discrete")
    names = np.array(list("abcd"))
    for sides in ((x, y), (names[x], y), (x, names[y]), (names[x], names[y])):
        assert mibounds.estimate(*sides) == by_table


def test_rows_of_a_table_that_follow_each_other_widen_its_interval():
    """Two independent chains that change every fiftieth row: by counts alone the interval misses 0 in half the runs."""
    held = 0
    for seed in range(12):
        x, y = (np.random.default_rng(seed).random((2, 2000)) < 0.02).cumsum(axis=1) % 2
        found = mibounds.estimate(x, y)
        held += found.interval[0] <= 0 <= found.interval[1]
        assert any("rows follow each other" in said for said in found.warnings)
        assert np.ptp(found.interval) < 0.5
    assert held >= 10


@pytest.mark.parametrize("n", [20, 38])
def test_few_pairs_beside_labels_are_read(n):
    x, labels, _ = classes_apart(n, 2, 3.0, 0)
    found = mibounds.estimate(x, np.array(["a", "b"])[labels], budget="fast")
    assert 0.2 < found.nats < 1.0
    with pytest.raises(DataError, match="expected at least 10"):
        mibounds.estimate(x[:12], np.array(["a", "b"])[labels[:12]], budget="fast")


def test_labels_that_never_repeat_together_are_no_classes():
    """x and z repeat, their pairs do not: z's are read as a table, and those of both by copulas."""
    rows = np.arange(400)
    x, z = (rows // 20).astype(str), (rows % 20).astype(str)
    found = mibounds.estimate(x, np.random.default_rng(0).normal(size=400), given=z, budget="fast")
    assert found.conditional and np.isfinite(found.nats)


def test_a_table_of_few_pairs_a_cell_is_not():
    x, y = np.random.default_rng(0).integers(30, size=(2, 1000))
    found = mibounds.estimate(x, y, budget="fast")
    assert found.method == "auto" and abs(found.nats) < 0.05


def test_given_a_label_numbers_and_labels_are_read_by_the_chain_rule():
    """The label z moves both sides: given it, x and y share nothing, though y is a class and z a table beside it."""
    random = np.random.default_rng(0)
    z = random.integers(3, size=2000)
    x = 2.0 * z + random.normal(size=2000)
    y = np.where(random.random(2000) < 0.6, z, random.integers(3, size=2000))
    names = np.array(list("abc"))
    assert mibounds.estimate(x, names[y], budget="fast").nats > 0.15
    found = mibounds.estimate(x, names[y], given=names[z], budget="fast")
    assert found.conditional and found.interval[0] < 0 < found.interval[1] and abs(found.nats) < 0.03

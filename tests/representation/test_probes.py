"""Probes against slow versions, their traps, and the frozen encoder under them."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import Tensor

from mibounds.errors import DataError, ParameterError, ShapeError
from mibounds.representation.network import Network
from mibounds.representation.probes import (
    Folds,
    Ridge,
    _early_stopping,
    fine_tune,
    knn_probe,
    label_subset,
    logistic_probe,
    nonlinear_probe,
    nonlinear_regression,
)
from mibounds.representation.probes.nonlinear import class_loss
from mibounds.representation.probes.ridge import PENALTIES
from mibounds.stacked import StackedMLP

SIZES = (150, 120, 130)
RUNS, DIM, CLASSES = 3, 12, 4


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def cut(rows: Tensor, axis: int = -2) -> Folds:
    return Folds(*rows.split(SIZES, dim=axis))


@pytest.fixture
def features() -> Folds:
    """Dimensions of different scale and mean."""
    return cut(normal(RUNS, sum(SIZES), DIM) * torch.logspace(-2, 2, DIM) + normal(DIM, seed=1))


@pytest.fixture
def targets(features: Folds) -> Folds:
    """Numbers of the first run's features with noise, `n x 2`; the other runs know nothing of them."""
    weights = normal(DIM, 2, seed=2) / torch.logspace(-2, 2, DIM).unsqueeze(1)
    return Folds(*(x[0] @ weights + normal(len(x[0]), 2, seed=len(x[0])) + 5 for x in features))


@pytest.fixture
def labels(targets: Folds) -> Folds:
    """The quadrant around the training rows' medians."""
    high = targets.map(lambda fold: (fold > targets.train.median(0).values).long())
    return high.map(lambda fold: 2 * fold[:, 0] + fold[:, 1])


# Ridge


def slow_predictions(train: Tensor, y: Tensor, rows: Tensor, penalty: float) -> np.ndarray:
    """Normal equations of standardised features, one target after another."""
    x, y, rows = (side.double().numpy() for side in (train, y, rows))
    mean, scale = x.mean(0), x.std(0)
    x, rows = (x - mean) / scale, (rows - mean) / scale
    system = x.T @ x / len(x) + penalty * np.eye(x.shape[1])
    found = [
        rows @ np.linalg.solve(system, x.T @ (y[:, t] - y[:, t].mean()) / len(x)) + y[:, t].mean()
        for t in range(y.shape[1])
    ]
    return np.stack(found, axis=1)


def slow_r2(predicted: np.ndarray, y: np.ndarray) -> np.ndarray:
    return 1 - ((predicted - y) ** 2).sum(0) / ((y - y.mean(0)) ** 2).sum(0)


def test_ridge_is_the_slow_one_tuned_on_validation_and_read_on_test(features, targets):
    found = Ridge(features).regress(targets)
    for r in range(RUNS):
        by_penalty = {
            penalty: slow_r2(
                slow_predictions(features.train[r], targets.train, features.validation[r], penalty),
                targets.validation.double().numpy(),
            )
            for penalty in PENALTIES
        }
        weights = (targets.validation.var(0) / targets.train.var(0)).numpy()
        best = max(by_penalty, key=lambda penalty: ((by_penalty[penalty] - 1) * weights).sum())
        assert found.penalty[r] == pytest.approx(best)
        predicted = slow_predictions(features.train[r], targets.train, features.test[r], best)
        expected = slow_r2(predicted, targets.test.double().numpy())
        np.testing.assert_allclose(found.predictions[r], predicted, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(found.r2_by_target[r], expected, atol=1e-7)
    assert found.r2[0] > 0.8 and found.r2[1:].abs().max() < 0.1


def test_ridge_with_more_features_than_rows_is_the_same(targets):
    wide = cut(normal(1, sum(SIZES), 400))
    for penalty in (1e-3, 1.0):
        found = Ridge(wide, [penalty]).regress(targets)
        expected = slow_predictions(wide.train[0], targets.train, wide.test[0], penalty)
        np.testing.assert_allclose(found.predictions[0], expected, atol=1e-6)


def test_ridge_classes_are_the_largest_of_one_hot_predictions(features, labels):
    found = Ridge(features, [0.1]).classify(labels)
    one_hot = torch.eye(CLASSES)[labels.train]
    for r in range(RUNS):
        predicted = slow_predictions(features.train[r], one_hot, features.test[r], 0.1).argmax(1)
        assert (found.predictions[r].numpy() == predicted).all()
        assert found.accuracy[r].item() == pytest.approx((predicted == labels.test.numpy()).mean())
    assert found.accuracy[0] > 0.6 > 0.4 > found.accuracy[1]


def test_the_penalty_of_classes_is_chosen_by_validation_accuracy(features, labels):
    chosen = Ridge(features).classify(labels)
    swapped = features._replace(test=features.validation), labels._replace(test=labels.validation)
    each = [Ridge(swapped[0], [penalty]).classify(swapped[1]).accuracy for penalty in PENALTIES]
    for r in range(RUNS):
        accuracies = [of_runs[r].item() for of_runs in each]
        equals = [p for p, a in zip(PENALTIES, accuracies, strict=True) if a == max(accuracies)]
        assert chosen.penalty[r] == pytest.approx(max(equals))


def test_what_test_rows_hold_changes_no_choice(features, targets, labels):
    other = features._replace(test=normal(RUNS, 50, DIM, seed=9))
    moved = targets._replace(test=normal(50, 2, seed=9))
    assert torch.equal(Ridge(features).regress(targets).penalty, Ridge(other).regress(moved).penalty)
    relabelled = labels._replace(test=labels.test[:50])
    assert torch.equal(Ridge(features).classify(labels).penalty, Ridge(other).classify(relabelled).penalty)


def test_r2_knows_no_units_and_the_weighted_one_no_axes(features, targets):
    ridge = Ridge(features)
    rescaled = targets.map(lambda fold: 3 * fold - 7)
    torch.testing.assert_close(ridge.regress(targets).r2, ridge.regress(rescaled).r2)
    torch.testing.assert_close(
        Ridge(features.map(lambda fold: 10 * fold + 3)).regress(targets).r2,
        ridge.regress(targets).r2,
        rtol=1e-4,
        atol=1e-4,
    )
    fixed = Ridge(features, [0.1])
    turned = targets.map(lambda fold: fold @ torch.linalg.qr(normal(2, 2, seed=4))[0])
    torch.testing.assert_close(
        fixed.regress(targets).weighted_r2, fixed.regress(turned).weighted_r2, rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("active_rows", [0, 1, 3])
def test_a_nearly_dead_unit_does_not_explode(active_rows):
    """A ReLU unit that fires on few training rows, and a hundred times harder on test rows."""
    sizes = (1000, 500, 500)
    x = normal(1, sum(sizes), 8).relu()
    y = x[0, :, :2] + 0.1 * normal(sum(sizes), 2, seed=1)
    unit = torch.zeros(1, sum(sizes), 1)
    unit[0, :active_rows] = 1e-3
    unit[0, 1500::50] = 1.0
    without, known = Folds(*x.split(sizes, 1)), Folds(*y.split(sizes))
    dead = Folds(*torch.cat([x, unit], dim=2).split(sizes, 1))
    expected = Ridge(without).regress(known).r2
    torch.testing.assert_close(Ridge(dead).regress(known).r2, expected, rtol=0.0, atol=0.01)


def test_rounding_errors_of_a_constant_unit_count_as_nothing():
    x = normal(1, sum(SIZES), 3)
    y = x[0, :, :1] + 0.1 * normal(sum(SIZES), 1, seed=1)
    noise = 100 + 1e-5 * normal(1, sum(SIZES), 30, seed=2)
    with_noise = Ridge(cut(torch.cat([x, noise], dim=2)), [1e-6]).regress(cut(y)).r2
    torch.testing.assert_close(with_noise, Ridge(cut(x), [1e-6]).regress(cut(y)).r2)


def test_a_collapsed_encoder_says_the_mean_and_the_commonest_class(targets, labels):
    ridge = Ridge(cut(torch.ones(1, sum(SIZES), DIM)))
    assert -0.1 < ridge.regress(targets).r2.item() <= 0
    commonest = labels.train.bincount().argmax()
    assert ridge.classify(labels).accuracy.item() == pytest.approx(
        (labels.test == commonest).double().mean().item()
    )


# Every probe

PROBES = {
    "ridge": lambda x, y: Ridge(x).classify(y).accuracy,
    "logistic": lambda x, y: logistic_probe(x, y, strengths=(0.1, 1.0)).accuracy,
    "knn": lambda x, y: knn_probe(x, y, k=15),
    "nonlinear": lambda x, y: nonlinear_probe(x, y, range(len(x.train)), max_steps=100, hidden=16),
}
every_probe = pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)


@every_probe
def test_a_run_alone_is_the_same_run_in_a_stack(probe, features, labels):
    scaled = features.map(lambda fold: fold / features.train.std((0, 1)))
    stacked = probe(scaled, labels)
    assert stacked.shape == (RUNS,) and 0.5 < stacked[0] <= 1
    alone = probe(scaled.map(lambda fold: fold[:1]), labels)
    torch.testing.assert_close(alone[0], stacked[0], rtol=0, atol=1e-9)
    own = labels.map(lambda fold: fold.expand(RUNS, -1))
    torch.testing.assert_close(probe(scaled, own), stacked)


@every_probe
def test_the_encoder_under_a_probe_stays_frozen(probe, labels):
    network = Network.build((DIM,), [0, 1], encoder_options={"hidden": (16,), "dim": 8})
    before = copy.deepcopy(network.state_dict())
    inputs = cut(normal(2, sum(SIZES), DIM))
    live = inputs.map(lambda fold: network(fold).representation)
    assert live.train.requires_grad
    assert not probe(live, labels).requires_grad
    assert all(p.grad is None for p in network.parameters())
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


@every_probe
def test_a_label_with_one_class_is_refused(probe, features, labels):
    with pytest.raises(DataError, match="one class, 3, in the training fold"):
        probe(features, labels._replace(train=torch.full_like(labels.train, 3)))
    one_run = labels.map(lambda fold: fold.repeat(RUNS, 1))
    one_run.train[1] = 2
    with pytest.raises(DataError, match="one class"):
        probe(features, one_run)


@every_probe
def test_labels_and_features_that_do_not_fit_are_refused(probe, features, labels):
    with pytest.raises(ShapeError, match="expected labels"):
        probe(features, labels._replace(test=labels.test[:-1]))
    with pytest.raises(ShapeError, match="expected features"):
        probe(features._replace(test=features.test[..., :-1]), labels)
    with pytest.raises(DataError, match="class indices"):
        probe(features, labels.map(lambda fold: fold - 1))
    with pytest.raises(DataError, match="class indices"):
        probe(features, labels.map(torch.Tensor.float))
    broken = features.map(torch.Tensor.clone)
    broken.test[0, 0, 0] = math.nan
    with pytest.raises(DataError, match="not finite"):
        probe(broken, labels)


@every_probe
def test_the_callers_tensors_are_left_alone(probe, features, labels):
    kept = features.map(torch.Tensor.clone)
    probe(features, labels)
    assert all(torch.equal(fold, before) for fold, before in zip(features, kept, strict=True))
    assert all(fold._version == 0 for fold in (*features, *labels))


def test_ridge_refuses_what_it_cannot_use(features, targets):
    for penalties in ([], [0.0], [-1.0, 1.0]):
        with pytest.raises(ParameterError, match="penalties"):
            Ridge(features, penalties)
    with pytest.raises(DataError, match="target 1 is constant in train"):
        constant = targets.train.clone()
        constant[:, 1] = 1.0
        Ridge(features).regress(targets._replace(train=constant))
    with pytest.raises(ShapeError, match="expected targets"):
        Ridge(features).regress(targets._replace(test=targets.test[:-1]))
    with pytest.raises(DataError, match="not finite"):
        Ridge(features).regress(targets.map(lambda fold: fold / 0))


# k nearest neighbours


def slow_knn(features: Folds, labels: Folds, k: int, temperature: float) -> float:
    """One row and one neighbour at a time."""
    train = [row / row.norm() for row in features.train[0].double()]
    right = 0
    for row, label in zip(features.test[0].double(), labels.test.tolist(), strict=True):
        cosines = [float(row / row.norm() @ other) for other in train]
        nearest = sorted(range(len(train)), key=lambda j: -cosines[j])[:k]
        votes = [0.0] * CLASSES
        for j in nearest:
            votes[int(labels.train[j])] += math.exp(cosines[j] / temperature)
        right += int(max(range(CLASSES), key=votes.__getitem__) == label)
    return right / len(labels.test)


@pytest.mark.parametrize(("k", "temperature"), [(1, 0.1), (7, 0.1), (40, 0.5), (1000, 50.0)])
def test_knn_is_the_slow_one_whatever_the_chunks(features, labels, k, temperature):
    expected = slow_knn(features, labels, k, temperature)
    for rows_at_once in (None, 1, 37):
        found = knn_probe(features, labels, k=k, temperature=temperature, rows_at_once=rows_at_once)
        assert found[0].item() == pytest.approx(expected, abs=1e-12)


def test_knn_finds_itself_and_takes_any_temperature(features, labels):
    same = Folds(features.train, features.validation, features.train)
    known = labels._replace(test=labels.train)
    for temperature in (1e-4, 0.1):
        assert (knn_probe(same, known, k=1, temperature=temperature) == 1).all()
    # so cold that the nearest alone counts, and its weight alone would overflow
    assert torch.equal(knn_probe(features, labels, temperature=1e-6), knn_probe(features, labels, k=1))
    with pytest.raises(ParameterError):
        knn_probe(features, labels, k=0)
    with pytest.raises(ParameterError):
        knn_probe(features, labels, temperature=0.0)


# Logistic regression, perceptron


def test_logistic_regression_is_at_rest_where_it_says(features, labels):
    """The gradient of the penalised likelihood vanishes: its accuracy is that of the optimum, found by Newton here."""
    found = logistic_probe(features, labels, strengths=(0.1,))
    x = features.map(lambda fold: fold[0].double() - features.train[0].double().mean(0))
    scale = features.train[0].double().std(0, correction=0)
    rows = x.map(lambda fold: fold / scale)
    weights = torch.zeros(DIM, CLASSES, dtype=torch.float64, requires_grad=True)
    bias = torch.zeros(CLASSES, dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights, bias], max_iter=500, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        scores = rows.train @ weights + bias
        value = torch.nn.functional.cross_entropy(scores, labels.train, reduction="sum")
        value = value + weights.square().sum() / 0.2
        value.backward()
        return value

    optimizer.step(loss)
    predicted = (rows.test @ weights + bias).argmax(1)
    assert (predicted != found.predictions[0]).sum() <= 1
    assert found.penalty.tolist() == pytest.approx([10.0] * RUNS)


def test_the_strength_is_chosen_on_validation(features, labels):
    strengths = (1e-4, 1e-2, 1.0)
    found = logistic_probe(features, labels, strengths=strengths)
    as_test = features._replace(test=features.validation), labels._replace(test=labels.validation)
    each = [logistic_probe(*as_test, strengths=(c,)).accuracy[0].item() for c in strengths]
    assert 1 / found.penalty[0].item() == pytest.approx(strengths[each.index(max(each))])
    with pytest.raises(ParameterError, match="strengths"):
        logistic_probe(features, labels, strengths=(0.0,))


def test_a_perceptron_reads_what_no_line_does():
    x = normal(2, 900, 2)
    folds = Folds(*x.split(300, 1))
    exclusive = folds.map(lambda fold: (fold.prod(-1) > 0).long())
    assert (Ridge(folds).classify(exclusive).accuracy < 0.65).all()
    assert (nonlinear_probe(folds, exclusive, [0, 1], hidden=32, max_steps=400) > 0.9).all()
    squares = folds.map(lambda fold: fold.square())
    assert (Ridge(folds).regress(squares).r2 < 0.1).all()
    assert (nonlinear_regression(folds, squares, [0, 1], hidden=32, max_steps=400) > 0.8).all()


def test_early_stopping_leaves_each_run_with_its_best_weights():
    """Run 0 learns noise by heart, run 1 a line: the first ends where it began, the second far from there."""
    x = cut(normal(2, sum(SIZES), 40))
    y = x.map(lambda fold: (fold[..., 0] > 0).long())
    noise = torch.randint(2, (sum(SIZES),), generator=torch.Generator().manual_seed(5)).split(SIZES)
    for fold, of_noise in zip(y, noise, strict=True):
        fold[0] = of_noise
    model = StackedMLP(40, (64,), 2, [torch.Generator().manual_seed(r) for r in (0, 1)])

    def losses(fold: str) -> Tensor:
        return class_loss(_early_stopping.outputs(model, getattr(x, fold)), getattr(y, fold))

    seen = [losses("validation")]

    def watched(scores: Tensor, labels: Tensor) -> Tensor:
        if len(labels[0]) == SIZES[1]:
            seen.append(class_loss(scores, labels))
        return class_loss(scores, labels)

    settings = {
        "learning_rate": 3e-3,
        "batch_size": 150,
        "max_steps": 300,
        "check_every": 5,
        "patience": 1000,
    }
    _early_stopping.fit(model, x, y, watched, [0, 1], **settings)
    history = torch.stack(seen)
    torch.testing.assert_close(losses("validation"), history.amin(0))
    assert history[-1, 0] > 1.5 * history[:, 0].min() and losses("validation")[1] < 0.5 * history[0, 1]


def test_perceptrons_refuse_bad_settings(features, labels):
    with pytest.raises(ShapeError, match="a seed for each"):
        nonlinear_probe(features, labels, [0])
    with pytest.raises(ParameterError, match="patience"):
        nonlinear_probe(features, labels, range(RUNS), patience=0)


# Label fractions


def test_a_label_subset_is_stratified_nested_and_says_what_came():
    labels = torch.arange(4).repeat_interleave(torch.tensor([400, 200, 20, 1]))
    before: set[int] = set()
    for fraction in (0.001, 0.01, 0.1, 0.5, 1.0):
        subset = label_subset(labels, fraction, seed=0)
        expected = [max(1, round(fraction * n)) for n in (400, 200, 20, 1)]
        assert list(subset.counts) == expected and labels[subset.rows].bincount().tolist() == expected
        assert subset.share == len(subset.rows) / len(labels)
        assert before <= set(subset.rows.tolist())
        before = set(subset.rows.tolist())
    assert torch.equal(subset.rows, torch.arange(len(labels)))
    assert str(label_subset(labels, 0.001, seed=0)) == "4 labels (0.64%; 1 to 1 a class)"


def test_label_subsets_differ_by_seed_and_refuse_other_fractions():
    labels = torch.arange(4).repeat(100)
    assert torch.equal(label_subset(labels, 0.1, 0).rows, label_subset(labels, 0.1, 0).rows)
    assert not torch.equal(label_subset(labels, 0.1, 0).rows, label_subset(labels, 0.1, 1).rows)
    for fraction in (0.0, -0.1, 1.5, math.nan):
        with pytest.raises(ParameterError, match="fraction"):
            label_subset(labels, fraction, 0)


# Fine-tuning


def test_fine_tuning_trains_a_copy_and_starts_from_the_encoder():
    network = Network.build((4,), [0, 1], encoder_options={"hidden": (16,), "dim": 8, "norm": "batch"})
    before = copy.deepcopy(network.state_dict())
    inputs = cut(normal(2, sum(SIZES), 4))
    labels = inputs.map(lambda fold: (fold[..., 0] * fold[..., 1] > 0).long())
    found = fine_tune(network.encoder, inputs, labels, [0, 1], max_steps=300, learning_rate=3e-3)
    assert (found.accuracy > 0.8).all()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(p.grad is None for p in network.parameters())
    tuned = dict(found.model[0].named_parameters())
    assert all(not torch.equal(p, tuned[name]) for name, p in network.encoder.named_parameters())

    barely = fine_tune(network.encoder, inputs, labels, [0, 1], max_steps=1, learning_rate=1e-9)
    for name, p in network.encoder.named_parameters():
        torch.testing.assert_close(dict(barely.model[0].named_parameters())[name], p)


def test_a_run_is_tuned_the_same_alone():
    inputs = cut(normal(2, sum(SIZES), 4))
    labels = Folds(*(fold[..., 0].gt(0).long() for fold in inputs))
    options = {"encoder_options": {"hidden": (16,), "dim": 8}}
    both = fine_tune(Network.build((4,), [0, 1], **options).encoder, inputs, labels, [0, 1], max_steps=60)
    alone = fine_tune(
        Network.build((4,), [1], **options).encoder,
        inputs.map(lambda fold: fold[1:]),
        labels.map(lambda fold: fold[1:]),
        [1],
        max_steps=60,
    )
    torch.testing.assert_close(alone.accuracy[0], both.accuracy[1], rtol=0, atol=0.02)
    with pytest.raises(ShapeError, match="2 runs"):
        fine_tune(Network.build((4,), [0, 1], **options).encoder, inputs, labels, [0])

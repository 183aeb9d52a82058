"""What trains, what selects and what reports are three things; what is reported was selected, and nothing else."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mibounds import bounds
from mibounds.data import paired_samples
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import DivergedError
from mibounds.estimators import _reading, build, variational
from mibounds.estimators._folds import split
from mibounds.training import BestWeights, Trainer, shuffled_batches

LAW = Gaussian.from_mutual_information(2, 1.0)
SAMPLES = paired_samples(*LAW.sample(300, 0))
SMALL = {"critic_options": {"hidden": (16,), "embedding": 8}, "batch_size": 32}


def spoiled(fold: str, seed: int = 0):
    """The samples with x of one fold replaced by noise."""
    rows = getattr(split(len(SAMPLES), (0.6, 0.2, 0.2), seed), fold).numpy()
    x = SAMPLES.x.copy()
    x[rows] = np.random.default_rng(1).normal(size=(len(rows), 2))
    return type(SAMPLES)(x, SAMPLES.y)


@pytest.mark.parametrize("method", ["info_nce", "tuba", "smile"])
def test_the_report_fold_neither_trains_nor_selects(method):
    plain, other = (
        build(method, max_steps=60, check_every=10, **SMALL).estimate(samples, 0, 0.95)
        for samples in (SAMPLES, spoiled("report"))
    )
    assert plain.history == other.history
    assert other.nats != plain.nats


def test_the_select_fold_selects_and_does_not_train():
    estimator = build("info_nce", max_steps=60, check_every=10, **SMALL)
    plain, other = (estimator.estimate(samples, 0, 0.95) for samples in (SAMPLES, spoiled("select")))
    assert plain.history["train_nats"] == other.history["train_nats"]
    assert plain.history["select_nats"] != other.history["select_nats"]


@pytest.mark.parametrize("method", ["info_nce", "tuba"])  # tuba trains a log-baseline beside its critic
def test_the_value_is_read_from_the_report_fold_with_the_weights_of_the_best_check(monkeypatch, method):
    """The training is retold here step by step, and every check's weights are read on the report fold."""
    kept, trainers = [], []
    update = BestWeights.update

    def watched(self, values):
        kept.append((values.item(), [p.detach().clone() for p in trainers[0].parameters()]))
        return update(self, values)

    class Watched(Trainer):
        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            trainers.append(self)

    monkeypatch.setattr(BestWeights, "update", watched)
    monkeypatch.setattr(variational, "Trainer", Watched)
    estimator = build(method, learning_rate=0.02, patience=4, max_steps=500, check_every=5, **SMALL)
    found = estimator.estimate(SAMPLES, 0, 0.95)

    trainer, selected = trainers[0], [value for value, _ in kept]
    best = selected.index(max(selected))
    assert len(kept) == best + 1 + 4  # patience
    assert found.history["select_objective_nats"] == tuple(selected)
    assert all(torch.equal(a, b) for a, b in zip(trainer.parameters(), kept[best][1], strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(kept[best][1], kept[-1][1], strict=True))

    folds = split(len(SAMPLES), estimator.folds, 0)
    x, y = (variational.standardised(side, folds.train) for side in (SAMPLES.x, SAMPLES.y))
    read = [trainer.inputs(x[None, fold], y[None, fold])[0] for fold in (folds.select, folds.report)]
    on_select, on_report = (_reading.mean_value(bounds.load(method)(), [inputs]) for inputs in read)
    assert on_select == pytest.approx(max(selected)) and found.nats == pytest.approx(on_report)
    assert on_select != pytest.approx(on_report, abs=1e-3)


def test_batches_come_from_the_training_fold_alone(monkeypatch):
    seen = []

    def watched(x, y, seeds, batch_size):
        seen.append((x, y))
        return shuffled_batches(x, y, seeds, batch_size)

    monkeypatch.setattr(variational, "shuffled_batches", watched)
    build("info_nce", max_steps=2, **SMALL).estimate(SAMPLES, 0, 0.95)
    folds = split(len(SAMPLES), (0.6, 0.2, 0.2), 0)
    assert torch.equal(seen[0][0][0], variational.standardised(SAMPLES.x, folds.train)[folds.train])
    assert torch.equal(seen[0][1][0], variational.standardised(SAMPLES.y, folds.train)[folds.train])


@pytest.mark.parametrize("method", ["smile", "f_dime_kl", "info_nce_anchor"])
def test_what_is_maximised_selects_where_it_differs_from_what_is_read(method):
    found = build(method, max_steps=40, check_every=10, **SMALL).estimate(SAMPLES, 0, 0.95)
    assert found.history["select_objective_nats"] != found.history["select_nats"]


def test_the_ceiling_is_that_of_the_report_fold_and_large_folds_are_read_in_equal_blocks(monkeypatch):
    monkeypatch.setattr(variational, "LARGEST_BLOCK", 25)
    found = build("info_nce", max_steps=10, **SMALL).estimate(SAMPLES, 0, 0.95)
    assert found.ceiling_nats == math.log(20)  # 60 pairs, as three blocks of 20


def let_diverge_at_step_20(monkeypatch, run):
    fit = Trainer.fit

    def spoils(self, batches, steps):
        values = fit(self, batches, steps)
        if self.steps_done >= 20:
            self.status[run] = "diverged at step 20"
            with torch.no_grad():
                for p in self.parameters():
                    p[run].fill_(torch.nan)
        return values

    monkeypatch.setattr(Trainer, "fit", spoils)


def test_divergence_after_a_good_check_reports_that_check(monkeypatch):
    let_diverge_at_step_20(monkeypatch, run=0)
    found = build("info_nce", check_every=10, **SMALL).estimate(SAMPLES, 0, 0.95)
    assert math.isfinite(found.nats) and found.history["step"] == (10,)
    assert any("diverged at step 20" in warning for warning in found.warnings)


@pytest.mark.parametrize("method", ["info_nce", "nwj", "tuba"])
def test_an_ensemble_is_read_as_one_critic_and_no_lower_than_its_members_on_average(method):
    ensemble = build(method, ensemble=3, max_steps=60, patience=60, **SMALL)
    folds = split(len(SAMPLES), ensemble.folds, 0)
    x, y = (variational.standardised(side, folds.train) for side in (SAMPLES.x, SAMPLES.y))
    trainer, _ = ensemble.train(x, y, folds, 0)
    members = trainer.inputs(*(side[folds.report].expand(3, -1, -1) for side in (x, y)))
    of_members = torch.stack([ensemble.bound(*inputs) for inputs in members])
    mean = [torch.stack(each).mean(0) for each in zip(*members, strict=True)]
    assert of_members.std() > 1e-3  # the seeds differ
    found = ensemble.estimate(SAMPLES, 0, 0.95)
    assert found.nats == pytest.approx(ensemble.bound(*mean).item(), abs=1e-6)
    assert found.nats > of_members.mean().item()


def test_the_first_of_an_ensemble_is_the_critic_alone():
    folds = split(len(SAMPLES), (0.6, 0.2, 0.2), 0)
    x, y = (variational.standardised(side, folds.train) for side in (SAMPLES.x, SAMPLES.y))
    first, alone = (
        build("info_nce", ensemble=n, max_steps=50, patience=50, **SMALL).train(x, y, folds, 0)[0]
        for n in (3, 1)
    )
    for of_three, of_one in zip(first.parameters(), alone.parameters(), strict=True):
        assert torch.allclose(of_three[0], of_one[0], atol=1e-5)


def test_a_member_that_diverges_leaves_the_others_to_train(monkeypatch):
    let_diverge_at_step_20(monkeypatch, run=1)
    found = build("info_nce", ensemble=2, check_every=10, max_steps=50, **SMALL).estimate(SAMPLES, 0, 0.95)
    assert math.isfinite(found.nats) and found.history["step"] == (10, 20, 30, 40, 50)
    assert any("diverged at step 20" in warning for warning in found.warnings)


@pytest.mark.parametrize("value", [math.inf, math.nan, -math.inf])
def test_a_check_that_is_not_finite_is_never_the_best(value):
    critic = variational.critics.load("bilinear")(2, 2, [0])
    best = BestWeights(Trainer(critic, bounds.load("info_nce")(), [0]))
    assert best.update(torch.tensor([-3.0])).item()
    assert not best.update(torch.tensor([value])).item() and best.best.item() == -3.0


def test_divergence_before_any_check_is_an_error():
    with pytest.raises(DivergedError, match="lower learning_rate"):
        build("info_nce", learning_rate=1e30, **SMALL).estimate(SAMPLES, 0, 0.95)


def test_warnings_say_what_happened():
    stopped = build("info_nce", max_steps=10, **SMALL).estimate(SAMPLES, 0, 0.95)
    assert any("max_steps = 10" in warning for warning in stopped.warnings)
    lowered = build("info_nce", max_steps=10, batch_size=512, critic="bilinear").estimate(SAMPLES, 0, 0.95)
    assert any("lowered from 512 to the 180 pairs" in warning for warning in lowered.warnings)
    wide = paired_samples(*Gaussian.from_mutual_information(20, 2.0).sample(300, 0))
    overfitted = build("info_nce", max_steps=400, **SMALL).estimate(wide, 0, 0.95)
    assert any("overfits" in warning for warning in overfitted.warnings)


def test_device_auto_is_a_device_that_is_there():
    assert variational._device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


def test_the_score_matrix_in_parts_is_the_score_matrix(monkeypatch):
    critic = variational.critics.load("concatenated")(2, 2, [0], hidden=(8, 8))
    trainer = Trainer(critic, bounds.load("flo")(), [0], hidden=(8,))
    x, y = (torch.from_numpy(side[None, :40]).float() for side in (SAMPLES.x, SAMPLES.y))
    whole = trainer.inputs(x, y)[0]
    monkeypatch.setattr("mibounds.training.PAIRS_AT_ONCE", 40 * 7)
    for part, expected in zip(trainer.inputs(x, y)[0], whole, strict=True):
        torch.testing.assert_close(part, expected)
    assert whole[0].shape == (40, 40) and whole[1].shape == (40,)
    torch.testing.assert_close(whole[0], critic(x, y)[0].detach())

"""`certify`: under the truth, bounded by its ceiling, blind to the held-out pairs until it reads them."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

import mibounds
from mibounds.critics.separable import Separable
from mibounds.data import paired_samples
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import DataError, ParameterError, UnknownNameError
from mibounds.estimators._folds import Folds, split
from mibounds.estimators.certified import Certificate, ceiling_nats, certified
from mibounds.estimators.certified.candidates import Candidate, even_groups
from mibounds.estimators.certified.rule import Rule, choose
from mibounds.estimators.variational import Variational

QUICK = {"max_steps": 60, "critic_options": {"hidden": (32,), "embedding": 8}, "learning_rate": 3e-3}
LAW = Gaussian.from_mutual_information(2, 1.0)
X, Y = (side.numpy() for side in LAW.sample(2000, 0))


def exact_scores(law: Gaussian, n: int, seed: int) -> np.ndarray:
    x, y = law.sample(n, seed, dtype=torch.float64)
    return torch.stack(
        [law.log_density_ratio_matrix(x[g], y[g]) for g in even_groups(torch.arange(n))]
    ).numpy()


def test_it_lies_under_the_truth_and_not_far():
    found = mibounds.certify(X, Y, **QUICK)
    assert 0.7 < found.nats < 1.0 and found.nats == found.limit_nats
    assert found.folds == {"train": 900, "select": 300, "report": 800} and found.n_held_out == 800
    assert found.warnings == ()


def test_more_confidence_certifies_less():
    limits = [mibounds.certify(X, Y, confidence=c, **QUICK).limit_nats for c in (0.5, 0.95, 0.9999)]
    assert limits == sorted(limits, reverse=True) and limits[0] > limits[2] + 0.01


def test_nothing_is_certified_where_nothing_is():
    found = mibounds.certify(X, np.roll(Y, 7, axis=0), **QUICK)
    assert found.limit_nats <= 0.0 and found.nats == 0.0
    assert str(found).startswith("nothing certified with 95% confidence")


def test_the_same_seed_repeats():
    first, again, other = (mibounds.certify(X, Y, seed=seed, **QUICK) for seed in (0, 0, 1))
    assert first == again and first.limit_nats != other.limit_nats


def test_a_relation_that_no_covariance_shows_is_left_to_the_trained_critic():
    x = np.random.default_rng(0).normal(size=(2000, 1))
    y = x**2 + 0.1 * np.random.default_rng(1).normal(size=(2000, 1))
    found = mibounds.certify(x, y, **(QUICK | {"max_steps": 300}))
    assert found.critic == "trained" and found.nats > 0.3


def test_discrete_pairs_are_certified_under_their_entropy():
    x = np.random.default_rng(0).integers(0, 2, size=(2000, 1))
    found = mibounds.certify(x, x, **QUICK)
    assert 0.5 < found.nats < math.log(2)


def test_the_rule_does_not_see_the_held_out_pairs():
    """Other held-out pairs change the limit, and nothing that it is read by."""
    select = {"oracle": exact_scores(LAW, 400, 1)}
    rule = choose(select, 1000, 0.05)
    assert rule == choose(select, 1000, 0.05)
    limits = [rule.limit(exact_scores(LAW, 1000, seed), 0.05) for seed in range(2, 6)]
    assert len(set(limits)) == 4 and max(limits) < 1.0


def test_what_varies_among_the_held_out_pairs_alone_does_not_change_the_critic():
    folds = split(400, (0.45, 0.15, 0.4), 0)
    training = Variational(**QUICK)
    varying = np.zeros((400, 1))
    varying[folds.report[:5].numpy()] = 1.0
    first, other = (
        certified(paired_samples(x, Y[:400]), folds, training, 0, 0.95)
        for x in (X[:400], np.hstack([varying, X[:400]]))
    )
    assert first.limit_nats == other.limit_nats


def test_a_side_that_is_constant_where_critics_train_certifies_nothing():
    x = np.zeros((400, 1))
    x[split(400, (0.45, 0.15, 0.4), 0).report[:5].numpy()] = 1.0
    assert mibounds.certify(x, Y[:400], folds=(0.45, 0.15, 0.4), **QUICK).nats == 0.0


def test_the_mean_of_the_values_is_nwj_with_the_clipped_critic():
    scores = exact_scores(LAW, 64, 3)
    rule = Rule("oracle", 0.8, 0.1, -1.0, 1.5, floor=-9.0)
    s = (0.8 * scores[0] - 0.1).clip(-1.0, 1.5)
    off = ~np.eye(64, dtype=bool)
    expected = np.diagonal(s).mean() + 1 - np.exp(s[off]).mean()
    assert rule.values(scores)[0][off].mean() == pytest.approx(expected)
    assert rule.values(scores).min() >= rule.least


@pytest.mark.parametrize("nats", [0.0, 0.2, 1.0])
def test_limits_with_the_true_ratio_pass_the_truth_no_more_often_than_they_say(nats):
    law = Gaussian.from_mutual_information(2, nats)
    rule = choose({"oracle": exact_scores(law, 200, 1000)}, 64, 0.2)
    above = [rule.limit(exact_scores(law, 64, seed), 0.2) > nats for seed in range(200)]
    assert np.mean(above) <= 0.2 + 3 * math.sqrt(0.2 * 0.8 / 200)


def test_a_critic_read_on_the_pairs_that_trained_it_certifies_what_is_not_there():
    source = np.random.default_rng(0)
    samples = paired_samples(source.normal(size=(400, 20)), source.normal(size=(400, 20)))
    training = Variational(max_steps=300, learning_rate=3e-3, critic_options={"hidden": (64,)})
    apart = split(400, (0.4, 0.2, 0.4), 0)
    same = Folds(apart.train, apart.train, apart.train)
    assert certified(samples, same, training, 0, 0.95).nats > 0.2
    assert certified(samples, apart, training, 0, 0.95).nats == 0.0


@pytest.mark.parametrize("n", [128, 256, 1024])
@pytest.mark.parametrize("error", [0.05, 0.3])
def test_no_scores_pass_the_ceiling_and_the_best_ones_come_near_it(n, error):
    m = min(n, 256)
    certain = np.where(np.eye(m, dtype=bool), 50.0, -50.0)[None].repeat(n // m, 0)
    rules = [
        Rule("certain", 1.0, 0.0, low, high, floor=slack * (low - math.exp(high)) + 1)
        for low in (-2.0, -4.0)
        for high in np.linspace(0.0, 12.0, 25)
        for slack in (1 + 1e-9, 1.2)
    ]
    limits = [rule.limit(certain, error) for rule in rules]
    assert ceiling_nats(n, error) - 0.6 < max(limits) <= ceiling_nats(n, error)


def test_centring_takes_out_what_depends_on_x_alone():
    class Tilted(torch.nn.Module):
        n_runs = 1

        def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
            return LAW.log_density_ratio_matrix(x, y) + 3 * x[..., :1]

    x, y = LAW.sample(1500, 5)
    rows, strangers = torch.arange(1000, 1200), torch.arange(1000)
    scores = Candidate("tilted", Tilted(), x, y, strangers).scores(rows)
    exact = LAW.log_density_ratio_matrix(x[rows], y[rows]).numpy()
    assert scores.shape == (1, 200, 200)
    assert np.abs(scores[0] - exact).mean() < 0.2


def test_of_an_ensemble_the_mean_critic_is_read():
    x, y = LAW.sample(300, 5)
    rows, strangers = torch.arange(200, 300), torch.arange(200)
    both = Separable(x.shape[1], y.shape[1], [0, 1], hidden=(8,), embedding=4)
    mean_of_both = torch.nn.Module()
    mean_of_both.n_runs = 1
    mean_of_both.forward = lambda x, y: both(*(side.expand(2, *side.shape[1:]) for side in (x, y))).mean(0)[
        None
    ]
    one = Candidate("mean", mean_of_both, x, y, strangers).scores(rows)
    assert np.allclose(Candidate("trained", both, x, y, strangers).scores(rows), one, atol=1e-5)


@pytest.mark.parametrize("n", [32, 33, 255, 257, 513, 1000])
def test_groups_are_even_equal_and_leave_few_out(n):
    groups = even_groups(torch.arange(n))
    assert len({len(group) for group in groups}) == 1 and len(groups[0]) % 2 == 0 and len(groups[0]) <= 256
    assert len(torch.cat(groups)) > n - 3 * len(groups) and len(set(torch.cat(groups).tolist())) == sum(
        map(len, groups)
    )


def test_rows_of_a_time_series_are_noticed_and_independent_ones_are_not():
    walk = np.random.default_rng(0).normal(size=(600, 2)).cumsum(0)
    (warning,) = mibounds.certify(walk[:, :1], walk[:, 1:], **QUICK).warnings
    assert "time series" in warning
    for seed in range(5):
        x = np.random.default_rng(seed).integers(0, 2, size=(400, 3))
        found = mibounds.certify(x, x[:, :1] + np.random.default_rng(9).normal(size=(400, 1)), **QUICK)
        assert not any("time series" in warning for warning in found.warnings)


def test_a_certificate_in_words_and_in_json():
    found = Certificate(
        0.8072, 0.8072, 0.95, 5000, 6.73, "matched pairs", "trained", {"report": 5000}, ("one law",)
    )
    assert str(found) == (
        "at least 0.807 nats with 95% confidence, under any law of independent pairs; "
        "5,000 held-out pairs can certify no more than 6.73"
    )
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["limit_nats"] == 0.8072


@pytest.mark.parametrize(
    ("options", "kind", "said"),
    [
        ({"confidence": 1.0}, ParameterError, "confidence must lie between 0 and 1"),
        ({"confidence": None}, ParameterError, "confidence must lie between 0 and 1; got None"),
        ({"bound": "nwj"}, ParameterError, "trained on info_nce"),
        ({"seed": 0.5}, ParameterError, "seed must be an integer"),
        ({"folds": 3}, ParameterError, "three shares"),
        ({"folds": (0.5, 0.4, 0.2)}, ParameterError, "add to 1"),
        ({"critic": "seperable"}, UnknownNameError, "'separable'"),
        ({"max_step": 3}, UnknownNameError, "'max_steps'"),
        ({"bound": mibounds.bounds.load("nwj")()}, ParameterError, "trained on info_nce"),
    ],
)
def test_what_is_refused(options, kind, said):
    with pytest.raises(kind, match=said):
        mibounds.certify(X, Y, **options)


def test_too_few_pairs_are_refused():
    with pytest.raises(DataError, match="at least"):
        mibounds.certify(X[:60], Y[:60])

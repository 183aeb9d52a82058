"""`estimate` from the user's side: near the truth, repeatable, and clear about what it cannot use."""

from __future__ import annotations

import numpy as np
import pytest

import mibounds
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import DataError, MiboundsError, ParameterError, ShapeError, UnknownNameError

X, Y = (side.numpy() for side in Gaussian.from_mutual_information(2, 1.0).sample(1500, 0))
QUICK = {"max_steps": 300}


def test_info_nce_lies_below_the_truth_and_near_it():
    found = mibounds.estimate(X, Y, **QUICK)
    assert found.interval[0] < found.nats < found.interval[1]
    assert found.interval[0] < 1.0 and found.nats > 0.6
    assert found.folds == {"train": 900, "select": 300, "report": 300}
    assert found.ceiling_nats == pytest.approx(np.log(300)) and not found.saturated


def test_independent_sides_hold_nothing():
    found = mibounds.estimate(X, np.roll(Y, 7, axis=0), **QUICK)
    assert found.interval[0] < 0.0


def test_the_same_seed_repeats_and_the_arrays_stay_as_they_are():
    before = X.copy()
    first, again, other = (mibounds.estimate(X, Y, seed=seed, max_steps=50) for seed in (0, 0, 1))
    assert first.nats == again.nats != other.nats
    assert np.array_equal(X, before)


def test_an_information_near_the_ceiling_is_called_saturated():
    x = np.random.default_rng(0).normal(size=(600, 4))
    found = mibounds.estimate(x, x + 1e-3, max_steps=1000, learning_rate=3e-3)
    assert found.saturated and "saturated" in str(found)


@pytest.mark.parametrize(
    ("x", "y", "options", "error"),
    [
        (X, Y[:-1], {}, ShapeError),
        (np.where(np.arange(1500)[:, None] == 3, np.nan, X), Y, {}, DataError),
        (np.ones((1500, 1)), Y, {}, DataError),
        (X[:40], Y[:40], {}, DataError),
        (X.astype(str), Y, {}, DataError),
        (X, Y, {"method": "info_nec"}, UnknownNameError),
        (X, Y, {"critic": "seperable"}, UnknownNameError),
        (X, Y, {"method": "club"}, ParameterError),
        (X, Y, {"critic": "cosine", "critic_options": {"temperature": 0.0}}, ParameterError),
        (X, Y, {"batch_size": 1}, ParameterError),
    ],
)
def test_bad_input_is_a_named_error(x, y, options, error):
    with pytest.raises(error) as caught:
        mibounds.estimate(x, y, **options)
    assert isinstance(caught.value, MiboundsError) and "\n" not in str(caught.value)

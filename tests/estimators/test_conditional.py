"""I(x; y | z): nothing is left where z says it all, and laws in which it is known."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.special import digamma

import mibounds
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import DataError, ParameterError
from mibounds.estimators import _chain_rule, load, names
from mibounds.estimators._reading import mean_value, value_and_interval


def chain(n: int, direct: float, seed: int = 0, dim_z: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """x and y that share z; y also has `direct` times what x has of its own: I(x; y | z) = ln(1 + direct^2) / 2."""
    random = np.random.default_rng(seed)
    z, own, noise = random.normal(size=(n, dim_z)), random.normal(size=n), random.normal(size=n)
    return z.sum(axis=1) + own, z.sum(axis=1) + direct * own + noise, z


def value(x, y, z, method: str, **options) -> float:
    return mibounds.estimate(x, y, given=z, method=method, **options).nats


@pytest.mark.parametrize("direct", [0.0, 1.0])
@pytest.mark.parametrize(("method", "tolerance"), [("gaussian", 0.02), ("ksg", 0.05)])
def test_the_mean_is_the_truth_and_the_interval_covers_it(method, tolerance, direct):
    truth = math.log1p(direct**2) / 2
    found = [
        mibounds.estimate(x, y, given=z, method=method, seed=seed)
        for seed in range(10)
        for x, y, z in [chain(500, direct, seed)]
    ]
    assert np.mean([e.nats for e in found]) == pytest.approx(truth, abs=tolerance)
    assert np.mean([e.interval[0] <= truth <= e.interval[1] for e in found]) >= 0.7
    assert all(e.conditional and f"by {method} given z, no bound" in str(e) for e in found)


@pytest.mark.parametrize("direct", [0.0, 1.0])
def test_the_gaussian_is_unbiased_with_few_samples_and_many_columns_of_z(direct):
    values = [value(*chain(30, direct, seed, dim_z=5), "gaussian") for seed in range(400)]
    error = np.std(values) / math.sqrt(400)
    assert np.mean(values) == pytest.approx(math.log1p(direct**2) / 2, abs=4 * error)


def test_the_gaussian_is_that_of_residuals_with_fewer_samples():
    x, y, z = chain(200, 0.7, dim_z=3)
    design = np.c_[np.ones(200), z]
    left_x, left_y = (side - design @ np.linalg.lstsq(design, side, rcond=None)[0] for side in (x, y))
    plug_in = -np.log1p(-(np.corrcoef(left_x, left_y)[0, 1] ** 2)) / 2
    free = 200 - 3
    bias = (digamma((free - 1) / 2) - digamma((free - 2) / 2)) / 2
    assert value(x, y, z, "gaussian") == pytest.approx(plug_in - bias, abs=1e-12)
    assert value(np.c_[x, x + z[:, 0]], y, z, "gaussian") == pytest.approx(plug_in - bias, abs=1e-9)


def test_a_side_that_z_determines_is_refused_by_the_gaussian():
    _, y, z = chain(100, 0.0)
    with pytest.raises(DataError, match="x is a linear function of z"):
        value(2 * z + 1, y, z, "gaussian")


@pytest.mark.parametrize("k", [1, 3])
def test_ksg_given_z_is_the_slow_version(k):
    x, y, z = chain(150, 0.5, dim_z=2)
    apart = [
        np.abs(side[:, None] - side).max(axis=2)
        for side in ((s / s.std(0)) for s in (x[:, None], y[:, None], z))
    ]
    terms = []
    for i in range(150):
        others = np.arange(150) != i
        to_x, to_y, to_z = (side[i, others] for side in apart)
        kth = np.sort(np.maximum(np.maximum(to_x, to_y), to_z))[k - 1]
        sides = (np.maximum(to_x, to_z), np.maximum(to_y, to_z), to_z)
        n_xz, n_yz, n_z = (np.sum(to < kth) + 1 for to in sides)
        terms.append(digamma(k) + digamma(n_z) - digamma(n_xz) - digamma(n_yz))
    assert value(x, y, z, "ksg", neighbours=k) == pytest.approx(np.mean(terms), abs=1e-12)


@pytest.mark.parametrize("method", ["gaussian", "ksg"])
def test_pointwise_values_given_z_have_the_estimate_as_their_mean(method):
    x, y, z = chain(300, 0.5)
    terms = mibounds.pointwise(x, y, given=z, method=method)
    assert terms.mean() == pytest.approx(value(x, y, z, method), abs=1e-12)


QUICK = {"method": "info_nce", "max_steps": 300, "check_every": 25}


def test_the_chain_rule_finds_what_is_there_and_nothing_where_nothing_is():
    nothing, something = (
        mibounds.estimate(*chain(1500, direct)[:2], given=chain(1500, direct)[2], **QUICK)
        for direct in (0.0, 1.5)
    )
    truth = math.log1p(1.5**2) / 2
    assert nothing.interval[0] < 0 < nothing.interval[1] and abs(nothing.nats) < 0.1
    assert abs(something.nats - truth) < 0.2
    assert something.direction == "none" and something.conditional and not something.saturated
    assert any("as the difference of" in said for said in something.warnings)
    assert {"x_and_z_step", "z_alone_select_nats"} <= something.history.keys()
    assert json.loads(json.dumps(something.as_dict()))["conditional"] is True


def test_the_interval_of_a_difference_is_paired(monkeypatch):
    """Of two equal critics the difference is 0 in every group, though each value scatters."""
    seen = []

    def watched(bound, batches, confidence, less=()):
        seen.append((bound, batches))
        return value_and_interval(bound, batches, confidence, less)

    monkeypatch.setattr(_chain_rule, "value_and_interval", watched)
    x, y, z = chain(300, 1.0)
    found = mibounds.estimate(x, y, given=z, method="info_nce", max_steps=20, check_every=10)
    bound, whole = seen[0]
    assert value_and_interval(bound, whole, 0.95, less=whole) == (0.0, (0.0, 0.0))
    assert found.nats == pytest.approx(mean_value(bound, whole) - mean_value(bound, seen[2][1]), abs=1e-6)


def test_methods_without_a_conditional_form_say_so_and_the_others_answer():
    x, y, z = chain(400, 0.5)
    for name in names():
        if name == "variational":
            continue
        if load(name).conditional:
            sides = [(side > 0).astype(int) for side in (x, y, z)] if name == "discrete" else [x, y, z]
            options = {"budget": "fast"} if name == "auto" else {}
            assert math.isfinite(value(*sides, name, **options))
        else:
            with pytest.raises(
                ParameterError, match=f"{name} has no form given z; expected one of .*gaussian"
            ):
                value(x, y, z, name)


def test_algorithm_2_has_no_form_given_z():
    with pytest.raises(ParameterError, match="algorithm must be 1 given z"):
        value(*chain(100, 0.0), "ksg", algorithm=2)


def test_without_z_nothing_changes():
    x, y = Gaussian.from_correlation(1, 0.5).sample(200, 0)
    found = mibounds.estimate(x, y, method="ksg")
    assert not found.conditional and "given z" not in str(found)

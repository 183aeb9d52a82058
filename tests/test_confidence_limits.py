"""Confidence limits: exact coverage by enumeration, slow versions, and what must move them which way."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from mibounds.confidence_limits import empirical_bernstein_limit, matched_pairs_limit, matchings
from mibounds.errors import ParameterError, ShapeError

RNG = np.random.default_rng(0)


def mean_of_two(z: np.ndarray) -> np.ndarray:
    """A kernel whose expectation is the mean of z: `n_groups x m` -> `n_groups x m x m`."""
    return (z[:, :, None] + z[:, None, :]) / 2


def slow_limit(values: np.ndarray, floor: float, error: float) -> float:
    """The definition, product by product."""
    log_capital, n_pairs = math.log(error), 0
    for group in values:
        products = [
            math.prod(group[i, j] - floor for i, j in zip(one, other, strict=True))
            for one, other in zip(*matchings(len(group)), strict=True)
        ]
        log_capital += math.log(sum(products) / len(products))
        n_pairs += len(group) // 2
    return floor + math.exp(log_capital / n_pairs)


@pytest.mark.parametrize("m", [2, 4, 10, 64])
def test_matchings_meet_every_two_once_and_no_round_uses_a_player_twice(m):
    first, second = matchings(m)
    assert first.shape == second.shape == (m - 1, m // 2)
    assert all(set(a) | set(b) == set(range(m)) for a, b in zip(first, second, strict=True))
    met = {frozenset(pair) for pair in zip(first.flatten(), second.flatten(), strict=True)}
    assert len(met) == m * (m - 1) // 2


@pytest.mark.parametrize("shape", [(1, 2), (3, 4), (2, 10)])
@pytest.mark.parametrize("floor", [-0.001, -0.5, -4.0])
def test_the_limit_is_its_definition(shape, floor):
    values = mean_of_two(RNG.random(shape))
    assert matched_pairs_limit(values, floor, 0.05) == pytest.approx(slow_limit(values, floor, 0.05))


@pytest.mark.parametrize("chance", [0.02, 0.1, 0.3, 0.5, 0.8, 0.97, 0.999])
@pytest.mark.parametrize("floor", [0.0, -0.3, -2.0])
@pytest.mark.parametrize("error", [0.05, 0.3])
@pytest.mark.parametrize("sign", [1, -1])
def test_exact_coverage_of_eight_coins(chance, floor, error, sign):
    """All 2^8 outcomes in two groups of four; with sign -1 the rare event is the one that lowers the mean."""
    outcomes = np.array(list(itertools.product((0.0, 1.0), repeat=8)))
    weights = chance ** outcomes.sum(1) * (1 - chance) ** (8 - outcomes.sum(1))
    values, least = sign * outcomes, min(sign, 0)
    limits = [matched_pairs_limit(mean_of_two(one.reshape(2, 4)), least + floor, error) for one in values]
    assert weights[np.array(limits) > sign * chance + 1e-12].sum() <= error


def test_the_error_is_used_up_where_markov_is_tight():
    """w = 1 with a chance just under the error, else 0: where it is 1, the limit passes the mean."""
    error, mean = 0.05, 0.0499
    assert matched_pairs_limit(np.ones((2, 2)), 0.0, error) == pytest.approx(error) and error > mean
    assert matched_pairs_limit(np.zeros((2, 2)), 0.0, error) == 0.0


@pytest.mark.parametrize("law", ["rare and large", "lognormal", "two points"])
def test_coverage_by_simulation_of_dependent_kernels(law):
    """w(z, z') = (1 - e^s(z, z')) of laws whose large ratios are seldom seen; the mean is by a million draws."""
    source = np.random.default_rng(1)
    draw = {
        "rare and large": lambda shape: np.where(source.random(shape) < 0.01, 6.0, 0.0),
        "lognormal": lambda shape: np.minimum(np.exp(source.normal(size=shape)), 6.0),
        "two points": lambda shape: source.choice([0.1, 2.0], size=shape),
    }[law]

    def kernel(z: np.ndarray) -> np.ndarray:
        return 1 - z[..., :, None] * z[..., None, :]

    z = draw((2, 1_000_000))
    mean = 1 - (z[0] * z[1]).mean()
    above = [matched_pairs_limit(kernel(draw((2, 16))), 1 - 36.0 - 1e-9, 0.05) > mean for _ in range(400)]
    assert np.mean(above) <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 400)


def test_what_raises_the_limit():
    z = RNG.random((4, 32))
    limit = matched_pairs_limit(mean_of_two(z), 0.0, 0.05)
    assert matched_pairs_limit(mean_of_two(z + 0.1), 0.0, 0.05) > limit  # larger values
    assert matched_pairs_limit(mean_of_two(z), 0.0, 0.2) > limit  # a larger error
    assert matched_pairs_limit(mean_of_two(np.tile(z, (4, 1))), 0.0, 0.05) > limit  # more of the same
    assert limit < z.mean()


def test_it_moves_with_the_unit():
    values = mean_of_two(RNG.random((2, 8)))
    limit = matched_pairs_limit(values, -0.2, 0.05)
    assert matched_pairs_limit(3 * values - 7, 3 * -0.2 - 7, 0.05) == pytest.approx(3 * limit - 7)


def test_many_matchings_give_more_than_one():
    """One group of 200 against 100 groups of 2, where the kernel depends on who meets whom; mean of 10 samples."""
    gains = []
    for z in np.random.default_rng(2).choice([-1.0, 1.0], size=(10, 200)):
        values = 1 + 0.9 * z[:, None] * z[None, :]
        alone = np.stack([values[i : i + 2, i : i + 2] for i in range(0, 200, 2)])
        gains.append(matched_pairs_limit(values, 0.0, 0.05) - matched_pairs_limit(alone, 0.0, 0.05))
    assert np.mean(gains) > 0.05


def test_a_value_on_the_floor_ends_its_matching_alone():
    values = np.ones((1, 4, 4))
    values[0, 0, 1] = values[0, 1, 0] = 0.0
    assert matched_pairs_limit(values, 0.0, 0.05) == pytest.approx((0.05 * 2 / 3) ** 0.5)
    assert matched_pairs_limit(np.zeros((1, 4, 4)), 0.0, 0.05) == 0.0


def test_bernstein_by_hand():
    z = [0.0, 1.0, 0.5, 0.5]
    variance, log_term = 1 / 6, math.log(2 / 0.1)
    expected = 0.5 - math.sqrt(2 * variance * log_term / 4) - 7 * log_term / 9
    assert empirical_bernstein_limit(z, 0.0, 1.0, 0.1) == pytest.approx(expected)
    assert empirical_bernstein_limit(np.array(z) * 5 - 2, -2.0, 3.0, 0.1) == pytest.approx(5 * expected - 2)


@pytest.mark.parametrize("chance", [0.01, 0.5, 0.95])
def test_exact_coverage_of_bernstein_on_coins(chance):
    n, error = 60, 0.2
    covered = 0.0
    for k in range(n + 1):
        limit = empirical_bernstein_limit(np.arange(n) < k, 0.0, 1.0, error)
        covered += math.comb(n, k) * chance**k * (1 - chance) ** (n - k) * (limit <= chance)
    assert covered >= 1 - error


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        (lambda: matched_pairs_limit(np.ones((3, 3)), 0.0, 0.05), ShapeError, "m even"),
        (lambda: matched_pairs_limit(np.ones((2, 4)), 0.0, 0.05), ShapeError, "m even"),
        (lambda: matched_pairs_limit(np.ones((2, 2)), 1.5, 0.05), ParameterError, "under every value"),
        (
            lambda: matched_pairs_limit(np.full((2, 2), np.nan), 0.0, 0.05),
            ParameterError,
            "under every value",
        ),
        (lambda: matched_pairs_limit(np.ones((2, 2)), 0.0, 1.0), ParameterError, "between 0 and 1"),
        (lambda: empirical_bernstein_limit([1.0], 0.0, 1.0, 0.05), ShapeError, "at least two"),
        (lambda: empirical_bernstein_limit([0.0, 2.0], 0.0, 1.0, 0.05), ParameterError, "0.0..1.0"),
    ],
)
def test_what_is_refused(call, kind, said):
    with pytest.raises(kind, match=said):
        call()

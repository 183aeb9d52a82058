"""Xi: it inverts its defining divergence, is the least KL of any two laws, and does not saturate."""

from __future__ import annotations

import math

import pytest
import torch

from mibounds.bounds.jsd_xi import JSDXi
from tests.oracles import bernoulli_jsd, divergence, mutual_information


def value_at_divergence(jsd: float) -> float:
    """Xi(L) where L = `jsd`: with scores s on the positives and -s elsewhere, L = ln 2 - softplus(-s)."""
    s = -math.log(math.expm1(math.log(2) - jsd))
    return JSDXi()(s * (2 * torch.eye(3, dtype=torch.float64) - 1)).item()


def test_it_inverts_the_divergence_of_a_certain_from_a_biased_coin() -> None:
    for k in (0.001, 0.1, 1.0, 3.0, 10.0, 25.0):
        assert value_at_divergence(bernoulli_jsd(k)) == pytest.approx(k, rel=1e-3 if k > 20 else 1e-6)


def test_it_is_at_most_the_kl_divergence_of_any_two_coins() -> None:
    grid = [0.001, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.999]
    for p in grid:
        for q in grid:
            first, second = (p, 1 - p), (q, 1 - q)
            middle = [(a + b) / 2 for a, b in zip(first, second, strict=True)]
            jsd = (divergence(first, middle) + divergence(second, middle)) / 2
            assert value_at_divergence(jsd) <= divergence(first, second) + 1e-7


@pytest.mark.parametrize("n_symbols", [2, 5, 20])
def test_it_is_tight_where_y_is_x(n_symbols: int) -> None:
    eye = torch.eye(n_symbols, dtype=torch.float64)
    joint, optimal = eye / n_symbols, -1000 + (1000 + math.log(n_symbols)) * eye
    mi = mutual_information(joint.tolist())
    assert JSDXi().population(joint, optimal).item() == pytest.approx(mi, abs=1e-12) == math.log(n_symbols)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_goes_on_where_the_divergence_itself_is_ln_2_to_the_last_bit(dtype: torch.dtype) -> None:
    levels = torch.tensor([50.0, 100.0, 300.0, 1000.0], dtype=dtype)
    scores = (2 * torch.eye(4, dtype=dtype) - 1) * levels.reshape(-1, 1, 1)
    # The gap ln 2 - L is e^-s, and Xi's is (1 + k) e^-k / 2 there.
    values = JSDXi()(scores)
    torch.testing.assert_close(values - ((1 + values) / 2).log(), levels, rtol=1e-5, atol=0.0)


def test_worse_than_chance_reads_below_zero_and_keeps_falling() -> None:
    scores = (2 * torch.eye(4, dtype=torch.float64) - 1) * torch.tensor([-0.1, -1.0, -10.0, -1000.0]).reshape(
        -1, 1, 1
    )
    values = JSDXi()(scores).tolist()
    assert 0 > values[0] > values[1] > values[2] > values[3] > -math.inf
    assert JSDXi()(torch.zeros(4, 4, dtype=torch.float64)).item() == pytest.approx(0, abs=1e-12)


def test_very_bad_scores_read_their_asymptote() -> None:
    # A gap of g far above ln 2 belongs to k = 1 - 2 g.
    scores = -1e12 * (2 * torch.eye(4, dtype=torch.float64) - 1)
    assert JSDXi()(scores).item() == pytest.approx(1 - 2e12, rel=1e-9)

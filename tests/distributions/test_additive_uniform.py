from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from mibounds.distributions.additive_uniform import AdditiveUniform
from mibounds.errors import ParameterError


@pytest.mark.parametrize("noise", [0.1, 0.5, 2.0])
def test_x_is_uniform_and_so_is_the_noise(noise):
    x, y = AdditiveUniform(noise).sample(5000, 0, dtype=torch.float64)
    assert stats.kstest(x.flatten().numpy(), stats.uniform(0, 1).cdf).pvalue > 1e-4
    assert stats.kstest((y - x).flatten().numpy(), stats.uniform(-noise, 2 * noise).cdf).pvalue > 1e-4
    assert abs(torch.cat([x, y - x], 1).T.corrcoef()[0, 1]) < 4 / 5000**0.5


def test_both_formulas_meet_at_one_half():
    assert AdditiveUniform(0.5).mutual_information == 0.5
    assert AdditiveUniform(0.5 + 1e-9).mutual_information == pytest.approx(0.5, abs=1e-8)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("noise", [1e-3, 0.3, 100.0])
def test_no_pair_that_was_drawn_is_impossible(noise, dtype):
    law = AdditiveUniform(noise)
    x, y = law.sample(10_000, 0, dtype=dtype)
    assert law.log_density_ratio(x, y).isfinite().all()
    for edge in (x - noise, x + noise):
        assert (law.log_density_ratio(x, edge) > -math.inf).all()


def test_pairs_too_far_apart_are_impossible():
    law = AdditiveUniform(0.3)
    x, y = torch.tensor([[0.5], [0.5], [0.1]]), torch.tensor([[0.9], [0.7], [-0.1]])
    expected = torch.tensor([-math.inf, -math.log(0.6), -math.log(0.2)])
    torch.testing.assert_close(law.log_density_ratio(x, y), expected)


@pytest.mark.parametrize("noise", [0.0, -1.0, math.inf, math.nan])
def test_noise_out_of_its_domain_is_refused(noise):
    with pytest.raises(ParameterError, match="noise"):
        AdditiveUniform(noise)

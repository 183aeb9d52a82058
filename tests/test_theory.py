"""Closed forms against published figures and against sampling."""

from __future__ import annotations

import math

import pytest
import torch

from mibounds import theory
from mibounds.bounds.info_nce import InfoNCE
from mibounds.distributions.gaussian import Gaussian


@pytest.mark.parametrize(
    ("batch_size", "figures"),
    [
        (64, (1.814, 3.069, 3.740, 4.021, 4.123)),
        (128, (1.888, 3.339, 4.208, 4.627, 4.786)),
        (512, (1.961, 3.697, 4.950, 5.696, 6.057)),
    ],
)
def test_the_oracles_info_nce_on_the_staircase(batch_size, figures):
    for nats, figure in zip((2.0, 4.0, 6.0, 8.0, 10.0), figures, strict=True):
        correlation = theory.gaussian_correlation(20, nats)
        assert theory.info_nce_oracle_gaussian(20, correlation, batch_size) == pytest.approx(
            figure, abs=0.012
        )


def test_the_oracles_info_nce_agrees_with_sampling():
    law = Gaussian.from_mutual_information(5, 2.0)
    source = torch.Generator().manual_seed(0)
    batches = [law.sample(16, source, dtype=torch.float64) for _ in range(4000)]
    values = torch.stack([InfoNCE()(law.log_density_ratio_matrix(x, y)) for x, y in batches])
    exact = theory.info_nce_oracle_gaussian(5, theory.gaussian_correlation(5, 2.0), 16)
    error = values.std().item() / len(values) ** 0.5
    assert abs(values.mean().item() - exact) < 4 * error
    assert error < 0.01


@pytest.mark.parametrize(("kappa", "nats"), [(10, 2.48), (20, 4.76), (50, 8.39)])
def test_von_mises_fisher_information_in_ten_dimensions(kappa, nats):
    assert theory.vmf_mutual_information(10, kappa) == pytest.approx(nats, abs=0.005)


@pytest.mark.parametrize(("temperature", "nats"), [(0.5, 1.98), (0.2, 4.90), (0.1, 9.61)])
def test_the_temperatures_ceiling_in_128_dimensions(temperature, nats):
    assert theory.temperature_ceiling(128, temperature) == pytest.approx(nats, abs=0.01)


@pytest.mark.parametrize(("nats", "variance"), [(1.0, 0.031), (2.0, 0.070)])
def test_the_variance_of_nwj_with_the_oracle(nats, variance):
    correlation = theory.gaussian_correlation(20, nats)
    assert theory.nwj_oracle_variance(20, correlation, 64) == pytest.approx(variance, abs=0.001)


def test_gaussian_information_and_correlation_invert_each_other():
    for nats in (0.1, 2.0, 10.0):
        correlation = theory.gaussian_correlation(20, nats)
        assert theory.gaussian_mutual_information(20, correlation) == pytest.approx(nats)
    assert theory.info_nce_ceiling(64) == math.log(64)

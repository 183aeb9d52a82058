"""Closed forms against published figures, against each other, and against sampling."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from mibounds import theory
from mibounds.bounds.info_nce import InfoNCE
from mibounds.bounds.nwj import NWJ
from mibounds.distributions import Distribution
from mibounds.distributions.gaussian import Gaussian
from mibounds.distributions.von_mises_fisher import VonMisesFisher
from mibounds.errors import ParameterError
from mibounds.seeding import generator


def scores_of_the_oracle(law: Distribution, batch_size: int, n_batches: int) -> torch.Tensor:
    """`n_batches x batch_size x batch_size` log density ratios."""
    x, y = law.sample(n_batches * batch_size, generator(0), dtype=torch.float64)
    shape = n_batches, batch_size, -1
    return law.log_density_ratio_matrix(x.view(shape), y.view(shape))


def log_ratio(x: np.ndarray, y: np.ndarray, correlation: float) -> np.ndarray:
    """ln p(y | x) / p(y) of the bivariate Gaussian."""
    rest = 1 - correlation**2
    return -np.log(rest) / 2 - (y - correlation * x) ** 2 / (2 * rest) + y**2 / 2


# Gaussians


def test_gaussian_information_and_correlation_invert_each_other():
    for nats in (0.1, 2.0, 10.0, 100.0):
        correlation = theory.gaussian_correlation(20, nats)
        assert theory.gaussian_mutual_information(20, correlation) == pytest.approx(nats)
    assert theory.gaussian_correlation(3, 0.0) == theory.gaussian_mutual_information(3, 0.0) == 0.0


@pytest.mark.parametrize(("nats", "variance"), [(1.0, 0.031), (2.0, 0.070)])
def test_the_variance_of_nwj_with_the_oracle(nats, variance):
    correlation = theory.gaussian_correlation(20, nats)
    assert theory.nwj_oracle_variance(20, correlation, 64) == pytest.approx(variance, abs=0.001)


@pytest.mark.parametrize(("dim", "correlation", "batch_size"), [(1, 0.3, 4), (4, 0.25, 8), (8, 0.2, 16)])
def test_the_variance_of_nwj_agrees_with_sampling(dim, correlation, batch_size):
    law = Gaussian.from_correlation(dim, correlation)
    values = NWJ()(1 + scores_of_the_oracle(law, batch_size, 20_000))
    squares = (values - law.mutual_information) ** 2
    error = squares.std().item() / len(squares) ** 0.5
    assert abs(squares.mean().item() - theory.nwj_oracle_variance(dim, correlation, batch_size)) < 4 * error


@pytest.mark.parametrize("correlation", [0.2, -0.5])
def test_the_variance_of_nwj_on_two_pairs_agrees_with_plain_quadrature(correlation):
    nodes, weights = np.polynomial.hermite_e.hermegauss(36)
    weights = weights / weights.sum()
    x, noise, other_x, other_noise = np.meshgrid(nodes, nodes, nodes, nodes, indexing="ij", sparse=True)
    y, other_y = (
        correlation * a + (1 - correlation**2) ** 0.5 * b for a, b in ((x, noise), (other_x, other_noise))
    )
    positives = log_ratio(x, y, correlation) + log_ratio(other_x, other_y, correlation)
    negatives = np.exp(log_ratio(x, other_y, correlation)) + np.exp(log_ratio(other_x, y, correlation))
    values = 1 + positives / 2 - negatives / 2 - theory.gaussian_mutual_information(1, correlation)
    plain = np.einsum("i,j,k,l,ijkl", weights, weights, weights, weights, values**2, optimize=True)
    assert theory.nwj_oracle_variance(1, correlation, 2) == pytest.approx(plain, rel=1e-4)


def test_the_variance_of_nwj_is_infinite_where_it_overflows():
    assert theory.nwj_oracle_variance(1000, 0.9, 64) == math.inf


# von Mises-Fisher


@pytest.mark.parametrize(("kappa", "nats"), [(10, 2.48), (20, 4.76), (50, 8.39)])
def test_von_mises_fisher_information_in_ten_dimensions(kappa, nats):
    assert theory.vmf_mutual_information(10, kappa) == pytest.approx(nats, abs=0.005)


@pytest.mark.parametrize(("kappa", "nats"), [(5, 1.30), (10, 2.00), (20, 2.69), (50, 3.61), (100, 4.30)])
def test_von_mises_fisher_information_on_the_sphere(kappa, nats):
    closed_form = kappa / math.tanh(kappa) - 1 - math.log(math.sinh(kappa) / kappa)
    assert theory.vmf_mutual_information(3, kappa) == pytest.approx(closed_form, abs=1e-12)
    assert closed_form == pytest.approx(nats, abs=0.006)


@pytest.mark.parametrize("kappa", [0.01, 1.0, 30.0])
def test_von_mises_fisher_information_on_the_circle(kappa):
    angles = np.linspace(0, 2 * np.pi, 2000, endpoint=False)
    tilted = np.exp(kappa * np.cos(angles))
    resultant = np.sum(tilted * np.cos(angles)) / np.sum(tilted)
    assert theory.vmf_mean_resultant(2, kappa) == pytest.approx(resultant, rel=1e-11)
    assert theory.vmf_log_partition(2, kappa) == pytest.approx(np.log(tilted.mean()), rel=1e-11)


@pytest.mark.parametrize("dim", [2, 3, 10, 128, 1000, 20_000])
@pytest.mark.parametrize("kappa", [1e-3, 1.0, 50.0, 1e3, 1e5])
def test_the_mean_resultant_keeps_the_bessel_recurrence(dim, kappa):
    here, above = theory.vmf_mean_resultant(dim, kappa), theory.vmf_mean_resultant(dim + 2, kappa)
    assert here * (dim / kappa + above) == pytest.approx(1, rel=1e-8)
    assert 0 < above < here < 1


@pytest.mark.parametrize("dim", [2, 3, 10, 128, 1000, 20_000])
@pytest.mark.parametrize("kappa", [1.0, 50.0, 1e3])
def test_the_mean_resultant_is_the_slope_of_the_log_partition(dim, kappa):
    step = kappa * 1e-2
    rise = theory.vmf_log_partition(dim, kappa + step) - theory.vmf_log_partition(dim, kappa - step)
    assert rise / (2 * step) == pytest.approx(theory.vmf_mean_resultant(dim, kappa), rel=1e-4)


@pytest.mark.parametrize(("dim", "argument"), [(2, 5e8), (3, 5e8), (200, 1.0), (300, 5e8), (1000, 800.0)])
def test_expansions_of_the_bessel_function_agree_with_it_where_both_hold(dim, argument):
    order, z = dim / 2 - 1, np.array(argument)
    expansion = theory._bessel_of_large_argument if order < 1 else theory._bessel_of_large_order
    assert expansion(order, z) == pytest.approx(theory._log_scaled_bessel(order, z), abs=2e-7)


@pytest.mark.parametrize("dim", [2, 10, 1000, 20_000])
def test_a_flat_law_has_the_partition_of_its_second_moment(dim):
    kappa = 0.05
    assert theory.vmf_log_partition(dim, kappa) == pytest.approx(kappa**2 / (2 * dim), rel=1e-3)
    assert theory.vmf_mutual_information(dim, 0.0) == theory.vmf_log_partition(dim, 0.0) == 0.0


@pytest.mark.parametrize("dim", [2, 10, 128])
@pytest.mark.parametrize("nats", [0.0, 0.01, 2.0, 12.0])
def test_concentration_and_information_invert_each_other(dim, nats):
    kappa = theory.vmf_concentration(dim, nats)
    assert theory.vmf_mutual_information(dim, kappa) == pytest.approx(nats, abs=2e-6)


@pytest.mark.parametrize(("temperature", "nats"), [(0.5, 1.98), (0.2, 4.90), (0.1, 9.61)])
def test_the_temperatures_ceiling_in_128_dimensions(temperature, nats):
    assert theory.temperature_ceiling(128, temperature) == pytest.approx(nats, abs=0.01)


# InfoNCE with the oracle


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
        exact = theory.info_nce_oracle_gaussian(20, correlation, batch_size)
        assert exact == pytest.approx(figure, abs=0.008)  # the figures were sampled


def oracle_gaussian(dim: int, nats: float, batch_size: int) -> float:
    return theory.info_nce_oracle_gaussian(dim, theory.gaussian_correlation(dim, nats), batch_size)


def oracle_vmf(dim: int, nats: float, batch_size: int) -> float:
    return theory.info_nce_oracle_vmf(dim, theory.vmf_concentration(dim, nats), batch_size)


ORACLES = {
    "gaussian": (Gaussian.from_mutual_information, oracle_gaussian),
    "vmf": (VonMisesFisher.from_mutual_information, oracle_vmf),
}


@pytest.mark.parametrize("family", ORACLES)
@pytest.mark.parametrize(
    ("dim", "nats", "batch_size"), [(2, 1.0, 2), (2, 4.0, 64), (5, 2.0, 16), (20, 8.0, 64), (20, 10.0, 512)]
)
def test_the_oracles_info_nce_agrees_with_sampling(family, dim, nats, batch_size):
    law_of, oracle = ORACLES[family]
    law = law_of(dim, nats)
    scores = scores_of_the_oracle(law, batch_size, 400_000 // batch_size**2 + 20)
    # the positives' mean is known: taking it from the law lowers the error where MI is low
    positives = scores.diagonal(dim1=-2, dim2=-1).mean(-1)
    candidates = InfoNCE()(scores), InfoNCE()(scores) - positives + law.mutual_information
    values = min(candidates, key=lambda values: values.std())
    error = values.std().item() / len(values) ** 0.5
    assert error < 0.03
    assert abs(values.mean().item() - oracle(dim, nats, batch_size)) < 4 * error


@pytest.mark.parametrize("family", ORACLES)
@pytest.mark.parametrize("dim", [2, 20, 1000])
@pytest.mark.parametrize("nats", [0.01, 2.0, 12.0])
def test_the_oracles_info_nce_rises_to_its_limits(family, dim, nats):
    oracle = ORACLES[family][1]
    sizes = (2, 16, 256, 2**14)
    values = [oracle(dim, nats, size) for size in sizes]
    assert all(low < high for low, high in itertools.pairwise(values))
    assert all(0 < v < min(nats, math.log(size)) for v, size in zip(values, sizes, strict=True))
    if math.log(sizes[-1]) >= 2 * nats + 1:
        assert values[-1] > 0.95 * nats
    if nats >= 2 * math.log(sizes[1]) + 1:
        assert values[1] > 0.95 * math.log(sizes[1])


@pytest.mark.parametrize("family", ORACLES)
@pytest.mark.parametrize("batch_size", [2, 10, 1000])
def test_of_faint_dependence_the_oracle_sees_all_but_the_positives_share(family, batch_size):
    """As I -> 0, the mean over K candidates keeps 1/K of ln r: InfoNCE -> I (1 - 1/K)."""
    value = ORACLES[family][1](6, 1e-3, batch_size)
    assert value == pytest.approx(1e-3 * (1 - 1 / batch_size), rel=1e-3)


@pytest.mark.parametrize("correlation", [0.1, 0.5, -0.8])
def test_two_candidates_in_one_dimension_agree_with_plain_quadrature(correlation):
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    weights = weights / weights.sum()
    x, noise, other = np.meshgrid(nodes, nodes, nodes, indexing="ij", sparse=True)
    positive = log_ratio(x, correlation * x + (1 - correlation**2) ** 0.5 * noise, correlation)
    values = positive - np.logaddexp(positive, log_ratio(x, other, correlation)) + math.log(2)
    plain = np.einsum("i,j,k,ijk", weights, weights, weights, values)
    assert theory.info_nce_oracle_gaussian(1, correlation, 2) == pytest.approx(plain, abs=5e-6)


def test_on_the_circle_a_fixed_anchor_agrees_with_plain_sums():
    """Two candidates: the mean over two angles, the positive's tilted by its ratio."""
    kappa = 4.0
    angles = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    scores = kappa * np.cos(angles)
    tilt = np.exp(scores) / np.exp(scores).sum()
    values = scores[:, None] - np.logaddexp(scores[:, None], scores[None, :]) + math.log(2)
    assert theory.info_nce_oracle_vmf(2, kappa, 2) == pytest.approx(tilt @ values.mean(1), abs=1e-6)


@pytest.mark.parametrize(("dim", "nats"), [(1, 0.5), (1, 12.0), (20, 8.0), (1000, 12.0)])
def test_finer_nodes_give_the_same_integral(dim, nats):
    correlation, batch_size = theory.gaussian_correlation(dim, nats), 2**14
    norms, log_weights = theory._chi_nodes(dim, n_nodes=100)
    rows = [theory._log_ratio_given_norm(dim, correlation, norm, batch_size, n_nodes=900) for norm in norms]
    fine = np.exp(log_weights) @ [theory._info_nce_given_x(*row, batch_size) for row in rows]
    assert theory.info_nce_oracle_gaussian(dim, correlation, batch_size) == pytest.approx(fine, abs=1e-4)


def test_independent_sides_give_nothing():
    assert theory.info_nce_oracle_gaussian(5, 0.0, 64) == 0.0
    assert theory.info_nce_oracle_vmf(5, 0.0, 64) == pytest.approx(0, abs=1e-6)


def test_no_candidates_exceed_their_ceiling():
    assert theory.info_nce_ceiling(64) == math.log(64)


# What cannot be asked


@pytest.mark.parametrize(
    "ask",
    [
        lambda: theory.gaussian_mutual_information(0, 0.5),
        lambda: theory.gaussian_mutual_information(2, 1.0),
        lambda: theory.gaussian_mutual_information(2, math.nan),
        lambda: theory.gaussian_correlation(0, 1.0),
        lambda: theory.gaussian_correlation(2, -1.0),
        lambda: theory.gaussian_correlation(1, 40.0),
        lambda: theory.nwj_oracle_variance(2, -1.0, 64),
        lambda: theory.nwj_oracle_variance(2, 0.5, 1),
        lambda: theory.info_nce_ceiling(1),
        lambda: theory.temperature_ceiling(128, 0.0),
        lambda: theory.temperature_ceiling(128, math.nan),
        lambda: theory.temperature_ceiling(1, 0.1),
        lambda: theory.vmf_mutual_information(1, 1.0),
        lambda: theory.vmf_mutual_information(3, -1.0),
        lambda: theory.vmf_mean_resultant(3, math.inf),
        lambda: theory.vmf_concentration(3, -1.0),
        lambda: theory.vmf_concentration(1, 1.0),
        lambda: theory.vmf_concentration(1, 0.0),
        lambda: theory.info_nce_oracle_gaussian(3, 1.5, 64),
        lambda: theory.info_nce_oracle_gaussian(3, 0.5, 1),
        lambda: theory.info_nce_oracle_vmf(1, 0.5, 64),
        lambda: theory.info_nce_oracle_vmf(3, 0.5, 0),
    ],
)
def test_parameters_out_of_their_domain_are_refused(ask):
    with pytest.raises(ParameterError, match="got"):
        ask()

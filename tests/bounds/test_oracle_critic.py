"""With the true density ratio as critic, every bound meets its closed form on the 20-dimensional Gaussian.

Tolerances are four standard errors of the simulation, plus the rounding of published figures.
"""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mibounds import bounds
from mibounds.bounds.donsker_varadhan import DonskerVaradhan
from mibounds.bounds.info_nce import InfoNCE
from mibounds.bounds.nwj import NWJ
from mibounds.bounds.smile import SMILE
from mibounds.distributions.gaussian import Gaussian

LEVELS = (2, 4, 6, 8, 10)


def oracle_scores(law: Gaussian, n_batches: int, batch_size: int, seed: int) -> Tensor:
    x, y = law.sample(n_batches * batch_size, seed, dtype=torch.float64)
    x, y = (side.reshape(n_batches, batch_size, -1) for side in (x, y))
    return law.log_density_ratio_matrix(x, y)


def mean_and_error(values: Tensor) -> tuple[float, float]:
    return values.mean().item(), (values.std() / math.sqrt(len(values))).item()


@pytest.fixture(scope="module")
def staircase() -> dict[int, Tensor]:
    """Scores of 300 batches of 64 at each level of the staircase."""
    return {
        nats: oracle_scores(Gaussian.from_mutual_information(20, nats), 300, 64, seed=nats) for nats in LEVELS
    }


@pytest.mark.parametrize(
    ("bound", "nats_by_level"),
    [
        (InfoNCE(), (1.814, 3.069, 3.740, 4.021, 4.123)),
        (DonskerVaradhan(), (2.008, 4.063, 6.255, 8.593, 11.338)),
    ],
    ids=["info_nce", "donsker_varadhan"],
)
def test_the_published_staircase(
    bound, nats_by_level: tuple[float, ...], staircase: dict[int, Tensor]
) -> None:
    for nats, figure in zip(LEVELS, nats_by_level, strict=True):
        mean, error = mean_and_error(bound(staircase[nats]))
        assert abs(mean - figure) < 4 * error + 0.005
        assert error < 0.1  # else the line above could not fail


def smile_population(nats: float, dim: int, clip: float) -> float:
    """SMILE's population value with the true density ratio, by integration over a grid.

    In (x + y, x - y), with A and B independent chi-squared of `dim` degrees, ln r is I + (rho/2)(A - B) under p and
    I + (rho/2)(A / (1 + rho) - B / (1 - rho)) under q. E_q[e^clip(ln r)] is E_q where r < 1 and, divided by r, E_p
    where r >= 1: no integrand is above 1.
    """
    rho = math.sqrt(-math.expm1(-2 * nats / dim))
    a = (torch.arange(2000, dtype=torch.float64) + 0.5) * 0.06
    log_weights = (dim / 2 - 1) * a.log() - a / 2 - dim / 2 * math.log(2) - math.lgamma(dim / 2)
    weights = (log_weights.unsqueeze(1) + log_weights).exp() * 0.06**2
    under_p = nats + rho / 2 * (a.unsqueeze(1) - a)
    under_q = nats + rho / 2 * (a.unsqueeze(1) / (1 + rho) - a / (1 - rho))
    above = (under_p.clamp(max=clip) - under_p).exp() * (under_p >= 0)
    below = under_q.clamp(min=-clip).exp() * (under_q < 0)
    return nats - math.log((weights * (above + below)).sum())


@pytest.mark.parametrize(("clip", "figure"), [(1.0, 10.967), (5.0, 11.957)])
def test_smile_overestimates_ten_nats(clip: float, figure: float) -> None:
    assert smile_population(10.0, 20, clip) == pytest.approx(figure, abs=1e-3)
    law = Gaussian.from_mutual_information(20, 10.0)
    x, y = law.sample(100_000, seed=1, dtype=torch.float64)
    paired, independent = law.log_density_ratio(x, y), law.log_density_ratio(x, y.roll(1, 0))
    above = (paired.clamp(max=clip) - paired).exp() * (paired >= 0)
    below = independent.clamp(min=-clip).exp() * (independent < 0)
    mean, error = mean_and_error(above + below)
    assert abs(law.mutual_information - math.log(mean) - figure) < 4 * error / mean + 0.001


def test_smile_on_batches_overestimates_too(staircase: dict[int, Tensor]) -> None:
    mean, error = mean_and_error(SMILE(1.0)(staircase[10]))
    assert abs(mean - 10.97) < 4 * error + 0.005


def closed_form_variance(dim: int, correlation: float, batch_size: int) -> float:
    squared = correlation**2
    of_negatives = ((1 - squared) ** -dim - 1) + ((1 - squared**2) ** -dim - 1)
    return dim * squared / batch_size + of_negatives / (batch_size * (batch_size - 1))


@pytest.mark.parametrize(
    ("dim", "correlation", "batch_size", "n_batches"),
    [(20, 0.3085, 64, 1500), (5, 0.25, 8, 20_000), (1, 0.2, 2, 50_000)],
)
def test_nwj_is_unbiased_with_its_closed_forms_variance(
    dim: int, correlation: float, batch_size: int, n_batches: int
) -> None:
    law = Gaussian.from_correlation(dim, correlation)
    scores = torch.cat([oracle_scores(law, n_batches // 10, batch_size, seed) for seed in range(10)])
    values = NWJ()(NWJ().optimal_scores(scores))
    mean, error = mean_and_error(values)
    assert abs(mean - law.mutual_information) < 4 * error
    variance, error_of_variance = mean_and_error((values - law.mutual_information) ** 2)
    assert abs(variance - closed_form_variance(dim, correlation, batch_size)) < 4 * error_of_variance
    assert error_of_variance < 0.06 * variance


@pytest.mark.parametrize(
    "name",
    [
        "nwj",
        "jensen_shannon",
        "tuba",
        "flo",
        "info_nce_anchor",
        "f_dime_kl",
        "f_dime_gan",
        "f_dime_hellinger",
    ],
)
def test_what_is_unbiased_reads_the_mi(name: str) -> None:
    bound, law = bounds.load(name)(), Gaussian.from_mutual_information(20, 1.0)
    scores = bound.optimal_scores(oracle_scores(law, 300, 64, seed=3))
    baseline = [scores.new_zeros(scores.shape[:-1])] if bound.baseline else []
    mean, error = mean_and_error(bound(scores, *baseline))
    assert abs(mean - 1.0) < 4 * error and error < 0.02


def test_club_adds_the_reverse_divergence() -> None:
    law = Gaussian.from_mutual_information(20, 2.0)
    squared = 1 - math.exp(-2 * 2.0 / 20)
    mean, error = mean_and_error(bounds.load("club")()(oracle_scores(law, 300, 64, seed=4)))
    assert abs(mean - 20 * squared / (1 - squared)) < 4 * error


def test_leave_one_out_lies_above_and_jsd_xi_below_the_mi(staircase: dict[int, Tensor]) -> None:
    for nats in LEVELS:
        above, error_above = mean_and_error(bounds.load("leave_one_out")()(staircase[nats]))
        below, error_below = mean_and_error(bounds.load("jsd_xi")()(staircase[nats]))
        assert below + 4 * error_below < nats < above - 4 * error_above

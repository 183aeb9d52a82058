"""Estimators by models of densities and by denoisers: near the truth, and each fold with a job of its own."""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
import torch

import mibounds
from mibounds.data import Samples, paired_samples
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import DataError, DivergedError, ParameterError, UnknownNameError
from mibounds.estimators import _diffusion, build, gaussian_mixture, mienf, minde, mmg
from mibounds.estimators._folds import split
from mibounds.estimators._training import mean_losses
from mibounds.seeding import generator

LAW = Gaussian.from_mutual_information(2, 1.0)
X, Y = (side.numpy() for side in LAW.sample(1500, 0))
SHORT = {"max_steps": 60, "check_every": 30, "batch_size": 128}
DENSITY = {**SHORT, "max_steps": 150, "hidden": (16,), "n_components": 4}
FLOWS = {**SHORT, "flow": "MAF", "hidden": (16,), "transforms": 1}
NOISE = {**SHORT, "hidden": (32, 32), "n_levels": 16}
METHODS = {
    "barber_agakov": DENSITY,
    "difference_of_entropies": FLOWS,
    "gaussian_mixture": {"most_components": 4},
    "mienf": FLOWS,
    "minde": NOISE,
    "mmg": NOISE,
}
JOINT = {"method": "minde", "joint": True, **NOISE}
TRAINED = [name for name, options in METHODS.items() if "max_steps" in options]


@pytest.fixture(scope="module")
def found():
    return {name: mibounds.estimate(X, Y, method=name, **options) for name, options in METHODS.items()}


@pytest.mark.parametrize("method", METHODS)
def test_it_reads_what_a_gaussian_holds(found, method):
    estimate = found[method]
    assert estimate.nats == pytest.approx(1.0, abs=0.2)
    assert estimate.interval[0] < estimate.nats < estimate.interval[1]
    assert estimate.direction == "none" and estimate.folds == {"train": 900, "select": 300, "report": 300}


@pytest.mark.parametrize("method", METHODS)
def test_units_and_increasing_maps_of_columns_do_not_matter(found, method):
    moved = mibounds.estimate(1e6 * X + 3, np.exp(Y), method=method, **METHODS[method])
    assert moved.nats == pytest.approx(found[method].nats, abs=0.05)


@pytest.mark.parametrize("method", METHODS)
def test_independent_sides_hold_next_to_nothing(method):
    assert abs(mibounds.estimate(X, np.roll(Y, 7, axis=0), method=method, **METHODS[method]).nats) < 0.06


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_repeats_and_torchs_own_generator_stays(found, method):
    before = torch.get_rng_state()
    again, other = (mibounds.estimate(X, Y, method=method, seed=s, **METHODS[method]) for s in (0, 1))
    assert again == found[method] and other.nats != again.nats
    assert torch.equal(torch.get_rng_state(), before)


def spoiled(fold: str) -> Samples:
    rows = getattr(split(len(X), (0.6, 0.2, 0.2), 0), fold).numpy()
    x = X.astype(float)
    x[rows] = np.random.default_rng(1).normal(size=(len(rows), 2))
    return Samples(x, Y.astype(float))


@pytest.mark.parametrize("method", METHODS)
def test_the_report_fold_neither_fits_nor_selects(found, method):
    other = build(method, **METHODS[method]).estimate(spoiled("report"), 0, 0.95)
    assert other.history == found[method].history
    assert other.nats != found[method].nats


@pytest.mark.parametrize("method", TRAINED)
def test_the_selection_fold_does_not_train(found, method):
    other = build(method, **METHODS[method]).estimate(spoiled("select"), 0, 0.95)
    for name, column in other.history.items():
        assert (column == found[method].history[name]) == (
            not name.startswith("select")
        ) or "marginal" in name


@pytest.mark.parametrize("method", TRAINED)
def test_each_part_keeps_the_weights_of_its_own_best_check(method):
    estimator = build(method, **METHODS[method] | {"learning_rate": 0.02, "max_steps": 200, "patience": 3})
    pairs = estimator.pairs(paired_samples(X, Y), 0)
    model, history = estimator.fitted(pairs, 0)
    for name, loss in mean_losses(model, *pairs.select, 0).items():
        assert loss == pytest.approx(min(history[f"select_{name}"]), abs=1e-5)


def test_a_training_that_blows_up_is_an_error():
    with pytest.raises(DivergedError, match="lower learning_rate"):
        mibounds.estimate(X, Y, method="barber_agakov", learning_rate=1e30, **SHORT)


REFUSED = [
    ("barber_agakov", {"n_components": 0}, ParameterError, "n_components"),
    ("barber_agakov", {"hidden": (0,)}, ParameterError, "hidden"),
    ("barber_agakov", {"hidden": 64}, ParameterError, "wrong kind"),
    ("barber_agakov", {"entropy_nats": math.nan}, ParameterError, "entropy_nats"),
    ("gaussian_mixture", {"most_components": 1.5}, ParameterError, "most_components"),
    ("gaussian_mixture", {"folds": (0.5, 0.5)}, ParameterError, "three shares"),
    ("difference_of_entropies", {"flow": "GLOW"}, ParameterError, "NSF, MAF, NICE"),
    ("difference_of_entropies", {"transforms": 0}, ParameterError, "transforms"),
    ("mienf", {"latents": "together"}, ParameterError, "paired, apart"),
    ("minde", {"first_time": 0.0}, ParameterError, "first_time"),
    ("mmg", {"n_levels": 0}, ParameterError, "n_levels"),
    ("mmg", {"learning_rate": math.inf}, ParameterError, "learning_rate"),
    ("mmg", {"patience": 0}, ParameterError, "patience"),
    ("mmg", {"device": "nowhere"}, ParameterError, "device"),
    ("mmg", {"ortogonal": True}, UnknownNameError, "'orthogonal'"),
]


@pytest.mark.parametrize(("method", "options", "error", "said"), REFUSED, ids=range(len(REFUSED)))
def test_bad_options_are_named(method, options, error, said):
    with pytest.raises(error, match=said) as caught:
        mibounds.estimate(X, Y, method=method, **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("method", "module", "extra"), [("mienf", "zuko", "flows"), ("gaussian_mixture", "sklearn", "mixtures")]
)
def test_what_is_not_installed_is_named_with_its_extra(monkeypatch, method, module, extra):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(DataError, match=rf"pip install 'mibounds\[{extra}\]'"):
        mibounds.estimate(X, Y, method=method, **METHODS[method])


def test_with_a_known_entropy_barber_agakov_is_a_lower_bound():
    """The law is standard normal in both columns of y, here given in other units."""
    entropy = math.log(2 * math.pi * math.e) + 2 * math.log(5.0)
    options = {**DENSITY, "max_steps": 300}
    values = []
    for seed in range(3):
        x, y = LAW.sample(2000, seed)
        estimate = mibounds.estimate(x, 5 * y, method="barber_agakov", entropy_nats=entropy, **options)
        assert estimate.direction == "lower" and estimate.validity == "bound in expectation"
        values.append(estimate.nats)
    assert 0.8 < np.mean(values) < 1.1


def test_a_mixture_has_the_marginals_that_summing_gives():
    weights, means = np.array([0.3, 0.7]), np.array([[0.0, 1.0], [2.0, -1.0]])
    covariances = np.array([[[1.0, 0.5], [0.5, 2.0]], [[0.5, -0.2], [-0.2, 0.3]]])
    mixture = gaussian_mixture._Mixture(np.log(weights), means, covariances, dim_x=1)
    grid = np.linspace(-12, 12, 481)
    plane = np.stack(np.meshgrid(grid, grid, indexing="ij"), axis=-1).reshape(-1, 2)
    density = np.exp(mixture.log_density(plane)).reshape(481, 481)
    assert density.sum() * 0.05**2 == pytest.approx(1.0)
    for side, axis in ((slice(0, 1), 1), (slice(1, 2), 0)):
        marginal = np.exp(mixture.log_density(np.repeat(grid[:, None], 2, axis=1), side))
        assert np.allclose(marginal, density.sum(axis) * 0.05, atol=1e-9)


def test_more_components_are_tried_only_while_they_help(found):
    assert found["gaussian_mixture"].history["components"] in ((1, 2, 4), (1, 2))
    rows = np.random.default_rng(0)
    centre = rows.choice([-4.0, 4.0], size=(1500, 2))
    x, y = centre[:, :1], centre[:, :1] * centre[:, 1:] / 4
    estimate = mibounds.estimate(
        x + 0.5 * rows.normal(size=(1500, 1)),
        y + 0.5 * rows.normal(size=(1500, 1)),
        method="gaussian_mixture",
    )
    assert max(estimate.history["components"]) >= 4


def exact_gaussian_denoisers(rho: float):
    """E[e | z] and what x adds, where y is standard normal and x has correlation rho with it."""

    def denoisers(x, y, log_snr, source):
        noise, z = _diffusion._noised(y, log_snr, source)
        alpha, sigma = _diffusion.shares(log_snr)
        given = sigma * (z - alpha * rho * x) / (sigma**2 + alpha**2 * (1 - rho**2))
        return noise - sigma * z, given - sigma * z

    return denoisers


def exact_joint_gaussian_denoisers(rho: float):
    """The same of both sides at once: E[e | z] = sigma S^-1 z, S the covariance of z."""

    def denoisers(x, y, log_snr, source):
        both = torch.cat([x, y], dim=1)
        noise, z = _diffusion._noised(both, log_snr, source)
        alpha, sigma = _diffusion.shares(log_snr)
        off = alpha**2 * rho
        together = sigma * (z - off * z.flip(1)) / (1 - off**2)
        given = sigma * (z - alpha * rho * both.flip(1)) / (sigma**2 + alpha**2 * (1 - rho**2))
        return noise - together, given - together

    return denoisers


KINDS = {"one side": exact_gaussian_denoisers, "joint": exact_joint_gaussian_denoisers}


def exact(denoisers, levels, squared):
    model = _diffusion.DenoisingModel(torch.nn.Identity(), levels, 64, squared)
    model.denoisers.forward = denoisers
    return model


@pytest.mark.parametrize("squared", [True, False])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("levels", ["even", "logistic"])
def test_exact_denoisers_read_the_information_exactly(levels, kind, squared):
    law = Gaussian.from_correlation(1, 0.9)
    x, y = law.sample(4000, 0)
    chosen = {
        "even": minde.Even(-10.0, 12.0),
        "logistic": mmg.Logistic.where_gaussians_differ(y, y - 0.9 * x),
    }[levels]
    values = exact(KINDS[kind](0.9), chosen, squared).log_density_ratio(x, y, generator(0))
    error = values.std().item() / math.sqrt(len(values))
    assert abs(values.mean().item() - law.mutual_information) < 4 * error + 0.003
    assert error < 0.03


def test_minde_of_both_sides_at_once():
    found = mibounds.estimate(X, Y, **JOINT | {"max_steps": 600})
    nothing = mibounds.estimate(X, np.roll(Y, 7, axis=0), **JOINT)
    assert found.nats == pytest.approx(1.0, abs=0.25) and abs(nothing.nats) < 0.1


def test_the_even_levels_are_those_of_the_diffusion():
    times = np.linspace(0, 0.3, 100_001)
    integral = np.trapezoid(0.1 + 19.9 * times, times)
    alpha2 = math.exp(-integral)
    assert minde.log_snr_at(0.3) == pytest.approx(math.log(alpha2 / (1 - alpha2)))


@pytest.mark.parametrize("kind", [minde.Even(-3.0, 5.0), mmg.Logistic(1.0, 2.0)])
def test_levels_come_with_one_over_their_density(kind):
    share = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
    step = 1e-6
    slope = (kind(share + step)[0] - kind(share - step)[0]) / (2 * step)
    torch.testing.assert_close(kind(share)[1], slope, rtol=1e-4, atol=1e-6)


def test_paired_latents_have_the_density_of_their_gaussian():
    class Identity(torch.nn.Module):
        def forward(self):
            return self

        @property
        def transform(self):
            return self

        def call_and_ladj(self, side):
            return side, torch.zeros(len(side))

    latents = mienf._Latents(Identity(), Identity(), 1)
    x, y = torch.randn(5, 1, generator=generator(0)), torch.randn(5, 2, generator=generator(1))
    rho = latents.fisher_z.tanh().item()
    covariance = torch.eye(3)
    covariance[0, 1] = covariance[1, 0] = rho
    law = torch.distributions.MultivariateNormal(torch.zeros(3), covariance)
    expected = law.log_prob(torch.cat([x, y], 1)) + 1.5 * math.log(2 * math.pi)
    torch.testing.assert_close(latents.log_density(x, y).detach(), expected)

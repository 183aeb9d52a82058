"""Each critic against a slow reading of its equation, run by run and pair by pair."""

from __future__ import annotations

import pytest
import torch

from mibounds import critics
from mibounds.critics.base import Baseline
from mibounds.critics.bilinear import Bilinear
from mibounds.critics.concatenated import Concatenated
from mibounds.critics.cosine import Cosine
from mibounds.critics.optimal import Optimal
from mibounds.critics.separable import Separable
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import ParameterError, ShapeError, UnknownNameError

SEEDS = [3, 4]
N, M, DIM_X, DIM_Y = 5, 4, 3, 2


@pytest.fixture
def batch():
    source = torch.Generator().manual_seed(0)
    return torch.randn(2, N, DIM_X, generator=source), torch.randn(2, M, DIM_Y, generator=source)


def mlp(stack, r, inputs):
    """Run r of a stacked perceptron, layer by layer on one row."""
    linear = [layer for layer in stack if hasattr(layer, "weight")]
    for k, layer in enumerate(linear):
        inputs = inputs @ layer.weight[r] + layer.bias[r, 0]
        inputs = inputs.relu() if k < len(linear) - 1 else inputs
    return inputs


def slow_separable(critic, r, x, y):
    return mlp(critic.encode_x, r, x) @ mlp(critic.encode_y, r, y)


def slow_cosine(critic, r, x, y):
    a, b = mlp(critic.encode_x, r, x), mlp(critic.encode_y, r, y)
    return a @ b / a.norm() / b.norm() / critic.temperature


def slow_bilinear(critic, r, x, y):
    return x @ critic.map.weight[r] @ y


def slow_concatenated(critic, r, x, y):
    first = torch.cat([critic.weight_x[r], critic.weight_y[r]])
    hidden = (torch.cat([x, y]) @ first + critic.bias[r, 0]).relu()
    return mlp(critic.rest, r, hidden).squeeze()


CASES = {
    "separable": (lambda: Separable(DIM_X, DIM_Y, SEEDS, hidden=(6, 5), embedding=4), slow_separable),
    "cosine": (lambda: Cosine(DIM_X, DIM_Y, SEEDS, temperature=0.2, hidden=(6,)), slow_cosine),
    "bilinear": (lambda: Bilinear(DIM_X, DIM_Y, SEEDS), slow_bilinear),
    "concatenated": (lambda: Concatenated(DIM_X, DIM_Y, SEEDS, hidden=(6, 5)), slow_concatenated),
}


@pytest.mark.parametrize("name", CASES)
def test_scores_equal_the_equation_pair_by_pair(name, batch):
    make, slow = CASES[name]
    critic, (x, y) = make(), batch
    for parameter in critic.parameters():  # zero biases would hide a missing one
        torch.nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(parameter.numel()))
    scores = critic(x, y)
    assert scores.shape == (2, N, M)
    for r in range(2):
        for i in range(N):
            for j in range(M):
                torch.testing.assert_close(
                    scores[r, i, j], slow(critic, r, x[r, i], y[r, j]), rtol=1e-4, atol=1e-5
                )


@pytest.mark.parametrize("name", CASES)
def test_initial_weights_depend_on_the_runs_own_seed_alone(name):
    make, _ = CASES[name]
    one, again = make(), make()
    for p, q in zip(one.parameters(), again.parameters(), strict=True):
        assert torch.equal(p, q)
        assert p.eq(0).all() or not torch.equal(p[0], p[1])


def test_splitting_the_first_layer_leaves_its_distribution():
    critic = Concatenated(DIM_X, DIM_Y, list(range(200)), hidden=(64,))
    limit = (6 / (DIM_X + DIM_Y + 64)) ** 0.5
    for weight in (critic.weight_x, critic.weight_y):
        assert weight.abs().max() <= limit
        assert weight.std().item() == pytest.approx(limit / 3**0.5, rel=0.02)


def test_cosine_scores_stay_within_one_over_the_temperature(batch):
    x, y = batch
    assert Cosine(DIM_X, DIM_Y, SEEDS, temperature=0.2)(100 * x, 100 * y).abs().max() <= 5 * (1 + 1e-6)


@pytest.mark.parametrize("temperature", [0.0, -1.0, float("nan")])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(ParameterError, match="temperature must be greater than 0"):
        Cosine(DIM_X, DIM_Y, SEEDS, temperature=temperature)


def test_the_optimal_critic_is_the_laws_log_density_ratio():
    law = Gaussian.from_mutual_information(3, 1.0)
    x, y = law.sample(6, 0)
    scores = Optimal(law)(x.unsqueeze(0), y.unsqueeze(0))
    torch.testing.assert_close(scores[0].diagonal(), law.log_density_ratio(x, y))


def test_baselines_see_what_they_say(batch):
    x, _ = batch
    y, z = torch.zeros(2, N, DIM_Y), torch.ones(2, N, DIM_Y)
    of_x = Baseline("x", DIM_X, DIM_Y, SEEDS, (8,))
    of_pair = Baseline("pair", DIM_X, DIM_Y, SEEDS, (8,))
    assert torch.equal(of_x(x, y), of_x(x, z)) and of_x(x, y).shape == (2, N)
    assert not torch.equal(of_pair(x, y), of_pair(x, z))


def test_shapes_that_do_not_fit_are_named(batch):
    x, y = batch
    with pytest.raises(ShapeError, match=r"expected x of shape 2 x n x 3 .* got \(2, 5, 2\)"):
        Separable(DIM_X, DIM_Y, SEEDS)(x[..., :2], y)


def test_an_unknown_critic_suggests_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'separable'"):
        critics.load("seperable")

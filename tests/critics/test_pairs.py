"""The concatenated critic's pairs by hand against torch's own operations; what tiles, memory and bfloat16 change."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from mibounds import bounds
from mibounds import perceptron as by_hand
from mibounds.critics import _pairs
from mibounds.critics._pairs import pair_scores, plain_pair_scores
from mibounds.critics.concatenated import Concatenated
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import ParameterError
from mibounds.training import Trainer, fresh_batches

SHAPES = {  # R, n, m, hidden
    "one hidden layer": (2, 4, 3, (5,)),
    "two": (3, 5, 7, (4, 6)),
    "three": (2, 3, 4, (6, 3, 5)),
    "one pair": (1, 1, 1, (3, 2)),
    "as published": (2, 64, 64, (256, 256)),
    "wide": (1, 3, 2000, (128, 192)),
}
SMALL = [name for name in SHAPES if name not in ("as published", "wide")]
TILES = [1, 60, 2**18]


def case(name: str, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    n_runs, n, m, hidden = SHAPES[name]
    source = torch.Generator().manual_seed(1)
    widths = [*hidden, 1]
    shapes = [(n_runs, n, hidden[0]), (n_runs, m, hidden[0])]
    for k in range(len(hidden)):
        shapes += [(n_runs, widths[k], widths[k + 1]), (n_runs, 1, widths[k + 1])]
    drawn = [torch.randn(shape, generator=source, dtype=dtype) for shape in shapes]
    return [(d if k < 2 else d / d.shape[1] ** 0.5).requires_grad_() for k, d in enumerate(drawn)]


def ours(*inputs):
    from_x, from_y, *parameters = inputs
    return pair_scores(from_x, from_y, None, *parameters)


def weights_of(scores: torch.Tensor) -> torch.Tensor:
    """By which scores are summed, all different, alike in all runs."""
    of_run = torch.linspace(-0.5, 1, scores[0].numel(), dtype=scores.dtype)
    return of_run.view_as(scores[0]).repeat(len(scores), 1, 1)


def with_gradients(function, inputs):
    scores = function(*inputs)
    return [scores, *torch.autograd.grad(scores, inputs, weights_of(scores))]


@pytest.fixture
def small_tiles(request, monkeypatch):
    monkeypatch.setattr(by_hand, "TILE_ON_CPU", getattr(request, "param", 60))


@pytest.mark.parametrize("small_tiles", TILES, indirect=True)
@pytest.mark.parametrize("name", SMALL)
def test_in_any_tiles_scores_and_gradients_are_those_of_torchs_own_operations(name, small_tiles):
    for own, theirs in zip(
        with_gradients(ours, case(name, torch.float64)),
        with_gradients(plain_pair_scores, case(name, torch.float64)),
        strict=True,
    ):
        torch.testing.assert_close(own, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["as published", "wide"])
def test_float32_errs_no_more_than_torchs_own(name):
    exact = with_gradients(plain_pair_scores, case(name, torch.float64))
    plain, own = with_gradients(plain_pair_scores, case(name)), with_gradients(ours, case(name))
    for true, theirs, found in zip(exact, plain, own, strict=True):
        assert (found - true).abs().max() <= 2 * (theirs - true).abs().max() + 1e-6 * true.abs().max()


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("kept", [0, 30, 2**20])
@pytest.mark.parametrize("name", SMALL)
def test_the_backward_by_hand_is_the_derivative(name, kept, monkeypatch):
    monkeypatch.setattr(_pairs, "KEPT", kept)
    assert gradcheck(ours, case(name, torch.float64))


@pytest.mark.parametrize("name", SMALL)
def test_gradients_can_be_differentiated_again(name):
    inputs = case(name, torch.float64)
    assert gradgradcheck(ours, inputs, weights_of(ours(*inputs)).requires_grad_())


@pytest.mark.parametrize("name", SHAPES)
def test_layers_made_again_are_the_same_to_the_bit(name, monkeypatch):
    kept = with_gradients(ours, case(name))
    for room in (0, 2**17):
        monkeypatch.setattr(_pairs, "KEPT", room)
        assert all(torch.equal(a, b) for a, b in zip(with_gradients(ours, case(name)), kept, strict=True))


@pytest.mark.parametrize("name", SHAPES)
def test_other_runs_change_no_bit(name):
    whole = with_gradients(ours, case(name))
    for r in range(len(whole[0])):
        alone = with_gradients(ours, [i[r : r + 1].detach().clone().requires_grad_() for i in case(name)])
        assert all(torch.equal(a, b[r : r + 1]) for a, b in zip(alone, whole, strict=True))


def test_a_run_that_is_not_finite_is_seen_and_harms_no_other():
    inputs = case("as published")
    with torch.no_grad():
        inputs[2][1, 7] = torch.nan
    found, clean = with_gradients(ours, inputs), with_gradients(ours, case("as published"))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(found, clean, strict=True))
    assert found[0][1].isnan().all()


def test_empty_sides_give_empty_scores():
    critic = Concatenated(3, 2, [0], hidden=(4, 4))
    assert critic(torch.zeros(1, 0, 3), torch.zeros(1, 5, 2)).shape == (1, 0, 5)
    assert critic(torch.zeros(1, 5, 3), torch.zeros(1, 0, 2)).shape == (1, 5, 0)


def test_other_products_are_refused_by_name():
    with pytest.raises(ParameterError, match="one of float32, bfloat16; got 'float16'"):
        Concatenated(3, 3, [0], products="float16")


def test_in_bfloat16_weights_scores_and_gradients_stay_in_float32():
    critic = Concatenated(3, 3, [0, 1], hidden=(8, 8, 8), products="bfloat16")
    x = torch.randn(2, 6, 3, generator=torch.Generator().manual_seed(0))
    scores = critic(x, x)
    scores.sum().backward()
    assert scores.dtype == torch.float32
    assert all(p.grad is not None and p.grad.dtype == torch.float32 for p in critic.parameters())
    plain = Concatenated(3, 3, [0, 1], hidden=(8, 8, 8))(x, x)
    assert 0 < (scores - plain).abs().max() < 0.05 * plain.abs().max()


def test_bfloat16_products_do_not_move_an_estimate():
    law, seeds = Gaussian.from_mutual_information(5, 2.0), [0, 1, 2]

    def estimates(products: str) -> torch.Tensor:
        critic = Concatenated(5, 5, seeds, hidden=(64, 64), products=products)
        trainer = Trainer(critic, bounds.load("info_nce")(), seeds, learning_rate=2e-3)
        trainer.fit(fresh_batches([law] * 3, seeds, 32), 300)
        assert trainer.status == ["ok"] * 3
        return trainer.evaluate(fresh_batches([law] * 3, [9] * 3, 32), 100).mean(0)

    exact, rounded = estimates("float32"), estimates("bfloat16")
    assert (exact > 1).all(), "an untrained critic would agree with anything"
    assert not torch.equal(exact, rounded)
    assert (rounded - exact).mean().abs() < 0.02

"""The invertible encoder: nothing is lost, whatever the weights, before a training and after."""

from __future__ import annotations

import pytest
import torch

from mibounds.errors import ParameterError, ShapeError
from mibounds.representation import encoders
from mibounds.representation.encoders.invertible import Invertible


def encoder_of(shape, seeds=(0, 1), **options) -> Invertible:
    return Invertible(shape, [torch.Generator().manual_seed(seed) for seed in seeds], **options).double()


def inputs(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_the_encoder_is_found_by_name():
    assert encoders.load("invertible") is Invertible


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("shape", [(2,), (5,), (10,), (1, 4, 3)])
def test_the_inverse_gives_the_inputs_back(shape, scaled):
    encoder, x = encoder_of(shape, scaled=scaled, depth=5), 3 * inputs(2, 20, *shape)
    h = encoder(x)
    assert h.shape == (2, 20, encoder.dim) and encoder.dim == x[0, 0].numel()
    torch.testing.assert_close(encoder.inverse(h), x)
    assert (h - x.flatten(2)).abs().amax((0, 1)).min() > 0.01, "every entry is moved"
    h = inputs(2, 20, encoder.dim)
    torch.testing.assert_close(encoder(encoder.inverse(h)), h)


def test_it_stays_invertible_in_single_precision_and_while_it_trains():
    encoder, x = encoder_of((6,)).float(), inputs(2, 64, 6).float()
    optimizer = torch.optim.Adam(encoder.parameters(), 1e-2)
    start = encoder(x).detach()
    for _ in range(50):
        loss = (encoder(x) - x.flip(2)).square().mean((1, 2)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (encoder(x) - start).abs().mean() > 0.1, "it learned"
    torch.testing.assert_close(encoder.inverse(encoder(x)), x, rtol=1e-3, atol=1e-3)


def log_volume(encoder: Invertible, x: torch.Tensor) -> float:
    jacobian = torch.autograd.functional.jacobian(lambda one: encoder(one.view(1, 1, -1)).flatten(), x)
    return torch.linalg.slogdet(jacobian).logabsdet.item()


def test_without_scales_volume_is_kept_and_with_them_it_is_bounded():
    x = inputs(4)
    assert log_volume(encoder_of((4,), (0,), scaled=False), x) == pytest.approx(0, abs=1e-10)
    assert 1e-3 < abs(log_volume(encoder_of((4,), (0,), depth=6), x)) < 6 * 2


def test_a_run_alone_equals_that_run_in_a_stack():
    stack, x = encoder_of((5,), (3, 4, 5)), inputs(3, 7, 5)
    layers = stack.layers(x)
    assert list(layers) == [f"layer_{i}" for i in range(1, 7)]
    stack(x)[1].square().sum().backward()
    alone = encoder_of((5,), (4,))
    for name, h in alone.layers(x[1:2]).items():
        torch.testing.assert_close(h[0], layers[name][1])
    alone(x[1:2]).square().sum().backward()
    for p, q in zip(alone.parameters(), stack.parameters(), strict=True):
        assert q.shape[0] == 3 and not q.grad[[0, 2]].any()
        torch.testing.assert_close(p.grad[0], q.grad[1])


def test_what_does_not_fit_is_named():
    with pytest.raises(ParameterError, match="2 dimensions and 2 layers or more; got 1 and 6"):
        encoder_of((1,))
    with pytest.raises(ParameterError, match="got 4 and 1"):
        encoder_of((4,), depth=1)
    with pytest.raises(ShapeError, match="expected 2 x n x 4"):
        encoder_of((4,)).inverse(inputs(1, 3, 4))
    with pytest.raises(ShapeError, match="expected inputs of shape 2 x n x 4"):
        encoder_of((4,))(inputs(2, 3, 5))

"""Stacked convolutional nets: each run is the net that it would be alone, and torch's own layers say which that is."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn.functional import relu

from mibounds.errors import ParameterError, ShapeError, UnknownNameError
from mibounds.representation import encoders
from mibounds.representation.batch_norm import StackedBatchNorm
from mibounds.representation.encoders._convolutional import (
    FoldedBatchNorm,
    FoldedConv2d,
    fold,
    pooled,
    unfold,
)
from mibounds.representation.encoders.convnet import ConvNet
from mibounds.representation.encoders.resnet18 import ResNet18
from mibounds.representation.network import Network

SMALL = {"convnet": {"channels": (4, 6, 8), "dim": 10}, "resnet18": {"width": 4}}
SHAPE = (2, 8, 8)


def generators(seeds):
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def encoder_of(name: str, seeds) -> encoders.Encoder:
    return encoders.load(name)(SHAPE, generators(seeds), **SMALL[name]).double()


def images(n_runs: int, n: int = 5, seed: int = 0) -> torch.Tensor:
    source = torch.Generator().manual_seed(seed)
    return torch.randn(n_runs, n, *SHAPE, generator=source, dtype=torch.float64)


def test_folding_and_unfolding_are_inverse_and_keep_runs_apart():
    x = images(3)
    assert torch.equal(unfold(fold(x), 3), x)
    assert torch.equal(fold(x)[:, 2:4], x[1])
    torch.testing.assert_close(pooled(fold(x), 3), x.mean((-2, -1)))


@pytest.mark.parametrize("name", SMALL)
def test_every_parameter_has_the_run_as_its_leading_dimension(name):
    encoder = encoder_of(name, (0, 1, 2))
    assert all(p.shape[0] == 3 for p in encoder.parameters())
    assert all(b.shape[0] == 3 for b in encoder.buffers())


@pytest.mark.parametrize("name", SMALL)
def test_a_run_alone_equals_that_run_in_a_stack(name):
    stack, x = encoder_of(name, (5, 6, 7)), images(3)
    layers = stack.layers(x)
    layers[list(layers)[-1]].square().mean((1, 2)).sum().backward()
    stack.eval()
    evaluated = stack(x)
    for r, seed in enumerate((5, 6, 7)):
        alone = encoder_of(name, (seed,))
        for layer, activations in alone.layers(x[r : r + 1]).items():
            torch.testing.assert_close(activations[0], layers[layer][r])
        alone.zero_grad()
        alone(x[r : r + 1]).square().mean().backward()
        for (which, p), q in zip(alone.named_parameters(), stack.parameters(), strict=True):
            assert torch.equal(p[0], q[r]), which
            torch.testing.assert_close(p.grad[0], q.grad[r], msg=which)
        again = encoder_of(name, (seed,))
        again(x[r : r + 1])
        torch.testing.assert_close(again.eval()(x[r : r + 1])[0], evaluated[r])


@pytest.mark.parametrize("name", SMALL)
def test_the_gradient_of_one_run_is_zero_in_all_others(name):
    encoder = encoder_of(name, (0, 1, 2))
    encoder(images(3))[1].square().sum().backward()
    for which, p in encoder.named_parameters():
        assert p.grad[1].any(), which
        assert not p.grad[[0, 2]].any(), which


@pytest.mark.parametrize("name", SMALL)
def test_a_run_that_is_not_finite_harms_no_other(name):
    x = images(2)
    poisoned = x.clone()
    poisoned[0] = torch.nan
    encoder = encoder_of(name, (0, 1))
    clean, harmed = encoder(x), encoder(poisoned)
    torch.testing.assert_close(harmed[1], clean[1])
    assert not harmed[0].isfinite().any()


def test_layers_agree_with_torchs_own():
    seeds, x = (3, 4), images(2)
    convolution = FoldedConv2d(2, 5, generators(seeds), stride=2).double()
    normed = FoldedBatchNorm(5, 2).double()
    out = unfold(normed(convolution(fold(x))), 2)
    for r in range(2):
        own = (
            nn.Conv2d(2, 5, 3, stride=2, padding=1, bias=False, device="meta").to_empty(device="cpu").double()
        )
        own_norm = nn.BatchNorm2d(5).double()
        own.weight.data = convolution.weight[r].detach()
        torch.testing.assert_close(own_norm(own(x[r])), out[r])
        torch.testing.assert_close(own_norm.running_mean, normed.mean[r, 0])
        torch.testing.assert_close(own_norm.running_var, normed.variance[r, 0])


def test_a_residual_block_agrees_with_one_written_out():
    encoder, x = encoder_of("resnet18", (0,)), images(1)
    block = encoder.blocks[2]
    assert len(block.shortcut) == 2 and len(encoder.blocks[1].shortcut) == 0
    before = encoder.blocks[1](encoder.blocks[0](encoder.stem(fold(x))))
    first, norm_1, _, second, norm_2 = block.residual

    def convolved(inputs, convolution, stride, padding):
        return nn.functional.conv2d(inputs, convolution.weight[0], stride=stride, padding=padding)

    def standardised(values):
        mean, variance = (
            values.mean((0, 2, 3), keepdim=True),
            values.var((0, 2, 3), keepdim=True, correction=0),
        )
        return (values - mean) / (variance + 1e-5).sqrt()

    inner = relu(standardised(convolved(before, first, 2, 1)))
    expected = standardised(convolved(before, block.shortcut[0], 2, 0)) + standardised(
        convolved(inner, second, 1, 1)
    )
    torch.testing.assert_close(block(before), relu(expected))
    assert isinstance(norm_1, FoldedBatchNorm) and isinstance(norm_2, FoldedBatchNorm)


def test_the_folded_norm_is_the_stacks_norm_over_rows_and_places():
    x = images(3)
    one, other = FoldedBatchNorm(2, 3).double(), StackedBatchNorm(2, 3).double()
    a, b = (x.clone().requires_grad_() for _ in range(2))
    rows = b.permute(0, 1, 3, 4, 2).flatten(1, 3)
    for _ in range(2):
        folded, stacked = unfold(one(fold(a)), 3), other(rows)
        torch.testing.assert_close(folded.permute(0, 1, 3, 4, 2).flatten(1, 3), stacked)
    for mode in (True, False):
        for norm in (one, other):
            norm.train(mode)
        a.grad = b.grad = None
        unfold(one(fold(a)), 3).pow(3).sum().backward()
        other(rows).pow(3).sum().backward(retain_graph=True)
        torch.testing.assert_close(a.grad, b.grad)
    for statistic in ("mean", "variance"):
        torch.testing.assert_close(getattr(one, statistic), getattr(other, statistic))


def test_several_processes_take_the_statistics_of_the_stack(monkeypatch):
    x, fused, shared = images(3), FoldedBatchNorm(2, 3).double(), FoldedBatchNorm(2, 3).double()
    expected = fused(fold(x))
    monkeypatch.setattr("mibounds.representation.encoders._convolutional.n_processes", lambda: 2)
    torch.testing.assert_close(shared(fold(x)), expected)
    torch.testing.assert_close(shared.variance, fused.variance)


def test_resnet18_has_the_published_size():
    encoder = ResNet18((3, 32, 32), generators((0,)))
    assert sum(p.numel() for p in encoder.parameters()) == 11_168_832, "11,173,962 with ten classes' 5,130"
    assert encoder.dim == 512


def test_resnet18_keeps_the_image_in_its_stem_and_halves_it_three_times():
    encoder = ResNet18((3, 32, 32), generators((0, 1)), width=4)
    x, sizes = torch.ones(2, 3, 3, 32, 32), []
    for module in (encoder.stem, *encoder.blocks):
        module.register_forward_hook(lambda _module, _inputs, out: sizes.append(tuple(out.shape[1:])))
    layers = encoder.layers(x)
    assert sizes == [(8, 32, 32)] * 3 + [(16, 16, 16)] * 2 + [(32, 8, 8)] * 2 + [(64, 4, 4)] * 2
    assert {name: tuple(h.shape) for name, h in layers.items()} == {
        "stem": (2, 3, 4),
        **{f"block_{i + 1}": (2, 3, 4 * 2 ** (i // 2)) for i in range(8)},
    }


def test_convnet_layers_end_in_the_representation():
    encoder = encoder_of("convnet", (0, 1))
    layers = encoder.layers(images(2))
    assert {name: tuple(h.shape) for name, h in layers.items()} == {
        "block_1": (2, 5, 4),
        "block_2": (2, 5, 6),
        "block_3": (2, 5, 8),
        "layer_4": (2, 5, 10),
    }
    assert encoder.dim == 10


def test_convnet_sees_where_things_are():
    encoder = ConvNet((1, 16, 16), generators((0,))).eval()
    x = torch.zeros(1, 2, 1, 16, 16)
    x[0, 0, 0, 5, 5] = x[0, 1, 0, 10, 10] = 1.0
    first, second = encoder(x)[0]
    assert (first - second).abs().max() > 0.1 * first.abs().max()


@pytest.mark.parametrize("name", SMALL)
def test_activations_neither_vanish_nor_explode_at_the_start(name):
    encoder = encoders.load(name)((3, 16, 16), generators((0,)))
    x = torch.randn(1, 32, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    for layer, h in encoder.layers(x).items():
        assert 0.05 < h.square().mean().sqrt() < 20, layer


def test_he_initialisation_has_its_variance():
    weight = FoldedConv2d(32, 64, generators((0, 1))).weight
    for run in weight:
        assert run.var().item() == pytest.approx(2 / (64 * 9), rel=0.05)


@pytest.mark.parametrize("name", SMALL)
def test_a_network_is_built_by_name(name):
    network = Network.build(SHAPE, [0, 1], encoder=name, encoder_options=SMALL[name], embedding=3)
    assert network(images(2).float()).embedding.shape == (2, 5, 3)


def test_what_does_not_fit_is_named():
    with pytest.raises(ParameterError, match=r"convnet takes images.*shape \(10,\); take mlp"):
        ConvNet((10,), generators((0,)))
    with pytest.raises(ParameterError, match="at least one block"):
        ConvNet(SHAPE, generators((0,)), channels=())
    with pytest.raises(UnknownNameError, match="norm"):
        ConvNet(SHAPE, generators((0,)), norm="layer")
    with pytest.raises(ShapeError, match="expected inputs of shape 1 x n x 2 x 8 x 8"):
        encoder_of("resnet18", (0,))(images(2))
    with pytest.raises(ParameterError, match="2 values a channel or more in training; got 1"):
        FoldedBatchNorm(2, 1)(torch.zeros(1, 2, 1, 1))

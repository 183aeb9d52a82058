"""Parts on the device: sources draw there, encoders give the CPU's numbers, full memory is named."""

from __future__ import annotations

import copy
from functools import cache

import pytest
import torch
from torch import nn

from mibounds.errors import DataError, ParameterError
from mibounds.representation import encoders, pretrain, sources, views
from mibounds.representation.batch_norm import StackedBatchNorm
from mibounds.representation.encoders import Encoder
from mibounds.representation.sources import Source
from mibounds.seeding import generator

pytestmark = pytest.mark.gpu

SHAPES = {"mlp": (12,), "invertible": (12,), "convnet": (3, 16, 16), "resnet18": (3, 16, 16)}
OPTIONS = {"resnet18": {"width": 8}, "convnet": {"channels": (8, 16), "dim": 12}}
SEEDS = (0, 1)


@cache
def example(name: str) -> Source | None:
    """None for a source of which a package is not installed, provided that it says which."""
    try:
        return sources.load(name).example()
    except DataError as error:
        assert "pip install 'mibounds[representation]'" in str(error)
        return None


@pytest.mark.parametrize("name", sources.names())
def test_a_source_draws_on_the_device_and_by_its_seed_alone(name, device):
    source = example(name)
    if source is None:
        return
    for draw in (source.pairs, source.examples):
        first, again, other = (draw(16, seed, device=device) for seed in (0, 0, 1))
        *tensors, factors = first
        assert {tensor.device.type for tensor in (*tensors, *factors.values())} == {device}
        assert all(torch.equal(a, b) for a, b in zip(tensors, again, strict=False))
        assert not torch.equal(first[0], other[0])
        assert first[0].shape == (16, *source.shape) and first[0].dtype == torch.float32
    block = source.training_block(1, 16, 0, device=device)
    assert block.view_a.device.type == device and len(block.view_a) == 16 * source.steps_a_draw


@pytest.mark.parametrize("name", sources.names())
def test_a_source_has_one_law_on_both_devices(name, device):
    """Generators differ from device to device, laws do not: means of a view's numbers and of its squares."""
    source = example(name)
    if source is None:
        return
    n = min(source.n_train or 4000, 4000)
    here, there = (source.pairs(n, 0, device=d, split="train").view_a.cpu().double() for d in ("cpu", device))
    for power in (1, 2):
        a, b = ((view**power).flatten(1).mean(1) for view in (here, there))
        off = (a.mean() - b.mean()).abs() / ((a.var() + b.var()) / n).sqrt().clamp(min=1e-6)
        assert off < 5


@pytest.mark.parametrize("name", [name for name in views.names() if name != "identity"])
def test_a_view_is_made_on_the_device(name, device):
    shape = {"shift": (1, 8, 8)}.get(name, (3, 32, 32) if name == "augment" else (5,))
    x = torch.rand(8, *shape, generator=generator(0)).to(device)
    first, again, other = (views.load(name)()(x, generator(seed, device)) for seed in (0, 0, 1))
    assert first.device.type == device and first.shape == x.shape
    assert torch.equal(first, again) and not torch.equal(first, other)


def encoder_of(name: str) -> Encoder:
    drawn = [generator(seed) for seed in SEEDS]
    return encoders.load(name)(SHAPES.get(name, (12,)), drawn, **OPTIONS.get(name, {}))


@pytest.mark.parametrize("name", encoders.names())
def test_an_encoder_gives_the_numbers_of_the_cpu(name, device):
    """Every layer and every gradient."""
    here = encoder_of(name)
    there = copy.deepcopy(here).to(device)
    x = torch.randn(len(SEEDS), 6, *here.shape, generator=generator(2))
    layers, of_device = here.layers(x), there.layers(x.to(device))
    assert layers.keys() == of_device.keys()
    for layer, expected in layers.items():
        assert of_device[layer].device.type == device
        torch.testing.assert_close(of_device[layer].cpu(), expected, rtol=1e-3, atol=1e-4)
    for found in (layers, of_device):
        list(found.values())[-1].square().mean().backward()
    for p, q in zip(here.parameters(), there.parameters(), strict=True):
        torch.testing.assert_close(q.grad.cpu(), p.grad, rtol=1e-2, atol=1e-4)


def test_batch_norm_is_torchs_own(device):
    """Output, gradients and running averages of each run, images among them."""
    x = torch.randn(2, 12, 3, 4, 4, generator=generator(0)).to(device).requires_grad_()
    stacked = StackedBatchNorm(3, 2).to(device)
    alone = [nn.BatchNorm2d(3).to(device) for _ in range(2)]
    twin = x.detach().clone().requires_grad_()
    ours = stacked(x)
    torchs = torch.stack([norm(run) for norm, run in zip(alone, twin, strict=True)])
    torch.testing.assert_close(ours, torchs, rtol=1e-4, atol=1e-5)
    for out in (ours, torchs):
        out.pow(3).sum().backward()
    torch.testing.assert_close(x.grad, twin.grad, rtol=1e-3, atol=1e-4)
    for run, norm in enumerate(alone):
        torch.testing.assert_close(stacked.weight.grad[run, 0], norm.weight.grad, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(stacked.mean[run, 0], norm.running_mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(stacked.variance[run, 0], norm.running_var, rtol=1e-4, atol=1e-5)


def test_memory_that_runs_out_is_named_with_what_to_lower(device):
    settings = {"temperature": 0.2, "steps": 1, "encoder_options": {"hidden": [8]}}
    with pytest.raises(ParameterError, match=r"out of memory at batch_size=200000 .*lower batch_size"):
        pretrain("simclr", "vmf", batch_size=200_000, device=device, **settings)
    assert pretrain("simclr", "vmf", batch_size=16, device=device, **settings).status == ["ok"]

"""Pretraining on the device: every method, checkpoints, precision, stacks. Sums there have no fixed order: no bits."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from mibounds.errors import ParameterError
from mibounds.representation import checkpoint, evaluate, load_checkpoint, methods, pretrain
from mibounds.representation.loop import Pretrainer
from mibounds.representation.measuring import OK
from mibounds.representation.network import Network
from mibounds.representation.optimizers import NAMES
from mibounds.representation.sources.classes import Classes

pytestmark = pytest.mark.gpu

SOURCE = Classes.example()
SEEDS = [0, 1, 2]
OPTIONS = {
    "moco": {"queue": 40},
    "swav": {"queue": 24, "prototypes": 12},
    "supervised": {"n_classes": SOURCE.factors["label"].n_classes},
}
MIXED = {
    "mlp": {"source": "vmf"},
    "convnet": {
        "source": "images",
        "source_options": {"size": 16},
        "encoder": "convnet",
        "encoder_options": {"channels": [4, 8], "dim": 8},
    },
}


def training(name: str, device: str, seeds: list[int] = SEEDS, norm: str = "batch", **settings) -> Pretrainer:
    """Any method; by SGD, since Adam makes whole steps of the rounding in a gradient that is zero, as before a norm."""
    network = Network.build(
        SOURCE.shape,
        seeds,
        encoder_options={"hidden": [16], "dim": 8, "norm": norm},
        embedding=6,
        projector_options={"hidden": 8, "norm": norm},
    ).to(device)
    method = methods.load(name).example(network, seeds, **OPTIONS.get(name, {})).to(device)
    short = {"batch_size": 32, "steps": 10, "optimizer": "sgd", "learning_rate": 0.03, "check_every": 5}
    return Pretrainer(network, method, SOURCE, seeds, **(short | settings))


def assert_alike(a: Pretrainer, b: Pretrainer, rtol: float = 1e-3, atol: float = 1e-4) -> None:
    assert (a.steps_done, a.status) == (b.steps_done, b.status)
    for (name, tensor), other in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        torch.testing.assert_close(
            tensor.cpu(), other.cpu(), rtol=rtol, atol=atol, msg=lambda m, name=name: f"{name}: {m}"
        )


def moved(a: Pretrainer, device: str, name: str) -> float:
    """How far the training has taken its weights: what a comparison must be finer than."""
    first = training(name, device)
    pairs = zip(a.network.parameters(), first.network.parameters(), strict=True)
    return max((p - q).abs().max().item() for p, q in pairs)


@pytest.mark.parametrize("name", methods.names())
def test_every_method_trains_and_goes_on_from_a_checkpoint(name, device, tmp_path):
    whole, first, second = (training(name, device) for _ in range(3))
    losses = whole.fit()
    assert whole.device.type == device and losses.device.type == device
    assert losses.isfinite().all() and whole.status == ["ok"] * 3
    first.fit(4)
    checkpoint.save(first, tmp_path)
    checkpoint.restore(second, tmp_path)
    assert all(tensor.device.type == device for tensor in second.state_dict().values())
    assert_alike(second, first, rtol=0, atol=0)
    torch.testing.assert_close(second.fit(), losses[4:], rtol=1e-3, atol=1e-4)
    assert_alike(second, whole)
    assert moved(whole, device, name) > 2e-3, "the comparison can fail"


@pytest.mark.parametrize("optimizer", NAMES)
def test_every_optimiser_keeps_its_moments(optimizer, device, tmp_path):
    options = {"optimizer": optimizer, "learning_rate": [1e-2, 5e-3, 1e-3], "clip": 1.0, "weight_decay": 1e-3}
    whole, first, second = (training("simclr", device, norm="none", **options) for _ in range(3))
    whole.fit()
    first.fit(5)
    checkpoint.save(first, tmp_path)
    checkpoint.restore(second, tmp_path)
    second.fit()
    assert_alike(second, whole)


def test_a_checkpoint_moves_between_devices(device, tmp_path):
    settings = {"temperature": 0.2, "steps": 6, "batch_size": 16, "seeds": [0, 1]}
    trained = pretrain("simclr", "vmf", **settings, checkpoint=tmp_path, device=device)
    moved_over = load_checkpoint(tmp_path, device="cpu")
    assert moved_over.device.type == "cpu"
    x = trained.sources[0].pairs(8, 0).view_a.expand(2, -1, -1)
    torch.testing.assert_close(
        moved_over.network(x).embedding, trained.network(x.to(device)).embedding.cpu(), rtol=1e-3, atol=1e-4
    )


def test_a_model_is_measured_where_it_is(device):
    trained = pretrain("simclr", "vmf", temperature=0.2, steps=20, batch_size=64, device=device)
    rows = evaluate(trained, device=device).rows
    assert [row["status"] for row in rows] == [OK] and trained.device.type == device


@pytest.mark.parametrize("name", ["simclr", "moco", "swav", "byol", "vicreg"])
def test_a_run_alone_is_that_run_in_a_stack(name, device):
    together = training(name, device).fit()
    for run, seed in enumerate(SEEDS):
        alone = training(name, device, [seed]).fit()
        torch.testing.assert_close(together[:, run], alone[:, 0], rtol=1e-3, atol=1e-4)
    assert (together[:, 0] - together[:, 1]).abs().max() > 1e-3, "the comparison can fail"


def outputs_of(network: Network, x: Tensor) -> tuple[list[torch.dtype], Tensor]:
    """The dtypes that affine and convolutional layers give, and the embedding."""
    seen: list[torch.dtype] = []
    handles = [
        module.register_forward_hook(lambda *call: seen.append(call[2].dtype))
        for module in network.modules()
        if type(module).__name__ in ("StackedLinear", "FoldedConv2d")
    ]
    embedding = network(x).embedding
    for handle in handles:
        handle.remove()
    return seen, embedding


@pytest.mark.parametrize("encoder", MIXED)
def test_layers_are_in_bfloat16_and_losses_in_float32(encoder, device):
    settings = {"temperature": 0.2, "steps": 8, "batch_size": 32, "device": device, **MIXED[encoder]}
    full = pretrain("simclr", **settings)
    half = pretrain("simclr", **settings, precision="bfloat16")
    x = half.sources[0].pairs(8, 0, device=device).view_a.unsqueeze(0)
    dtypes, embedding = outputs_of(half.network, x)
    assert set(dtypes) == {torch.bfloat16} and embedding.dtype == torch.float32
    assert set(outputs_of(full.network, x)[0]) == {torch.float32}
    pairs = half.sources[0].pairs(32, 1, device=device)
    stacked = pairs._replace(view_a=pairs.view_a.unsqueeze(0), view_b=pairs.view_b.unsqueeze(0), factors={})
    losses = [trained.loss(stacked) for trained in (half, full)]
    assert losses[0].dtype == torch.float32
    torch.testing.assert_close(*losses, rtol=0.05, atol=0.05)
    assert half.status == ["ok"] and all(p.dtype == torch.float32 for p in half.network.parameters())


def test_a_compiled_network_trains_as_an_uncompiled_one(device):
    settings = {"temperature": 0.2, "steps": 5, "batch_size": 32, "optimizer": "sgd", "device": device}
    plain = pretrain("simclr", "vmf", **settings)
    compiled = pretrain("simclr", "vmf", **settings, compile=True)
    assert_alike(compiled, plain)


def test_a_device_that_is_not_there_is_named():
    with pytest.raises(ParameterError, match="cuda:99"):
        pretrain("simclr", "vmf", temperature=0.2, steps=1, device="cuda:99")

"""The path without a matrix of scores has the values and gradients of the path with one."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from mibounds.representation import large_contrast, methods
from mibounds.representation.contrast import available
from mibounds.representation.large_contrast import LARGE, is_large
from mibounds.representation.methods import moco
from tests.representation.test_stateful_methods import N, made, network_of, pairs_of

NAMES = ["info_nce", "symmetric_info_nce", "simclr", "dcl"]
COUNTS = [None, 1, 2, 3, (1, 3), (None, 2)]


def findings(name: str, steps: int = 1, **options: Any) -> dict[str, Tensor]:
    """Losses, readings and gradients of all parameters, at the last of some batches."""
    network = network_of()
    method = made(name, network, learn_temperature=True, **options)
    for step in range(steps):
        network.zero_grad()
        method.zero_grad()
        loss = method(network, pairs_of(seed=step))
        (loss * torch.tensor([1.0, -3.0])).sum().backward()
        found = {"loss": loss.detach()}
        if (value := method.value_nats(loss.detach(), N)) is not None:
            found["value"] = value
        method.after_step(network, step / steps)
    parameters = [*network.named_parameters(), *method.named_parameters()]
    return found | {name: p.grad.clone() for name, p in parameters if p.grad is not None}


def assert_same(name: str, monkeypatch, **options: Any) -> None:
    held = findings(name, **options)
    made_large = []
    real = large_contrast.mean_log_partition
    for module in (large_contrast, moco):
        monkeypatch.setattr(module, "LARGE", 0)
        monkeypatch.setattr(module, "mean_log_partition", lambda *a: made_large.append(a) or real(*a))
    for other in ("mean_log_partition_both_ways", "mean_log_partition_of_pairs"):
        function = getattr(large_contrast, other)
        monkeypatch.setattr(large_contrast, other, lambda *a, of=function: made_large.append(a) or of(*a))
    found = findings(name, **options)
    assert made_large, "the other path was not taken"
    assert found.keys() == held.keys() and "temperature.log" in found
    for what, expected in held.items():
        torch.testing.assert_close(found[what], expected, rtol=1e-10, atol=1e-12, msg=what)


@pytest.mark.parametrize("n_negatives", COUNTS, ids=str)
@pytest.mark.parametrize("name", NAMES)
def test_the_losses_are_the_plain_ones(name, n_negatives, monkeypatch):
    assert_same(name, monkeypatch, n_negatives=n_negatives)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("n_negatives", [None, 2, 7, (3, 9)], ids=str)
@pytest.mark.parametrize(("queue", "steps"), [(0, 1), (12, 1), (12, 2), (12, 5)])
def test_mocos_loss_is_the_plain_one(queue, steps, n_negatives, symmetric, monkeypatch):
    most = N - 1 + queue
    counts = (n_negatives,) if not isinstance(n_negatives, tuple) else n_negatives
    if any(k is not None and k > most for k in counts):
        n_negatives = most
    assert_same("moco", monkeypatch, queue=queue, steps=steps, n_negatives=n_negatives, symmetric=symmetric)


def test_every_softmax_loss_is_among_those_tested():
    softmax = {
        name for name in methods.names() if getattr(methods.load(name), "with_positive", None) is not None
    }
    assert softmax == {*NAMES, "moco"}


def test_broken_losses_stay_broken(monkeypatch):
    plain = findings("simclr", repulsion=False)
    monkeypatch.setattr(large_contrast, "LARGE", 0)
    torch.testing.assert_close(findings("simclr", repulsion=False)["loss"], plain["loss"])


def test_small_batches_keep_their_matrix():
    assert not is_large("one-way", 1023) and is_large("one-way", 1024)
    assert not is_large("two-view", 511) and is_large("two-view", 512)
    assert available("two-view", 512) ** 2 < LARGE

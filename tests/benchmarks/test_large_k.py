"""The benchmark of large losses compares like with like, and does its sums right."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import torch

from benchmarks import _large_losses, large_k
from mibounds.representation import large_contrast

N, DIM = 40, 6
SAME = {"one way": 6.0, "symmetric": 8.0, "two views": 16.0}


def of(name: str) -> tuple[float, torch.Tensor]:
    a, b = _large_losses.inputs(N, DIM)
    value = _large_losses.CONTENDERS[name]()(a, b)
    value.backward()
    return value.item(), torch.stack([a.grad, b.grad])


@pytest.mark.parametrize("loss", ["one way", "two views"])
def test_contenders_of_one_loss_have_its_value_and_gradients(loss, monkeypatch):
    monkeypatch.setattr(large_contrast, "LARGE", 0)
    names = [c.name for c in large_k.CONTENDERS if c.loss == loss and not c.name.startswith("lightly")]
    assert len(names) >= 3
    value, gradients = of(names[0])
    for name in names[1:]:
        other, of_other = of(name)
        assert other == pytest.approx(value, rel=1e-5)
        torch.testing.assert_close(of_other, gradients, rtol=1e-4, atol=1e-6)


def test_the_first_of_each_loss_is_ours_at_its_own_products():
    first = {}
    for c in large_k.CONTENDERS:
        first.setdefault(c.loss, c)
    assert {c.loss: c.products for c in first.values()} == SAME
    assert all(c.name.startswith("mibounds") for c in first.values())
    assert {c.name for c in large_k.CONTENDERS} == set(_large_losses.CONTENDERS)


def test_ratios_are_taken_turn_by_turn():
    def turn(seconds: float, gflops: float) -> dict[str, float]:
        return {"seconds": seconds, "gflops": gflops, "mib": 3.0, "value": 1.0, "gradient": 2.0}

    ours, theirs = [turn(1.0, 10.0), turn(4.0, 2.0)], [turn(3.0, 10.0), turn(8.0, 2.0)]
    row = large_k.summary(theirs, ours, 1e10)
    assert (row["times_first_low"], row["times_first_high"]) == (2.0, 3.0)
    assert (row["times_floor_low"], row["times_floor_high"]) == (1.6, 3.0)
    assert row["repeats"] == 2 and row["mib_beside_inputs_median"] == 3.0


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks of memory are read from /proc")
def test_a_process_of_its_own_answers():
    found = large_k.answer(Path(sys.executable), "mibounds, one way", 64, 1)
    assert json.dumps(found) and found["seconds"] > 0 and found["gflops"] > 0 and found["mib"] >= 0


def test_a_contender_that_fails_ends_the_run_by_name():
    with pytest.raises(SystemExit, match="no such loss at n = 8"):
        large_k.answer(Path(sys.executable), "no such loss", 8, 1)

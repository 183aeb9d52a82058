"""Each bound against its slow twin: on a batch, in its objective, under a law's exact weights."""

from __future__ import annotations

import pytest
import torch

from mibounds import bounds
from tests import oracles

JOINT = oracles.random_joint(3, 2, seed=4)


def table(*shape: int, seed: int, scale: float = 1.5) -> torch.Tensor:
    return scale * torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def batch_inputs(name: str, n: int, seed: int) -> list[torch.Tensor]:
    # Scores that tell the pairs apart, since the slow Xi is defined above zero only.
    scores = table(n, n, seed=seed) + 3 * torch.eye(n, dtype=torch.float64)
    return [scores, *([table(n, seed=seed + 50)] if bounds.load(name).baseline else [])]


@pytest.mark.parametrize("name", oracles.ON_A_BATCH)
def test_value_on_a_batch(name: str) -> None:
    for seed, n in enumerate((2, 3, 5)):
        inputs = batch_inputs(name, n, seed)
        slow = oracles.ON_A_BATCH[name](*(tensor.tolist() for tensor in inputs))
        assert bounds.load(name)()(*inputs).item() == pytest.approx(slow, abs=1e-9)


@pytest.mark.parametrize("name", oracles.OBJECTIVE_ON_A_BATCH)
def test_objective_on_a_batch(name: str) -> None:
    for seed, n in enumerate((2, 3, 5)):
        inputs = batch_inputs(name, n, seed)
        slow = oracles.OBJECTIVE_ON_A_BATCH[name](*(tensor.tolist() for tensor in inputs))
        assert bounds.load(name)().objective(*inputs).item() == pytest.approx(slow, abs=1e-8)


@pytest.mark.parametrize("name", oracles.ON_A_BATCH)
def test_population_value(name: str) -> None:
    bound = bounds.load(name)()
    scores = oracles.log_density_ratio(JOINT) + table(3, 2, seed=1, scale=0.1)
    shape = {None: None, "x": (3,), "pair": (3, 2)}[bound.baseline]
    baseline = [table(*shape, seed=2)] if shape else []
    slow = oracles.population(name, JOINT.tolist(), scores.tolist(), *(b.tolist() for b in baseline))
    assert bound.population(JOINT, scores, *baseline).item() == pytest.approx(slow, abs=1e-9)


@pytest.mark.parametrize("name", ["nwj", "info_nce", "leave_one_out"])
def test_fast_enumeration_is_the_slow_one(name: str) -> None:
    scores = table(3, 2, seed=3)
    slow_bound = oracles.ON_A_BATCH[name]

    def value(xs: list[int], ys: list[int]) -> float:
        return slow_bound([[scores[x, y].item() for y in ys] for x in xs])

    slow = oracles.expectation(JOINT.tolist(), 3, value)
    assert oracles.expected(JOINT, 3, bounds.load(name)(), scores).item() == pytest.approx(slow, abs=1e-12)


@pytest.mark.parametrize("name", ["nwj", "jensen_shannon", "tuba", "flo", "club", "f_dime_kl"])
def test_what_is_linear_in_the_law_is_unbiased(name: str) -> None:
    bound = bounds.load(name)()
    scores = table(3, 2, seed=5)
    shape = {None: None, "x": (3,), "pair": (3, 2)}[bound.baseline]
    baseline = [table(*shape, seed=6)] if shape else []
    for n in (2, 3):
        mean = oracles.expected(JOINT, n, bound, scores, *baseline)
        assert mean.item() == pytest.approx(bound.population(JOINT, scores, *baseline).item(), abs=1e-12)


def test_random_laws_are_laws_with_information() -> None:
    assert JOINT.sum().item() == pytest.approx(1)
    assert oracles.mutual_information(JOINT.tolist()) > 0.01

"""Group norm and weight standardisation: against loops over rows and units, and apart for each run and row."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mibounds.errors import ParameterError
from mibounds.representation.batch_norm import StackedBatchNorm
from mibounds.representation.group_norm import StackedGroupNorm, StandardisedLinear, without_batch_statistics
from mibounds.representation.network import Network
from mibounds.stacked import StackedLinear

R, N, WIDTH, GROUPS = 2, 5, 12, 3


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def generators() -> list[torch.Generator]:
    return [torch.Generator().manual_seed(r) for r in range(R)]


def network_of(seeds: list[int], groups: int = 8) -> Network:
    options = {"hidden": (16,), "dim": 16, "norm": "batch"}
    network = Network.build(
        (4,), seeds, encoder_options=options, embedding=8, projector_options={"hidden": 16, "norm": "batch"}
    )
    return without_batch_statistics(network, groups).double()


def slow_group_norm(row: list[float], groups: int, eps: float) -> list[float]:
    size, found = len(row) // groups, []
    for start in range(0, len(row), size):
        group = row[start : start + size]
        mean = sum(group) / size
        variance = sum((value - mean) ** 2 for value in group) / size
        found += [(value - mean) / math.sqrt(variance + eps) for value in group]
    return found


def test_group_norm_standardises_neighbours_of_each_row() -> None:
    replaced = StackedBatchNorm(WIDTH, R).double()
    with torch.no_grad():
        replaced.weight.copy_(normal(R, 1, WIDTH, seed=1))
        replaced.bias.copy_(normal(R, 1, WIDTH, seed=2))
    x, layer = 3 + 2 * normal(R, N, WIDTH), StackedGroupNorm(replaced, GROUPS)
    expected = torch.tensor(
        [[slow_group_norm(row, GROUPS, layer.eps) for row in run] for run in x.tolist()], dtype=torch.float64
    )
    torch.testing.assert_close(layer(x), expected * replaced.weight + replaced.bias)


def test_standardised_weights_are_those_of_each_unit_less_their_mean_over_their_length() -> None:
    linear = StackedLinear(7, 4, generators()).double()
    layer, x = StandardisedLinear(linear), normal(R, N, 7)
    for r in range(R):
        for unit in range(4):
            column = linear.weight[r, :, unit].tolist()
            mean = sum(column) / 7
            length = math.sqrt(sum((value - mean) ** 2 for value in column))
            expected = [(value - mean) / length for value in column]
            assert layer.standardised[r, :, unit].tolist() == pytest.approx(expected, rel=1e-3)
    torch.testing.assert_close(layer(x), x @ layer.standardised + linear.bias)


def test_a_row_and_a_run_see_nothing_of_the_others() -> None:
    x = normal(3, N, 4)
    together, alone = network_of([0, 1, 2]), network_of([1])
    of_all, of_one = together(x).embedding, alone(x[1:2]).embedding
    torch.testing.assert_close(of_all[1:2], of_one)
    torch.testing.assert_close(together(x[:, 2:3]).embedding, of_all[:, 2:3])
    assert (of_all[0] - of_all[1]).abs().max() > 0.01
    together.eval()
    torch.testing.assert_close(together(x).embedding, of_all, msg="no running averages")


def test_every_parameter_stays_and_learns() -> None:
    options = {"hidden": (16,), "dim": 16, "norm": "batch"}
    network = Network.build((4,), [0, 1], encoder_options=options, embedding=8)
    before = dict(network.named_parameters())
    without_batch_statistics(network)
    assert {name: id(p) for name, p in network.named_parameters()} == {
        name: id(p) for name, p in before.items()
    }
    network(
        torch.randn(2, 9, 4, generator=torch.Generator().manual_seed(0))
    ).embedding.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.encoder.parameters())
    assert not [
        module for module in network.modules() if isinstance(module, StackedBatchNorm | StackedLinear)
    ]


@pytest.mark.parametrize("groups", [0, 5, 16])
def test_groups_that_do_not_divide_the_width_are_refused(groups: int) -> None:
    with pytest.raises(ParameterError, match=f"divide the width 16.*got {groups}"):
        network_of([0], groups)


def test_convolutions_are_refused() -> None:
    network = Network.build((1, 8, 8), [0], encoder="convnet", encoder_options={"channels": (4,), "dim": 8})
    with pytest.raises(ParameterError, match="perceptrons alone"):
        without_batch_statistics(network)

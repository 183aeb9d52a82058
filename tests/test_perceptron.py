"""Perceptrons by hand against torch's own operations: values, gradients, the gradients' gradients, tiles."""

from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from mibounds import perceptron as by_hand
from mibounds.perceptron import parts, perceptron, plain_perceptron
from mibounds.stacked import StackedMLP

SHAPES = {
    "one affine map": (3, 5, (4, 2)),
    "one hidden layer": (2, 5, (4, 6, 3)),
    "three hidden layers": (4, 6, (3, 5, 4, 6, 1)),
    "as published": (3, 64, (20, 256, 256, 32)),
}
SMALL = [name for name in SHAPES if name != "as published"]


def case(name: str, dtype: torch.dtype = torch.float32) -> list[torch.Tensor]:
    """Inputs, then weight, bias, weight, bias, ... that all ask for gradients."""
    n_runs, n, widths = SHAPES[name]
    source = torch.Generator().manual_seed(0)
    shapes = [(n_runs, n, widths[0])]
    for k in range(len(widths) - 1):
        shapes += [(n_runs, widths[k], widths[k + 1]), (n_runs, 1, widths[k + 1])]
    return [
        (torch.randn(shape, generator=source, dtype=dtype) / shape[1] ** 0.5).requires_grad_()
        for shape in shapes
    ]


def weights_of(made: torch.Tensor) -> torch.Tensor:
    """By which outputs are summed, all different."""
    return torch.linspace(-0.5, 1, made.numel(), dtype=made.dtype).view_as(made)


def with_gradients(function, inputs):
    made = function(*inputs)
    weights = weights_of(made)
    return [made, *torch.autograd.grad(made, inputs, weights)]


@pytest.fixture(params=[1, 400, 2**30])
def tile(request, monkeypatch):
    """One run at a time, some, or all."""
    monkeypatch.setattr(by_hand, "TILE_ON_CPU", request.param)


@pytest.mark.usefixtures("tile")
@pytest.mark.parametrize("name", SHAPES)
def test_values_and_gradients_err_no_more_than_torchs_own(name):
    exact = with_gradients(plain_perceptron, case(name, torch.float64))
    plain, ours = with_gradients(plain_perceptron, case(name)), with_gradients(perceptron, case(name))
    for true, theirs, own in zip(exact, plain, ours, strict=True):
        error, allowed = (own - true).abs().max(), 2 * (theirs - true).abs().max() + 1e-6 * true.abs().max()
        assert error <= allowed


@pytest.mark.usefixtures("tile")
@pytest.mark.parametrize("name", SMALL)
def test_the_backward_by_hand_is_the_derivative(name):
    assert gradcheck(perceptron, case(name, torch.float64))


@pytest.mark.parametrize("name", SMALL)
def test_gradients_can_be_differentiated_again(name):
    inputs = case(name, torch.float64)
    assert gradgradcheck(perceptron, inputs, weights_of(perceptron(*inputs)).requires_grad_())


@pytest.mark.parametrize("name", SHAPES)
def test_neither_tiles_nor_other_runs_change_a_bit(name, monkeypatch):
    whole = with_gradients(perceptron, case(name))
    monkeypatch.setattr(by_hand, "TILE_ON_CPU", 1)
    assert all(torch.equal(a, b) for a, b in zip(with_gradients(perceptron, case(name)), whole, strict=True))

    alone = [i[1:2].detach().clone().requires_grad_() for i in case(name)]
    made = perceptron(*alone)
    weights = weights_of(whole[0])[1:2]
    for a, b in zip([made, *torch.autograd.grad(made, alone, weights)], whole, strict=True):
        assert torch.equal(a, b[1:2])


def test_a_run_that_is_not_finite_is_seen_and_harms_no_other():
    inputs = case("as published")
    with torch.no_grad():
        inputs[3][1, 7] = torch.nan  # in the middle, where ReLU must not hide it
    for found, clean in zip(
        with_gradients(perceptron, inputs), with_gradients(perceptron, case("as published")), strict=True
    ):
        assert torch.equal(found[[0, 2]], clean[[0, 2]])
    assert perceptron(*inputs)[1].isnan().all()


def test_only_what_asks_for_a_gradient_gets_one_and_twice_is_the_same():
    inputs, *parameters = case("one hidden layer")
    made = perceptron(inputs.detach(), *parameters).sum()
    first = torch.autograd.grad(made, parameters, retain_graph=True)
    again = torch.autograd.grad(made, parameters)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    (of_inputs,) = torch.autograd.grad(perceptron(inputs, *(p.detach() for p in parameters)).sum(), inputs)
    assert torch.equal(of_inputs, torch.autograd.grad(perceptron(inputs, *parameters).sum(), inputs)[0])


def test_without_gradients_no_hidden_layer_is_kept():
    def saved(act) -> int:
        kept: list[torch.Tensor] = []
        with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
            act()
        return len(kept)

    inputs = case("three hidden layers")
    assert saved(lambda: perceptron(*inputs)) == len(inputs) + 3
    with torch.no_grad():
        assert saved(lambda: perceptron(*inputs)) <= len(inputs)


def test_under_autocast_torchs_own_operations_round():
    inputs = case("as published")
    with torch.autocast("cpu", torch.bfloat16):
        assert perceptron(*inputs).dtype == torch.bfloat16


def test_a_compiler_sees_torchs_own_operations():
    inputs = case("one hidden layer")
    compiled = torch.compile(perceptron, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(*inputs), plain_perceptron(*inputs))


def test_a_stack_whose_layer_was_replaced_uses_the_new_one():
    stack = StackedMLP(3, (4,), 2, [torch.Generator().manual_seed(0)])
    x = torch.ones(1, 5, 3)
    assert stack(x).abs().max() > 0
    stack[2] = torch.nn.Identity()
    assert stack(x).shape == (1, 5, 4)


@pytest.mark.parametrize("total", [0, 1, 7, 8, 9])
@pytest.mark.parametrize("at_most", [0, 1, 3, 8, 100])
def test_parts_cover_all_once_in_order(total, at_most):
    found = parts(total, at_most)
    assert [i for part in found for i in range(total)[part]] == list(range(total))
    assert all(part.stop - part.start <= max(1, at_most) for part in found)


def test_an_empty_batch_gives_an_empty_result():
    _, *parameters = case("one hidden layer")
    assert perceptron(torch.zeros(2, 0, 4), *parameters).shape == (2, 0, 3)

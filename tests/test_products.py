"""Products against float64, whichever kernel makes them: the values, the layouts, the independence of runs."""

from __future__ import annotations

import pytest
import torch

from mibounds import products
from mibounds.products import product

# n, k, m: narrow, below and above what oneDNN is worth
NARROW, SMALL, LARGE = (1024, 16, 8), (3, 5, 4), (128, 96, 192)


def drawn(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)), dtype=dtype)


def across(stack: torch.Tensor) -> torch.Tensor:
    """The same numbers, rows lying across in memory."""
    return stack.mT.contiguous().mT


@pytest.fixture(params=[True, False], ids=["onednn", "blas"])
def kernel(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(products, "_linear", lambda: None)


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("n_runs", [1, 3])
@pytest.mark.parametrize("shape", [NARROW, SMALL, LARGE])
@pytest.mark.parametrize("lay_a", [torch.Tensor.contiguous, across])
@pytest.mark.parametrize("lay_b", [torch.Tensor.contiguous, across])
@pytest.mark.parametrize("biased", [False, True])
@pytest.mark.parametrize("placed", [False, True])
def test_a_product_equals_float64s(n_runs, shape, lay_a, lay_b, biased, placed):
    n, k, m = shape
    a, b = lay_a(drawn(n_runs, n, k)), lay_b(drawn(n_runs, k, m))
    bias = drawn(n_runs, 1, m) if biased else None
    out = torch.full((n_runs, n, m), torch.nan) if placed else None
    made = product(a, b, bias, out=out)
    expected = a.double() @ b.double() + (0 if bias is None else bias.double())
    torch.testing.assert_close(made.double(), expected, rtol=0, atol=1e-6 * k)
    assert made.dtype == torch.float32 and (out is None or made is out)


@pytest.mark.usefixtures("kernel")
@pytest.mark.parametrize("shape", [NARROW, SMALL, LARGE])
@pytest.mark.parametrize("lay", [torch.Tensor.contiguous, across])
def test_a_run_is_the_same_to_the_bit_in_any_stack(shape, lay):
    n, k, m = shape
    a, b, bias = lay(drawn(7, n, k)), lay(drawn(7, k, m)), drawn(7, 1, m)
    whole = product(a, b, bias)
    for runs in (slice(0, 1), slice(2, 3), slice(1, 5)):
        assert torch.equal(product(a[runs], b[runs], bias[runs]), whole[runs])


@pytest.mark.usefixtures("kernel")
def test_what_is_not_finite_stays_in_its_row_and_run():
    n, k, m = LARGE
    a, b = drawn(2, n, k), drawn(2, k, m)
    a[1, 4] = torch.nan
    made = product(a, b)
    assert made[1, 4].isnan().all()
    made[1, 4] = 0
    assert made.isfinite().all()


@pytest.mark.parametrize("rounded", ["a", "b"])
def test_two_precisions_multiply_in_the_shorter_and_give_the_longer(rounded):
    n, k, m = LARGE
    a, b, bias = drawn(2, n, k), drawn(2, k, m), drawn(2, 1, m)
    short_a, short_b = a.bfloat16(), b.bfloat16()
    made = product(short_a, b, bias) if rounded == "a" else product(a, short_b, bias)
    expected = short_a.double() @ short_b.double() + bias
    assert made.dtype == torch.float32
    torch.testing.assert_close(made.double(), expected, rtol=2**-7, atol=2**-7)
    assert (made - product(a, b, bias)).abs().max() > 1e-4, "nothing was rounded"


def test_float64_and_a_switched_off_onednn_go_to_the_blas(monkeypatch):
    monkeypatch.setattr(products, "_linear", lambda: pytest.fail("oneDNN was called"))
    n, k, m = LARGE
    product(drawn(1, n, k, dtype=torch.float64), drawn(1, k, m, dtype=torch.float64))
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    product(drawn(1, n, k), drawn(1, k, m))


def not_there(*_):
    raise RuntimeError("no such operation")


@pytest.mark.parametrize(
    ("operation", "taken"),
    [
        (lambda x, w, bias, *_: x @ w.mT + bias, True),
        (lambda x, w, bias, *_: x @ w.mT - bias, False),
        (lambda x, w: x @ w.mT, False),
        (not_there, False),
    ],
)
def test_an_operation_that_no_release_promises_is_tried_before_it_is_taken(operation, taken):
    assert products._multiplies(operation) is taken

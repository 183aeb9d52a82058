"""Products of matrices, run by run in a stack: `R x n x k`, `R x k x m` -> `R x n x m`.

In float32, torch multiplies by a BLAS that on some processors leaves half of AVX-512 idle; oneDNN, which torch carries
too, does not, but costs more a call. Which of them multiplies goes by the shapes alone, and each run is multiplied as
if it were alone: a run's numbers do not depend on its stack, unless the BLAS goes by where a matrix starts in memory,
as some do for odd widths. Nothing here knows gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

# Multiplications of a product, n k m, above which oneDNN is the faster one; it copies a factor that lies across.
WORTH_THE_CALL, WORTH_THE_COPY = 2**20, 2**21

# Columns of a result under which torch's BLAS takes up to five times as long as for the same product turned round, and
# the multiplications from which that counts.
NARROW, WORTH_TURNING = 16, 2**16


def product(a: Tensor, b: Tensor, bias: Tensor | None = None, *, out: Tensor | None = None) -> Tensor:
    """a b + bias, multiplied in the shorter of their precisions and given in the longer.

    Args:
        a, b: `R x n x k`, `R x k x m`.
        bias: `R x 1 x m`, in the longer precision.
        out: where the result goes; new memory if None.
    """
    if a.dtype != b.dtype:
        made = _rounded_product(a, b)
        made = made if bias is None else made.add_(bias)
        return made if out is None else out.copy_(made)
    if linear := _onednn(a, b):
        return _run_by_run(linear, a, b, bias, out)
    if _narrow(a, b):
        turned = _product(b.mT, a.mT, _across(bias), _across(out))
        return turned.mT if out is None else out
    return _product(a, b, bias, out)


def _product(a: Tensor, b: Tensor, bias: Tensor | None, out: Tensor | None) -> Tensor:
    return torch.bmm(a, b, out=out) if bias is None else torch.baddbmm(bias, a, b, out=out)


def _narrow(a: Tensor, b: Tensor) -> bool:
    return 1 < b.shape[2] < NARROW and a.shape[1] * b.shape[1] * b.shape[2] > WORTH_TURNING


def _across(matrices: Tensor | None) -> Tensor | None:
    return None if matrices is None else matrices.mT


def _rounded_product(a: Tensor, b: Tensor) -> Tensor:
    shorter, longer = sorted((a.dtype, b.dtype), key=lambda dtype: dtype.itemsize)
    return torch.bmm(a.to(shorter), b.to(shorter)).to(longer)


def _run_by_run(
    linear: Callable[..., Tensor], a: Tensor, b: Tensor, bias: Tensor | None, out: Tensor | None
) -> Tensor:
    def of_run(r: int) -> Tensor:
        return linear(a[r], b[r].mT, None if bias is None else bias[r, 0], "none", [], "")

    if out is None and len(a) == 1:
        return of_run(0).unsqueeze(0)
    out = a.new_empty(len(a), a.shape[1], b.shape[2]) if out is None else out
    for r, place in enumerate(out):
        place.copy_(of_run(r))
    return out


def _onednn(a: Tensor, b: Tensor) -> Callable[..., Tensor] | None:
    """oneDNN's x w^T + bias where it is the faster one."""
    if a.dtype != torch.float32 or a.device.type != "cpu" or not torch.backends.mkldnn.enabled:
        return None
    least = WORTH_THE_CALL if a.stride(2) == 1 else WORTH_THE_COPY
    return _linear() if a.shape[1] * b.shape[1] * b.shape[2] > least else None


@cache
def _linear() -> Callable[..., Tensor] | None:
    if torch.backends.cpu.get_cpu_capability() != "AVX512" or not torch.backends.mkldnn.is_available():
        return None
    linear = getattr(torch.ops.mkldnn, "_linear_pointwise", None)
    return linear if linear and _multiplies(linear) else None


def _multiplies(linear: Callable[..., Tensor]) -> bool:
    """Whether this is what we take it for: torch's compiler uses it, and no release promises it."""
    x, w, bias = torch.eye(2, 3), torch.arange(12.0).view(4, 3), torch.ones(4)
    try:
        return torch.equal(linear(x, w, bias, "none", [], ""), x @ w.mT + bias)
    except (RuntimeError, TypeError):
        return False

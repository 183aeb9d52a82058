"""Chi-squared variables from a generator, which the public samplers of torch do not take."""

from __future__ import annotations

import torch
from torch import Tensor


def chi_squared(n: int, dof: float, generator: torch.Generator) -> Tensor:
    """`n x 1` draws with `dof` > 0 degrees of freedom, in float64 on the generator's device."""
    shape = torch.full((n, 1), dof / 2, dtype=torch.float64, device=generator.device)
    return 2 * torch._standard_gamma(shape, generator=generator)

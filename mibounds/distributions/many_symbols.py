"""Many symbols: discrete vectors that share ten nats and more, where each pair of columns shares little."""

from __future__ import annotations

import torch
from torch import Tensor

from mibounds.distributions import _symmetric_channel as channel
from mibounds.distributions.base import Distribution
from mibounds.errors import ParameterError


class ManySymbols(Distribution):
    """x: independent uniform symbols; y: each of them through a symmetric channel of its own.

        I = n ( ln k - H(flip) - flip ln(k - 1) ),    ln r = sum_j ln( k (1 - flip) or k flip/(k - 1) ),

    the first where y_j = x_j. Exact. No estimate that rests on N independent pairs alone can certify more than about
    ln N of it; one that knows the columns to be independent can add them up.

    Args:
        n_symbols: n, the columns of x and of y.
        n_letters: k; symbols are codes 0 .. k - 1, held as floats.
        flip: the probability that a symbol becomes another one, each as likely.

    Raises: ParameterError.

    References: Cover and Thomas 2006, section 7.2; McAllester and Stratos 2020 (what can be certified).

    Example:
        >>> round(ManySymbols(44, 4, 0.05).mutual_information, 2)
        49.85
    """

    def __init__(self, n_symbols: int, n_letters: int, flip: float):
        if n_symbols < 1:
            raise ParameterError(f"n_symbols must be at least 1; got {n_symbols}")
        channel.require(n_letters, flip)
        self.dim_x = self.dim_y = n_symbols
        self.n_letters, self.flip = n_letters, flip
        self.mutual_information = n_symbols * channel.information(n_letters, flip)

    @classmethod
    def example(cls) -> ManySymbols:
        return cls(3, 4, 0.2)

    def draw(self, n: int, generator: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        x = torch.randint(self.n_letters, (n, self.dim_x), generator=generator, device=generator.device)
        return x.to(dtype), channel.passed_on(x, self.n_letters, self.flip, generator).to(dtype)

    def log_density_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        kept, changed = channel.log_ratios(self.n_letters, self.flip)
        return torch.where(x == y, kept, changed).to(x).sum(-1)

"""Rare events: x and y share almost nothing, but for a few pairs in a thousand that share very much."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mibounds.distributions.base import Distribution
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import ParameterError


class RareEvent(Distribution):
    """With probability p an event: (x, y) of `law`, seen by both sides; else x and y of it, drawn independently.

        I = H(p) + p I_law,        ln r = ln r_law - ln p in an event, -ln(1 - p) in none, -inf if the sides differ,

    H(p) = -p ln p - (1-p) ln(1-p). A first column more on each side, in [1, 2) in an event and in [0, 1) else, uniform,
    shows it. A sample without an event looks independent, and all but a fraction p of the law's information needs one.

    Args:
        probability: p in (0, 1).
        law: of an event, any distribution.

    Raises: ParameterError.

    References: McAllester and Stratos 2020 (no lower bound survives what a sample does not show).

    Example:
        >>> round(RareEvent(1e-3, Gaussian.from_mutual_information(50, 300.0)).mutual_information, 3)
        0.308
    """

    def __init__(self, probability: float, law: Distribution):
        if not 0 < probability < 1:
            raise ParameterError(f"probability must lie in (0, 1); got {probability}")
        self.probability, self.law = float(probability), law
        self.dim_x, self.dim_y = law.dim_x + 1, law.dim_y + 1
        self._log_event, self._log_none = math.log(probability), math.log1p(-probability)
        entropy = -probability * self._log_event - (1 - probability) * self._log_none
        self.mutual_information = entropy + probability * law.mutual_information
        self.mutual_information_error = probability * law.mutual_information_error

    @classmethod
    def example(cls) -> RareEvent:
        return cls(0.1, Gaussian.from_mutual_information(2, 2.0))

    def draw(self, n: int, generator: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        event = torch.rand(n, 1, generator=generator, device=generator.device) < self.probability
        x, y = self.law.draw(n, generator, dtype)
        of_none = self.law.draw(n, generator, dtype)[1]
        shown = torch.rand(n, 2, generator=generator, dtype=dtype, device=generator.device) + event
        return torch.cat([shown[:, :1], x], 1), torch.cat([shown[:, 1:], torch.where(event, y, of_none)], 1)

    def log_density_ratio(self, x: Tensor, y: Tensor) -> Tensor | None:
        of_law = self.law.log_density_ratio(x[..., 1:], y[..., 1:])
        if of_law is None:
            return None
        in_x, in_y = x[..., 0] >= 1, y[..., 0] >= 1
        agreed = torch.where(in_x & in_y, of_law - self._log_event, -self._log_none)
        return torch.where(in_x == in_y, agreed, -math.inf)

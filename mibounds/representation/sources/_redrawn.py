"""Gaussian pairs whose second side is now and then drawn anew: a mixture of a correlated law and independence."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from mibounds import theory
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import ParameterError
from mibounds.representation.sources._latents import normal


class RedrawnGaussian:
    """x standard normal; each block of y is with chance p drawn anew, else correlated with x's block by rho.

        r(x, y) = prod over blocks of  p + (1 - p) r_rho,        I = blocks * E ln( p + (1 - p) r_rho ),

    r_rho the density ratio of the correlated Gaussian. y is standard normal whatever p.

    Args:
        blocks, width: what is drawn anew together is `width` dimensions; there are `blocks` such.
        correlation: rho in [0, 1]; 1 is a copy.
        chance: p in [0, 1].

    Raises: ParameterError.
    """

    def __init__(self, blocks: int, width: int, correlation: float, chance: float):
        if not (0 <= correlation <= 1 and 0 <= chance <= 1):
            raise ParameterError(
                f"correlation and chance of a change must lie in [0, 1]; got {correlation} and {chance}"
            )
        self.blocks, self.width, self.chance = blocks, width, float(chance)
        self.correlation = float(correlation) if chance < 1 else 0.0  # nothing is kept that could correlate
        self._kept = Gaussian.from_correlation(width, self.correlation) if self.correlation < 1 else None

    def partner(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """y for each row of x, `n x (blocks width)`. It takes the same random numbers whatever rho and p."""
        fresh = normal(len(x), x.shape[1], generator)
        uniform = torch.rand(len(x), self.blocks, generator=generator, device=x.device)
        kept = (uniform >= self.chance).repeat_interleave(self.width, dim=1)
        rho = self.correlation
        return torch.where(kept, rho * x + math.sqrt(1 - rho**2) * fresh, fresh)

    def log_density_ratio_matrix(self, x: Tensor, y: Tensor) -> Tensor | None:
        """`... x n x dim`, `... x m x dim` -> `... x n x m`; None for copies, whose ratio is a delta."""
        if self._kept is None:
            return None
        total = x.new_zeros(())
        for x_block, y_block in zip(x.split(self.width, -1), y.split(self.width, -1), strict=True):
            total = total + self._mixed(self._kept.log_density_ratio_matrix(x_block, y_block))
        return total

    def _mixed(self, log_ratio: Tensor) -> Tensor:
        """ln( p + (1 - p) r ) of ln r."""
        chances = log_ratio.new_tensor([self.chance, 1 - self.chance]).log()
        return torch.logaddexp(chances[0], chances[1] + log_ratio)

    def mutual_information(self) -> float:
        """In nats; inf for copies. Closed at p = 0 and 1, else by numerical integration, accurate to 1e-9.

        With U and V independent chi-squared of `width` degrees, ln r_rho is, for x, y of the correlated law,
        I_rho + rho (V - U) / 2, and of the independent one I_rho + rho V / (2 (1 + rho)) - rho U / (2 (1 - rho)).
        """
        rho, p = self.correlation, self.chance
        if rho == 1:
            return math.inf
        whole = theory.gaussian_mutual_information(self.width, rho)
        if rho == 0 or p == 0:
            return self.blocks * whole
        nodes, weights = _chi_squared_nodes(self.width)
        u, v = nodes[:, None], nodes[None, :]

        def mean_mixed(of_u: float, of_v: float) -> float:
            log_ratio = whole + of_v * v - of_u * u
            return float(weights @ np.logaddexp(math.log(p), math.log1p(-p) + log_ratio) @ weights)

        kept, anew = mean_mixed(rho / 2, rho / 2), mean_mixed(rho / (2 - 2 * rho), rho / (2 + 2 * rho))
        return self.blocks * ((1 - p) * kept + p * anew)


def _chi_squared_nodes(degrees: int, n_nodes: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights for a chi-squared variable: the trapezoid rule in its logarithm."""
    least = (math.log(1e-12) + math.lgamma(degrees / 2 + 1)) * 2 / degrees + math.log(2)
    log_value, step = np.linspace(least, 2 * math.log(math.sqrt(degrees) + 9), n_nodes, retstep=True)
    log_density = degrees / 2 * (log_value - math.log(2)) - np.exp(log_value) / 2 - math.lgamma(degrees / 2)
    return np.exp(log_value), np.exp(log_density) * step

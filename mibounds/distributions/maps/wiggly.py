"""Wiggly: the identity with sine waves on it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from mibounds.distributions.maps._solve import root_of_increasing
from mibounds.distributions.maps.base import Map
from mibounds.errors import ParameterError


@dataclass(frozen=True)
class Wiggly(Map):
    """f(x) = x + sum_k a_k sin(w_k x + b_k) entry by entry, increasing since sum_k |a_k w_k| < 1.

    The inverse is found by bisection. The defaults are the x side of the paper's task; its y side has
    amplitudes (-0.4, 0.17, 0.02), frequencies (0.4, 1.3, 4.3) and phases (0, 3.5, -2.5).

    Raises: ParameterError if the waves are not as many in each field, or so steep that f is not increasing.

    References: Czyz et al. 2023, section 3.
    """

    amplitudes: tuple[float, ...] = (0.4, 0.2, 0.03)
    frequencies: tuple[float, ...] = (1.0, 1.7, 3.3)
    phases: tuple[float, ...] = (0.0, 1.0, -2.5)

    def __post_init__(self) -> None:
        if not len(self.amplitudes) == len(self.frequencies) == len(self.phases):
            raise ParameterError("each wave needs one amplitude, one frequency and one phase")
        steepness = sum(abs(a * w) for a, w in zip(self.amplitudes, self.frequencies, strict=True))
        if not steepness < 1:
            raise ParameterError(
                f"sum |amplitude x frequency| must be below 1, or f has no inverse; got {steepness}"
            )

    @classmethod
    def example(cls) -> Wiggly:
        return cls()

    def forward(self, x: Tensor) -> Tensor:
        waves = zip(self.amplitudes, self.frequencies, self.phases, strict=True)
        return x + sum(a * (w * x + b).sin() for a, w, b in waves)

    def inverse(self, y: Tensor) -> Tensor:
        reach = sum(abs(a) for a in self.amplitudes)
        target = y.double()
        return root_of_increasing(lambda x: self.forward(x) - target, y - reach, y + reach)

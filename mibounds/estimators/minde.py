"""MINDE: the squared difference of the scores of y with noise, without x and given it, over a diffusion's time."""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor

from mibounds.errors import ParameterError
from mibounds.estimators._diffusion import Denoisers, DenoisingModel, Diffusing, JointDenoisers
from mibounds.estimators._training import Model


@dataclass(frozen=True, kw_only=True)
class MINDE(Diffusing):
    """I = 1/2 int_0^1 b(t) E | s(y_t, t) - s(y_t, t | x) |^2 dt, s the score of y_t under dy = -b/2 y dt + sqrt(b) dw.

    The conditional variant MINDE-C, unless `joint`. b(t) grows linearly from 0.1 to 20 (the variance-preserving
    diffusion), and t is drawn by importance from b(t) / sigma(t)^2, which is to draw the log signal-to-noise ratio
    evenly. Scores come as guesses of the noise, -sigma s: of a network that sees y_t alone, and of a second one that
    sees x too. Columns are normal scores by the training fold; the networks train on it, are selected by their errors
    on the selection fold, and the integral is averaged over the report fold.

    A mean of squares is never negative, whatever the networks: noise in them makes it read too much, and a second
    network that has not learned what x adds makes it read too little. The integral ends at `first_time`: what tells y
    from its neighbours at less than that noise is missed, which is of high information in few columns. No bound.

    Args:
        joint: the variant MINDE-J, in which both sides have noise: the squared difference between the score of
            (x_t, y_t) and those of x_t given y and of y_t given x, side by side.
        first_time: of the diffusion, from which on it is integrated.

    Raises: ParameterError for a value outside its domain; DataError if a fold would hold fewer than 32 pairs;
        DivergedError if training left nothing finite to report.

    References: Franzese, Bounoua and Michiardi 2024, MINDE, ICLR, arXiv:2310.09031; Song et al. 2021 (the diffusion).
    """

    joint: bool = False
    first_time: float = 1e-3

    name = "minde"
    validity = "as good as the scores"
    references = ("Franzese, Bounoua and Michiardi 2024, arXiv:2310.09031",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.first_time < 1:
            raise ParameterError(f"first_time must lie between 0 and 1; got {self.first_time}")

    def model(self, x: Tensor, y: Tensor, seed: int) -> Model:
        levels = Even(log_snr_at(1.0), log_snr_at(self.first_time))
        kind = JointDenoisers if self.joint else Denoisers
        return DenoisingModel(kind(x, y, self.hidden, seed), levels, self.n_levels, squared=True)


@dataclass(frozen=True)
class Even:
    """Log signal-to-noise ratios spread evenly from `low` to `high`."""

    low: float
    high: float

    def __call__(self, share: Tensor) -> tuple[Tensor, Tensor]:
        return self.low + (self.high - self.low) * share, share.new_full(share.shape, self.high - self.low)


def log_snr_at(time: float, slowest: float = 0.1, fastest: float = 20.0) -> float:
    """ln(alpha^2 / sigma^2) = -ln(e^B - 1), B the integral of b up to `time`."""
    integral = slowest * time + (fastest - slowest) * time**2 / 2
    return -math.log(math.expm1(integral))

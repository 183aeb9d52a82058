"""MMG: half the gap between the errors of denoising y without x and with it, over all levels of noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.estimators._diffusion import Denoisers, DenoisingModel, Diffusing
from mibounds.estimators._training import Model

CUT = 0.002  # of the levels' law, at each end
LEAST_VARIANCE = 1e-6


@dataclass(frozen=True, kw_only=True)
class MMG(Diffusing):
    """I = 1/2 int ( mmse(y | z_s) - mmse(y | z_s, x) ) ds, z_s = sqrt(s) y + noise, s the signal-to-noise ratio.

    Two denoisers stand for the two least mean squared errors: one sees z alone, the other x too. Columns are normal
    scores by the training fold; the denoisers train on it, are selected by their errors on the selection fold, and
    the gap is averaged over the report fold. Levels of noise are drawn from a logistic law of ln s, placed by the
    variances of y and of what the regression on x leaves: there the gap of a Gaussian would lie.

    The gap is the difference of squared errors, or, if `orthogonal`, the mean squared difference of the guesses:
    equal for perfect denoisers, since their difference is orthogonal to the better one's error. The former varies
    more, and reads too little by what the second denoiser is worse than the best and too much by what the first is;
    the latter reads too much by whatever noise is in the guesses. No bound in either form.

    Args:
        orthogonal: which gap.

    Raises: ParameterError for a value outside its domain; DataError if a fold would hold fewer than 32 pairs;
        DivergedError if training left nothing finite to report.

    References: Yu et al. 2025, MMG, arXiv:2509.20609; Guo, Shamai and Verdu 2005, IEEE Transactions on Information
        Theory 51, 1261-1282 (the derivative of information is half the error).
    """

    orthogonal: bool = True

    name = "mmg"
    validity = "as good as the denoisers"
    references = ("Yu et al. 2025, arXiv:2509.20609", "Guo, Shamai and Verdu 2005")

    def model(self, x: Tensor, y: Tensor, seed: int) -> Model:
        denoisers = Denoisers(x, y, self.hidden, seed)
        levels = Logistic.where_gaussians_differ(y, y - x @ denoisers.given.slope)
        return DenoisingModel(denoisers, levels, self.n_levels, self.orthogonal)


@dataclass(frozen=True)
class Logistic:
    """Log signal-to-noise ratios from a logistic law less its ends."""

    centre: float
    width: float

    @classmethod
    def where_gaussians_differ(cls, y: Tensor, left: Tensor) -> Logistic:
        """From `n x dim` each: a Gaussian is told from noise around minus the logarithms of its variances."""
        variances = torch.cat(
            [torch.linalg.svdvals(side - side.mean(0)) ** 2 / len(side) for side in (y, left)]
        )
        logs = variances.clamp(min=LEAST_VARIANCE).log()
        return cls(-logs.mean().item(), math.sqrt(1 + 3 / math.pi**2 * logs.var(correction=0).item()))

    def __call__(self, share: Tensor) -> tuple[Tensor, Tensor]:
        within = CUT + (1 - 2 * CUT) * share
        return self.centre + self.width * within.logit(), self.width * (1 - 2 * CUT) / (within * (1 - within))

"""MIENF: flows that make x and y jointly Gaussian, whose information has a closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from mibounds.data import Samples
from mibounds.errors import DivergedError, ParameterError
from mibounds.estimators import gaussian
from mibounds.estimators._flows import Flowing
from mibounds.estimators._training import Model
from mibounds.estimators.base import Estimate
from mibounds.seeding import seed_of

LATENTS = ("paired", "apart")


@dataclass(frozen=True, kw_only=True)
class MIENF(Flowing):
    """I(x; y) = I(f(x); g(y)) = -1/2 sum_k ln(1 - rho_k^2), f and g flows after which x and y are Gaussian.

    A flow is invertible, so that the information stays. With `latents` "paired" both flows are trained at once by the
    likelihood of (f(x), g(y)) under a Gaussian in which f(x)_k and g(y)_k are correlated and all else is independent
    (the paper's tridiagonal variant); "apart" trains each by the likelihood of a standard normal, which asks for
    Gaussian sides and not for Gaussian pairs. The information is then that of the Gaussian with the covariance that
    f(x) and g(y) have on the report fold, by the estimator `gaussian` with its correction and interval.

    Where the latent pairs are not Gaussian together, that is what linear maps of them see. It is at most the MI if
    each side is Gaussian, which flows reach only nearly: so no bound is claimed.

    Args:
        latents: "paired" or "apart".

    Raises: ParameterError for a value outside its domain; DataError if zuko is not installed, if a fold would hold
        fewer than 32 pairs, or if the report fold holds no more pairs than columns; DivergedError if training left
        nothing finite.

    References: Butakov et al. 2024, Mutual Information Estimation via Normalizing Flows, NeurIPS, arXiv:2403.02187.
    """

    latents: str = "paired"

    name = "mienf"
    validity = "right if the flows make x and y jointly Gaussian"
    references = ("Butakov et al. 2024, arXiv:2403.02187",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.latents not in LATENTS:
            raise ParameterError(f"latents must be one of {', '.join(LATENTS)}; got {self.latents!r}")

    def model(self, x: Tensor, y: Tensor, seed: int) -> Model:
        of_x, of_y = (self.new_flow(side.shape[1], 0, seed_of(seed, k)) for k, side in enumerate((x, y)))
        n_pairs = min(x.shape[1], y.shape[1]) if self.latents == "paired" else 0
        return _LatentModel(_Latents(of_x, of_y, n_pairs))

    def estimate(self, samples: Samples, seed: int, confidence: float) -> Estimate:
        pairs = self.pairs(samples, seed)
        model, history = self.fitted(pairs, seed)
        with torch.no_grad():
            latents = [z.double().cpu().numpy() for z, _ in model.get_submodule("latents")(*pairs.report)]
        if not all(np.isfinite(side).all() for side in latents):
            raise DivergedError(
                "the flows' values are not finite on the report fold; look for extreme values in the data"
            )
        found = gaussian.Gaussian().estimate(Samples(*latents), seed, confidence)
        return self.result(found.nats, found.interval, pairs, confidence, (*self.of_fit(history),), history)


class _Latents(nn.Module):
    """f, g and the correlations of the pairs of their values, as Fisher's z."""

    def __init__(self, of_x: nn.Module, of_y: nn.Module, n_pairs: int):
        super().__init__()
        self.of_x, self.of_y = of_x, of_y
        self.fisher_z = nn.Parameter(torch.full((n_pairs,), 0.1))

    def forward(self, x: Tensor, y: Tensor) -> list[tuple[Tensor, Tensor]]:
        """Of each side the latents `n x dim` and ln |det| of their derivative, `n`."""
        return [flow().transform.call_and_ladj(side) for flow, side in ((self.of_x, x), (self.of_y, y))]

    def log_density(self, x: Tensor, y: Tensor) -> Tensor:
        """ln of the density of pairs, up to a constant: `n`."""
        (u, slope_x), (v, slope_y) = self(x, y)
        apart = slope_x + slope_y - u.square().sum(-1) / 2 - v.square().sum(-1) / 2
        k, rho = len(self.fisher_z), self.fisher_z.tanh()
        u, v = u[:, :k], v[:, :k]
        log_ratio = (rho * u * v - rho**2 * (u**2 + v**2) / 2) / (1 - rho**2) - torch.log1p(-(rho**2)) / 2
        return apart + log_ratio.sum(-1)


class _LatentModel(Model):
    def __init__(self, latents: _Latents):
        super().__init__()
        self.latents = latents

    def losses(self, x: Tensor, y: Tensor, source: torch.Generator) -> dict[str, Tensor]:
        return {"latents": -self.latents.log_density(x, y)}

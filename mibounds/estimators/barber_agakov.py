"""Barber and Agakov's difference: how much better y is predicted given x, by mixture density networks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mibounds.data import Samples
from mibounds.errors import ParameterError
from mibounds.estimators._conditional import Conditional, ConditionalModel
from mibounds.estimators._held_out import History
from mibounds.estimators._mixture_density import MixtureDensity
from mibounds.estimators._normal_scores import NormalScores
from mibounds.estimators._training import Model
from mibounds.estimators.base import Estimate
from mibounds.seeding import seed_of
from mibounds.statistics import mean_interval


@dataclass(frozen=True, kw_only=True)
class BarberAgakov(Conditional):
    """I >= H(Y) + E[ ln q(y|x) ], q a mixture of Gaussians whose parameters a network gives.

    A lower bound for every q, short of the MI by E_x KL( p(y|x) || q(y|x) ), *if H(Y) is known*: give `entropy_nats`.
    Without it H(Y) is estimated as -E[ ln q(y) ] by a second mixture, whose own shortfall adds to the value: the
    difference is no bound then, and may lie on either side.

    Columns are normal scores by the training fold. Each mixture trains on it, is selected by itself on the selection
    fold, and both are averaged over the report fold.

    Args:
        entropy_nats: H(Y), the differential entropy of y in nats and in the units in which y is given.

    Raises: ParameterError for a value outside its domain; DataError if a fold would hold fewer than 32 pairs;
        DivergedError if training left nothing finite to report.

    References: Barber and Agakov 2003, equation 3; Bishop 1994 (mixture density networks).

    Example:
        >>> from mibounds.distributions.gaussian import Gaussian
        >>> x, y = (side.numpy() for side in Gaussian.from_correlation(1, 0.8).sample(500, seed=0))
        >>> known = BarberAgakov(max_steps=50, entropy_nats=1.4189)  # of a standard normal
        >>> known.estimate(Samples(x, y), seed=0, confidence=0.95).direction
        'lower'
    """

    entropy_nats: float | None = None

    name = "barber_agakov"
    references = ("Barber and Agakov 2003", "Bishop 1994")

    def __post_init__(self) -> None:
        super().__post_init__()
        if not (self.entropy_nats is None or abs(self.entropy_nats) < float("inf")):
            raise ParameterError(f"entropy_nats must be finite, or None; got {self.entropy_nats}")

    def model(self, x: Tensor, y: Tensor, seed: int) -> Model:
        return _Densities(x, y, self.n_components, self.hidden, seed)

    def estimate(self, samples: Samples, seed: int, confidence: float) -> Estimate:
        if self.entropy_nats is None:
            return super().estimate(samples, seed, confidence)
        pairs = self.pairs(samples, seed)
        model, history = self.fitted(pairs, seed)
        train, report = pairs.folds.train.numpy(), pairs.folds.report.numpy()
        log_slope = NormalScores.fitted(samples.y[train]).log_slope(samples.y[report])
        with torch.no_grad():
            log_density = model.get_submodule("conditional")(*pairs.report).cpu() + log_slope
        nats, low, high = mean_interval(self.entropy_nats + log_density.double().numpy(), confidence)
        found = self.result(nats, (low, high), pairs, confidence, (*self.of_fit(history),), history)
        return replace(found, direction="lower", validity="bound in expectation")

    def of_fit(self, history: History) -> Iterator[str]:
        yield from super().of_fit(history)
        if self.entropy_nats is None:
            yield (
                f"{self.name} is a lower bound if H(Y) is known (entropy_nats); here it is modelled, and the "
                "difference is no bound"
            )


class _Densities(ConditionalModel):
    """ln q(y|x), and ln q(y) to compare it with."""

    def __init__(self, x: Tensor, y: Tensor, n_components: int, hidden: tuple[int, ...], seed: int):
        super().__init__(x, y, n_components, hidden, seed_of("conditional", seed))
        self.marginal = MixtureDensity(x[:, :0], y, n_components, hidden, seed_of("marginal", seed))

    def losses(self, x: Tensor, y: Tensor, source: torch.Generator) -> dict[str, Tensor]:
        return super().losses(x, y, source) | {"marginal": -self.marginal(x[:, :0], y)}

    def log_density_ratio(self, x: Tensor, y: Tensor, source: torch.Generator) -> Tensor:
        return self.conditional(x, y) - self.marginal(x[:, :0], y)

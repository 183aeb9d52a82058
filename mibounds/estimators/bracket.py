"""A bracket: a lower bound's low end and an upper bound's high end, both read from one learned ln q(y|x)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from mibounds import bounds
from mibounds.data import Samples
from mibounds.errors import ParameterError
from mibounds.estimators._conditional import Conditional, report_scores
from mibounds.estimators._reading import value_and_interval
from mibounds.estimators.base import Estimate
from mibounds.estimators.variational_upper import Reading, lower_bound, said

NEAR_CEILING_NATS = 1.0


@dataclass(frozen=True, kw_only=True)
class Bracket(Conditional):
    """Between InfoNCE and an upper bound, of the same scores ln q(y_j|x_i) of a mixture density network.

    `interval` reaches from the low end of InfoNCE's interval, which holds whatever the network, to the high end of the
    upper bound's, which holds if q(y|x) is right. `nats` is the middle of both values. The bracket is narrow up to
    about ln n of the report fold's n pairs; beyond, the lower bound stays at ln n and the upper one runs away.

    Args:
        upper: "leave_one_out" or "club".

    Raises: ParameterError for an upper bound that takes no ln q(y|x); UnknownNameError.

    References: Poole et al. 2019, section 2.3 and the minibatch upper bound.

    Example:
        >>> from mibounds.distributions.gaussian import Gaussian
        >>> x, y = (side.numpy() for side in Gaussian.from_correlation(1, 0.8).sample(2000, seed=0))
        >>> low, high = Bracket().estimate(Samples(x, y), seed=0, confidence=0.95).interval
        >>> low < 0.51 < high
        True
    """

    upper: str = "leave_one_out"

    name = "bracket"
    validity = "low end: bound in expectation; high end: upper bound if q(y|x) is right"
    references = ("Poole et al. 2019, arXiv:1905.06922",)

    def __post_init__(self) -> None:
        super().__post_init__()
        if bounds.load(self.upper).takes != "log_conditional":
            raise ParameterError(
                f"upper must take ln q(y|x), as club and leave_one_out do; got {self.upper!r}"
            )

    def estimate(self, samples: Samples, seed: int, confidence: float) -> Estimate:
        pairs = self.pairs(samples, seed)
        model, history = self.fitted(pairs, seed)
        scores = report_scores(model, pairs)
        below = lower_bound(scores, confidence)
        above = value_and_interval(bounds.load(self.upper)(), [(s,) for s in scores], confidence)
        interval = below[1][0], above[1][1]
        ceiling = math.log(len(scores[0]))
        warnings = (*self.of_fit(history), *self.of_ends(below, above, ceiling, confidence))
        return self.result((below[0] + above[0]) / 2, interval, pairs, confidence, warnings, history)

    def of_ends(self, below: Reading, above: Reading, ceiling: float, confidence: float) -> Iterator[str]:
        """Both readings, and whether they say anything."""
        yield (
            f"lower end, info_nce: {said(below, confidence)}; upper end, {self.upper}, which holds if the learned "
            f"q(y|x) is right: {said(above, confidence)}"
        )
        if above[0] < below[1][0]:
            yield "the upper bound lies under the lower one: the learned q(y|x) is wrong, and only the lower end holds"
        if below[0] > ceiling - NEAR_CEILING_NATS:
            yield f"the lower bound is near the most that this report fold could show, {ceiling:.3f} nats"

"""An upper bound read from a learned ln q(y|x): variational CLUB and leave-one-out, with a lower bound beside it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from mibounds.bounds import Bound
from mibounds.bounds.info_nce import InfoNCE
from mibounds.bounds.leave_one_out import LeaveOneOut
from mibounds.data import Samples
from mibounds.errors import ParameterError
from mibounds.estimators._bound import bound_named
from mibounds.estimators._conditional import Conditional, report_scores
from mibounds.estimators._reading import value_and_interval
from mibounds.estimators.base import Estimate

Reading = tuple[float, tuple[float, float]]


@dataclass(frozen=True, kw_only=True)
class VariationalUpper(Conditional):
    """A bound that takes ln p(y|x), given a mixture density network's ln q(y|x) instead.

    The network learns by likelihood on the first fold, is selected by it on the second, and the bound is read once on
    the third, columns being normal scores. With the true conditional that is an upper bound. With a learned one it is
    none: where q is too narrow or looks elsewhere, it may lie on either side. So the estimate says "no bound", and
    names a lower bound that needs no trust: InfoNCE of the same scores, which are a critic like any other.

    CLUB lies above by KL( p(x) p(y) || p(x, y) ), by far where the information is high. Leave-one-out is close up to
    about ln n and lies far above beyond. The interval is of the bound's expectation with this network.

    Args:
        bound: what is read, such as CLUB or LeaveOneOut; or its name.

    Raises: ParameterError for a bound that takes the scores of a critic; DataError, DivergedError as elsewhere.

    References: Cheng et al. 2020 (variational CLUB), Poole et al. 2019 (leave-one-out).

    Example:
        >>> from mibounds.distributions.gaussian import Gaussian
        >>> x, y = (side.numpy() for side in Gaussian.from_correlation(1, 0.8).sample(500, seed=0))
        >>> found = VariationalUpper(max_steps=50).estimate(Samples(x, y), seed=0, confidence=0.95)
        >>> found.direction, found.validity
        ('none', 'upper bound if q(y|x) is right')
    """

    bound: Bound = field(default_factory=LeaveOneOut)

    name = "variational_upper"
    validity = "upper bound if q(y|x) is right"
    references = ("Cheng et al. 2020, arXiv:2006.12013", "Poole et al. 2019, arXiv:1905.06922")

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "bound", bound_named(self.bound))
        if self.bound.takes != "log_conditional":
            raise ParameterError(
                f"{self.bound.name} takes the scores of a critic, not ln q(y|x); name it as the method itself"
            )

    def estimate(self, samples: Samples, seed: int, confidence: float) -> Estimate:
        pairs = self.pairs(samples, seed)
        model, history = self.fitted(pairs, seed)
        scores = report_scores(model, pairs)
        nats, interval = value_and_interval(self.bound, [(s,) for s in scores], confidence)
        below = lower_bound(scores, confidence)
        warnings = (*self.of_fit(history), *self.of_trust(nats, below, confidence))
        return replace(
            self.result(nats, interval, pairs, confidence, warnings, history), method=self.bound.name
        )

    def of_trust(self, nats: float, below: Reading, confidence: float) -> Iterator[str]:
        """What the value is worth, and the lower bound beside it."""
        yield (
            f"{self.bound.name} is no bound unless the learned q(y|x) is right; a lower bound whatever it is, InfoNCE "
            f"of the same scores, reads {said(below, confidence)}"
        )
        if nats < below[1][0]:
            yield (
                f"{self.bound.name} reads less than that lower bound: the learned q(y|x) is wrong, and this value is "
                "no bound"
            )


def lower_bound(scores: Sequence[Tensor], confidence: float) -> Reading:
    """InfoNCE over the x's: ln q(y_i|x_i) less the log-mean of ln q(y_i|x_j) over all j, i among them.

    Leave-one-out differs by leaving i out; to keep it in makes of any scores a lower bound, of ln n at most.
    """
    return value_and_interval(InfoNCE(), [(s.T,) for s in scores], confidence)


def said(reading: Reading, confidence: float) -> str:
    nats, (low, high) = reading
    return f"{nats:.3f} nats ({100 * confidence:g}% interval {low:.3f} to {high:.3f})"

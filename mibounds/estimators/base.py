"""What an estimate is, and what makes one: samples in, nats with an interval and what to think of them out."""

from __future__ import annotations

import math
import operator
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from numbers import Integral, Real
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from mibounds.data import Samples
from mibounds.errors import ParameterError

Direction = Literal["lower", "upper", "none"]

# The oracle's InfoNCE on a 20-d Gaussian falls short of the truth by 0.9 nats where it reads a nat under ln K.
SATURATED_NATS = 1.0

# The warning of methods that are no bounds.
NEGATIVE = "the estimate is negative, which no mutual information is: it scatters round a truth near zero"


@dataclass(frozen=True)
class Estimate:
    """A mutual information in nats, and what to think of it.

    Attributes:
        nats: the estimate; where something was trained, read from pairs that trained and selected nothing.
        interval: (low, high) at `confidence`, in nats; of what the estimator aims at, see there.
        method: the bound's or the estimator's name.
        direction: "lower", "upper" or "none": on which side of the truth the estimate stands.
        validity: why that direction can be trusted.
        ceiling_nats: the largest value that the report fold could show, inf if there is none.
        saturated: whether the estimate is so near the ceiling that it says little about the truth.
        folds: how many pairs each fold holds.
        warnings: whatever should be known before the number is used; one sentence each.
        history: columns by name, an entry a check of the training; empty where nothing was trained.
        confidence: of the interval.
        conditional: whether it is of x and y given z, rather than of x and y.
    """

    nats: float
    interval: tuple[float, float]
    method: str
    direction: Direction
    validity: str
    ceiling_nats: float
    saturated: bool
    folds: Mapping[str, int]
    confidence: float
    warnings: tuple[str, ...] = ()
    history: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    conditional: bool = False

    def __str__(self) -> str:
        nats, low, high = (_rounded(value) for value in (self.nats, *self.interval))
        interval = f"{100 * self.confidence:g}% interval {low} to {high}"
        given = " given z" if self.conditional else ""
        text = f"{nats} nats ({interval}) by {self.method}{given}, {self._side()}"
        if self.saturated:
            text += f"\nsaturated: {self._most()}"
        return text

    def as_dict(self) -> dict[str, Any]:
        """All fields in JSON's types; what is not finite, such as a ceiling that is not there, becomes None."""
        return asdict(self) | {
            "nats": finite_or_none(self.nats),
            "interval": [finite_or_none(end) for end in self.interval],
            "ceiling_nats": finite_or_none(self.ceiling_nats),
            "warnings": list(self.warnings),
            "history": {name: [finite_or_none(v) for v in column] for name, column in self.history.items()},
        }

    def _most(self) -> str:
        if math.isfinite(self.ceiling_nats):
            return f"the most that this report fold could show is {self.ceiling_nats:.3f} nats"
        return "some of what was read is about the most that its pairs could show"

    def _side(self) -> str:
        if self.direction == "none":
            return "no bound: the truth may lie on either side"
        side = {"lower": "above", "upper": "below"}[self.direction]
        strength = "" if self.validity == "bound in expectation" else f" ({self.validity})"
        article = "a" if self.direction == "lower" else "an"
        return f"{article} {self.direction} bound{strength}: the truth may lie {side}"


def _rounded(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 1e6 else f"{value:.3g}"


def finite_or_none(value: float) -> float | None:
    """What JSON has for a number: none that is infinite, or NaN."""
    return value if math.isfinite(value) else None


def require_confidence(value: Any) -> float:
    """`value` as a float. Raises: ParameterError for what is no number between 0 and 1."""
    if isinstance(value, Real) and 0 < float(value) < 1:
        return float(value)
    raise ParameterError(f"confidence must lie between 0 and 1; got {value!r}")


def require_seed(value: Any) -> int:
    """`value` as an int. Raises: ParameterError for what is no integer."""
    try:
        return operator.index(value)
    except TypeError as error:
        raise ParameterError(f"seed must be an integer; got {value!r}") from error


class Estimator(ABC):
    """Samples -> Estimate. A subclass is a frozen dataclass whose fields are its parameters.

    Facts: name, its file's name; references; conditional, whether it takes samples with a z and then estimates
    I(x; y | z); categories, what it takes columns of categories as: "codes" of discrete values, among which repeats
    are no copies, columns of 0 and 1 ("one-hot"), "either" of these by itself, or not at all ("refused"); far_out_from,
    how many times what its shortest half tells a column's standard deviation may be before far values hide the others,
    which is then warned of; allows_for_order, whether its interval is widened where rows follow each other, and it
    says so.
    """

    name: ClassVar[str]
    references: ClassVar[tuple[str, ...]] = ()
    conditional: ClassVar[bool] = False
    categories: ClassVar[Literal["refused", "one-hot", "codes", "either"]] = "refused"
    far_out_from: ClassVar[float] = math.inf
    allows_for_order: ClassVar[bool] = False

    def require_counts(self, **least: int) -> None:
        """Raises ParameterError unless each named parameter is a whole number, at least as large."""
        for name, at_least in least.items():
            value = getattr(self, name)
            if not isinstance(value, Integral) or int(value) < at_least:
                raise ParameterError(f"{name} must be a whole number, at least {at_least}; got {value!r}")

    @abstractmethod
    def estimate(self, samples: Samples, seed: int, confidence: float) -> Estimate:
        """The mutual information of `samples`; randomness from `seed` alone."""

    def pointwise_nats(self, samples: Samples, seed: int) -> NDArray[np.float64]:
        """Each pair's ln p(x, y) / p(x) p(y), or given z, in nats: `n`. Raises: ParameterError if there is none."""
        raise ParameterError(
            f"{self.name} gives no value for each pair; choose discrete, ksg or a bound, say"
        )

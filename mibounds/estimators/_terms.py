"""Estimators that read each pair, and so can be set beside each other on the same pairs."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mibounds.data import Samples
from mibounds.estimators.base import SATURATED_NATS, Estimate, Estimator

Array: TypeAlias = NDArray[np.float64]

MATERIAL = 0.15  # of what is read: an excess that is said
_INSTEAD = "take auto or ksg_extrapolated"


@dataclass(frozen=True)
class Terms:
    """What an estimator reads from n pairs.

    Attributes:
        nats: the estimate.
        pointwise: `n`, what each pair says of ln r, the plug-in's bias taken off; the mean is what chooses.
        chance: by how much `nats` scatters from sample to sample.
        doubt: what other pairs would not tell better: half of what was added to what pairs read, with its sign.
        ceiling_nats: the largest value that these pairs could show, inf if there is none.
        warnings: as of `Estimate`.
        lost: how many nats fewer the model reads of pairs left out than it would under its own law, for sure.
        excess: how many nats too many it weighs sides by that were drawn apart, for sure.
    """

    nats: float
    pointwise: Array
    chance: float
    doubt: float = 0.0
    ceiling_nats: float = math.inf
    warnings: tuple[str, ...] = ()
    lost: float = 0.0
    excess: float = 0.0

    @property
    def error(self) -> float:
        """The standard error of `nats`, of both."""
        return math.hypot(self.chance, self.doubt)

    @property
    def loses_more(self) -> bool:
        """Whether more is lost than is read."""
        return self.lost > max(0.0, self.nats)

    @property
    def is_void(self) -> bool:
        """Whether more is lost than is read, or more of it is in excess than is not."""
        return self.loses_more or self.excess > max(0.0, self.nats - self.excess)

    @property
    def saturated(self) -> bool:
        return self.nats > self.ceiling_nats - SATURATED_NATS


class FromTerms(Estimator):
    """An estimator with a normal interval around what its terms say.

    Facts: validity, as of `Estimate`.
    """

    validity: ClassVar[str]

    @abstractmethod
    def terms(self, samples: Samples, seed: int) -> Terms:
        """Of all pairs."""

    def estimate(self, samples: Samples, seed: int, confidence: float) -> Estimate:
        return self.of_terms(self.terms(samples, seed), samples, confidence)

    def of_terms(self, found: Terms, samples: Samples, confidence: float) -> Estimate:
        """What these terms of the samples say."""
        return Estimate(
            nats=found.nats,
            interval=normal_interval(found.nats, found.error, confidence),
            method=self.name,
            direction="none",
            validity=self.validity,
            ceiling_nats=found.ceiling_nats,
            saturated=found.saturated,
            folds={"all": len(samples)},
            confidence=confidence,
            warnings=(*found.warnings, *doubts(found)),
            conditional=samples.z is not None,
        )

    def pointwise_nats(self, samples: Samples, seed: int) -> Array:
        return self.terms(samples, seed).pointwise


def doubts(found: Terms) -> Iterator[str]:
    """What the model's own law says against its reading."""
    if found.loses_more:
        yield (
            f"pairs that are left out read {found.lost:,.3g} nats fewer than they would if the columns were as the "
            f"model takes them, which is more than the {found.nats:.3g} it finds: that rests on the model alone; "
            f"{_INSTEAD}"
        )
    if found.excess > MATERIAL * max(0.0, found.nats):
        yield (
            f"sides that were drawn apart are weighed {found.excess:.3g} nats too high, and so may pairs be, in which "
            f"it finds {found.nats:.3g}; {_INSTEAD}"
        )


def normal_interval(nats: float, error: float, confidence: float) -> tuple[float, float]:
    from scipy.special import ndtri

    reach = float(ndtri((1 + confidence) / 2)) * error
    return nats - reach, nats + reach

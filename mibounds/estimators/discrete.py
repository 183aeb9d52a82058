"""Discrete variables: the information of the table of counts, less its bias."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mibounds.data import Samples
from mibounds.errors import DataError, ParameterError
from mibounds.estimators._counts import CORRECTIONS, Counts, labels
from mibounds.estimators.base import Estimate, Estimator

SPARSE = 0.2  # of the pairs alone in their cell


@dataclass(frozen=True)
class Discrete(Estimator):
    """I = sum_xy p ln ( p(x, y) / p(x) p(y) ) of the frequencies p, corrected; or given z. A row's columns are one value."""

    correction: str = "jackknife"

    name = "discrete"
    references = ("Miller 1955", "Efron and Stein 1981", "Good 1953")
    conditional = True
    categories = "codes"

    def __post_init__(self) -> None:
        if self.correction not in CORRECTIONS:
            raise ParameterError(
                f"correction must be one of {', '.join(CORRECTIONS)}; got {self.correction!r}"
            )

    def estimate(self, samples: Samples, seed: int, confidence: float) -> Estimate:
        counts = _counts(samples)
        return of_counts(counts, self.correction, self.name, samples.z is not None, confidence)

    def pointwise_nats(self, samples: Samples, seed: int) -> NDArray[np.float64]:
        return _counts(samples).terms(self.correction)


def of_counts(counts: Counts, correction: str, method: str, conditional: bool, confidence: float) -> Estimate:
    """The estimate by a table, with a normal interval."""
    from scipy.special import ndtri

    nats = float(counts.terms(correction).mean())
    reach = float(ndtri((1 + confidence) / 2)) * math.sqrt(counts.variance())
    return Estimate(
        nats=nats,
        interval=(nats - reach, nats + reach),
        method=method,
        direction="none",
        validity="unbiased in the limit of many samples",
        ceiling_nats=math.inf,
        saturated=False,
        folds={"all": len(counts.x)},
        confidence=confidence,
        warnings=tuple(_warnings(counts, nats)),
        conditional=conditional,
    )


def _counts(samples: Samples) -> Counts:
    sides = {"x": samples.x, "y": samples.y} | ({} if samples.z is None else {"z": samples.z})
    found = {side: labels(values) for side, values in sides.items()}
    for side, of_side in found.items():
        if of_side.max() == len(of_side) - 1:
            raise DataError(
                f"{side} never repeats in {len(of_side):,} rows, so that no table can be made; expected discrete "
                "values: take ksg or mixed for continuous columns, histogram to cut them into bins"
            )
    return Counts.of(*found.values())


def _warnings(counts: Counts, nats: float) -> Iterator[str]:
    if counts.share_seen_once() > SPARSE:
        yield (
            f"{counts.share_seen_once():.0%} of the pairs are alone in their cell of the table: many cells were not "
            "seen at all, and the estimate is too high"
        )
    if nats < 0:
        yield "the estimate is negative, which no mutual information is: it scatters round a truth near zero"

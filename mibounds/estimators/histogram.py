"""Columns cut into bins: the information of the table of bins."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from numbers import Integral

import numpy as np
from numpy.typing import NDArray

from mibounds.data import Samples
from mibounds.errors import ParameterError
from mibounds.estimators._counts import CORRECTIONS, Counts, Labels, labels
from mibounds.estimators._terms import FromTerms, Terms
from mibounds.estimators.base import SATURATED_NATS, Estimate
from mibounds.estimators.discrete import of_table

EDGES = ("mass", "width")
FEW_BINS = 5


@dataclass(frozen=True)
class Histogram(FromTerms):
    """I of the bins that x and y fall in, from their table of counts, corrected as by `discrete`.

    Bins hold no more than the columns (data processing), so that with many samples it reads too little, by what the
    bins blur; with few samples for the bins, what is left of the table's bias may make it too much. Of 200 intervals
    at 95% from 1,000 pairs of normals, 199 covered the truth at correlation 0, 165 at 0.6 (0.20 of 0.22 nats read)
    and 4 at 0.9 (0.73 of 0.83). It is here to be compared with: `ksg` and `mixed` read the columns themselves. Its
    ceiling is the smaller entropy of the bins; fewer than 5 bins a column are warned of.

    Args:
        bins: of each column; by default the cube root of n on each side, shared out over its columns, 2 at least.
        edges: "mass", bins of equally many samples; "width", equally wide ones; or inner edges, ascending, for all
            columns.
        correction: of the table, see `discrete`.

    Raises: ParameterError for a value outside its domain.

    References: Cover and Thomas 2006, Elements of Information Theory, chapter 2.8 (data processing).

    Example:
        >>> from mibounds.distributions.gaussian import Gaussian
        >>> x, y = (side.numpy() for side in Gaussian.from_correlation(1, 0.8).sample(2000, seed=0))
        >>> print(Histogram().estimate(Samples(x, y), seed=0, confidence=0.95))
        0.461 nats (95% interval 0.428 to 0.494) by histogram, no bound: the truth may lie on either side
    """

    bins: int | None = None
    edges: str | tuple[float, ...] = "mass"
    correction: str = "jackknife"

    name = "histogram"
    validity = "of bins, which hold no more than the columns"
    references = ("Cover and Thomas 2006",)

    def __post_init__(self) -> None:
        if self.bins is not None and (not isinstance(self.bins, Integral) or self.bins < 2):
            raise ParameterError(f"bins must be an integer, at least 2; got {self.bins!r}")
        if isinstance(self.edges, str):
            if self.edges not in EDGES:
                raise ParameterError(
                    f"edges must be {', '.join(EDGES)}, or numbers in ascending order; got {self.edges!r}"
                )
        elif len(self.edges) < 1 or not np.all(np.diff(self.edges) > 0):
            raise ParameterError(f"edges must be numbers in ascending order; got {self.edges!r}")
        elif self.bins is not None:
            raise ParameterError("bins and edges that are numbers were both given; expected one of them")
        if self.correction not in CORRECTIONS:
            raise ParameterError(
                f"correction must be one of {', '.join(CORRECTIONS)}; got {self.correction!r}"
            )

    def estimate(self, samples: Samples, seed: int, confidence: float) -> Estimate:
        found = super().estimate(samples, seed, confidence)
        ceiling = found.ceiling_nats
        return replace(found, saturated=found.nats > max(ceiling - SATURATED_NATS, ceiling / 2))

    def terms(self, samples: Samples, seed: int) -> Terms:
        counts = self._counts(samples)
        found = of_table(counts, self.correction)
        warnings = (*found.warnings, *self._warnings(samples))
        return replace(found, ceiling_nats=min(counts.entropies()), warnings=warnings)

    def _warnings(self, samples: Samples) -> Iterator[str]:
        if not isinstance(self.edges, str):
            return
        n_bins = min(self._n_bins(side) for side in (samples.x, samples.y))
        if n_bins < FEW_BINS:
            yield f"columns were cut into {n_bins} bins each, which blur much: the estimate is of these bins"

    def _counts(self, samples: Samples) -> Counts:
        return Counts.of(self._cells(samples.x), self._cells(samples.y))

    def _cells(self, side: NDArray[np.float64]) -> Labels:
        """Which cell each row falls in: `n`."""
        bins = self._n_bins(side)
        places = [np.searchsorted(self._inner_edges(column, bins), column, "right") for column in side.T]
        return labels(np.stack(places, axis=1).astype(np.float64))

    def _n_bins(self, side: NDArray[np.float64]) -> int:
        n, dim = side.shape
        return self.bins or max(2, round(n ** (1 / (3 * dim))))

    def _inner_edges(self, column: NDArray[np.float64], bins: int) -> Sequence[float] | NDArray[np.float64]:
        if not isinstance(self.edges, str):
            return self.edges
        shares = np.arange(1, bins) / bins
        if self.edges == "mass":
            return np.quantile(column, shares)
        low, high = column.min(), column.max()
        return low + shares * (high - low)

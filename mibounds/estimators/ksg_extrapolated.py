"""KSG carried on to infinitely many pairs, by what it gains from twice as many."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from mibounds.data import Samples
from mibounds.errors import DataError
from mibounds.estimators._counts import labels
from mibounds.estimators._neighbours import on_grid
from mibounds.estimators._points import Points, numbers_of, points_of, warn_of_alone
from mibounds.estimators._ranks import normal_scores, places
from mibounds.estimators._terms import Array, FromTerms, Terms
from mibounds.seeding import seed_of

MOST_ALONE = 0.5
FEW_OF_EACH = 5
N_PARTS, N_CUTS = 8, 3  # 21 degrees of freedom for the scatter
N_QUANTILES = 101
MATERIAL_NATS = 0.05


class Doubled(NamedTuple):
    """What is seen of n pairs and of two halves of them.

    Attributes:
        pointwise: `n`, KSG's terms of all pairs.
        gain: by how much their mean exceeds that of the halves.
        nearer: by how much ln of the distance to neighbours falls from the halves to all: ln 2 / d.
    """

    pointwise: Array
    gain: float
    nearer: float


@dataclass(frozen=True)
class ExtrapolatedKSG(FromTerms):
    """I_n + (I_n - I_{n/2}) / (2^(2/d) - 1), I_n being KSG of the normal scores of n pairs, I_{n/2} of disjoint halves.

    That is the limit if the bias falls as the square of the neighbours' distance, as for densities that are smooth at
    that scale. How the distance falls is seen: by 2^(-1/d) from half of the pairs to all of them. In few columns d is
    their number, dim_x + dim_y, which is the most that is taken; in many it is far less, and least where the columns
    follow a few causes. Where neighbours are far, the bias falls more slowly at first, and part of it stays. Normal
    scores keep heavy tails from crowding the rest; values that repeat have theirs in random order. Neighbours share all
    categories, as by `mixed`; nothing is added beyond the entropy of a side that is categories, or beyond what so many
    pairs can show. A gain that may be chance is shrunk by James and Stein's factor, 1 - error^2 / gain^2, at least 0.

    The standard error has two parts. Chance: I_n and the gain scatter together as those of disjoint eighths of the
    pairs, cut three times, as 1/n of variance, and the shrunk sum is taken over that scatter; beside categories I_n
    scatters at least as the mean of its terms, and is not carried on where most pairs of an eighth are alone. Doubt:
    half of what was added, so that the 95% interval reaches from I_n to twice the addition.

    Args:
        neighbours: k of KSG.

    Raises: ParameterError for a value outside its domain; DataError if there are too few samples for sixteenths, or no
        numbers.

    References: Kraskov, Stoegbauer and Grassberger 2004, Physical Review E 69, 066138; Gao, Oh and Viswanath 2018, IEEE
        Transactions on Information Theory 64, 5629-5661 (the bias); Richardson 1911 (extrapolation).

    Example:
        >>> from mibounds.distributions.gaussian import Gaussian
        >>> x, y = (side.double().numpy() for side in Gaussian.from_mutual_information(3, 1.0).sample(1000, seed=0))
        >>> print(ExtrapolatedKSG().estimate(Samples(x, y), seed=0, confidence=0.95))
        1.097 nats (95% interval 0.846 to 1.348) by ksg_extrapolated, no bound: the truth may lie on either side
    """

    neighbours: int = 3

    name = "ksg_extrapolated"
    validity = "unbiased in the limit of many samples"
    references = ("Kraskov, Stoegbauer and Grassberger 2004", "Gao, Oh and Viswanath 2018", "Richardson 1911")
    categories = "either"

    def __post_init__(self) -> None:
        self.require_counts(neighbours=1)

    def terms(self, samples: Samples, seed: int) -> Terms:
        from scipy.special import digamma

        n, least = len(samples), 2 * N_PARTS * (self.neighbours + 1)
        if n < least:
            raise DataError(f"too few samples for {2 * N_PARTS} parts: {n}; expected at least {least}")
        if samples.is_categorical():
            raise DataError(
                "ksg_extrapolated needs a column of numbers, and got categories alone; take discrete"
            )
        random = np.random.default_rng(seed_of("ksg_extrapolated", "ties", seed))
        numbers = [normal_scores(places(side, random)) for side in numbers_of(samples)]
        points = points_of(samples, on_grid(*numbers))
        shuffle = np.random.default_rng(seed_of("ksg_extrapolated", seed)).permutation
        orders = [shuffle(n) for _ in range(N_CUTS)]
        pointwise, gain, nearer = self._doubled(points[orders[0]])
        nats, ceiling = float(pointwise.mean()), float(digamma(n) - digamma(self.neighbours))
        most = min(ceiling, _most_nats(samples))
        scatter = _covariance([self._of_parts(points[order]) for order in orders])
        # Parts with few pairs of each category read little, and scatter as little.
        if samples.has_categories():
            scatter[0, 0] = max(scatter[0, 0], pointwise.var() / n)
        error = math.sqrt(scatter[1, 1]) if _are_told(points) else math.inf
        times = 1 / math.expm1(2 * max(nearer, math.log(2) / points.n_numbers))  # d, at most the columns

        def limit(read: Array, gained: Array) -> Array:
            """What is read, carried on by the sure share of what is gained, as far as it can be."""
            return np.clip(read + times * _shrunk(gained, error), min(-most, nats), max(most, nats))

        carried = float(limit(np.array(nats), np.array(gain)))
        return Terms(
            nats=carried,
            pointwise=pointwise[np.argsort(orders[0])],
            chance=_chance(limit, nats, gain, scatter),
            doubt=(carried - nats) / 2,
            ceiling_nats=ceiling,
            warnings=(*warn_of_alone(points), *_of_few(points), *_warnings(nats, carried - nats)),
        )

    def _of_parts(self, points: Points) -> Array:
        """`n_parts x 2`: the mean and the gain of each of disjoint parts."""
        parts = [self._doubled(points[rows]) for rows in points.split(N_PARTS)]
        return np.array([(part.pointwise.mean(), part.gain) for part in parts])

    def _doubled(self, points: Points) -> Doubled:
        """Of all pairs beside halves of them; of rows that are alone in neither."""
        whole = points.reach(self.neighbours)
        pointwise, told, of_halves, nearer = points.terms_within(whole), [], [], []
        for rows in points.split(2):
            half = points[rows]
            kept, reach = ~half.alone(), half.reach(self.neighbours)
            told.append(rows[kept])
            of_halves.append(half.terms_within(reach)[kept])
            apart = (reach.distance > 0) & (whole.distance[rows] > 0)
            nearer.append(np.log(reach.distance[apart] / whole.distance[rows][apart]))
        if not all(map(len, told)):
            return Doubled(pointwise, 0.0, math.inf)
        gain = pointwise[np.concatenate(told)].mean() - np.mean([half.mean() for half in of_halves])
        return Doubled(pointwise, float(gain), float(np.concatenate(nearer).mean()))


def _are_told(points: Points) -> bool:
    """Whether most rows of parts have company there: else how the gain scatters is not seen."""
    return float(np.mean([points[rows].alone().mean() for rows in points.split(N_PARTS)])) < MOST_ALONE


def _most_nats(samples: Samples) -> float:
    """The entropy of a side that is categories alone, inf without one."""
    from scipy.stats import entropy

    whole = [samples.sides()[side][0] for side in samples.categorical_sides()]
    return min((float(entropy(np.bincount(labels(values)))) for values in whole), default=math.inf)


def _covariance(cuts: Sequence[Array]) -> Array:
    """`2 x 2`, of what all pairs read, from what disjoint parts of them read in each of several cuts."""
    return np.mean([np.cov(of_parts, rowvar=False) / len(of_parts) for of_parts in cuts], axis=0)


def _shrunk(gain: Array, error: float) -> Array:
    """James and Stein's part of `gain`: little of one that may be chance, since it is multiplied."""
    return gain - gain * np.minimum(1.0, (error / np.where(gain, gain, 1.0)) ** 2)


def _chance(limit: Callable[[Array, Array], Array], nats: float, gain: float, scatter: Array) -> float:
    """The standard error of the limit, of which the gain is no linear part: over the gain's scatter, and what
    `nats` scatters beside it."""
    from scipy.special import ndtri

    (of_nats, shared), (_, of_gain) = scatter
    slope = shared / of_gain if of_gain else 0.0
    moved = math.sqrt(of_gain) * ndtri((np.arange(N_QUANTILES) + 0.5) / N_QUANTILES)
    varied = limit(nats + slope * moved, gain + moved)
    return math.sqrt(max(0.0, of_nats - slope * shared) + varied.var())


def _of_few(points: Points) -> list[str]:
    of_each = points.pairs_of_each()
    if of_each >= FEW_OF_EACH:
        return []
    return [
        f"categories have {of_each:.1f} pairs each on the mean; of so few neighbours read too little: join some"
    ]


def _warnings(nats: float, added: float) -> list[str]:
    if abs(added) < MATERIAL_NATS:
        return []
    return [
        f"nearest neighbours read {nats:.2f} nats and still change with the number of pairs: {added:+.2f} nats were "
        "added by extrapolation, which is rough"
    ]

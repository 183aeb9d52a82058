"""Models of the density ratio, chosen on one half of the pairs and read on the other."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mibounds.data import Samples
from mibounds.errors import DataError, DivergedError, MiboundsError
from mibounds.estimators._ranks import normal_scores, places
from mibounds.estimators._terms import Array, FromTerms, Terms, doubts
from mibounds.seeding import seed_of

Integers: TypeAlias = NDArray[np.intp]
Halves: TypeAlias = tuple[Integers, Integers]


class Crossed(NamedTuple):
    """A model fitted to one half of the pairs.

    Attributes:
        choosing: `n`, what each pair of that half says of ln r, less an excess; NaN where the pair trained it.
        read: what the other half reads by it.
        added: by how much its estimate of that half exceeds the mean of `choosing`, an excess apart.
    """

    choosing: Array
    read: Callable[[], Terms]
    added: float = 0.0


class Model(Protocol):
    """What can be chosen on one half of some pairs and read on the other."""

    @property
    def name(self) -> str: ...

    def both_ways(self, rows: Halves, seed: int) -> list[Crossed]:
        """Of each half. Raises: DataError or DivergedError if it cannot be fitted."""


class Refitted:
    """A model that the half which is read fits anew, so that only which model it is comes from the other.

    Columns become normal scores without ties, if not said otherwise: noise below a column's steps adds nothing to what
    it tells. Categories stay what they are.

    Args:
        method: what is fitted.
        samples: all pairs.
        name: of the model, by default the method's.
        with_ties: whether the method takes columns as they are.
    """

    def __init__(self, method: FromTerms, samples: Samples, name: str = "", *, with_ties: bool = False):
        self.name, self._method = name or method.name, method
        self._samples, self._with_ties = samples, with_ties

    def both_ways(self, rows: Halves, seed: int) -> list[Crossed]:
        terms = [
            self._method.terms(self._half(own, seed_of("ties", k, seed)), seed) for k, own in enumerate(rows)
        ]
        if voids := [found for found in terms if found.is_void]:
            raise DataError(f"{self.name}: {next(doubts(voids[0]))}")
        return [
            Crossed(
                own.pointwise - own.excess,
                partial(_as_it_is, other),
                added=own.nats - float(own.pointwise.mean()),
            )
            for own, other in (terms, terms[::-1])
        ]

    def _half(self, rows: Integers, seed: int) -> Samples:
        random, of = np.random.default_rng(seed), self._samples
        x, y = of.x[rows], of.y[rows]
        if not self._with_ties:
            x, y = _untied(x, of.categories_x, random), _untied(y, of.categories_y, random)
        return Samples(x, y, categories_x=of.categories_x, categories_y=of.categories_y)


def _untied(side: Array, categories: Collection[int], random: np.random.Generator) -> Array:
    scores = normal_scores(places(side, random))
    scores[:, [*categories]] = side[:, [*categories]]
    return scores


class Reading(NamedTuple):
    """What one half reads by the model that the other half chose."""

    model: str
    rows: Integers
    terms: Terms


@dataclass(frozen=True)
class Read:
    """All readings of some pairs, and their mean.

    Attributes:
        influence: `n`, in the rows' order: by how much each pair moves the mean, times n.
    """

    readings: Sequence[Reading]
    nats: float
    error: float
    influence: Array

    @classmethod
    def of(cls, readings: Sequence[Reading], n: int) -> Read:
        influence = np.zeros(n)
        for reading in readings:
            influence[reading.rows] += reading.terms.pointwise - reading.terms.pointwise.mean()
        nats = float(np.mean([r.terms.nats for r in readings]))
        return cls(readings, nats, _error(readings), 2 * influence / len(readings))

    @classmethod
    def of_all(cls, model: str, terms: Terms) -> Read:
        """All pairs read by one model that was not chosen among others."""
        reading = Reading(model, np.arange(len(terms.pointwise)), terms)
        return cls([reading], terms.nats, terms.error, terms.pointwise - terms.pointwise.mean())

    @property
    def ceiling_nats(self) -> float:
        """The most that the mean could be, inf if any model has no ceiling."""
        return float(np.mean([r.terms.ceiling_nats for r in self.readings]))

    def less(self, other: Read) -> Read:
        """The difference; what both owe to the same pairs cancels. The error is at least that of paired differences."""
        n, moved = len(self.influence), self.influence - other.influence
        shared = float(np.mean(self.influence * other.influence)) / n
        variance = max(self.error**2 + other.error**2 - 2 * shared, float(np.mean(moved**2)) / n)
        readings = [*self.readings, *other.readings]
        return Read(readings, self.nats - other.nats, math.sqrt(variance), moved)


def _as_it_is(terms: Terms) -> Terms:
    return terms


def read_crosswise(
    models: Sequence[Model], n: int, seed: int, named: Sequence[str] = ("", "")
) -> list[Reading]:
    """Both halves of a random halving of n pairs, each read by the model that the other chose; the simplest first.

    Of an odd number of pairs one is left out. Models that are `named` for both halves read them unchosen, if they can
    be fitted.

    Raises: DataError if no model can be fitted.
    """
    half, order = n // 2, np.random.default_rng(seed).permutation(n)
    rows = order[:half], order[half : 2 * half]
    found, _ = _fitted([model for model in models if model.name in named], rows, seed)
    if not {*named} <= {*found}:
        found, refused = _fitted(models, rows, seed)
        if not found:
            raise DataError(
                f"no model can be fitted to half of {2 * half} pairs; expected more pairs, or fewer columns: of {half} "
                f"pairs the simplest model said: {refused[0]}"
            )
    readings = []
    for chooses, name in enumerate(named):
        reads = 1 - chooses
        if name not in found:
            name = list(found)[survivor([crossed[chooses] for crossed in found.values()])]
        readings.append(Reading(name, rows[reads], found[name][chooses].read()))
    return readings


def survivor(models: Sequence[Crossed]) -> int:
    """Which is left when every next one displaces the last if it is ahead by a standard error.

    Differences are paired; pairs that either did not read (NaN) are left out. What a model adds to what it reads pair
    by pair defends it, since it would be reported, but wins it no place.

    >>> read = [0.0, 1.0, 2.0], [0.1, 0.9, 2.1], [9.0, 9.0, 9.1]
    >>> survivor([Crossed(np.array(of), NotImplemented) for of in read])
    2
    """
    place = 0
    for k in range(1, len(models)):
        ahead = models[k].choosing - (models[place].choosing + models[place].added)
        ahead = ahead[np.isfinite(ahead)]
        if ahead.mean() > ahead.std(ddof=1) / math.sqrt(len(ahead)):
            place = k
    return place


def _fitted(
    models: Sequence[Model], rows: Halves, seed: int
) -> tuple[dict[str, list[Crossed]], list[MiboundsError]]:
    """Those models that can be fitted to both halves, by name, and why others cannot."""
    found: dict[str, list[Crossed]] = {}
    refused: list[MiboundsError] = []
    for model in models:
        try:
            found[model.name] = model.both_ways(rows, seed)
        except (DataError, DivergedError) as error:
            refused.append(error)
    return found, refused


def _error(readings: Sequence[Reading]) -> float:
    """The standard error of the readings' mean, which repeated halvings of the same pairs do not make smaller.

    Halves have each their own chance, but one doubt: what a model lacks in one it lacks in the other.
    """
    chance = float(np.mean([r.terms.chance**2 for r in readings])) / 2
    doubt = float(np.mean([r.terms.doubt for r in readings]))
    return math.sqrt(chance + doubt**2 + float(np.var([*by_model(readings).values()])))


def by_model(readings: Sequence[Reading]) -> dict[str, float]:
    """The mean of what each model read, in nats."""
    models = sorted({r.model for r in readings})
    return {m: float(np.mean([r.terms.nats for r in readings if r.model == m])) for m in models}

"""What a claim comes to: an effect, its interval, and on which side of the threshold both ends lie."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, get_args

from mibounds.errors import StudyError

if TYPE_CHECKING:
    import pandas as pd

Outcome = Literal["supported", "refuted", "inconclusive"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


@dataclass(frozen=True)
class Verdict:
    """Supported, refuted or inconclusive, with the effect and the interval `low..high` that decided it.

    The comparisons are strict and false for NaN, so an interval that could not be computed is inconclusive.

    Example:
        >>> Verdict.above(0.31, 0.22, 0.40, threshold=0.1, unit="nats").outcome
        'supported'
    """

    outcome: Outcome
    effect: float = math.nan
    low: float = math.nan
    high: float = math.nan
    unit: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        if self.outcome not in OUTCOMES:
            raise StudyError(f"a verdict is one of {', '.join(OUTCOMES)}; got {self.outcome!r}")
        for name in ("effect", "low", "high"):
            object.__setattr__(self, name, float(getattr(self, name)))

    @classmethod
    def above(
        cls, effect: float, low: float, high: float, threshold: float, unit: str = "", reason: str = ""
    ) -> Verdict:
        """Supported if the whole interval lies above the threshold, refuted if the whole lies below it."""
        outcome: Outcome = (
            "supported" if low > threshold else "refuted" if high < threshold else "inconclusive"
        )
        found = cls(outcome, effect, low, high, unit, reason)
        return found._with_what_it_takes(threshold)

    @classmethod
    def below(
        cls, effect: float, low: float, high: float, threshold: float, unit: str = "", reason: str = ""
    ) -> Verdict:
        """Supported if the whole interval lies below the threshold, refuted if the whole lies above it."""
        outcome: Outcome = (
            "supported" if high < threshold else "refuted" if low > threshold else "inconclusive"
        )
        found = cls(outcome, effect, low, high, unit, reason)
        return found._with_what_it_takes(threshold)

    @classmethod
    def equivalent(
        cls, effect: float, low: float, high: float, margin: float, unit: str = "", reason: str = ""
    ) -> Verdict:
        """Supported if the interval lies inside -margin..margin, refuted if wholly outside on one side."""
        inside, outside = -margin < low and high < margin, low > margin or high < -margin
        outcome: Outcome = "supported" if inside else "refuted" if outside else "inconclusive"
        found = cls(outcome, effect, low, high, unit, reason)
        return found._with_what_it_takes(-margin, margin)

    @classmethod
    def inconclusive(cls, reason: str, unit: str = "") -> Verdict:
        """No effect can be read off the table, and why."""
        return cls("inconclusive", unit=unit, reason=reason)

    @classmethod
    def all_of(cls, *parts: Verdict) -> Verdict:
        """Supported if all parts are, refuted if one is; the part that decides gives the numbers."""
        if not parts:
            raise StudyError("a conjunction needs at least one part; got none")
        rank = {"refuted": 0, "inconclusive": 1, "supported": 2}
        return min(parts, key=lambda part: rank[part.outcome])

    def _with_what_it_takes(self, *thresholds: float) -> Verdict:
        """An undecided claim's reason says how many times as many replicates would decide, were the effect as found.

        An interval narrows as n^-1/2; the end that lies beyond a threshold has to come back to it.
        """
        times = [
            ((self.effect - end) / (self.effect - t)) ** 2 if self.effect != t else math.inf
            for t in thresholds
            for end in (self.low if self.effect > t else self.high,)
            if min(self.effect, end) <= t <= max(self.effect, end)
        ]
        if self.outcome != "inconclusive" or not times:
            return self
        few = "over 1,000" if max(times) > 1000 else f"about {math.ceil(max(times))}"
        takes = f"{few} times the replicates would decide, were the effect as found"
        return replace(self, reason=f"{self.reason}; {takes}" if self.reason else takes)

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the fields in order, an end that is not finite as None."""
        numbers = {name: getattr(self, name) for name in ("effect", "low", "high")}
        finite = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
        return {"outcome": self.outcome, **finite, "unit": self.unit, "reason": self.reason}


def if_all_ok(rows: pd.DataFrame, decide: Callable[[pd.DataFrame], Verdict]) -> Verdict:
    """`decide(rows)`, or inconclusive where a row that the claim needs has failed or none is there."""
    if rows.empty:
        return Verdict.inconclusive("the table has no row that this claim needs")
    failed = rows.loc[rows["status"] != "ok", "status"]
    if len(failed):
        return Verdict.inconclusive(
            f"{len(failed)} of {len(rows)} rows needed have status {failed.iloc[0]!r}"
        )
    return decide(rows)

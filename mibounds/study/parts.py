"""Claims about many groups of replicates at once: one verdict, by intervals that are Holm-adjusted over the groups."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from mibounds import statistics
from mibounds.study.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd

OK = "ok"
Groups: TypeAlias = "Mapping[Any, Sequence[float] | pd.Series]"


def rows_with(table: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """The rows with these values, one or a tuple of them, in these columns.

    Example:
        >>> import pandas as pd
        >>> rows_with(pd.DataFrame({"k": [1, 3, 7], "law": ["a", "b", "b"]}), law="b", k=(1, 3))["k"].tolist()
        [3]
    """
    for column, value in wanted.items():
        table = table[table[column].isin(value if isinstance(value, tuple) else (value,))]
    return table


def all_above(groups: Groups, threshold: float, unit: str, alpha: float = 0.05) -> Verdict:
    """Supported if every group's mean lies above the threshold, refuted if one lies below; replicates are values.

    Example:
        >>> all_above({"K = 2": [0.3, 0.4, 0.35], "K = 8": [0.5, 0.6, 0.52]}, 0.1, "nats").outcome
        'supported'
    """
    return _all(
        groups,
        lambda values: statistics.p_value(values, threshold),
        lambda interval, reason: Verdict.above(*interval, threshold, unit, reason),
        lambda effect: effect,
        alpha,
    )


def all_below(groups: Groups, threshold: float, unit: str, alpha: float = 0.05) -> Verdict:
    """Supported if every group's mean lies below the threshold, refuted if one lies above."""
    return _all(
        groups,
        lambda values: statistics.p_value(values, threshold),
        lambda interval, reason: Verdict.below(*interval, threshold, unit, reason),
        lambda effect: -effect,
        alpha,
    )


def all_equivalent(groups: Groups, margin: float, unit: str, alpha: float = 0.05) -> Verdict:
    """Supported if every group's interval lies inside -margin..margin, refuted if one lies wholly outside."""
    return _all(
        groups,
        lambda values: min(1.0, 2 * statistics.equivalence(values, margin).p_value),
        lambda interval, reason: Verdict.equivalent(*interval, margin, unit, reason),
        lambda effect: -abs(effect),
        alpha,
    )


def provided(control: Verdict, wanted: str, decide: Callable[[], Verdict]) -> Verdict:
    """What `decide` says if the negative control came out as it was wanted; else nothing is decided, and why.

    Example:
        >>> broken = Verdict.below(0.3, 0.2, 0.4, threshold=0.1)
        >>> provided(broken, "shuffled pairs were to show nothing", lambda: Verdict("supported")).reason
        'shuffled pairs were to show nothing; that is refuted'
    """
    if control.outcome == "supported":
        return decide()
    return Verdict.inconclusive(f"{wanted}; that is {control.outcome}")


def best_by_others(values: pd.DataFrame) -> pd.Series:
    """Of each replicate (a row) the value in the column that is best on average over the OTHER replicates.

    A best value that is chosen by its own luck is too good; with fewer than two replicates there is none.

    Example:
        >>> import pandas as pd
        >>> best_by_others(pd.DataFrame({2: [90.0, 60.0, 60.0], 3: [70.0, 70.0, 70.0]})).tolist()
        [70.0, 60.0, 60.0]
    """
    import pandas as pd

    return pd.Series({r: values.loc[r, values.drop(index=r).mean().idxmax()] for r in values.index})


def first_failure(*statuses: str) -> str:
    """The first status that is not "ok", or "ok": a row is as sound as all that it was made by."""
    return next((status for status in statuses if status != OK), OK)


def _all(
    groups: Groups,
    p_value: Callable[[Any], float],
    judge: Callable[[statistics.Interval, str], Verdict],
    merit: Callable[[float], float],
    alpha: float,
) -> Verdict:
    """The groups' verdicts joined; of those that decide alike, the one of least merit gives the numbers."""
    if not groups:
        return Verdict.inconclusive("the table has no group that this claim needs")
    confidence = statistics.holm_confidence([p_value(values) for values in groups.values()], alpha)
    parts = [
        judge(statistics.mean_interval(list(values), level), _which(name, len(groups)))
        for (name, values), level in zip(groups.items(), confidence, strict=True)
    ]
    return Verdict.all_of(*sorted(parts, key=lambda part: merit(part.effect)))


def _which(name: Any, n: int) -> str:
    """How a reason calls one of n groups."""
    shown = ", ".join(map(str, name)) if isinstance(name, tuple) else str(name)
    return f"worst of {n}: {shown}" if n > 1 else shown

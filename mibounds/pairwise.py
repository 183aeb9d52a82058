"""The mutual information of every two columns of a table, each by the method that suits both kinds of column.

Importing this module imports neither torch nor pandas.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from numbers import Integral
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mibounds.data.categories import has_steps, repeated
from mibounds.errors import DataError, MiboundsError, ParameterError
from mibounds.statistics import holm

if TYPE_CHECKING:
    from pandas import DataFrame, Series

    from mibounds.estimators import Estimate

Kind = Literal["discrete", "rounded", "continuous"]

OF_ESTIMATE = ("x", "y", "given", "method", "seed", "confidence")
MOST_DISCRETE_VALUES = 20
FEW = 40  # rows: of fewer, parts say little about how an estimate scatters
FEW_SAID = "the p-value is not to be trusted: only {} pairs"
ROUNDED = 0.01  # of the rows repeat a value: ties that ksg would be misled by


def kind_of(column: Series) -> Kind:
    """What a column holds: text, truth values, or at most 20 numbers, each five times on the mean, is "discrete".

    Other numbers are "rounded" where more than 1% of the rows repeat an earlier value, or most gaps between values are
    alike, as between ranks; else "continuous".

    Example:
        >>> import pandas as pd
        >>> kind_of(pd.Series([0, 1] * 10)), kind_of(pd.Series(np.arange(200))), kind_of(pd.Series(np.arange(200)**0.5))
        ('discrete', 'rounded', 'continuous')
    """
    if column.dtype.kind not in "iuf":
        return "discrete"
    with np.errstate(over="ignore"):  # what a float cannot hold is refused with its row
        values = column.to_numpy(dtype=np.float64, na_value=np.nan)
    values = values[np.isfinite(values)]
    n_values = len(np.unique(values))
    if n_values <= min(MOST_DISCRETE_VALUES, len(column) / 5):
        return "discrete"
    repeats = len(column) - n_values > ROUNDED * len(column)
    return "rounded" if repeats or has_steps(values) else "continuous"


def method_for(first: Kind, second: Kind) -> str:
    """The estimator for two kinds of column.

    Example:
        >>> method_for("discrete", "continuous"), method_for("rounded", "continuous")
        ('ross', 'mixed')
    """
    if first == second == "discrete":
        return "discrete"
    if "discrete" in (first, second):
        return "ross"
    return "ksg" if first == second == "continuous" else "mixed"


@dataclass(frozen=True)
class _Pair:
    """Two columns by name, and the method for them."""

    first: str
    second: str
    method: str


def pairwise(
    table: DataFrame,
    *,
    method: str | None = None,
    seed: int = 0,
    confidence: float = 0.95,
    workers: int = 1,
    done: Callable[[int], None] = lambda n: None,
    options: Mapping[str, Any] | None = None,
) -> DataFrame:
    """The mutual information of every two columns, once each, in nats.

    Args:
        table: `n x columns`, two columns at least; numbers or text that repeats.
        method: of all pairs; by default `discrete` for two discrete columns, `ross` for a discrete one beside numbers,
            `ksg` for two continuous ones and `mixed` where values are rounded; see `kind_of`.
        seed, confidence: as of `estimate`.
        workers: pairs worked on at once, in threads.
        done: is called with the number of pairs that are done.
        options: of the method, such as {"budget": "fast"} of auto.

    Returns:
        A row a pair: column_x, column_y, kind_x, kind_y, method, n_samples, estimate_nats, low_nats, high_nats,
        p_value, p_holm, warnings, status. A pair that cannot be estimated has a status that says why, and no numbers.

        p_value is of no information, one-sided, by the estimate over its standard error, which the interval's half
        width tells under a normal law; a warning says that it is not to be trusted under 40 rows. p_holm is adjusted
        for all pairs by Holm's procedure.

    Raises: DataError for what is no DataFrame, fewer than two columns, no rows, or two columns of one name;
        UnknownNameError for a method or an option; ParameterError.

    Example:
        >>> import pandas as pd
        >>> rows = np.random.default_rng(0).normal(size=(300, 2))
        >>> found = pairwise(pd.DataFrame({"a": rows[:, 0], "b": rows[:, 1], "c": rows[:, 0] > 0}))
        >>> found[["column_x", "column_y", "method"]].to_numpy().tolist()
        [['a', 'b', 'ksg'], ['a', 'c', 'ross'], ['b', 'c', 'ross']]
    """
    import pandas as pd

    from mibounds.estimators import build
    from mibounds.estimators.base import require_confidence

    if not isinstance(table, pd.DataFrame):
        raise DataError(f"table must be a pandas DataFrame; got {type(table).__name__}")
    if table.shape[1] < 2:
        raise DataError(f"expected two columns or more; got {table.shape[1]}")
    if len(table) == 0:
        raise DataError("expected rows; the table has none")
    names = [str(name) for name in table.columns]
    if len(set(names)) < len(names):
        twice = repeated(names)
        raise DataError(
            f"two columns must not have one name; got {', '.join(map(repr, twice[:8]))} more than once"
        )
    if not isinstance(workers, Integral) or workers < 1:
        raise ParameterError(f"workers must be at least 1; got {workers!r}")
    confidence = require_confidence(confidence)
    if not 0 < half_width(confidence) < math.inf:
        raise ParameterError(
            f"confidence is too near 0 or 1 for an interval to tell p-values; got {confidence}"
        )
    of_method = options_of(method, options)
    if method is not None:
        build(method, **of_method)
    columns = {str(name): column for name, column in table.items()}
    kinds = {name: kind_of(column) for name, column in columns.items()}
    pairs = [
        _Pair(a, b, method or method_for(kinds[a], kinds[b])) for a, b in itertools.combinations(kinds, 2)
    ]

    def row(pair: _Pair) -> dict[str, Any]:
        both = {"column_x": pair.first, "column_y": pair.second}
        of_kind = {"kind_x": kinds[pair.first], "kind_y": kinds[pair.second], "method": pair.method}
        sides = columns[pair.first], columns[pair.second]
        asked = {"method": pair.method, "seed": seed, "confidence": confidence} | of_method
        return both | of_kind | _measured(*sides, **asked)

    found = pd.DataFrame(_in_order(row, pairs, workers, done))
    found.insert(list(found).index("p_value") + 1, "p_holm", _adjusted(found["p_value"].to_numpy()))
    return found


def options_of(method: str | None, options: Any) -> dict[str, Any]:
    """The method's parameters, by name. Raises: ParameterError for what is none of these, or is beside no method."""
    if options is None:
        return {}
    if not isinstance(options, Mapping) or not all(isinstance(name, str) for name in options):
        raise ParameterError(f"options must be the method's parameters by name; got {options!r}")
    if other := [name for name in options if name in OF_ESTIMATE]:
        raise ParameterError(f"options must be the method's parameters; got {', '.join(map(repr, other))}")
    if options and method is None:
        raise ParameterError("options are a method's; expected method beside them")
    return dict(options)


def p_value(found: Estimate) -> float:
    """One-sided, of no information: by the estimate over the standard error that its interval tells.

    NaN where it tells none, since it is infinite or empty, or at a confidence that is nearly 0 or 1.
    """
    from scipy.special import ndtr

    low, high = found.interval
    in_errors = half_width(found.confidence)
    if not (0 < in_errors < math.inf and math.isfinite(high - low)):
        return math.nan
    error = (high - low) / 2 / in_errors
    if error > 0:
        return float(ndtr(-found.nats / error))
    return 1.0 if found.nats <= 0 else math.nan


def half_width(confidence: float) -> float:
    """Of a normal interval, in standard errors; 0 or inf at a confidence that floats hold no nearer to 0 or 1."""
    from scipy.special import ndtri

    return float(ndtri((1 + confidence) / 2))


def square(table: DataFrame, value: str = "estimate_nats") -> DataFrame:
    """`columns x columns` of a table of `pairwise`, symmetric; a column with itself and a failed pair are NaN."""
    import pandas as pd

    names = list(dict.fromkeys([*table["column_x"], *table["column_y"]]))
    matrix = pd.DataFrame(np.nan, index=names, columns=names)
    for a, b, nats in zip(table["column_x"], table["column_y"], table[value], strict=True):
        matrix.loc[a, b] = matrix.loc[b, a] = nats
    return matrix


def _measured(x: Series, y: Series, **asked: Any) -> dict[str, Any]:
    from mibounds.estimators import estimate

    try:
        found = estimate(x, y, **asked)
    except MiboundsError as error:
        numbers = dict.fromkeys(("estimate_nats", "low_nats", "high_nats", "p_value"), math.nan)
        return {"n_samples": len(x)} | numbers | {"warnings": "", "status": f"failed: {error}"}
    low, high = found.interval
    few = [FEW_SAID.format(len(x))] if len(x) < FEW else []
    return {
        "n_samples": len(x),
        "estimate_nats": found.nats,
        "low_nats": low,
        "high_nats": high,
        "p_value": p_value(found),
        "warnings": "; ".join([*few, *found.warnings]),
        "status": "ok",
    }


def _adjusted(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    known = np.isfinite(p_values)
    adjusted = np.full(len(p_values), np.nan)
    if known.any():
        adjusted[known] = holm(p_values[known])
    return adjusted


def _in_order(
    row: Callable[[_Pair], dict[str, Any]], pairs: Sequence[_Pair], workers: int, done: Callable[[int], None]
) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(workers) as pool:
        running = [pool.submit(row, pair) for pair in pairs]
        try:
            for n, _ in enumerate(as_completed(running), 1):
                done(n)
        except BaseException:  # such as Ctrl-C: what has not begun is not begun
            pool.shutdown(cancel_futures=True)
            raise
        return [each.result() for each in running]

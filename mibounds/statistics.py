"""Intervals and tests that verdicts rest on. Each one's coverage or error rate is measured in its test.

An interval from a single value reaches from -inf to inf, so that one replicate decides nothing.
Importing this module imports neither scipy nor torch.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from mibounds.errors import ParameterError, ShapeError

Values: TypeAlias = "Sequence[float] | NDArray[np.floating]"


class Interval(NamedTuple):
    """An effect and the ends of its confidence interval, in the unit of the values."""

    effect: float
    low: float
    high: float


class Equivalence(NamedTuple):
    """An effect, its interval at 1 - 2 alpha, and the two one-sided tests' p-value."""

    effect: float
    low: float
    high: float
    p_value: float
    equivalent: bool


def mean_interval(values: Values, confidence: float = 0.95) -> Interval:
    """Student's interval of a mean: m -+ t s / sqrt(n), with n - 1 degrees of freedom.

    Exact for normal values; close to it for replicates whose distribution is not far from symmetric.

    Example:
        >>> [round(end, 3) for end in mean_interval([1.0, 2.0, 3.0])]
        [2.0, -0.484, 4.484]
    """
    mean, error, dof = _mean_and_error(values)
    reach = _t_quantile(_half(confidence), dof) * error
    return Interval(mean, mean - reach, mean + reach)


def paired_interval(first: Values, second: Values, confidence: float = 0.95) -> Interval:
    """Student's interval of the mean of `first - second`, paired by position."""
    return mean_interval(_differences(first, second), confidence)


def one_sided_lower(values: Values, confidence: float = 0.95) -> Interval:
    """The mean lies above `low` with this confidence; `high` is inf."""
    mean, error, dof = _mean_and_error(values)
    return Interval(mean, mean - _t_quantile(_level(confidence), dof) * error, math.inf)


def one_sided_upper(values: Values, confidence: float = 0.95) -> Interval:
    """The mean lies below `high` with this confidence; `low` is -inf."""
    mean, error, dof = _mean_and_error(values)
    return Interval(mean, -math.inf, mean + _t_quantile(_level(confidence), dof) * error)


def p_value(values: Values, null: float = 0.0) -> float:
    """Two-sided p-value of Student's test that the mean is `null`."""
    from scipy.stats import t

    mean, error, dof = _mean_and_error(values)
    if dof == 0:
        return 1.0
    if error == 0:
        return float(mean == null)
    return float(2 * t.sf(abs(mean - null) / error, dof))


def holm(p_values: Values) -> NDArray[np.float64]:
    """Holm's adjusted p-values: the largest over j <= i of (m - j) p_(j), j from 0, at most 1.

    Rejecting where they are at most alpha keeps the chance of any false rejection at alpha or below, whatever
    the dependence between the tests.

    References: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.

    Example:
        >>> holm([0.01, 0.04, 0.03]).round(2).tolist()
        [0.03, 0.06, 0.06]
    """
    p = _vector(p_values)
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate((len(p) - np.arange(len(p))) * p[order])
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def holm_confidence(p_values: Values, alpha: float = 0.05) -> NDArray[np.float64]:
    """The confidence at which each test's own interval decides as Holm's procedure does.

    The i-th smallest p-value (i from 0) has 1 - alpha/(m - i); from the first not rejected on, all share one.

    Example:
        >>> holm_confidence([0.01, 0.04, 0.03]).round(4).tolist()
        [0.9833, 0.975, 0.975]
    """
    p = _vector(p_values)
    order = np.argsort(p, kind="stable")
    levels = _level(alpha) / (len(p) - np.arange(len(p)))
    kept = np.flatnonzero(p[order] > levels)
    if len(kept):
        levels[kept[0] :] = levels[kept[0]]
    confidence = np.empty_like(p)
    confidence[order] = 1 - levels
    return confidence


def equivalence(values: Values, margin: float, alpha: float = 0.05) -> Equivalence:
    """Two one-sided tests that the mean lies inside -margin..margin, by the interval at 1 - 2 alpha.

    The chance to say so of a mean on the margin or beyond is at most alpha.

    References: Schuirmann 1987, J. Pharmacokinetics and Biopharmaceutics 15, 657-680.

    Example:
        >>> equivalence([0.01, -0.02, 0.015, 0.0], margin=0.05).equivalent
        True
    """
    from scipy.stats import t

    if not margin > 0:
        raise ParameterError(f"margin must be positive; got {margin}")
    mean, low, high = mean_interval(values, 1 - 2 * _level(alpha))
    _, error, dof = _mean_and_error(values)
    distance = margin - abs(mean)
    if dof == 0:
        p = 1.0
    elif error == 0:
        p = float(distance <= 0)
    else:
        p = float(t.sf(distance / error, dof))
    return Equivalence(mean, low, high, p, -margin < low and high < margin)


def slope_interval(x: Values, y: Values, errors: Values | None = None, confidence: float = 0.95) -> Interval:
    """Least-squares slope of y on x with Student's interval, n - 2 degrees of freedom.

    Args:
        x, y: one value a point, at least three of them.
        errors: standard errors of y up to a common factor; points weigh 1/error^2. Equal weights without.
        confidence: of the interval.

    Example:
        >>> slope_interval([0, 1, 2, 3], [0.0, 1.0, 2.0, 3.0]).effect
        1.0
    """
    x, y = _vector(x), _vector(y)
    weights = np.ones(len(x)) if errors is None else _vector(errors) ** -2.0
    if not len(x) == len(y) == len(weights):
        raise ShapeError(f"x, y and errors must be equally long; got {len(x)}, {len(y)} and {len(weights)}")
    centred_x, centred_y = x - np.average(x, weights=weights), y - np.average(y, weights=weights)
    spread = float(np.sum(weights * centred_x**2))
    if len(x) < 3 or spread == 0:
        raise ParameterError(
            f"a slope's interval needs three points or more at two x or more; got x = {x.tolist()}"
        )
    slope = float(np.sum(weights * centred_x * centred_y)) / spread
    dof = len(x) - 2
    variance = float(np.sum(weights * (centred_y - slope * centred_x) ** 2)) / dof / spread
    reach = _t_quantile(_half(confidence), dof) * math.sqrt(variance)
    return Interval(slope, slope - reach, slope + reach)


def bootstrap_interval(
    rows: Values,
    statistic: Callable[[NDArray[np.float64]], float],
    seed: int,
    n_resamples: int = 2000,
    confidence: float = 0.95,
) -> Interval:
    """Bias-corrected and accelerated bootstrap interval of `statistic` over the rows (axis 0).

    Good from about 20 rows on; below that it is too narrow, and Student's is better where it applies.

    Args:
        rows: `n x ...`; a row is what is drawn, so paired values lie in one row.
        statistic: function of resampled rows.
        seed: of the resampling.
        n_resamples: how many.
        confidence: of the interval.

    References: Efron 1987, JASA 82, 171-185.

    Example:
        >>> low, high = bootstrap_interval(np.arange(30.0), np.median, seed=0)[1:]
        >>> low < 14.5 < high
        True
    """
    from scipy.stats import norm

    data: NDArray[np.float64] = np.asarray(rows, dtype=np.float64)
    n, effect = len(data), float(statistic(data))
    if n < 2:
        return Interval(effect, -math.inf, math.inf)
    draws = np.random.default_rng(seed).integers(n, size=(n_resamples, n))
    resampled = np.array([float(statistic(data[draw])) for draw in draws])
    left_out = np.array([statistic(np.delete(data, i, axis=0)) for i in range(n)])
    influence = left_out.mean() - left_out
    scale = float(np.sum(influence**2)) ** 1.5
    acceleration = float(np.sum(influence**3)) / (6 * scale) if scale > 0 else 0.0
    below = float(np.mean(resampled < effect) + np.mean(resampled == effect) / 2)
    bias = norm.ppf(min(max(below, 1 / n_resamples), 1 - 1 / n_resamples))
    shifted = bias + norm.ppf([1 - _half(confidence), _half(confidence)])
    low, high = np.quantile(resampled, norm.cdf(bias + shifted / (1 - acceleration * shifted)))
    return Interval(effect, float(low), float(high))


def jackknife_interval(effect: float, left_out: Values, confidence: float = 0.95) -> Interval:
    """Student's interval from the estimates without one of g equal groups each: Tukey's pseudo-values.

    Args:
        effect: the estimate from all data.
        left_out: g estimates, one without each group.
        confidence: of the interval.

    Returns:
        The bias-corrected estimate g effect - (g - 1) mean(left_out), and its interval.

    References: Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 11.

    Example:
        >>> jackknife_interval(2.0, [2.5, 2.0, 1.5]).effect
        2.0
    """
    without = _vector(left_out)
    n_groups = len(without)
    return mean_interval(n_groups * effect - (n_groups - 1) * without, confidence)


def clopper_pearson(successes: int, n: int, confidence: float = 0.95) -> Interval:
    """The exact interval of a proportion; its coverage is never below `confidence`.

    References: Clopper and Pearson 1934, Biometrika 26, 404-413.

    Example:
        >>> [round(end, 4) for end in clopper_pearson(0, 10)]
        [0.0, 0.0, 0.3085]
    """
    from scipy.stats import beta

    if n < 1 or not 0 <= successes <= n:
        raise ParameterError(f"successes must lie in 0..n with n at least 1; got {successes} of {n}")
    tail = 1 - _half(confidence)
    low = float(beta.ppf(tail, successes, n - successes + 1)) if successes > 0 else 0.0
    high = float(beta.ppf(1 - tail, successes + 1, n - successes)) if successes < n else 1.0
    return Interval(successes / n, low, high)


def _vector(values: Values) -> NDArray[np.float64]:
    vector = np.asarray(values, dtype=float)
    if vector.ndim != 1 or len(vector) == 0:
        raise ShapeError(f"expected a sequence of one number or more; got shape {vector.shape}")
    return vector


def _differences(first: Values, second: Values) -> NDArray[np.float64]:
    a, b = _vector(first), _vector(second)
    if len(a) != len(b):
        raise ShapeError(f"paired values must be equally many; got {len(a)} and {len(b)}")
    return a - b


def _mean_and_error(values: Values) -> tuple[float, float, int]:
    vector = _vector(values)
    n = len(vector)
    error = float(vector.std(ddof=1)) / math.sqrt(n) if n > 1 else math.inf
    return float(vector.mean()), error, n - 1


def _t_quantile(level: float, dof: int) -> float:
    from scipy.stats import t

    return float(t.ppf(level, dof)) if dof > 0 else 1.0


def _level(level: float) -> float:
    if not 0 < level < 1:
        raise ParameterError(f"a confidence or error level lies between 0 and 1; got {level}")
    return level


def _half(confidence: float) -> float:
    return (1 + _level(confidence)) / 2

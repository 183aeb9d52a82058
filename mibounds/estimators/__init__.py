"""Mutual information of samples whose law is unknown. One file a method; `variational` serves every trainable bound.

>>> {"gaussian", "ksg", "variational"} <= set(names())
True
"""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mibounds import registry
from mibounds.data import Samples, paired_samples, read_table, select_sides
from mibounds.data.categories import listed
from mibounds.errors import DataError, ParameterError, UnknownNameError
from mibounds.estimators._suspicions import suspicions
from mibounds.estimators.base import Estimate, Estimator, require_confidence, require_seed

if TYPE_CHECKING:
    from pathlib import Path

    from mibounds.bounds import Bound

__path__ += registry.user_folders("estimators")

__all__ = [
    "Estimate",
    "Estimator",
    "build",
    "estimate",
    "estimate_file",
    "load",
    "methods",
    "names",
    "options_of",
    "pointwise",
]


def names() -> list[str]:
    """All estimators by file name."""
    return registry.names(__name__)


def load(name: str) -> type[Estimator]:
    """The estimator's class by file name; UnknownNameError suggests the nearest."""
    return registry.load(__name__, "estimator", name, Estimator)


def methods() -> list[str]:
    """What `estimate` takes as `method`: the estimators and the bounds."""
    from mibounds import bounds

    return sorted({*names(), *bounds.names()})


def build(method: str, **options: Any) -> Estimator:
    """The estimator that `method` names, with its options. A bound's own parameters are options too.

    Raises: UnknownNameError for a method or an option, ParameterError for a value outside its domain.

    Example:
        >>> build("smile", clip=1.0, batch_size=64).bound
        SMILE(clip=1.0)
    """
    chosen, bound = _estimator_and_bound(method)
    known, own = options_of(method), _parameters(bound) if bound else set()
    flags = _flags(chosen) | (_flags(bound) if bound else set())
    for name in options:
        if name not in known:
            raise UnknownNameError(f"option of {method}", name, known)
        if name in flags and not isinstance(options[name], bool | np.bool_):
            raise ParameterError(f"{name} must be True or False; got {options[name]!r}")
    try:
        if bound:
            options["bound"] = bound(**{name: options.pop(name) for name in own & set(options)})
        return chosen(**options)
    except TypeError as error:  # text where a number belongs, or the other way round
        raise ParameterError(f"an option of {method} has a value of the wrong kind: {error}") from error


def options_of(method: str) -> set[str]:
    """The names of what `build` takes beside the method."""
    chosen, bound = _estimator_and_bound(method)
    return _parameters(chosen) if bound is None else (_parameters(chosen) | _parameters(bound)) - {"bound"}


def _estimator_and_bound(method: str) -> tuple[type[Estimator], type[Bound] | None]:
    """The estimator's class, and the bound's where the method is one."""
    from mibounds import bounds

    if not isinstance(method, str):
        raise ParameterError(f"method must be the name of a bound or an estimator; got {method!r}")
    if method in names():
        return load(method), None
    if method not in bounds.names():
        raise UnknownNameError("method", method, methods())
    bound = bounds.load(method)
    return load("variational" if bound.trainable else "variational_upper"), bound


def _parameters(method: type) -> set[str]:
    return {f.name for f in fields(method)}


def _flags(method: type) -> set[str]:
    """The parameters that are annotated as bool, by name where annotations are postponed."""
    return {f.name for f in fields(method) if f.type in (bool, "bool")}


def estimate(
    x: Any,
    y: Any,
    *,
    given: Any = None,
    method: str = "auto",
    seed: int = 0,
    confidence: float = 0.95,
    **options: Any,
) -> Estimate:
    """The mutual information of paired samples, in nats, with an interval and warnings; or given a third side.

    Args:
        x, y: `n` or `n x dim` numbers, row i of x paired with row i of y: NumPy, torch, pandas or nested lists. Text
            that repeats is taken as categories, by the methods that can.
        given: z, as x and y are, for I(x; y | z): what x and y share beyond what z says. Most methods can.
        method: "auto", which chooses among models on one half of the pairs and reads the other, see `auto.Auto`; a
            bound's name ("info_nce", "nwj", "mine", ...), read from a critic, or for upper bounds from a conditional
            density, that is trained, selected and reported on three separate folds; or an estimator's ("gaussian",
            "ksg", ...). See `methods`.
        seed: of everything random. The same data and seed give the same numbers.
        confidence: of the interval.
        options: the method's parameters; of "auto", budget ("fast", "standard" or "thorough"); for bounds those of
            `variational.Variational` (critic, batch_size, max_steps, patience, learning_rate, folds, device, ...) or,
            for upper bounds, of `variational_upper.VariationalUpper`, and the bound's own (clip, alpha, ...).

    Raises: DataError or ShapeError for data that cannot be used, UnknownNameError, ParameterError; DivergedError if
        training left no finite state to report.

    Example:
        >>> from mibounds.distributions.gaussian import Gaussian
        >>> x, y = Gaussian.from_correlation(1, 0.8).sample(2000, seed=0)
        >>> print(estimate(x, y, method="gaussian"))
        0.490 nats (95% interval 0.456 to 0.523) by gaussian, no bound: the truth may lie on either side
    """
    estimator = build(method, **options)
    confidence, seed = require_confidence(confidence), require_seed(seed)
    samples = _samples(estimator, x, y, given)
    result = estimator.estimate(samples, seed, confidence)
    suspected = suspicions(samples, estimator.far_out_from, allows_for_order=estimator.allows_for_order)
    return replace(result, warnings=(*samples.warnings, *suspected, *result.warnings))


def pointwise(
    x: Any, y: Any, *, given: Any = None, method: str = "info_nce", seed: int = 0, **options: Any
) -> NDArray[np.float64]:
    """Each pair's ln p(x, y) / p(x) p(y), its share of the mutual information, in nats; or given z.

    Their mean is the method's estimate, from all pairs, but for what that adds to it or takes off as a whole
    (`ksg_extrapolated`, `student_copula`, `discriminant`, `logistic`). A trained bound is cross-fitted: each value is
    from a critic that saw nothing of that pair, read as by InfoNCE over all parts; see the method's class.
    Single values scatter far more than their mean, and may be negative: those pairs are rarer than chance makes them.

    Args:
        x, y, given, method, seed, options: as of `estimate`.

    Returns:
        `n` nats, in the order of the rows.

    Raises: as `estimate`; ParameterError for a method without such values.

    Example:
        >>> x = ["rain", "rain", "sun", "sun"] * 25
        >>> pointwise(x, ["wet", "dry", "dry", "dry"] * 25, method="discrete", correction="none")[:3].round(3).tolist()
        [0.693, -0.405, 0.288]
    """
    estimator = build(method, **options)
    return estimator.pointwise_nats(_samples(estimator, x, y, given), require_seed(seed))


def estimate_file(
    path: str | Path, x_columns: str, y_columns: str, given_columns: str | None = None, **options: Any
) -> Estimate:
    """`estimate` on columns of a file; see `data.read_table` and `data.select_columns` for what both may be."""
    selections = [x_columns, y_columns] + ([] if given_columns is None else [given_columns])
    table = read_table(path)
    x, y, *z = select_sides(table, *selections)
    found = estimate(x, y, given=z[0] if z else None, **options)
    return replace(found, warnings=(*table.warnings(), *found.warnings))


def _samples(estimator: Estimator, x: Any, y: Any, given: Any) -> Samples:
    """Checked, paired, and as the estimator can take them."""
    if given is not None and not estimator.conditional:
        able = [name for name in names() if load(name).conditional]
        raise ParameterError(
            f"{estimator.name} has no form given z; expected one of {', '.join(able)}, or a bound such as info_nce"
        )
    samples = paired_samples(x, y, given, repeats_expected=estimator.categories == "codes")
    if not samples.has_categories() or estimator.categories in ("codes", "either"):
        return samples
    if estimator.categories == "refused":
        able = [name for name in names() if load(name).categories != "refused"]
        held = [
            *samples.categories_x.values(),
            *samples.categories_y.values(),
            *samples.categories_z.values(),
        ]
        raise DataError(
            f"{estimator.name} takes numbers, and {listed(held)} holds categories; expected one of {', '.join(able)}, "
            "or a bound such as info_nce"
        )
    return samples.one_hot()

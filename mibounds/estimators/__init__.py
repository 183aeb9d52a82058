"""Mutual information of samples whose law is unknown. One file a method; `variational` serves every trainable bound.

>>> names()
['auto', 'gaussian', 'gaussian_copula', 'ksg', 'ksg_extrapolated', 'student_copula', 'variational']
"""

from __future__ import annotations

import operator
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from mibounds import registry
from mibounds.data import paired_samples, read_table, select_sides
from mibounds.errors import ParameterError, UnknownNameError
from mibounds.estimators.base import Estimate, Estimator

if TYPE_CHECKING:
    from pathlib import Path

__path__ += registry.user_folders("estimators")

__all__ = ["Estimate", "Estimator", "build", "estimate", "estimate_file", "load", "methods", "names"]


def names() -> list[str]:
    """All estimators by file name."""
    return registry.names(__name__)


def load(name: str) -> type[Estimator]:
    """The estimator's class by file name; UnknownNameError suggests the nearest."""
    return registry.load(__name__, "estimator", name, Estimator)


def methods() -> list[str]:
    """What `estimate` takes as `method`: the estimators, and the bounds that can be trained."""
    from mibounds import bounds

    return sorted({*names(), *(name for name in bounds.names() if bounds.load(name).trainable)})


def build(method: str, **options: Any) -> Estimator:
    """The estimator that `method` names, with its options. A bound's own parameters are options too.

    Raises: UnknownNameError for a method or an option, ParameterError for a value outside its domain.

    Example:
        >>> build("smile", clip=1.0, batch_size=64).bound
        SMILE(clip=1.0)
    """
    from mibounds import bounds

    if method in names():
        chosen, bound = load(method), None
    elif method in bounds.names():
        chosen, bound = load("variational"), bounds.load(method)
    else:
        raise UnknownNameError("method", method, methods())
    own = _parameters(bound) if bound else set()
    known = (_parameters(chosen) | own) - ({"bound"} if bound else set())
    for name in options:
        if name not in known:
            raise UnknownNameError(f"option of {method}", name, known)
    try:
        if bound:
            options["bound"] = bound(**{name: options.pop(name) for name in own & set(options)})
        return chosen(**options)
    except TypeError as error:  # text where a number belongs, or the other way round
        raise ParameterError(f"an option of {method} has a value of the wrong kind: {error}") from error


def _parameters(method: type) -> set[str]:
    return {f.name for f in fields(method)}


def estimate(
    x: Any, y: Any, *, method: str = "info_nce", seed: int = 0, confidence: float = 0.95, **options: Any
) -> Estimate:
    """The mutual information of paired samples, in nats, with an interval and warnings.

    Args:
        x, y: `n` or `n x dim` numbers, row i of x paired with row i of y: NumPy, torch, pandas or nested lists.
        method: a trainable bound's name ("info_nce", "nwj", "mine", ...), read from a critic that is trained,
            selected and reported on three separate folds; or an estimator's ("gaussian", "ksg", ...). See `methods`.
        seed: of everything random. The same data and seed give the same numbers.
        confidence: of the interval.
        options: the method's parameters; for bounds those of `variational.Variational` (critic, batch_size,
            max_steps, patience, learning_rate, folds, device, ...) and the bound's own (clip, alpha, ...).

    Raises: DataError or ShapeError for data that cannot be used, UnknownNameError, ParameterError; DivergedError if
        training left no finite state to report.

    Example:
        >>> from mibounds.distributions.gaussian import Gaussian
        >>> x, y = Gaussian.from_correlation(1, 0.8).sample(2000, seed=0)
        >>> print(estimate(x, y, method="gaussian"))
        0.490 nats (95% interval 0.456 to 0.523) by gaussian, no bound: the truth may lie on either side
    """
    estimator = build(method, **options)
    if not 0 < confidence < 1:
        raise ParameterError(f"confidence must lie between 0 and 1; got {confidence}")
    try:
        seed = operator.index(seed)
    except TypeError as error:
        raise ParameterError(f"seed must be an integer; got {seed!r}") from error
    samples = paired_samples(x, y)
    result = estimator.estimate(samples, seed, confidence)
    return replace(result, warnings=samples.warnings + result.warnings)


def estimate_file(path: str | Path, x_columns: str, y_columns: str, **options: Any) -> Estimate:
    """`estimate` on columns of a file; see `data.read_table` and `data.select_columns` for what both may be."""
    return estimate(*select_sides(read_table(path), x_columns, y_columns), **options)

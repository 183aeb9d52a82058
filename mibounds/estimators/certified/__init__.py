"""A lower bound on mutual information that is certified at finite n, under any law of independent pairs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from mibounds.data import Samples, paired_samples, read_table, select_sides
from mibounds.errors import ParameterError, UnknownNameError
from mibounds.estimators import build, options_of
from mibounds.estimators._dependence import is_autocorrelated, lag_correlation
from mibounds.estimators._folds import Folds, split
from mibounds.estimators.base import require_confidence, require_seed
from mibounds.estimators.certified.candidates import fitted
from mibounds.estimators.certified.certificate import Certificate
from mibounds.estimators.certified.rule import choose
from mibounds.estimators.variational import Variational

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Certificate", "ceiling_nats", "certify", "certify_file"]

FOLDS = (0.45, 0.15, 0.4)
METHOD = "matched pairs"
ASSUMPTIONS = (
    "the pairs are independent draws of one law",
    "this run was not chosen among others by what it certifies",
)


def certify(
    x: Any, y: Any, *, confidence: float = 0.95, seed: int = 0, folds: Any = FOLDS, **options: Any
) -> Certificate:
    """A lower bound on I(X; Y) that no assumption on the law stands behind: only that the pairs are independent.

    Critics are fitted on one fold: one is trained on InfoNCE, one is the density ratio of the Gaussian with the fold's
    covariance. A second fold stops the training and chooses the critic, a scale, a clip and a floor by the limit that
    they promise. NWJ's bound with that fixed, bounded critic is then limited from below on the third, at finite n, by
    `confidence_limits.matched_pairs_limit`. A poor critic makes the limit low, never wrong.

    Args:
        x, y: `n` or `n x dim` numbers, paired by row; continuous, discrete or both.
        confidence: that the truth is no less than what is certified.
        seed: of the folds, the initial weights and the batches.
        folds: shares of the pairs that train, select and are held out; at least 32 pairs in each.
        options: those of `estimators.variational.Variational`, such as critic, batch_size, max_steps or device.

    Raises: DataError or ShapeError for data that cannot be used, UnknownNameError, ParameterError; DivergedError if
        training left no finite state.

    References: Nguyen, Wainwright and Jordan 2010; Hoeffding 1963, section 5; McAllester and Stratos 2020,
        arXiv:1811.04251, on why no such limit can pass about ln n.

    Example:
        >>> from mibounds.distributions.gaussian import Gaussian
        >>> x, y = Gaussian.from_correlation(1, 0.8).sample(2000, seed=0)
        >>> found = certify(x, y, max_steps=100)
        >>> 0.3 < found.nats < 0.51, found.n_held_out
        (True, 800)
    """
    variational = training(folds=folds, **options)
    confidence, seed = require_confidence(confidence), require_seed(seed)
    samples = paired_samples(x, y)
    return certified(samples, split(len(samples), variational.folds, seed), variational, seed, confidence)


def training(*, folds: Any = FOLDS, **options: Any) -> Variational:
    """How the critic is trained: as `certify` says, and raises. Nothing is trained yet."""
    known = options_of("variational") - {"bound"}
    for name in options:
        if name not in known | {"bound"}:
            raise UnknownNameError("option of certify", name, known)
    found = build("variational", folds=_shares(folds), **options)
    if not isinstance(found, Variational) or found.bound.name != "info_nce":
        raise ParameterError(f"the critic is trained on info_nce; got bound = {options.get('bound')!r}")
    return found


def certified(
    samples: Samples, folds: Folds, variational: Variational, seed: int, confidence: float
) -> Certificate:
    """`certify` with folds that are given. The confidence holds if the fold `report` shares no pair with the others."""
    error = 1 - confidence
    candidates = {one.name: one for one in fitted(samples, folds, variational, seed)}
    rule = choose(
        {name: one.scores(folds.select) for name, one in candidates.items()}, len(folds.report), error
    )
    scores = candidates[rule.critic].scores(folds.report)
    limit, n_held_out = rule.limit(scores, error), scores.shape[0] * scores.shape[1]
    return Certificate(
        nats=max(limit, 0.0),
        limit_nats=limit,
        confidence=confidence,
        n_held_out=n_held_out,
        ceiling_nats=ceiling_nats(n_held_out, error),
        method=METHOD,
        critic=rule.critic,
        folds=folds.sizes(),
        assumptions=ASSUMPTIONS,
        warnings=(*samples.warnings, *_order_matters(samples)),
    )


def certify_file(path: str | Path, x_columns: str, y_columns: str, **options: Any) -> Certificate:
    """`certify` on columns of a file; see `data.read_table` and `data.select_columns` for what both may be."""
    table = read_table(path)
    found = certify(*select_sides(table, x_columns, y_columns), **options)
    return replace(found, warnings=(*table.warnings(), *found.warnings))


def ceiling_nats(n_held_out: int, error: float) -> float:
    """The most that n held-out pairs can certify, whatever the scores: -ln(1 - error^(2/n)).

    Near ln(n / (2 ln(1/error))); the proof stands in docs/certify.md.

    Example:
        >>> round(ceiling_nats(5000, 0.05), 2)
        6.73
    """
    return -math.log(-math.expm1(2 * math.log(error) / n_held_out))


def _shares(folds: Any) -> tuple[float, ...]:
    try:
        return tuple(float(share) for share in folds)
    except (TypeError, ValueError) as error:
        raise ParameterError(f"folds must be three shares (train, select, report); got {folds!r}") from error


def _order_matters(samples: Samples) -> Iterator[str]:
    columns = np.hstack([samples.x, samples.y])
    if is_autocorrelated(columns):
        yield (
            f"rows resemble the rows before them (rank correlation {lag_correlation(columns):.2f}), as in a time "
            "series: pairs that depend on each other void the certificate; thin them, or shuffle them if only their "
            "order was sorted"
        )

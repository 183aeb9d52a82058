"""I(x; y | z) = I(x, z; y) - I(z; y), each read by a bound from a critic of its own on the same folds."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from mibounds.data import Samples
from mibounds.errors import DivergedError
from mibounds.estimators._folds import Folds
from mibounds.estimators._reading import value_and_interval
from mibounds.estimators.base import SATURATED_NATS, Estimate

if TYPE_CHECKING:
    from mibounds.estimators.variational import Variational


def by_chain_rule(
    method: Variational, samples: Samples, folds: Folds, seed: int, confidence: float
) -> Estimate:
    """The difference and its interval over the pairs of the report fold, which both critics read."""
    whole, of_z = (method.fit(part.x, part.y, folds, seed) for part in samples.chain_rule_parts())
    nats, interval = value_and_interval(method.bound, whole.report, confidence, less=of_z.report)
    if not math.isfinite(nats):
        raise DivergedError(
            f"{method.bound.name} is not finite on the report fold; look for extreme values in the data"
        )
    ceiling = method.bound.ceiling(len(whole.report[0][0]))
    parts = {"x and z": whole, "z alone": of_z}
    values = {name: value_and_interval(method.bound, each.report, confidence) for name, each in parts.items()}
    warnings = [
        f"of {name}: {said}"
        for name, each in parts.items()
        for said in method.of_training(each, *values[name], folds)
    ]
    read = " and ".join(f"{value:.3f} nats of {name}" for name, (value, _) in values.items())
    return Estimate(
        nats=nats,
        interval=interval,
        method=method.bound.name,
        direction="none",
        validity="a difference of two estimates",
        ceiling_nats=ceiling,
        saturated=values["x and z"][0] > ceiling - SATURATED_NATS,
        folds=folds.sizes(),
        confidence=confidence,
        warnings=(
            *warnings,
            f"read by the chain rule, as the difference of {read}: no bound, though each may be",
        ),
        history={
            f"{name.replace(' ', '_')}_{column}": entries
            for name, each in parts.items()
            for column, entries in each.history.items()
        },
        conditional=True,
    )

"""The bound that a name stands for."""

from __future__ import annotations

from typing import Any

from mibounds import bounds
from mibounds.bounds import Bound
from mibounds.errors import ParameterError


def bound_named(bound: Any) -> Bound:
    """A bound, or the one of that name with its own defaults.

    Raises: UnknownNameError for a name that is none; ParameterError for what is neither a name nor a bound.
    """
    if isinstance(bound, str):
        return bounds.load(bound)()
    if not isinstance(bound, Bound):
        raise ParameterError(f"bound must be a bound or the name of one; got {bound!r}")
    return bound

"""Bounds on mutual information: scores `... x n x n` in, nats out. One file a bound, found by its name.

>>> import torch
>>> load("info_nce")()(torch.zeros(4, 4))
tensor(0.)
"""

from __future__ import annotations

from mibounds import registry
from mibounds.bounds.base import Bound

__path__ += registry.user_folders("bounds")

__all__ = ["Bound", "load", "names"]


def names() -> list[str]:
    """All bounds by file name."""
    return registry.names(__name__)


def load(name: str) -> type[Bound]:
    """The bound's class by file name; UnknownNameError suggests the nearest."""
    return registry.load(__name__, "bound", name, Bound)

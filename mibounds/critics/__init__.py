"""Critics f(x, y), each a stack of R independent runs: `R x n x dim_x`, `R x n x dim_y` -> scores `R x n x n`."""

from __future__ import annotations

from mibounds import registry
from mibounds.critics.base import Critic

__path__ += registry.user_folders("critics")

__all__ = ["Critic", "load", "names"]


def names() -> list[str]:
    """All critics by file name."""
    return registry.names(__name__)


def load(name: str) -> type[Critic]:
    """The critic's class by file name; UnknownNameError suggests the nearest."""
    return registry.load(__name__, "critic", name, Critic)

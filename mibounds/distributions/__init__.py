"""Joint laws whose mutual information is known. One file a family, found by its name."""

from __future__ import annotations

from mibounds import registry
from mibounds.distributions.base import Distribution

__path__ += registry.user_folders("distributions")

__all__ = ["Distribution", "load", "names"]


def names() -> list[str]:
    """All families by file name."""
    return registry.names(__name__)


def load(name: str) -> type[Distribution]:
    """The family's class by file name; UnknownNameError suggests the nearest."""
    return registry.load(__name__, "distribution", name, Distribution)

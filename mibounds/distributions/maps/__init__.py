"""Invertible maps, which keep mutual information as it is. One file a map, found by its name."""

from __future__ import annotations

from mibounds import registry
from mibounds.distributions.maps.base import Map

__path__ += registry.user_folders("maps")

__all__ = ["Map", "load", "names"]


def names() -> list[str]:
    """All maps by file name."""
    return registry.names(__name__)


def load(name: str) -> type[Map]:
    """The map's class by file name; UnknownNameError suggests the nearest."""
    return registry.load(__name__, "map", name, Map)

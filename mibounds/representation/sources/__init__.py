"""Where paired views come from. One file a source, found by its name."""

from __future__ import annotations

from mibounds import registry
from mibounds.representation.sources._shuffled import Shuffled
from mibounds.representation.sources.base import Examples, Factor, Pairs, Source

__path__ += registry.user_folders("sources")

__all__ = ["Examples", "Factor", "Pairs", "Shuffled", "Source", "load", "names"]


def names() -> list[str]:
    """All sources by file name."""
    return registry.names(__name__)


def load(name: str) -> type[Source]:
    """The source's class by file name; UnknownNameError suggests the nearest."""
    return registry.load(__name__, "source", name, Source)

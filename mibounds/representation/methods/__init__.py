"""Methods that train an encoder. One file a method: its loss and its facts; found by its name."""

from __future__ import annotations

from mibounds import registry
from mibounds.representation.methods._contrastive import Contrastive, WithNegatives
from mibounds.representation.methods.base import Method

__path__ += registry.user_folders("methods")

__all__ = ["Contrastive", "Method", "WithNegatives", "load", "names"]


def names() -> list[str]:
    """All methods by file name."""
    return registry.names(__name__)


def load(name: str) -> type[Method]:
    """The method's class by file name; UnknownNameError suggests the nearest."""
    return registry.load(__name__, "method", name, Method)

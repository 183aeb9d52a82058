"""Encoders: stacks of R networks, `R x n x *shape` -> `R x n x dim`. One file an encoder, found by its name."""

from __future__ import annotations

from mibounds import registry
from mibounds.representation.encoders.base import Encoder

__path__ += registry.user_folders("encoders")

__all__ = ["Encoder", "load", "names"]


def names() -> list[str]:
    """All encoders by file name."""
    return registry.names(__name__)


def load(name: str) -> type[Encoder]:
    """The encoder's class by file name; UnknownNameError suggests the nearest."""
    return registry.load(__name__, "encoder", name, Encoder)

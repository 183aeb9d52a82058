"""Views: random maps of inputs, applied twice to make a pair. One file a view, found by its name."""

from __future__ import annotations

from typing import Any

from mibounds import registry
from mibounds.errors import ParameterError
from mibounds.representation.views.base import View

__path__ += registry.user_folders("views")

__all__ = ["View", "load", "make", "names"]


def names() -> list[str]:
    """All views by file name."""
    return registry.names(__name__)


def load(name: str) -> type[View]:
    """The view's class by file name; UnknownNameError suggests the nearest."""
    return registry.load(__name__, "view", name, View)


def make(view: View | str, **strengths: Any) -> View:
    """The view of this name at these strengths; a view that is made already is passed through.

    Raises: UnknownNameError, ParameterError.

    Example:
        >>> make("noise", std=0.5)
        Noise(std=0.5)
    """
    if isinstance(view, str):
        try:
            return load(view)(**strengths)
        except TypeError as error:
            raise ParameterError(f"strengths do not fit the view {view}: {error}") from error
    if strengths:
        raise ParameterError(f"{view} has its strengths already; got {', '.join(strengths)}; give its name")
    return view

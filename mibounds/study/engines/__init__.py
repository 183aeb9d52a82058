"""Where packs are measured: each engine takes tasks and gives their outcomes as they come. An engine is one file."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mibounds import registry
from mibounds.errors import ParameterError

if TYPE_CHECKING:
    from mibounds.study.engines.base import Engine


__path__ += registry.user_folders("engines")


def names() -> list[str]:
    """The engines there are, by their files."""
    return registry.names(__name__)


def make(name: str, **options: Any) -> Engine:
    """The engine of this name.

    Args:
        name: its file's name.
        options: what its class takes.

    Raises:
        UnknownNameError: there is no such engine.
        ParameterError: an option belongs to other engines, has a value outside its domain, or what the engine needs is
            not installed.
    """
    taken = _parameters(name)
    for option in options:
        if option not in taken:
            whose = " and ".join(owners(option)) or "no engine"
            raise ParameterError(f"the engine {name} takes no {option}; {whose} does")
    return _class(name)(**options)


def takes(name: str, option: str) -> bool:
    """Whether the engine of this name takes this option."""
    return option in _parameters(name)


def owners(option: str) -> list[str]:
    """The engines that take this option."""
    return [name for name in names() if takes(name, option)]


def _parameters(name: str) -> Mapping[str, Any]:
    return inspect.signature(_class(name)).parameters


def _class(name: str) -> type[Engine]:
    from mibounds.study.engines.base import Engine

    return registry.load(__name__, "engine", name, Engine)

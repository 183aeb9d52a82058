"""Where packs are measured: each engine takes tasks and gives their outcomes as they come. An engine is one file."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mibounds import registry
from mibounds.errors import ParameterError

if TYPE_CHECKING:
    from mibounds.study.engines.base import Engine

LOCAL = "local"


def names() -> list[str]:
    """The engines there are, by their files."""
    return registry.names(__name__)


def make(name: str, **options: Any) -> Engine:
    """The engine of this name.

    Args:
        name: its file's name.
        options: what its class takes; None stands for an option that was not given.

    Raises:
        UnknownNameError: there is no such engine.
        ParameterError: an option belongs to other engines, has a value outside its domain, or what the engine needs is
            not installed.
    """
    from mibounds.study.engines.base import Engine

    engine = registry.load(__name__, "engine", name, Engine)
    given = {option: value for option, value in options.items() if value is not None}
    foreign = [option for option in given if option not in options_of(engine)]
    if foreign:
        raise ParameterError(_refusal(name, foreign[0]))
    return engine(**given)


def options_of(engine: type[Engine]) -> Mapping[str, Any]:
    """Name -> parameter of what the engine's class takes."""
    return inspect.signature(engine).parameters


def _refusal(name: str, option: str) -> str:
    from mibounds.study.engines.base import Engine

    owners = [
        other for other in names() if option in options_of(registry.load(__name__, "engine", other, Engine))
    ]
    whose = f"it belongs to {' and '.join(owners)}" if owners else "no engine has it"
    return f"the engine {name} takes no {option}; {whose}"

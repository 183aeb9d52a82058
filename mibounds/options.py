"""Parts that are made with a user's options, which are refused by name if they do not fit."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

from mibounds.errors import ParameterError, UnknownNameError

# What such classes are given by the code that makes them.
ARGUMENTS = {"network", "seeds", "dim_x", "dim_y"}


def made(kind: str, part: Any, options: Mapping[str, Any], *arguments: Any) -> Any:
    """`part(*arguments, **options)`.

    Raises: UnknownNameError for an option that it lacks, ParameterError for one that is missing or of the wrong kind.
    """
    try:
        return part(*arguments, **options)
    except TypeError as error:
        what, message = f"the {kind} {part.name}", str(error)
        missing = re.search(r"missing .* arguments?: (.*)", message)
        unknown = [name for name in options if name not in _option_names(part)]
        if unknown and (missing or "unexpected keyword argument" in message):
            raise UnknownNameError(f"option of {what}", unknown[0], _option_names(part)) from error
        if missing:
            raise ParameterError(f"{what} needs {missing[1]}, which has no default") from error
        raise ParameterError(f"an option of {what} is of the wrong kind: {message}") from error


def _option_names(part: type) -> set[str]:
    """What a class and those that it hands options on to take by name."""
    return {
        p.name
        for base in inspect.getmro(part)[:-1]
        for p in inspect.signature(base).parameters.values()
        if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD)
    } - ARGUMENTS

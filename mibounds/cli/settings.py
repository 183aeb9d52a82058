"""Options given as NAME=VALUE, and values as they are written on a command line."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mibounds.errors import ParameterError

WORDS = {"true": True, "false": False, "none": None}


def settings(option: str, texts: Iterable[str]) -> dict[str, Any]:
    """`["clip=1.0", "hidden=64,64"]` -> `{"clip": 1.0, "hidden": [64, 64]}`. Raises: ParameterError."""
    found = {}
    for text in texts:
        name, equals, written = text.partition("=")
        if not name or not equals or not written:
            raise ParameterError(f"{option} takes name=value; got {text!r}")
        found[name] = value(written)
    return found


def value(text: str) -> Any:
    """A number, a word, or a list of them where commas stand: `0.1`, `false`, `64,64`."""
    if "," in text:
        return [value(part) for part in text.split(",") if part]
    if text.lower() in WORDS:
        return WORDS[text.lower()]
    for read in (int, float):
        try:
            return read(text)
        except ValueError:
            continue
    return text

"""Every error a user can cause, by name. Each message says what was expected, what came and what to do."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

CLOSE = 0.6  # as difflib measures it; at 0.5 "budget" is taken for "bound"


class MiboundsError(Exception):
    """Base of all errors raised on purpose; the command line prints it on one line and exits with 2, or as it says."""


class ShapeError(MiboundsError, ValueError):
    """An array has the wrong shape, or two arrays do not fit each other."""


class DataError(MiboundsError, ValueError):
    """The user's data cannot be used as it is: unreadable, not finite, constant, too short."""


class ParameterError(MiboundsError, ValueError):
    """A parameter lies outside its domain."""


class UnknownNameError(MiboundsError, LookupError):
    """No study, bound, distribution, column ... has this name; the nearest known one is suggested."""

    def __init__(self, kind: str, name: str, known: Iterable[str], remark: str = ""):
        known = sorted(known)
        bare = {one.lstrip("-"): one for one in known}  # dashes would make all options alike
        nearest = difflib.get_close_matches(str(name).lstrip("-"), bare, n=1, cutoff=CLOSE)
        advice = f"did you mean {bare[nearest[0]]!r}?" if nearest else f"known: {', '.join(known) or 'none'}"
        super().__init__(f"unknown {kind} {name!r}; {advice}{remark and f'; {remark}'}")


class DivergedError(MiboundsError, ArithmeticError):
    """A training reached values that are not finite, and no earlier state of it can be reported; the exit code is 1."""


class StudyError(MiboundsError):
    """A study file contradicts itself, or its results contradict it."""


class StoreError(MiboundsError, OSError):
    """Results cannot be written or read back: no permission, no space, or a corrupted file."""


def one_line(error: BaseException) -> str:
    """An exception's class and message on one line."""
    message = " ".join(str(error).split())
    return f"{type(error).__name__}: {message}" if message else type(error).__name__

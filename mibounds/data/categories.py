"""Columns of text and of categories, as codes and as columns of 0 and 1. Imports no pandas."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibounds.data.texts import suspected
from mibounds.errors import DataError

NAMES_SHOWN = 8
PAIRS_A_CLASS = 20
MOST_CATEGORIES = 0.5  # of the rows: a name or an address has one a row


def listed(names: Sequence[str]) -> str:
    """The first names, quoted, and how many more there are."""
    shown = ", ".join(repr(name) for name in names[:NAMES_SHOWN])
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {len(names) - NAMES_SHOWN} more"


def repeated(names: Sequence[str]) -> list[str]:
    """The names that stand there more than once, sorted."""
    return sorted(name for name, times in Counter(names).items() if times > 1)


def entries_of(column: Any) -> NDArray[Any]:
    """A pandas column's entries, categories as their text; what is missing is None."""
    entries = column.astype(object)
    if hasattr(column, "cat"):
        # Mapped to text, pandas 3 would call what is missing NaN again.
        entries = entries.map(str, na_action="ignore").astype(object)
    return entries.where(column.notna(), None).to_numpy(dtype=object)


def codes_of(where: str, entries: NDArray[Any]) -> NDArray[np.float64]:
    """Codes of text, 0, 1, ... in alphabetical order: `n`. None and NaN are missing.

    Raises: DataError for what is missing, what is no text, and text that hardly repeats.
    """
    missing = np.flatnonzero([_is_missing(entry) for entry in entries])
    others = [row for row, entry in enumerate(entries) if not isinstance(entry, str)]
    if others and len(missing) == 0:
        raise DataError(
            f"{where} holds {type(entries[others[0]]).__name__} objects, first in row {others[0]}, from 0; expected "
            "numbers, or text throughout"
        )
    if len(missing):
        raise DataError(
            f"{where} has no entry in {len(missing):,} of {len(entries):,} rows, first in row {missing[0]}, from 0; "
            "remove or fill them (in a file of text, NA, None, null and the like are read as no entry)"
        )
    known, codes = np.unique(entries.astype(str), return_inverse=True)
    if len(known) > MOST_CATEGORIES * len(entries):
        seems = suspected(entries)
        raise DataError(
            f"{where} holds text, {len(known):,} different ones in {len(entries):,} rows, which hardly repeat as "
            f"categories do; expected numbers, or fewer categories{seems and f'; it seems to hold {seems}'}"
        )
    return codes.astype(np.float64)


def _is_missing(entry: Any) -> bool:
    return entry is None or (isinstance(entry, float | np.floating) and bool(np.isnan(entry)))


def takes_each_often(values: NDArray[np.float64], often: int = PAIRS_A_CLASS) -> bool:
    """Whether a column, or the rows of some, take each of their values so often on the mean, as discrete ones do."""
    return len(np.unique(values, axis=0)) * often <= len(values)


def has_steps(column: NDArray[np.float64]) -> bool:
    """Whether most gaps between values are as large as another, as of ranks, counts and rounded numbers.

    >>> has_steps(np.array([3.0, 1.0, 2.0, 4.0])), has_steps(np.array([3.0, 1.0, 2.5, 4.8]))
    (True, False)
    """
    gaps = np.diff(np.unique(column))
    if len(gaps) < 2:
        return False
    _, times = np.unique(np.round(gaps / gaps.min(), 6), return_counts=True)
    return bool(times[times > 1].sum() > len(gaps) / 2)


def one_hot(values: NDArray[np.float64], categories: Collection[int]) -> NDArray[np.float64]:
    """`n x dim` with codes in some columns -> the columns of numbers, then one of 0 and 1 for each category."""
    numbers = [c for c in range(values.shape[1]) if c not in categories]
    codes = [values[:, c : c + 1] == np.unique(values[:, c]) for c in categories]
    return np.hstack([values[:, numbers], *codes])

"""Text that was probably meant as something else than categories. Imports no pandas."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from numpy.typing import NDArray

MOSTLY = 0.9  # of the rows
ISO_DATE = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d.*)?")


def is_number(text: str) -> bool:
    """Whether it can be read as a float."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def suspected(entries: Sequence[str] | NDArray[Any]) -> str:
    """What text seems to hold instead of categories, with an entry that shows it; "" for what seems plain.

    Text that is numbers throughout is plain: whoever passes numbers as text wants categories.

    Example:
        >>> suspected(["1", "2", "1", "2"] * 5 + ["?"]), suspected(["a", "b"])
        ("numbers as text but for '?' in row 20, from 0", '')
    """
    counts = Counter(entries)
    enough = MOSTLY * len(entries)
    if sum(n for text, n in counts.items() if ISO_DATE.fullmatch(text.strip())) >= enough:
        return f"dates as text, such as {entries[0]!r}"
    numbers = {text for text in counts if is_number(text)}
    # A comma may part decimals, or thousands.
    alike = sum(n for text, n in counts.items() if text in numbers or is_number(text.replace(",", "")))
    if len(numbers) == len(counts) or alike < enough:
        return ""
    row = next(row for row, text in enumerate(entries) if text not in numbers)
    return f"numbers as text but for {str(entries[row])!r:.80} in row {row}, from 0"

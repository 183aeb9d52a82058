"""Arrays from tensors and nested lists, and float64 from arrays, where nothing is blended. Imports no pandas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibounds.data.categories import listed
from mibounds.errors import DataError, ShapeError

EXACT = 2**53  # up to here a float64 holds every integer


def from_torch(side: str, values: Any) -> NDArray[Any]:
    """A tensor's numbers, wherever it lies. Raises: DataError."""
    if values.is_complex():
        raise DataError(f"{side} holds complex numbers; expected real ones, such as their parts side by side")
    try:
        dense = values.detach().to("cpu").to_dense()
        # Integers of 8 bytes stay integers, which a float64 may not tell apart.
        array: NDArray[Any] = (dense if dense.element_size() == 8 else dense.double()).numpy()
    except (
        RuntimeError,
        NotImplementedError,
        TypeError,
    ) as error:  # such as one without data, or of unequal rows
        raise DataError(f"{side} is a tensor that gives no array of numbers: {_one_line(error)}") from error
    return array


def from_nested(side: str, values: Any) -> NDArray[Any]:
    """An array of numbers, of text, or of objects some of which are text.

    Raises: ShapeError for rows of unequal length; DataError for what gives no array, or one of other objects.
    """
    try:
        array = unblended(values)
    except ValueError as error:
        raise ShapeError(
            f"{side} must be n or n x dim numbers, all rows equally long; {_one_line(error)}"
        ) from error
    except Exception as error:  # whatever the `__array__` of a user's object raises
        raise DataError(
            f"{side}, of type {type(values).__name__}, gives no array of numbers: {_one_line(error)}"
        ) from error
    if array.size and not (array.dtype.kind == "U" or _holds_text(array)):
        require_numeric(side, {side: array.dtype})
    return array


def unblended(values: Any) -> NDArray[Any]:
    """`numpy.asarray`, but for lists that hold text: their entries stay objects, NaN is not the text "nan".

    Example:
        >>> unblended(["a", 1.5]).tolist(), unblended([2, 1.5]).dtype.name
        (['a', 1.5], 'float64')
    """
    array = np.asarray(values)
    if array.dtype.kind == "U" and not isinstance(values, np.ndarray):
        return np.asarray(values, dtype=object)
    return array


def numbers_among(column: NDArray[Any]) -> NDArray[Any] | None:
    """A column of objects as numbers, if that is what they all are."""
    if column.dtype.kind == "U" or _holds_text(column):
        return None
    numbers = np.asarray(column.tolist())
    return numbers if numbers.dtype.kind in "biuf" and numbers.ndim == 1 else None


def as_floats(
    side: str, names: Sequence[str], array: Any, copied: Callable[..., Any] = np.array
) -> NDArray[np.float64]:
    """A copy as float64, of `n` or `n x dim`; what is too large for that becomes infinite, as is reported with its row.

    Raises: DataError that names a column whose integers differ, and would no longer.
    """
    with np.errstate(over="ignore"):
        floats: NDArray[np.float64] = copied(array, dtype=np.float64)
    integers = np.asarray(array)  # of a masked array, what lies beneath too
    if integers.dtype.kind in "iu" and max(int(integers.max()), -int(integers.min())) > EXACT:
        columns = (np.asarray(each).reshape(len(integers), -1).T for each in (integers, floats))
        for name, whole, rounded in zip(names, *columns, strict=True):
            if len(np.unique(rounded)) < len(np.unique(whole)):
                raise DataError(
                    f"{side}, column {name!r}, holds integers that differ beyond a float's 53 bits; pass them as text "
                    "or as categories"
                )
    return floats


def require_numeric(side: str, dtypes: dict[str, Any]) -> None:
    """Raises DataError that names the columns, or the side, whose values are no real numbers."""
    kinds = {name: getattr(dtype, "kind", "O") for name, dtype in dtypes.items()}
    if "c" in kinds.values():
        raise DataError(f"{side} holds complex numbers; expected real ones, such as their parts side by side")
    bad = [name for name, kind in kinds.items() if kind not in "biuf"]
    if bad:
        where = side if bad == [side] else f"{side}, column {listed(bad)},"
        raise DataError(f"{where} holds {dtypes[bad[0]]} values; expected numbers, or text as categories")


def _holds_text(array: NDArray[Any]) -> bool:
    return array.dtype.kind == "O" and any(isinstance(entry, str) for entry in array.ravel())


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]

"""From whatever holds numbers to paired float64 samples, or to an error that says what is wrong with them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibounds.errors import DataError, ShapeError

NAMES_SHOWN = 8


@dataclass(frozen=True)
class Samples:
    """Paired rows, all finite, no column constant.

    Attributes:
        x, y: `n x dim_x`, `n x dim_y`, float64; copies, so that nothing done to them reaches the caller.
        warnings: what was dropped and what is suspicious.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)


def paired_samples(x: Any, y: Any) -> Samples:
    """Checks and pairs `x` and `y`, row i of one with row i of the other.

    Args:
        x, y: `n` or `n x dim` numbers: NumPy, torch (any device), pandas, or nested lists; float, integer or bool.

    Raises: DataError for text, objects, complex numbers, NaN, infinity, an empty or wholly constant side;
        ShapeError for unequal lengths or more than two dimensions.

    Example:
        >>> paired_samples([[0, 1], [2, 1], [4, 1]], [1.0, 2.0, 4.0]).warnings
        ("dropped constant columns of x: '1'",)
    """
    x_columns, x_values = _numbers("x", x)
    y_columns, y_values = _numbers("y", y)
    if len(x_values) != len(y_values):
        raise ShapeError(
            f"x and y must have equally many rows, paired; got {len(x_values)} and {len(y_values)}"
        )
    warnings = _misaligned(x, y)
    sides = []
    for side, columns, values in (("x", x_columns, x_values), ("y", y_columns, y_values)):
        _require_finite(side, values)
        varying = np.ptp(values, axis=0) > 0
        if not varying.any():
            raise DataError(
                f"{side} is constant over all {len(values)} rows; a constant shares no information"
            )
        if not varying.all():
            constant = [name for name, varies in zip(columns, varying, strict=True) if not varies]
            warnings.append(f"dropped constant columns of {side}: {listed(constant)}")
        sides.append(values[:, varying])
    kept_x, kept_y = sides
    return Samples(kept_x, kept_y, warnings=(*warnings, *_duplicates(kept_x, kept_y)))


def listed(names: Sequence[str]) -> str:
    """The first names, quoted, and how many more there are."""
    shown = ", ".join(repr(name) for name in names[:NAMES_SHOWN])
    return shown if len(names) <= NAMES_SHOWN else f"{shown} and {len(names) - NAMES_SHOWN} more"


def _numbers(side: str, values: Any) -> tuple[list[str], NDArray[np.float64]]:
    """The columns' names and the values as a new `n x dim` float64 array."""
    names = None
    if _is(values, "pandas", "DataFrame", "Series"):
        frame = values.to_frame() if values.ndim == 1 else values
        names = [str(name) for name in frame.columns]
        _require_numeric(side, dict(zip(names, frame.dtypes, strict=True)))
        # Missing entries of nullable columns become NaN, which is reported with its row.
        array = frame.to_numpy(dtype=np.float64, na_value=np.nan)
    elif _is(values, "torch", "Tensor"):
        array = _from_torch(side, values)
    elif isinstance(values, np.ma.MaskedArray):
        _require_numeric(side, {side: values.dtype})
        array = np.ma.filled(values.astype(np.float64), np.nan)
    else:
        array = _from_nested(side, values)
    if array.ndim not in (1, 2):
        raise ShapeError(f"{side} must be n or n x dim; got shape {array.shape}")
    array = np.array(array.reshape(len(array), -1) if array.size else array, dtype=np.float64)
    if array.size == 0:
        raise DataError(f"{side} is empty: its shape is {array.shape}; expected n x dim numbers")
    return names or [str(column) for column in range(array.shape[1])], array


def _is(values: Any, module: str, *names: str) -> bool:
    """Whether `values` is of one of a module's classes, without importing the module for it."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(values, tuple(getattr(loaded, name) for name in names))


def _from_torch(side: str, values: Any) -> NDArray[Any]:
    if values.is_complex():
        raise DataError(f"{side} holds complex numbers; expected real ones, such as their parts side by side")
    return values.detach().to("cpu").to_dense().double().numpy()


def _from_nested(side: str, values: Any) -> NDArray[Any]:
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ShapeError(f"{side} must be n or n x dim numbers, all rows equally long; {error}") from error
    if array.size:
        _require_numeric(side, {side: array.dtype})
    return array


def _require_numeric(side: str, dtypes: dict[str, Any]) -> None:
    """Raises DataError that names the columns, or the side, whose values are no real numbers."""
    kinds = {name: getattr(dtype, "kind", "O") for name, dtype in dtypes.items()}
    if "c" in kinds.values():
        raise DataError(f"{side} holds complex numbers; expected real ones, such as their parts side by side")
    bad = [name for name, kind in kinds.items() if kind not in "biuf"]
    if bad:
        where = side if bad == [side] else f"{side}, column {listed(bad)},"
        raise DataError(
            f"{where} holds {dtypes[bad[0]]} values; expected numbers (encode text as numbers first)"
        )


def _require_finite(side: str, values: NDArray[np.float64]) -> None:
    bad = np.flatnonzero(~np.isfinite(values).all(axis=1))
    if len(bad):
        raise DataError(
            f"{side} has NaN or infinity in {len(bad):,} of {len(values):,} rows, first in row {bad[0]}, from 0; "
            "remove or fill them"
        )


def _misaligned(x: Any, y: Any) -> list[str]:
    both_pandas = _is(x, "pandas", "DataFrame", "Series") and _is(y, "pandas", "DataFrame", "Series")
    if both_pandas and not x.index.equals(y.index):
        return ["x and y have different pandas indexes; their rows were paired by position"]
    return []


def _duplicates(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[str, ...]:
    n = len(x)
    # Adding 0.0 turns -0.0 into it, so that equal rows are equal bytes.
    pairs = np.ascontiguousarray(np.hstack([x, y]) + 0.0)
    repeated = n - len(np.unique(pairs.view(np.dtype((np.void, pairs.itemsize * pairs.shape[1])))))
    if not repeated:
        return ()
    return (
        f"{repeated:,} of {n:,} pairs repeat an earlier one; unless the data are discrete, copies that fall in "
        "different folds make the estimate too high",
    )

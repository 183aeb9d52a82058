"""From whatever holds numbers to paired float64 samples, or to an error that says what is wrong with them."""

from __future__ import annotations

import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibounds.data.arrays import as_floats, from_nested, from_torch, numbers_among, require_numeric
from mibounds.data.categories import codes_of, entries_of, listed, one_hot, takes_each_often
from mibounds.data.texts import suspected
from mibounds.errors import DataError, ShapeError

# Sums over a million rows of what is smaller stay finite.
TOO_LARGE = 1e302


@dataclass(frozen=True)
class Samples:
    """Paired rows, all finite, no column constant.

    Attributes:
        x, y: `n x dim_x`, `n x dim_y`, float64; copies, so that nothing done to them reaches the caller.
        warnings: what was dropped and what is suspicious.
        z: `n x dim_z`, what x and y are given, if anything.
        categories_x, categories_y, categories_z: place -> name of the columns whose values are categories, held as
            codes 0, 1, ... in alphabetical order.
        names: side -> its columns' names in the user's data, or their places there; of sides that have any.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    warnings: tuple[str, ...] = ()
    z: NDArray[np.float64] | None = None
    categories_x: Mapping[int, str] = field(default_factory=dict)
    categories_y: Mapping[int, str] = field(default_factory=dict)
    categories_z: Mapping[int, str] = field(default_factory=dict)
    names: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.x)

    def has_categories(self) -> bool:
        return bool(self.categories_x or self.categories_y or self.categories_z)

    def sides(self) -> dict[str, tuple[NDArray[np.float64], Mapping[int, str]]]:
        """Values and categories of x, of y and, if there is one, of z, by these names."""
        given = {} if self.z is None else {"z": (self.z, self.categories_z)}
        return {"x": (self.x, self.categories_x), "y": (self.y, self.categories_y), **given}

    def name_of(self, side: str, place: int) -> str:
        """What the user calls a column of numbers."""
        return dict(enumerate(self.names.get(side, ()))).get(place, str(place))

    def is_categorical(self) -> bool:
        """Whether categories are all that it holds."""
        return len(self.categorical_sides()) == len(self.sides())

    def categorical_sides(self) -> list[str]:
        """The names of the sides that hold categories alone."""
        return [name for name, (side, held) in self.sides().items() if len(held) == side.shape[1]]

    def one_hot(self) -> Samples:
        """A column of categories becomes one of 0 and 1 for each category, behind the columns of numbers."""
        x, y = one_hot(self.x, self.categories_x), one_hot(self.y, self.categories_y)
        z = None if self.z is None else one_hot(self.z, self.categories_z)
        of_numbers = {
            side: [self.name_of(side, i) for i in range(values.shape[1]) if i not in categories]
            for side, (values, categories) in self.sides().items()
        }
        return Samples(x, y, self.warnings, z, names=of_numbers)

    def chain_rule_parts(self) -> tuple[Samples, Samples]:
        """x and z beside y, and z beside y: I(x; y | z) = I(x, z; y) - I(z; y). It must have a z."""
        assert self.z is not None
        of_z = {self.x.shape[1] + place: name for place, name in self.categories_z.items()}
        of_both, of_y = {**self.categories_x, **of_z}, self.categories_y
        return (
            Samples(np.hstack([self.x, self.z]), self.y, categories_x=of_both, categories_y=of_y),
            Samples(self.z, self.y, categories_x=self.categories_z, categories_y=of_y),
        )


def paired_samples(x: Any, y: Any, z: Any = None, *, repeats_expected: bool = False) -> Samples:
    """Checks and pairs `x`, `y` and, if given, `z`, row i of one with row i of the others.

    Args:
        x, y, z: `n` or `n x dim` numbers: NumPy, torch (any device), pandas, or nested lists; float, integer or bool.
            Columns of text and pandas' categories are taken as categories, if their values repeat. A warning names text
            that seems to be numbers or dates.
        repeats_expected: whether rows that repeat an earlier one are as it should be, as of discrete values.

    Raises: DataError for objects, dates, complex numbers, NaN, infinity, numbers of 1e302 and more, missing entries,
        integers that float64 would no longer tell apart, text that hardly repeats, an empty or wholly constant side;
        ShapeError for unequal lengths or more than two dimensions.

    Example:
        >>> paired_samples([[0, 1], [2, 1], [4, 1]], [1.0, 2.0, 4.0]).warnings
        ("dropped constant columns of x: '1'",)
        >>> paired_samples([0.5, 1.5, 2.5, 3.5], ["red", "blue", "red", "blue"]).y[:, 0].tolist()
        [1.0, 0.0, 1.0, 0.0]
    """
    given = {"x": x, "y": y} | ({} if z is None else {"z": z})
    sides = {side: _Side.of(side, values) for side, values in given.items()}
    lengths = [len(side.values) for side in sides.values()]
    if len(set(lengths)) > 1:
        raise ShapeError(
            f"{_and(list(sides))} must have equally many rows, paired; got {_and(list(map(str, lengths)))}"
        )
    warnings = _misaligned(given)
    for side, of_side in sides.items():
        _require_finite(side, of_side)
        _require_sums(side, of_side)
        sides[side], dropped = of_side.varying(side)
        warnings += [*of_side.doubts, *dropped]
    kept = {side: of_side.values for side, of_side in sides.items()}
    if not (repeats_expected or all(of_side.is_categorical() for of_side in sides.values())):
        warnings += _duplicates([*kept.values()])
    of_x, of_y, of_z = (sides[side].categories if side in sides else {} for side in ("x", "y", "z"))
    names = {side: of_side.names for side, of_side in sides.items()}
    return Samples(kept["x"], kept["y"], tuple(warnings), kept.get("z"), of_x, of_y, of_z, names)


def _and(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}"


@dataclass(frozen=True)
class _Side:
    """One side's columns: names, values `n x dim`, which hold categories' codes, and warnings of these."""

    names: list[str]
    values: NDArray[np.float64]
    categories: dict[int, str]
    doubts: tuple[str, ...] = ()

    @classmethod
    def of(cls, side: str, values: Any) -> _Side:
        if _is(values, "pandas", "DataFrame", "Series"):
            return cls._from_pandas(side, values.to_frame() if values.ndim == 1 else values)
        if _is(values, "torch", "Tensor"):
            array = from_torch(side, values)
        elif isinstance(values, np.ma.MaskedArray):
            require_numeric(side, {side: values.dtype})
            array = values
        else:
            array = from_nested(side, values)
        if array.ndim not in (1, 2):
            raise ShapeError(f"{side} must be n or n x dim; got shape {array.shape}")
        if array.size == 0:
            raise DataError(f"{side} is empty: its shape is {array.shape}; expected n x dim numbers")
        array = array.reshape(len(array), -1)
        names = [str(column) for column in range(array.shape[1])]
        if array.dtype.kind in "UO":
            columns = [(column, numbers_among(column)) for column in array.T]
            return cls._of_columns(side, names, [text if found is None else found for text, found in columns])
        if isinstance(array, np.ma.MaskedArray):
            # Masked entries become NaN, which is reported with its row.
            return cls(names, np.ma.filled(as_floats(side, names, array, np.ma.array), np.nan), {})
        return cls(names, as_floats(side, names, array), {})

    @classmethod
    def _from_pandas(cls, side: str, frame: Any) -> _Side:
        names = [str(name) for name in frame.columns]
        if 0 in frame.shape:
            raise DataError(f"{side} is empty: its shape is {frame.shape}; expected n x dim numbers")
        series = [frame.iloc[:, i] for i in range(len(names))]
        text = {i for i, column in enumerate(series) if _kind(column.dtype) == "O"}
        require_numeric(side, {names[i]: column.dtype for i, column in enumerate(series) if i not in text})
        columns = [
            entries_of(column) if i in text else _numbers_of(column) for i, column in enumerate(series)
        ]
        return cls._of_columns(side, names, columns, [i for i in text if hasattr(series[i], "cat")])

    @classmethod
    def _of_columns(
        cls, side: str, names: list[str], columns: Sequence[NDArray[Any]], chosen: Collection[int] = ()
    ) -> _Side:
        """Of columns of numbers and of text, of which those `chosen` are categories because the user says so."""
        values, categories, doubts = [], {}, []
        for place, (name, column) in enumerate(zip(names, columns, strict=True)):
            if column.dtype.kind not in "UO":
                values.append(as_floats(side, [name], column))
                continue
            where = f"{side}, column {name!r},"
            values.append(codes_of(where, column))
            categories[place] = name
            if place not in chosen and (seems := suspected(column)):
                doubts.append(f"{where} holds {seems}; taken as categories")
        return cls(names, np.stack(values, axis=1), categories, tuple(doubts))

    def is_categorical(self) -> bool:
        """Whether categories are all that it holds."""
        return len(self.categories) == len(self.names)

    def varying(self, side: str) -> tuple[_Side, list[str]]:
        """Without the columns that are constant, and a warning if there were any."""
        varies = self.values.max(axis=0) > self.values.min(axis=0)
        if not varies.any():
            raise DataError(
                f"{side} is constant over all {len(self.values)} rows; a constant shares no information"
            )
        kept = np.flatnonzero(varies)
        if len(kept) == len(varies):
            return self, []
        constant = [name for name, keep in zip(self.names, varies, strict=True) if not keep]
        categories = {place: self.names[i] for place, i in enumerate(kept) if i in self.categories}
        left = _Side([self.names[i] for i in kept], self.values[:, kept], categories)
        return left, [f"dropped constant columns of {side}: {listed(constant)}"]


def _kind(dtype: Any) -> str:
    return getattr(dtype, "kind", "O")


def _numbers_of(series: Any) -> NDArray[Any]:
    if series.dtype.kind in "iu" and not series.isna().any():
        whole: NDArray[Any] = series.to_numpy(dtype=f"{series.dtype.kind}8")
        return whole
    # Missing entries of nullable columns become NaN, which is reported with its row.
    with np.errstate(over="ignore"):  # what is too large becomes infinite, as is reported with its row
        floats: NDArray[Any] = series.to_numpy(dtype=np.float64, na_value=np.nan)
    return floats


def _is(values: Any, module: str, *names: str) -> bool:
    """Whether `values` is of one of a module's classes, without importing the module for it."""
    loaded = sys.modules.get(module)
    return loaded is not None and isinstance(values, tuple(getattr(loaded, name) for name in names))


def _require_finite(side: str, of_side: _Side) -> None:
    is_bad = ~np.isfinite(of_side.values)
    bad = np.flatnonzero(is_bad.any(axis=1))
    if len(bad):
        columns = [of_side.names[place] for place in np.flatnonzero(is_bad.any(axis=0))]
        where = f"{side}, column {listed(columns)}," if len(of_side.names) > 1 else side
        raise DataError(
            f"{where} has NaN or infinity in {len(bad):,} of {len(is_bad):,} rows, first in row {bad[0]}, from 0; "
            "remove or fill them"
        )


def _require_sums(side: str, of_side: _Side) -> None:
    large = np.flatnonzero(np.abs(of_side.values).max(axis=0) >= TOO_LARGE)
    if len(large):
        raise DataError(
            f"{side}, column {listed([of_side.names[i] for i in large])}, holds numbers so large that their sums "
            f"overflow; expected less than {TOO_LARGE:g}: divide the column by a constant, which changes no information"
        )


def _misaligned(given: Mapping[str, Any]) -> list[str]:
    indexes = {side: v.index for side, v in given.items() if _is(v, "pandas", "DataFrame", "Series")}
    first = next(iter(indexes.values()), None)
    if all(index.equals(first) for index in indexes.values()):
        return []
    return [f"{_and(list(indexes))} have different pandas indexes; their rows were paired by position"]


def _duplicates(sides: Sequence[NDArray[np.float64]]) -> list[str]:
    """A warning of pairs that repeat an earlier one, unless each side takes few values, so that they must."""
    # Adding 0.0 turns -0.0 into it, so that equal rows are equal bytes.
    pairs = np.ascontiguousarray(np.hstack(sides) + 0.0)
    n = len(pairs)
    repeated = n - len(np.unique(pairs.view(np.dtype((np.void, pairs.itemsize * pairs.shape[1])))))
    if not repeated or all(map(takes_each_often, sides)):
        return []
    return [
        f"{repeated:,} of {n:,} pairs repeat an earlier one; unless the data are discrete, copies that fall in "
        "different folds make the estimate too high"
    ]

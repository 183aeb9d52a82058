"""Tables from files, and columns from tables. Nothing is ever unpickled."""

from __future__ import annotations

import fnmatch
import itertools
import re
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mibounds.data.categories import entries_of, listed, repeated
from mibounds.data.texts import is_number
from mibounds.errors import DataError, MiboundsError, ParameterError, UnknownNameError

if TYPE_CHECKING:
    from pandas import DataFrame, Series

SEPARATORS = {".csv": ",", ".tsv": "\t"}
BOMB_BYTES, BOMB_TIMES = 2**30, 100
MOST_SAID = 300  # characters of a reader's own message
HEADLESS = "its first line holds numbers alone and was read as data"


@dataclass(frozen=True)
class Table:
    """Named arrays of a file. A 2-d array `left` has the columns `left_0`, `left_1`, ...; a 1-d one is a column.

    Attributes: source, the file's name for messages; arrays by name; remark, what was odd in reading it, which is said
    beside a column that is not there.
    """

    source: str
    arrays: Mapping[str, NDArray[Any]]
    remark: str = ""

    def columns(self) -> dict[str, NDArray[Any]]:
        """All columns by name, in the file's order; arrays that are neither 1-d nor 2-d have none."""
        return {
            name: column
            for key, array in self.arrays.items()
            if array.ndim in (1, 2)
            for name, column in _columns_of(key, array).items()
        }

    def warnings(self) -> tuple[str, ...]:
        """What to say beside what is made of it."""
        return (f"{self.source}: {self.remark}",) if self.remark else ()


def read_table(path: str | Path) -> Table:
    """Reads `.csv`, `.tsv`, `.parquet`, `.npz` or `.npy`.

    CSV: the first line names the columns; where it holds numbers alone, other than 0, 1, 2, ..., it is data, and they
    are named "0", "1", ...
    Parquet: its columns, by pyarrow (extra `parquet`). npz: arrays by key. npy: a 2-d array, whose columns are named
    "0", "1", ...

    Raises: DataError if there is no such file, or it is empty, unreadable, truncated, ragged, names a column twice,
        or holds Python objects, which are never unpickled.
    """
    path = Path(path)
    readers = {
        ".csv": _read_text,
        ".tsv": _read_text,
        ".parquet": _read_parquet,
        ".npz": _read_npz,
        ".npy": _read_npy,
    }
    try:
        is_folder, is_there = path.is_dir(), path.exists()
    except (OSError, ValueError) as error:  # such as a name that is too long
        raise DataError(f"cannot read {str(path)!r:.80}: {error}") from error
    if is_folder:
        raise DataError(f"{path} is a folder; expected a file")
    if not is_there:
        raise DataError(f"there is no file {path}")
    if path.suffix.lower() not in readers:
        raise DataError(f"{path.name} must end in one of {', '.join(readers)}")
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path} is empty")
        return readers[path.suffix.lower()](path)
    except MiboundsError:
        raise
    except PermissionError as error:
        raise DataError(f"cannot read {path}: no permission") from error
    except Exception as error:  # of spoilt bytes, readers raise anything, a TokenError or a MemoryError too
        raise DataError(_why_unreadable(path, error)) from error


def select_columns(table: Table, selection: str) -> DataFrame:
    """The columns that `selection` names, `n x dim`, in its order, each once.

    Args:
        selection: a column's name, or terms joined by commas. A term is a column's name, a 2-d array's name (all its
            columns), a pattern with `*`, `?` or `[...]`, a column's position from 0, or a range of positions
            `first:end` without the end. A name goes before a position.

    Raises: UnknownNameError, with the nearest name, if a term matches nothing; ParameterError if positions lie
        outside the table; DataError if the columns differ in length or are dates.

    Example:
        >>> table = Table("t.npz", {"a": np.arange(3), "left": np.zeros((3, 4))})
        >>> list(select_columns(table, "left_1*,a,3:")), list(select_columns(table, "left"))
        (['left_1', 'a', 'left_2', 'left_3'], ['left_0', 'left_1', 'left_2', 'left_3'])
    """
    import pandas as pd

    columns = table.columns()
    chosen: dict[str, NDArray[Any]] = {}
    terms = [selection] if selection in columns else [part.strip() for part in selection.split(",")]
    for term in terms:
        chosen |= _matching(table, columns, term)
    lengths = {name: len(column) for name, column in chosen.items()}
    if len(set(lengths.values())) > 1:
        first, other = next((a, b) for a in lengths for b in lengths if lengths[a] != lengths[b])
        raise DataError(
            f"columns of one side must be equally long; {first!r} has {lengths[first]} rows, "
            f"{other!r} has {lengths[other]}"
        )
    others = {name: column.dtype for name, column in chosen.items() if column.dtype.kind not in "biufcUO"}
    if others:
        dtype = next(iter(others.values()))
        held = "dates" if dtype.kind in "mM" else f"values of the type {dtype}"
        raise DataError(
            f"{table.source} holds {held} in {listed(list(others))}; expected columns of numbers or text"
        )
    return pd.DataFrame(chosen)


def select_sides(table: Table, *selections: str) -> tuple[DataFrame, ...]:
    """x, y and perhaps z, each by a selection of `select_columns`. Raises: DataError also if two share a column."""
    sides = {side: select_columns(table, columns) for side, columns in zip("xyz", selections, strict=False)}
    for first, second in itertools.combinations(sides, 2):
        shared = [name for name in sides[first].columns if name in set(sides[second].columns)]
        if shared:
            raise DataError(
                f"a column must be in {first} or in {second}, not in both; both hold {listed(shared)}"
            )
    return tuple(sides.values())


def _columns_of(key: str, array: NDArray[Any]) -> dict[str, NDArray[Any]]:
    if array.ndim == 1:
        return {key: array}
    return {f"{key}_{i}": array[:, i] for i in range(array.shape[1])}


def _matching(table: Table, columns: dict[str, NDArray[Any]], term: str) -> dict[str, NDArray[Any]]:
    if term in columns:
        return {term: columns[term]}
    if term in table.arrays:
        array = table.arrays[term]
        if array.ndim != 2:
            raise DataError(
                f"array {term!r} of {table.source} has shape {array.shape}; expected n or n x dim"
            )
        return _columns_of(term, array)
    if re.fullmatch(r"\d+|\d*:\d*", term):
        return _at_positions(table, columns, term)
    if any(sign in term for sign in "*?["):
        matched = fnmatch.filter(columns, term)
        if matched:
            return {name: columns[name] for name in matched}
    raise UnknownNameError("column", term, {*columns, *table.arrays}, table.remark)


def _at_positions(table: Table, columns: dict[str, NDArray[Any]], term: str) -> dict[str, NDArray[Any]]:
    first, colon, end = term.partition(":")
    start = int(first or 0)
    stop = int(end or len(columns)) if colon else start + 1
    if not start < stop <= len(columns):
        raise ParameterError(
            f"{term!r} is no position or range within the table's {len(columns)} columns, 0 first"
            f"{table.remark and f'; {table.remark}'}"
        )
    return dict(list(columns.items())[start:stop])


def _read_text(path: Path) -> Table:
    import pandas as pd

    separator, remark = SEPARATORS[path.suffix.lower()], ""
    options: dict[str, Any] = {"sep": separator, "encoding": "utf-8-sig"}
    try:
        first = pd.read_csv(path, header=None, nrows=1, dtype=str, keep_default_na=False, **options).iloc[0]
        names = [str(name).strip() for name in first]
        counted = [str(i) for i in range(len(names))]
        has_header = names == counted or not all(is_number(name or "0") for name in names)
        remark = _remark(names, separator) if has_header else HEADLESS
        names = [name or f"unnamed_{i}" for i, name in enumerate(names)] if has_header else counted
        if twice := repeated(names):
            raise DataError(f"{path} names a column twice: {listed(twice)}; rename one")
        with warnings.catch_warnings():
            # Told not to make an index of what rows hold beyond the header, pandas drops it, and warns.
            warnings.simplefilter("error", pd.errors.ParserWarning)
            header = 0 if has_header else None
            body = pd.read_csv(path, header=header, index_col=False, low_memory=False, **options)
    except pd.errors.ParserWarning as error:
        raise DataError(
            f"rows of {path} are longer than its first line of {len(names)} columns{remark and f'; {remark}'}"
        ) from error
    except pd.errors.EmptyDataError as error:
        raise DataError(f"{path} holds no rows of data") from error
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise DataError(
            f"cannot read {path} as text in columns: {' '.join(str(error).split())[:MOST_SAID]}"
            f"{remark and f'; {remark}'}"
        ) from error
    if body.empty:
        raise DataError(f"{path} holds no rows of data")
    return Table(path.name, {name: _array(body.iloc[:, i]) for i, name in enumerate(names)}, remark)


def _remark(names: list[str], separator: str) -> str:
    """Of a single column that seems to be several, parted by something else."""
    other = next((sign for sign in ",;\t" if sign != separator and sign in names[0]), "")
    if len(names) > 1 or not other:
        return ""
    return f"its first line is one column that holds {other!r}; columns must be parted by {separator!r}"


def _read_parquet(path: Path) -> Table:
    import pandas as pd

    try:
        body = pd.read_parquet(path, engine="pyarrow")
    except ImportError as error:
        raise DataError("reading Parquet takes pyarrow: pip install 'mibounds[parquet]'") from error
    if body.empty:
        raise DataError(f"{path} holds no rows of data")
    return Table(path.name, {str(name): _array(body[name]) for name in body.columns})


def _array(column: Series) -> NDArray[Any]:
    """A column's values; numbers that pandas may call missing become NaN there, and categories their text."""
    if column.dtype.kind in "biuf":
        has_gaps = column.isna().any()
        return column.to_numpy(dtype=np.float64, na_value=np.nan) if has_gaps else column.to_numpy()
    return column.to_numpy() if column.dtype.kind in "cmM" else entries_of(column)


def _read_npz(path: Path) -> Table:
    with zipfile.ZipFile(path) as archive:
        _require_no_bomb(path, sum(entry.file_size for entry in archive.infolist()))
    with np.load(path, allow_pickle=False) as archive:
        arrays = {key: archive[key] for key in archive.files}
    others = [key for key, array in arrays.items() if not isinstance(array, np.ndarray)]
    if others:
        raise DataError(f"{path} holds {listed(others)}, which is no array; expected arrays alone")
    columns = [
        name for key, array in arrays.items() if array.ndim in (1, 2) for name in _columns_of(key, array)
    ]
    if twice := repeated(columns):
        raise DataError(
            f"{path} names a column twice: {listed(twice)}, as an array and as a column of a 2-d one; rename one"
        )
    return Table(path.name, arrays)


def _require_no_bomb(path: Path, unpacked: int) -> None:
    if unpacked > BOMB_BYTES and unpacked > BOMB_TIMES * path.stat().st_size:
        raise DataError(
            f"{path} would unpack to {unpacked / 2**30:,.1f} GiB, over {BOMB_TIMES} times its size; expected data: "
            "if it is meant so, save it with numpy.savez, which does not compress"
        )


def _read_npy(path: Path) -> Table:
    array = np.load(path, allow_pickle=False)
    if not isinstance(array, np.ndarray):
        raise DataError(f"{path} is an archive of arrays; name it .npz")
    if array.ndim != 2:
        raise DataError(f"{path} holds an array of shape {array.shape}; expected n x columns")
    return Table(path.name, {str(i): array[:, i] for i in range(array.shape[1])})


def _why_unreadable(path: Path, error: BaseException) -> str:
    if "allow_pickle" in str(error) or "pickle" in str(error):
        return f"{path} holds Python objects, or no array at all; expected arrays of numbers, nothing is unpickled"
    said = " ".join(f"{type(error).__name__} {error}".split())[:MOST_SAID]
    return f"cannot read {path}; it seems truncated or of another kind ({said})"

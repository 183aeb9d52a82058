"""Writes scikit-learn's handwritten digits as paired samples: the left and the right halves of the images.

    python -m mibounds.data.digits digits.npz
    mibounds estimate digits.npz --x left --y right

1,797 images of 8 x 8 pixels, 0 to 16; each half has 32 pixels, row by row. A file that ends in .csv has the columns
left_0 ... left_31, right_0 ... right_31, digit; one that ends in .npz the arrays left, right and digit.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mibounds.data.tables import Table
from mibounds.errors import DataError, MiboundsError, ParameterError, StoreError


def halves() -> dict[str, NDArray[np.uint8]]:
    """left and right, `1797 x 32`, and digit, `1797`. Raises: DataError if scikit-learn is not installed."""
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise DataError("the digits come with scikit-learn: pip install 'mibounds[examples]'") from error
    loaded: Any = load_digits()
    images = loaded.images.astype(np.uint8)
    n, _, width = images.shape
    left, right = images[:, :, : width // 2], images[:, :, width // 2 :]
    return {
        "left": left.reshape(n, -1),
        "right": right.reshape(n, -1),
        "digit": loaded.target.astype(np.uint8),
    }


def export(path: Path) -> None:
    """Writes the halves to a .npz or .csv file, whole or not at all. Raises: ParameterError, DataError, StoreError."""
    if path.suffix not in (".npz", ".csv"):
        raise ParameterError(f"the file must end in .npz or .csv; got {path.name!r}")
    arrays: dict[str, Any] = halves()
    unfinished = path.with_name(f".{path.stem}.unfinished{path.suffix}")
    try:
        if path.suffix == ".npz":
            np.savez_compressed(unfinished, **arrays)
        else:
            columns = Table(path.name, arrays).columns()
            np.savetxt(
                unfinished,
                np.stack(list(columns.values()), 1),
                "%d",
                ",",
                header=",".join(columns),
                comments="",
            )
        unfinished.replace(path)
    except OSError as error:
        if unfinished.is_file():
            unfinished.unlink()
        raise StoreError(f"cannot write {path}: {error.strerror or error}") from error


def main(arguments: list[str]) -> int:
    """The command: writes one file and says what is in it. Returns the exit code."""
    try:
        if len(arguments) != 1:
            raise ParameterError("usage: python -m mibounds.data.digits FILE.npz (or FILE.csv)")
        export(Path(arguments[0]))
    except MiboundsError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"{arguments[0]}: left, right (32 pixels each) and digit of 1,797 images")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The rate of matrix products, in float32 and bfloat16: the floor of everything that trains.

    python -m benchmarks.matrix_products

Writes `results/benchmarks/matrix_products.csv`, a row a precision: 10^9 operations a second, median and extremes.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks import _machine, _tables

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
SIDES = (256, 1024, 2048)
TABLE = _tables.path_of("matrix_products")


def rows(sides: Sequence[int], repeats: int) -> list[dict[str, object]]:
    """A row a precision and a side of the square matrices."""
    return [
        {"dtype": name, "side": side, "repeats": repeats, "torch_threads": torch.get_num_threads()}
        | {
            f"gflops_{which}": value
            for which, value in _machine.gflops(dtype, side, repeats)._asdict().items()
        }
        for name, dtype in DTYPES.items()
        for side in sides
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.matrix_products", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE, help="the table (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=15, help="(default: %(default)s)")
    parser.add_argument("--tiny", action="store_true", help="small matrices: to test the code")
    options = parser.parse_args(arguments)
    found = rows((64,) if options.tiny else SIDES, options.repeats)
    _tables.write(options.out, found)
    for row in found:
        print(
            f"{row['dtype']:9} {row['side']:5} x {row['side']}: {row['gflops_median']:8.1f} GFLOP/s "
            f"({row['gflops_low']:.1f} .. {row['gflops_high']:.1f}), {row['torch_threads']} threads"
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Whether bfloat16 products move what a concatenated critic estimates: trainings in pairs, the same but for that.

    python -m benchmarks.bfloat16_products

Poole's protocol at 2, 6 and 10 nats, a training from new weights each; both precisions share data, weights and
held-out batches. What InfoNCE then reads on the same new batches is set side by side, seed by seed. Writes
`results/benchmarks/bfloat16_products.csv`, a row a seed and level. Exit codes: 0 the interval of the mean difference
lies within 0.02 nats at each level, 1 it does not at some level.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks import _tables
from mibounds.bounds.info_nce import InfoNCE
from mibounds.critics.concatenated import PRODUCTS, Concatenated
from mibounds.distributions.gaussian import Gaussian
from mibounds.seeding import seed_of
from mibounds.statistics import paired_interval
from mibounds.training import Trainer, fresh_batches

PINNED = False  # values, not times
TABLE = _tables.path_of("bfloat16_products")
LEVELS_NATS = (2.0, 6.0, 10.0)
DIM, BATCH_SIZE, LEARNING_RATE = 20, 64, 5e-4
EVALUATION_BATCHES = 256
MARGIN_NATS = 0.02


def rows(truth_nats: float, seeds: Sequence[int], steps: int) -> list[dict[str, Any]]:
    """A row a seed, with what either precision reads."""
    read = {products: estimates(products, truth_nats, seeds, steps) for products in PRODUCTS}
    return [
        {
            "truth_nats": truth_nats,
            "seed": seed,
            "steps": steps,
            "float32_nats": exact,
            "bfloat16_nats": rounded,
            "difference_nats": rounded - exact,
        }
        for seed, exact, rounded in zip(seeds, read["float32"], read["bfloat16"], strict=True)
    ]


def estimates(products: Any, truth_nats: float, seeds: Sequence[int], steps: int) -> list[float]:
    law = Gaussian.from_mutual_information(DIM, truth_nats)
    critic = Concatenated(DIM, DIM, [seed_of("weights", seed) for seed in seeds], products=products)
    trainer = Trainer(critic, InfoNCE(), list(seeds), learning_rate=LEARNING_RATE)

    def batches(purpose: str) -> Any:
        return fresh_batches(
            [law] * len(seeds), [seed_of(purpose, truth_nats, seed) for seed in seeds], BATCH_SIZE
        )

    trainer.fit(batches("data"), steps)
    return trainer.evaluate(batches("evaluation"), EVALUATION_BATCHES).mean(0).tolist()


def lines_of(table: pd.DataFrame) -> tuple[list[str], bool]:
    """A line a level, and whether the differences are within the margin at all of them."""
    lines, within = [], True
    for truth_nats, of_level in table.groupby("truth_nats"):
        mean, low, high = paired_interval(of_level["bfloat16_nats"], of_level["float32_nats"])
        within &= max(-low, high) < MARGIN_NATS
        lines.append(
            f"{truth_nats:5.1f} nats: float32 reads {of_level['float32_nats'].mean():.4f}; bfloat16 products "
            f"{mean:+.4f} ({low:+.4f} .. {high:+.4f}) more, {len(of_level)} pairs"
        )
    return lines, within


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.bfloat16_products", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, help=f"the table (default: {TABLE}; with --tiny, none)")
    parser.add_argument("--steps", type=int, default=2000, help="of each training (default: %(default)s)")
    parser.add_argument("--seeds", type=int, default=6, help="pairs a level (default: %(default)s)")
    parser.add_argument("--tiny", action="store_true", help="two steps: to test the code")
    options = parser.parse_args(arguments)
    steps, n_seeds = (2, 2) if options.tiny else (options.steps, options.seeds)
    table = pd.DataFrame([row for truth in LEVELS_NATS for row in rows(truth, range(n_seeds), steps)])
    lines, within = lines_of(table)
    print("\n".join(lines))
    if out := options.out or (None if options.tiny else TABLE):
        _tables.write(out, table)
    return int(not within)


if __name__ == "__main__":
    sys.exit(main())

"""Values beside other packages' on the same data: tables, classes beside numbers, neighbours, and given a third side.

    python -m benchmarks.values

Ours beside scikit-learn and npeet-plus, NPEET's code on the package index, in an environment of their own. Tables of
counts agree to 1e-12; neighbours of continuous columns to 1e-5, since both peers add noise of 1e-10. Where a peer means
something else, its value stands there unjudged, and the row says what: npeet-plus takes a difference of entropies for
classes beside numbers, and both see repeated numbers as they are, where ours are spread. Peers clip at 0 or take the
absolute value: a value of ours below 0 is set beside theirs as they would show it. Writes
`results/benchmarks/values.csv`, a row a case and peer. Exit codes: 0 all agree, 1 one does not, 2 no peer could be run.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks import _environment, _tables
from mibounds.estimators import estimate

PINNED = False  # values, no times: once is enough
TABLE = _tables.path_of("values")
CHILD = Path(__file__).with_name("_values_peers.py")
PEERS = ("scikit-learn", "npeet-plus")
TO_ROUNDING_NATS, WITH_NOISE_NATS = 1e-12, 1e-5

# By definition: how ours is asked for.
METHODS: dict[str, dict[str, Any]] = {
    "table": {"method": "discrete", "correction": "none"},
    "table_given": {"method": "discrete", "correction": "none"},
    "classes": {"method": "ross"},
    "neighbours": {"method": "ksg"},
    "neighbours_given": {"method": "ksg"},
}
CLIPPED = {"scikit-learn": lambda nats: max(nats, 0.0), "npeet-plus": lambda nats: nats}


@dataclass(frozen=True)
class Case:
    """Sides of a definition, `n` each."""

    definition: str
    data: str
    sides: tuple[np.ndarray, ...]
    repeats: bool = False

    @property
    def name(self) -> str:
        return f"{self.definition}-{self.data.replace(' ', '_')}"

    def ours(self) -> float:
        x, y, *given = self.sides
        return estimate(x, y, given=given[0] if given else None, **self.options()).nats

    def options(self) -> dict[str, Any]:
        """Of ours: repeated numbers among neighbours are for `mixed`."""
        is_mixed = self.repeats and self.definition == "neighbours"
        return {"method": "mixed"} if is_mixed else METHODS[self.definition]

    def note(self, peer: str) -> str:
        """Why a peer's value is another one by definition; empty where it is not."""
        if self.definition == "classes" and peer == "npeet-plus":
            return "another definition: a difference of entropies"
        return "another definition: repeated numbers are not spread" if self.repeats else ""

    def allowed(self) -> float:
        return TO_ROUNDING_NATS if self.definition.startswith("table") else WITH_NOISE_NATS


def cases() -> Iterator[Case]:
    from sklearn.datasets import load_breast_cancer, load_digits

    random = np.random.default_rng(0)
    for n, kinds in ((100, 2), (1000, 10), (1000, 50)):
        x, other, z = random.integers(kinds, size=(3, n))
        y = np.where(random.random(n) < 0.5, x, other)
        yield Case("table", f"{kinds} kinds of {n}", (x, y))
        yield Case("table_given", f"{kinds} kinds of {n}", (x, y, z % 3))
    z, x, y = standardised(random.normal(size=(3, 1000)) + random.normal(size=1000))
    for correlation in (0.0, 0.6, 0.95):
        other = correlation * x + np.sqrt(1 - correlation**2) * random.normal(size=1000)
        yield Case("neighbours", f"correlation {correlation}", (x, standardised(other)))
        yield Case("classes", f"correlation {correlation}", (x, (other > 0).astype(int)))
    yield Case("neighbours_given", "a shared factor", (x, y, z))
    digits, cancer = load_digits(), load_breast_cancer()
    yield Case("table", "digits, pixel 20 and label", (digits.data[:, 20].astype(int), digits.target))
    yield Case("classes", "breast cancer, radius and label", (cancer.data[:, 0], cancer.target), repeats=True)
    yield Case(
        "neighbours",
        "breast cancer, radius and texture",
        tuple(standardised(cancer.data.T[:2])),
        repeats=True,
    )


def standardised(columns: np.ndarray) -> np.ndarray:
    """Rows of unit variance: peers differ in what they scale."""
    return (columns - columns.mean(-1, keepdims=True)) / columns.std(-1, keepdims=True)


def peers_answers(every: Sequence[Case], folder: Path) -> dict[str, Any]:
    """What the peers' own process reads of all cases."""
    with tempfile.TemporaryDirectory() as exchange:
        for case in every:
            np.savez(Path(exchange, f"{case.name}.npz"), **dict(zip("xyz", case.sides, strict=False)))
        command = [str(_environment.python_of(folder)), str(CHILD), exchange]
        done = subprocess.run(command, capture_output=True, text=True, cwd=_environment.ROOT)
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return json.loads(done.stdout)


def rows(every: Sequence[Case], answers: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A row a case and peer."""
    for case in every:
        ours = case.ours()
        for peer in PEERS:
            theirs = answers["nats"].get(f"{case.name}/{peer}")
            if theirs is None:
                continue
            note, apart = case.note(peer), abs(CLIPPED[peer](ours) - theirs)
            yield {
                "definition": case.definition,
                "data": case.data,
                "n": len(case.sides[0]),
                "method": case.options()["method"],
                "estimate_nats": ours,
                "peer": peer,
                "version": answers["versions"][peer],
                "peer_nats": theirs,
                "difference_nats": apart,
                "allowed_nats": np.nan if note else case.allowed(),
                "status": note or ("agrees" if apart <= case.allowed() else "differs"),
            }


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.values", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE, help="the table (default: %(default)s)")
    parser.add_argument(
        "--environment",
        type=Path,
        default=_environment.folder_of("neighbours"),
        help="where the peers are installed (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    if missing := _environment.why_missing("neighbours", options.environment):
        print(f"values: {', '.join(PEERS)} were skipped: {missing}", file=sys.stderr)
        return 2
    every = list(cases())
    table = pd.DataFrame(rows(every, peers_answers(every, options.environment)))
    _tables.write(options.out, table)
    print(table.to_string(index=False, float_format=lambda value: f"{value:.6g}"))
    return int((table["status"] == "differs").any())


if __name__ == "__main__":
    sys.exit(main())

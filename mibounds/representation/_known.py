"""Examples on which a stack is probed, and what is known of them, run by run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mibounds.representation import geometry
from mibounds.representation.probes.folds import Folds
from mibounds.representation.probes.knn import knn_probe
from mibounds.representation.probes.ridge import Ridge
from mibounds.representation.reading import Run, examples_of, stacked
from mibounds.representation.sources import Examples
from mibounds.representation.sources.base import Split

SPLITS: tuple[Split, Split, Split] = ("train", "validation", "test")
Row = dict[str, Any]


@dataclass(frozen=True)
class Sizes:
    """How much data a model is measured on. A finite source with less gives what it has.

    Attributes:
        train, validation, test: examples of the probes; geometry is read on the test ones.
        anchors, pool, blocks: of `held_out_bound`; alignment is read on as many pairs as there are anchors.
    """

    train: int = 2000
    validation: int = 1000
    test: int = 2000
    anchors: int = 1024
    pool: int = 2047
    blocks: int = 1


DEFAULT_SIZES = Sizes()


class Known:
    """Examples of three splits for each run, and what is known of them. Runs that know alike are probed together."""

    def __init__(self, runs: Sequence[Run], sizes: Sizes, device: str | torch.device = "cpu"):
        counts = dict(zip(SPLITS, (sizes.train, sizes.validation, sizes.test), strict=True))
        self.runs = list(runs)
        self._drawn = [examples_of(self.runs, counts[split], split, device) for split in SPLITS]

    def inputs(self) -> Iterator[Tensor]:
        """Clean inputs of each split, `R x n x *shape`."""
        return (stacked([examples.x for examples in of_split]) for of_split in self._drawn)

    def probe(self, rows: list[Row], folds: Folds, *, knn: bool = False, prefix: str = "") -> None:
        """Adds each run's numbers to its row."""
        for which, known, label in self._alike():
            features = folds if len(which) == len(self.runs) else folds.map(lambda fold: fold[which])  # noqa: B023
            found = _probed(features, known, label, knn)
            fill([rows[r] for r in which], {f"{prefix}{name}": values for name, values in found.items()})

    def tolerance(self, rows: list[Row], embeddings: Tensor) -> None:
        """Adds it to the rows of runs with a label."""
        for which, known, label in self._alike():
            if label is not None:
                found = geometry.tolerance(embeddings[which], known[label].test.expand(len(which), -1))
                fill([rows[r] for r in which], {"tolerance": found})

    def _alike(self) -> Iterator[tuple[list[int], dict[str, Folds], str | None]]:
        """Runs, their factors by name (one tensor if they share it), and the label's name."""
        kinds = [
            (_kind(of_run), run.source.label) for of_run, run in zip(self._drawn[0], self.runs, strict=True)
        ]
        for kind in dict.fromkeys(kinds):
            which = [r for r, of_run in enumerate(kinds) if of_run == kind]
            yield which, {name: self._factor(name, which) for name, *_ in kind[0]}, kind[1]

    def _factor(self, name: str, which: Sequence[int]) -> Folds:
        def fold(of_split: list[Examples]) -> Tensor:
            parts = [of_split[r].factors[name] for r in which]
            return parts[0].unsqueeze(0) if all(part is parts[0] for part in parts) else stacked(parts)

        return Folds(*(fold(of_split) for of_split in self._drawn))


def _kind(examples: Examples) -> tuple[tuple[str, tuple[int, ...], bool], ...]:
    return tuple(
        (name, tuple(values.shape[1:]), values.is_floating_point())
        for name, values in examples.factors.items()
    )


def _probed(features: Folds, known: dict[str, Folds], label: str | None, knn: bool) -> dict[str, Tensor]:
    """The linear probe's numbers for each factor, the k-NN probe's for the label."""
    ridge, found = Ridge(features), {}
    if label is not None:
        found["accuracy"] = ridge.classify(known[label]).accuracy
        if knn:
            found["knn_accuracy"] = knn_probe(features, known[label])
    for name, folds in known.items():
        if folds.train.is_floating_point():
            found[f"{name}_r2"] = ridge.regress(folds).r2
        elif name not in (label, "label"):
            found[f"{name}_accuracy"] = ridge.classify(folds).accuracy
    return found


def fill(rows: Sequence[Row], columns: dict[str, Tensor]) -> None:
    for name, values in columns.items():
        for row, value in zip(rows, values.tolist(), strict=True):
            row[name] = value

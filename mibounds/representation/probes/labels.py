"""Few labels: a share of the training rows, drawn class by class."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.errors import ParameterError
from mibounds.seeding import Seed, generator


@dataclass(frozen=True)
class LabelSubset:
    """Rows that keep their label, in order, and what came of the share that was asked for.

    Attributes:
        rows: indices.
        fraction: asked for.
        share: of the rows that came, larger where a class has too few to be divided.
        counts: rows of each class, 0 for one that has none.
    """

    rows: Tensor
    fraction: float
    share: float
    counts: tuple[int, ...]

    def __str__(self) -> str:
        return f"{len(self.rows)} labels ({self.share:.2%}; {min(self.counts)} to {max(self.counts)} a class)"


def label_subset(labels: Tensor, fraction: float, seed: Seed) -> LabelSubset:
    """`fraction` of each class, rounded, and at least one row of each that there is.

    With one seed the rows of a smaller fraction are among those of a larger one, so that fractions are paired.

    Args:
        labels: `n` class indices.
        fraction: 0 < fraction <= 1.

    Raises: ParameterError.

    Example:
        >>> print(label_subset(torch.arange(4).repeat(50), 0.01, seed=0))
        4 labels (2.00%; 1 to 1 a class)
    """
    if not 0 < fraction <= 1:
        raise ParameterError(f"a label fraction lies in 0..1, greater than 0; got {fraction}")
    order = torch.randperm(len(labels), generator=generator(seed)).to(labels.device)
    shuffled = labels[order]
    kept = []
    for label in labels.unique():
        of_class = order[shuffled == label]
        kept.append(of_class[: max(1, round(fraction * len(of_class)))])
    rows = torch.cat(kept).sort().values
    counts = labels[rows].bincount(minlength=int(labels.max()) + 1).tolist()
    return LabelSubset(rows, fraction, len(rows) / len(labels), tuple(counts))

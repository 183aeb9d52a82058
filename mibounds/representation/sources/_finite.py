"""Finite data: labelled rows in disjoint splits, of which a random map makes pairs."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mibounds.errors import DataError, ParameterError
from mibounds.representation.sources.base import Examples, Factor, Pairs, Source, Split
from mibounds.representation.views import View
from mibounds.seeding import Seed, generator, seed_of


class Finite(Source):
    """Views of a pair are two independent draws of `view` on one row; their MI is unknown.

    Training goes through shuffled epochs without replacement and leaves out the ragged end of each. Inputs stay as they
    came, bytes as bytes, on each device that asked for them; a batch is numbers in [0, 1].

    Args:
        splits: inputs `n x *shape`, bytes or floats, and labels `n` a split; "train" must be among them.
        view: the random map.
        n_classes: labels lie in 0..n_classes - 1.

    Raises: DataError.
    """

    def __init__(self, splits: Mapping[Split, tuple[Tensor, Tensor]], view: View, n_classes: int):
        _require_fit(splits, n_classes)
        self._on: dict[torch.device, dict[Split, tuple[Tensor, Tensor]]] = {
            torch.device("cpu"): {split: (x, labels.long()) for split, (x, labels) in splits.items()}
        }
        self.view = view
        self.shape = tuple(splits["train"][0].shape[1:])
        self.factors = {"label": Factor(n_classes=n_classes)}
        self.n_train = len(splits["train"][0])

    def pairs(
        self, n: int, seed: Seed, *, device: str | torch.device = "cpu", split: Split = "test"
    ) -> Pairs:
        source = generator(seed, device)
        return self._views(split, self._draw(n, split, source), source)

    def examples(
        self, n: int | None, seed: Seed, *, device: str | torch.device = "cpu", split: Split = "test"
    ) -> Examples:
        if n is None:
            x, labels = self._held(split, torch.device(device))
            return Examples(_floats(x), {"label": labels})
        source = generator(seed, device)
        x, labels = self._rows(split, self._draw(n, split, source), source.device)
        return Examples(x, {"label": labels})

    def training_block(
        self, block: int, batch_size: int, seed: int, device: str | torch.device = "cpu"
    ) -> Pairs:
        n = self._count("train")
        if batch_size > n:
            raise DataError(f"{self.name} has {n} training examples; a batch of {batch_size} takes more")
        epoch, batch = divmod(block, n // batch_size)
        order = torch.randperm(n, generator=generator(seed_of(seed, "epoch", epoch)))
        rows = order[batch * batch_size : (batch + 1) * batch_size]
        return self._views("train", rows, generator(seed_of(seed, "views", block), device))

    def _draw(self, n: int, split: Split, source: torch.Generator) -> Tensor:
        there = self._count(split)
        if n < 1:
            raise ParameterError(f"n must be at least 1; got {n}")
        if n > there:
            raise DataError(f"{self.name} has {there} examples for {split}; got a request for {n}")
        return torch.randperm(there, generator=source, device=source.device)[:n]

    def _views(self, split: Split, rows: Tensor, source: torch.Generator) -> Pairs:
        x, labels = self._rows(split, rows, source.device)
        return Pairs(self.view(x, source), self.view(x, source), {"label": labels})

    def _rows(self, split: Split, rows: Tensor, device: torch.device) -> tuple[Tensor, Tensor]:
        x, labels = self._held(split, device)
        rows = rows.to(device)
        return _floats(x[rows]), labels[rows]

    def _count(self, split: Split) -> int:
        return len(self._held(split, torch.device("cpu"))[1])

    def _held(self, split: Split, device: torch.device) -> tuple[Tensor, Tensor]:
        """A split on a device, moved there once."""
        on_cpu, here = self._on[torch.device("cpu")], self._on.setdefault(device, {})
        if split not in on_cpu:
            raise DataError(f"{self.name} has no {split} split; it has {', '.join(on_cpu)}")
        if split not in here:
            x, labels = on_cpu[split]
            here[split] = x.to(device), labels.to(device)
        return here[split]


def stratified(labels: Tensor, shares: Mapping[Split, float], seed: int) -> dict[Split, Tensor]:
    """Rows of each split, disjoint and in order; every class is divided by `shares`, which sum to 1, as near as it can.

    Example:
        >>> rows = stratified(torch.arange(2).repeat(10), {"train": 0.8, "test": 0.2}, seed=0)
        >>> len(rows["train"]), len(rows["test"])
        (16, 4)
    """
    source = generator(seed_of("split", seed))
    found: dict[Split, list[Tensor]] = {split: [] for split in shares}
    for label in labels.unique():
        rows = (labels == label).nonzero().squeeze(1)
        rows = rows[torch.randperm(len(rows), generator=source)]
        ends = (
            torch.tensor(list(shares.values()), dtype=torch.float64).cumsum(0).mul(len(rows)).round().long()
        )
        for split, part in zip(shares, rows.tensor_split(ends[:-1]), strict=True):
            found[split].append(part)
    return {split: torch.cat(parts).sort().values for split, parts in found.items()}


def _floats(x: Tensor) -> Tensor:
    return x.float() / 255 if x.dtype == torch.uint8 else x


def _require_fit(splits: Mapping[Split, tuple[Tensor, Tensor]], n_classes: int) -> None:
    if "train" not in splits:
        raise DataError(f"expected a train split; got {', '.join(splits) or 'none'}")
    shape = splits["train"][0].shape[1:]
    for split, (x, labels) in splits.items():
        if len(x) == 0 or len(x) != len(labels) or x.shape[1:] != shape:
            raise DataError(
                f"expected inputs n x {' x '.join(map(str, shape))} and n labels for {split}, n at least 1; "
                f"got {tuple(x.shape)} and {tuple(labels.shape)}"
            )
        if labels.min() < 0 or labels.max() >= n_classes:
            raise DataError(
                f"labels of {split} must lie in 0..{n_classes - 1}; got {labels.min()}..{labels.max()}"
            )

"""Small made images, so that a source whose data lie elsewhere has an example without them."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from mibounds.representation.sources.base import Split
from mibounds.seeding import generator, seed_of


def toy_splits(counts: Mapping[Split, int], size: int, n_classes: int) -> dict[Split, tuple[Tensor, Tensor]]:
    """A coarse random picture for each class, under noise: bytes `n x 3 x size x size` and labels `n` a split."""
    source = generator(seed_of("toy images"))
    coarse = torch.rand(n_classes, 3, 4, 4, generator=source)
    pictures = interpolate(coarse, (size, size), mode="bilinear")
    made: dict[Split, tuple[Tensor, Tensor]] = {}
    for split, n in counts.items():
        labels = torch.arange(n) % n_classes
        noise = torch.rand(n, 3, size, size, generator=source)
        made[split] = ((127 * (pictures[labels] + noise)).to(torch.uint8), labels)
    return made

"""The control that a bound must read as nothing: each view beside another thing's second view."""

from __future__ import annotations

import torch
from torch import Tensor

from mibounds.representation.sources.base import Examples, Pairs, Source, Split
from mibounds.seeding import Seed


class Shuffled(Source):
    """A source whose pairs are broken: view a of one thing, view b of the next. Its MI is 0.

    Args:
        source: whose marginals, clean inputs and factors stay as they are.
    """

    name = "shuffled"

    def __init__(self, source: Source):
        self.source = source
        self.shape, self.factors, self.label = source.shape, source.factors, source.label
        self.mutual_information, self.n_train = 0.0, source.n_train

    @classmethod
    def example(cls) -> Shuffled:
        from mibounds.representation.sources.vmf import VMF

        return cls(VMF.example())

    def pairs(
        self, n: int, seed: Seed, *, device: str | torch.device = "cpu", split: Split = "test"
    ) -> Pairs:
        intact = self.source.pairs(n, seed, device=device, split=split)
        return intact._replace(view_b=intact.view_b.roll(1, 0))

    def examples(
        self, n: int | None, seed: Seed, *, device: str | torch.device = "cpu", split: Split = "test"
    ) -> Examples:
        return self.source.examples(n, seed, device=device, split=split)

    def log_density_ratio_matrix(self, view_a: Tensor, view_b: Tensor) -> Tensor | None:
        return view_a.new_zeros(*view_a.shape[: -len(self.shape)], view_b.shape[-len(self.shape) - 1])

"""What estimators share that learn ln q(y|x) by a mixture density network."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.estimators._folds import equal_blocks
from mibounds.estimators._held_out import Pairs
from mibounds.estimators._mixture_density import MixtureDensity
from mibounds.estimators._training import Model, Trained

LARGEST_BLOCK = 2048


@dataclass(frozen=True, kw_only=True)
class Conditional(Trained):
    """Base of estimators that learn ln q(y|x).

    Args:
        n_components: Gaussians in the mixture that y is drawn from, given x.
        hidden: widths of the hidden layers of the network that says which.
    """

    n_components: int = 8
    hidden: tuple[int, ...] = (64, 64)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_counts(n_components=1)
        self.require_widths("hidden")

    def model(self, x: Tensor, y: Tensor, seed: int) -> Model:
        return ConditionalModel(x, y, self.n_components, self.hidden, seed)


class ConditionalModel(Model):
    """ln q(y|x), trained by likelihood."""

    def __init__(self, x: Tensor, y: Tensor, n_components: int, hidden: tuple[int, ...], seed: int):
        super().__init__()
        self.conditional = MixtureDensity(x, y, n_components, hidden, seed)

    def losses(self, x: Tensor, y: Tensor, source: torch.Generator) -> dict[str, Tensor]:
        return {"conditional": -self.conditional(x, y)}


@torch.no_grad()
def report_scores(model: Model, pairs: Pairs) -> list[Tensor]:
    """scores[i, j] = ln q(y_j|x_i) of the report fold, in equal blocks of pairs; float64."""
    x, y = pairs.report
    density = model.get_submodule("conditional")
    assert isinstance(density, MixtureDensity)
    return [density.matrix(x[rows], y[rows]).double() for rows in equal_blocks(len(x), LARGEST_BLOCK)]

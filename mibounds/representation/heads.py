"""What stands behind an encoder while it trains: projectors, and the predictors of methods without negatives."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from mibounds.errors import ParameterError
from mibounds.representation.batch_norm import Norm, norm
from mibounds.stacked import StackedLinear


class Projector(nn.Sequential):
    """`R x n x dim_in` -> embeddings `R x n x dim`: affine maps with batch norm, if asked for, and ReLU between them.

    Args:
        dim_in: of the representations.
        dim: of the embeddings.
        generators: one a run.
        layers: affine maps, 0 to 3; with none, the representation is the embedding.
        hidden: width between them.
        norm: of the hidden layers, "none" or "batch".

    Raises: ParameterError.
    """

    def __init__(
        self,
        dim_in: int,
        dim: int | None,
        generators: Sequence[torch.Generator],
        *,
        layers: int = 2,
        hidden: int = 128,
        norm: Norm = "none",
    ):
        if not 0 <= layers <= 3:
            raise ParameterError(f"a projector has 0 to 3 layers; got {layers}")
        if layers == 0 and dim not in (None, dim_in):
            raise ParameterError(
                f"without a layer the embedding has the representation's {dim_in} dimensions; got {dim}"
            )
        self.dim = dim_in if dim is None else dim
        widths = [dim_in, *[hidden] * (layers - 1), self.dim][: layers + 1]
        super().__init__(*_affine_maps(widths, generators, norm))


class Predictor(nn.Sequential):
    """`R x n x dim` -> `R x n x dim`: what guesses one view's embedding from the other's (BYOL, SimSiam)."""

    def __init__(
        self, dim: int, generators: Sequence[torch.Generator], *, hidden: int = 128, norm: Norm = "batch"
    ):
        super().__init__(*_affine_maps([dim, hidden, dim], generators, norm))


def _affine_maps(widths: Sequence[int], generators: Sequence[torch.Generator], kind: Norm) -> list[nn.Module]:
    modules: list[nn.Module] = []
    for i in range(len(widths) - 1):
        if i > 0:
            modules += [*norm(kind, widths[i], len(generators)), nn.ReLU()]
        modules.append(StackedLinear(widths[i], widths[i + 1], generators))
    return modules

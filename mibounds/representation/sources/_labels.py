"""Class labels of continuous latents: the cells of random directions."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mibounds.errors import ParameterError
from mibounds.representation.sources.base import Factor
from mibounds.seeding import generator


class DirectionLabels:
    """The class of z is the one of `n_classes` random directions that is nearest to it.

    Args:
        dim: of the latents. On a line there are two directions.
        n_classes: 0 for no label.
        seed: of the directions.
        name: of the factor.
        shared: whether both views carry what the label is read from.

    Raises: ParameterError.
    """

    def __init__(self, dim: int, n_classes: int, *, seed: int, name: str = "label", shared: bool = True):
        if n_classes < 0 or n_classes == 1:
            raise ParameterError(f"n_classes must be 0, for no label, or at least 2; got {n_classes}")
        if dim == 1 and n_classes > 2:
            raise ParameterError(
                f"n_classes must be 0 or 2 on a line, which has two directions; got {n_classes}"
            )
        normal = torch.randn(n_classes, dim, generator=generator(seed), dtype=torch.float64)
        line = torch.tensor([[-1.0], [1.0]])[:n_classes]
        self._directions = line if dim == 1 else normalize(normal, dim=-1).float()
        self._name = name if n_classes else None
        self.factors = {name: Factor(n_classes=n_classes, shared=shared)} if n_classes else {}

    @property
    def name(self) -> str | None:
        """The factor's, or None where there is no label."""
        return self._name

    def known(self, z: Tensor) -> dict[str, Tensor]:
        """The label of each row by the factor's name: `n x dim` -> `n`; nothing where there is none."""
        return {self._name: (z @ self._directions.T.to(z)).argmax(-1)} if self._name else {}

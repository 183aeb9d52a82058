"""Invertible encoder: holds the mutual information of its inputs constant, whatever its weights."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mibounds.errors import ParameterError, ShapeError
from mibounds.representation.encoders.base import Encoder
from mibounds.stacked import StackedMLP


class Invertible(Encoder):
    """Coupling layers in turn: one half h of the entries moves the other, y = x e^s(h) + t(h), and stays itself.

    A bijection of R^dim, so I(f(x); f(x')) = I(x; x') at every step of a training. s is a tanh, so that no layer
    stretches by more than e.

    Args:
        shape: of one input, flattened; at least two numbers.
        generators: one a run.
        depth: coupling layers; at least 2, so that every entry is moved.
        hidden: widths of the networks s and t.
        scaled: False for s = 0, which keeps volume.

    Raises: ParameterError.

    References: Dinh et al. 2017, arXiv:1605.08803, eqs. 7, 8; as an encoder, Tschannen et al. 2020, arXiv:1907.13625.

    Example:
        >>> import torch
        >>> encoder = Invertible((3,), [torch.Generator().manual_seed(0)])
        >>> x = torch.ones(1, 2, 3)
        >>> torch.allclose(encoder.inverse(encoder(x)), x, atol=1e-5)
        True
    """

    name = "invertible"

    def __init__(
        self,
        shape: Sequence[int],
        generators: Sequence[torch.Generator],
        *,
        depth: int = 6,
        hidden: Sequence[int] = (128,),
        scaled: bool = True,
    ):
        super().__init__(shape, len(generators))
        self.dim = math.prod(self.shape)
        if self.dim < 2 or depth < 2:
            raise ParameterError(
                f"an invertible encoder has 2 dimensions and 2 layers or more; got {self.dim} and {depth}"
            )
        self.couplings = nn.ModuleList(
            _Coupling(self.dim, i % 2 == 1, hidden, scaled, generators) for i in range(depth)
        )

    def layers(self, x: Tensor) -> dict[str, Tensor]:
        x, found = x.flatten(2), {}
        for i, coupling in enumerate(self.couplings):
            found[f"layer_{i + 1}"] = x = coupling(x)
        return found

    def inverse(self, h: Tensor) -> Tensor:
        """`R x n x dim` -> the inputs, `R x n x *shape`. Raises: ShapeError."""
        if h.ndim != 3 or (h.shape[0], h.shape[2]) != (self.n_runs, self.dim):
            raise ShapeError(f"expected {self.n_runs} x n x {self.dim}; got {tuple(h.shape)}")
        for coupling in reversed(self.couplings):
            h = coupling(h, inverse=True)
        return h.unflatten(2, self.shape)


class _Coupling(nn.Module):
    """Entries at even places move those at odd ones, or the other way round."""

    def __init__(
        self,
        dim: int,
        odd_moves: bool,
        hidden: Sequence[int],
        scaled: bool,
        generators: Sequence[torch.Generator],
    ):
        super().__init__()
        self.still, self.moved = (slice(1, None, 2), slice(0, None, 2))[:: 1 if odd_moves else -1]
        n_still, n_moved = (len(range(dim)[part]) for part in (self.still, self.moved))
        self.scaled = scaled
        self.network = StackedMLP(n_still, hidden, (2 if scaled else 1) * n_moved, generators)

    def forward(self, x: Tensor, inverse: bool = False) -> Tensor:
        scale, move = self._of(x)
        moved, joined = x[..., self.moved], x.clone()
        joined[..., self.moved] = (moved - move) * (-scale).exp() if inverse else moved * scale.exp() + move
        return joined

    def _of(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """s and t, from the entries that stay."""
        out = self.network(x[..., self.still])
        if not self.scaled:
            return torch.zeros_like(out), out
        scale, move = out.chunk(2, dim=-1)
        return scale.tanh(), move

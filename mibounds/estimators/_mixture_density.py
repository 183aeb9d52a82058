"""A mixture of Gaussians whose weights, centres and scales a network gives: q(y|x)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mibounds.seeding import generator
from mibounds.stacked import StackedLinear, StackedMLP

PAIRS_AT_ONCE = 2**22  # numbers in an intermediate result of the matrix


class MixtureDensity(nn.Module):
    """ln q(y|x) = ln sum_k w_k(x) N( y - B x; m_k(x), S_k(x) ), S_k^-1 = L_k^T diag(e^(2 s_k(x))) L_k.

    B is the least-squares fit to the training fold, L_k is lower triangular with ones on its diagonal and does not
    depend on x. The log-scales s are what the network says: no tanh or clamp keeps a variance from being as small as
    the data want it. Of x without columns it is a mixture for y alone.

    Args:
        x, y: the training fold, `n x dim_x`, `n x dim_y`.
        n_components: K.
        hidden: widths of the network's hidden layers.
        seed: of its weights.
    """

    slope: Tensor

    def __init__(self, x: Tensor, y: Tensor, n_components: int, hidden: Sequence[int], seed: int):
        super().__init__()
        dim_x, dim_y, source = x.shape[1], y.shape[1], generator(seed)
        self.n_components, self.dim_y = n_components, dim_y
        self.register_buffer("slope", least_squares(x, y))
        n_outputs = n_components * (1 + 2 * dim_y)
        self.network = _silent(StackedMLP(dim_x, hidden, n_outputs, [source])) if dim_x else None
        self.centres = nn.Parameter(0.5 * torch.randn(n_components, dim_y, generator=source))
        self.others = nn.Parameter(torch.zeros(n_components, 1 + dim_y))
        self.mixing = nn.Parameter(torch.zeros(n_components, dim_y, dim_y))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """ln q(y|x) of pairs: `n x dim_x`, `n x dim_y` -> `n`."""
        return self._log_density(self._components(x), y)

    def matrix(self, x: Tensor, y: Tensor) -> Tensor:
        """ln q(y_j|x_i): `n x dim_x`, `m x dim_y` -> `n x m`, some rows at a time."""
        rows = max(1, PAIRS_AT_ONCE // (len(y) * self.n_components * self.dim_y))
        parts = [[p.unsqueeze(1) for p in self._components(part)] for part in x.split(rows)]
        return torch.cat([self._log_density(part, y) for part in parts])

    def _components(self, x: Tensor) -> list[Tensor]:
        """Log-weights `n x K`, centres `n x K x dim_y`, log-scales `n x K x dim_y`."""
        shift = (x @ self.slope).unsqueeze(1)
        raw = torch.cat([self.centres, self.others], dim=1).expand(len(x), -1, -1)
        if self.network is not None:
            raw = raw + self.network(x[None])[0].view(raw.shape)
        centres, log_scales, logits = raw.split([self.dim_y, self.dim_y, 1], dim=-1)
        return [logits.squeeze(-1).log_softmax(-1), centres + shift, log_scales]

    def _log_density(self, parameters: Sequence[Tensor], y: Tensor) -> Tensor:
        log_weights, centres, log_scales = parameters
        mixing = torch.eye(self.dim_y, device=y.device) + self.mixing.tril(-1)
        # L (y - m) as L y - L m, so that a matrix of pairs needs no product for each of them.
        of_y, of_centres = (torch.einsum("ked,...kd->...ke", mixing, v) for v in (y.unsqueeze(-2), centres))
        distances = ((of_y - of_centres) * log_scales.exp()).square().sum(-1)
        log_normal = log_scales.sum(-1) - distances / 2 - self.dim_y * math.log(2 * math.pi) / 2
        return torch.logsumexp(log_weights + log_normal, dim=-1)


def _silent(network: StackedMLP) -> StackedMLP:
    """The network with zeros in its last layer: training starts where x tells nothing beyond the regression."""
    last = network[-1]
    assert isinstance(last, StackedLinear)
    with torch.no_grad():
        last.weight.zero_()
    return network


def least_squares(x: Tensor, y: Tensor) -> Tensor:
    """B of the regression of y on x, `dim_x x dim_y`, by a ridge of a row a column: a shift, which no density minds."""
    wide = x.double()
    gram = wide.T @ wide + torch.eye(x.shape[1], dtype=wide.dtype, device=x.device)
    return torch.linalg.solve(gram, wide.T @ y.double()).to(x)

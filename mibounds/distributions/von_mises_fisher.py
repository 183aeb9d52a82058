"""Von Mises-Fisher pairs: two directions on the sphere, the second scattered around the first."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mibounds import theory
from mibounds.distributions._chi_squared import chi_squared
from mibounds.distributions.base import Distribution


class VonMisesFisher(Distribution):
    """x uniform on the sphere S^(dim-1), y ~ vMF(x, kappa), with density proportional to e^(kappa x.y).

        I = kappa A_dim(kappa) - ln E e^(kappa s),        ln r(x, y) = kappa x.y - ln E e^(kappa s),

    s the cosine of independent directions, A_dim(kappa) the mean of x.y. The optimal critic is a cosine over
    the temperature 1/kappa, as contrastive learners have it.

    Args:
        dim: the dimension of the space around the sphere, >= 2.
        kappa: concentration >= 0; 0 makes x and y independent.

    Raises: ParameterError.

    References: Mardia and Jupp 2000, section 9.3; Wood 1994 (sampler); Zimmermann et al. 2021 (views).

    Example:
        >>> round(VonMisesFisher(10, kappa=20).mutual_information, 2)
        4.76
    """

    def __init__(self, dim: int, kappa: float):
        self.mutual_information = theory.vmf_mutual_information(dim, kappa)
        self.dim_x = self.dim_y = dim
        self.kappa = float(kappa)
        self._log_partition = theory.vmf_log_partition(dim, kappa)

    @classmethod
    def from_mutual_information(cls, dim: int, mutual_information: float) -> VonMisesFisher:
        """The law of `mutual_information` nats, kappa found by root search."""
        return cls(dim, theory.vmf_concentration(dim, mutual_information))

    @classmethod
    def example(cls) -> VonMisesFisher:
        return cls(4, kappa=5.0)

    def draw(self, n: int, generator: torch.Generator, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        x = normalize(_normal(n, self.dim_x, generator), dim=-1)
        cosine = self._draw_cosine(n, generator)
        noise = _normal(n, self.dim_x, generator)
        tangent = normalize(noise - (noise * x).sum(-1, keepdim=True) * x, dim=-1)
        y = cosine * x + (1 - cosine**2).clamp(min=0).sqrt() * tangent
        return x.to(dtype), y.to(dtype)

    def _draw_cosine(self, n: int, generator: torch.Generator) -> Tensor:
        """`n x 1` draws of x.y by Wood's rejection; whatever was rejected is proposed again, together."""
        m = self.dim_x - 1
        b = m / (2 * self.kappa + math.hypot(2 * self.kappa, m))
        center = (1 - b) / (1 + b)
        log_envelope = self.kappa * center + m * math.log1p(-(center**2))
        cosine = torch.empty(n, 1, dtype=torch.float64, device=generator.device)
        pending = torch.arange(n, device=generator.device)
        while len(pending):
            # t, a coordinate of a uniform direction, makes (1 + t)/2 the envelope's symmetric beta variable
            first, others = _normal(len(pending), 1, generator), chi_squared(len(pending), m, generator)
            z = (1 + first / (first**2 + others).sqrt()) / 2
            proposed = (1 - (1 + b) * z) / (1 - (1 - b) * z)
            log_accept = self.kappa * proposed + m * torch.log1p(-center * proposed) - log_envelope
            uniform = torch.rand(z.shape, generator=generator, dtype=z.dtype, device=z.device)
            accepted = (uniform.log() <= log_accept).squeeze(-1)
            cosine[pending[accepted]] = proposed[accepted]
            pending = pending[~accepted]
        return cosine

    def log_density_ratio(self, x: Tensor, y: Tensor) -> Tensor:
        return self.kappa * (x * y).sum(-1) - self._log_partition

    def log_density_ratio_matrix(self, x: Tensor, y: Tensor) -> Tensor:
        return self.kappa * (x @ y.mT) - self._log_partition


def _normal(n: int, dim: int, generator: torch.Generator) -> Tensor:
    return torch.randn(n, dim, generator=generator, dtype=torch.float64, device=generator.device)

"""Latent classes: positives of one class or of one instance, and negatives that are false at a known rate."""

from __future__ import annotations

import math
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mibounds import theory
from mibounds.errors import ParameterError, UnknownNameError
from mibounds.representation.sources._latents import LatentSource, normal
from mibounds.representation.sources.base import Factor, Pairs
from mibounds.seeding import generator, seed_of

Positives = Literal["class", "instance"]
PAIRS_AT_ONCE = 2**22  # pairs times classes held in memory by the density ratio: 32 MiB


class Classes(LatentSource):
    """z = m_c + noise e, z' = m_c + noise e': C classes alike in size around means on a sphere, e and e' normal.

        "class":    e and e' independent, two members of one class,
        "instance": e and e' correlated by rho in each dimension, two looks at one member,
        r(z, z') = sum_c p(c) p(z, z' | c) / ( p(z) p(z') ).

    The density ratio is exact; the MI has no closed form and stays None, with `information_ceiling` above it, which it
    reaches as the classes part (`separation` grows). A negative has its anchor's class with chance 1/C, and so it is
    false where classes are what counts. A clean input is a fresh member of its class, as a view is.

    Args:
        n_classes: C.
        dim: of the latents and of the views.
        noise: spread of a class in each dimension; the means lie sqrt(dim) off the origin.
        positives: "class" or "instance".
        instance_correlation: rho in [0, 1), of two looks at one instance.
        depth: hidden layers of the mixing g; 0 shows the latents themselves.
        seed: of the means and of g.

    Attributes:
        false_negative_rate: 1/C.
        information_ceiling: I <= ln C - (dim/2) ln(1 - rho^2) nats, what the classes and the instances tell
            together; rho is 0 for "class".
        separation: the least distance between two means, in units of `noise`.

    Raises: ParameterError, UnknownNameError.

    References: Arora et al. 2019, arXiv:1902.09229 (latent classes); Chuang et al. 2020, arXiv:2007.00224.

    Example:
        >>> source = Classes(10)
        >>> source.false_negative_rate, round(source.false_negative_chance(16), 3)
        (0.1, 0.815)
    """

    name = "classes"

    def __init__(
        self,
        n_classes: int = 10,
        dim: int = 8,
        *,
        noise: float = 0.3,
        positives: Positives = "class",
        instance_correlation: float = 0.9,
        depth: int = 2,
        seed: int = 0,
    ):
        if n_classes < 2 or dim < 2:
            raise ParameterError(
                f"expected 2 classes or more in 2 dimensions or more; got {n_classes} in {dim}"
            )
        if not 0 < noise < math.inf:
            raise ParameterError(f"noise must be greater than 0 and finite; got {noise}")
        if positives not in get_args(Positives):
            raise UnknownNameError("positives", positives, get_args(Positives))
        if not 0 <= instance_correlation < 1:
            raise ParameterError(f"instance_correlation must lie in [0, 1); got {instance_correlation}")
        super().__init__(dim, depth, seed)
        self.n_classes, self.dim, self.noise, self.positives = n_classes, dim, float(noise), positives
        self.correlation = float(instance_correlation) if positives == "instance" else 0.0
        self._means = _parted_directions(n_classes, dim, seed_of("means", seed)) * math.sqrt(dim)
        self.separation = float(torch.pdist(self._means).min()) / noise
        self.false_negative_rate = 1 / n_classes
        self._of_instances = theory.gaussian_mutual_information(dim, self.correlation)
        self.information_ceiling = math.log(n_classes) + self._of_instances
        self.factors = {
            "label": Factor(n_classes=n_classes),
            "latent": Factor(dim),
            "deviation": Factor(dim, shared=self.correlation > 0),
        }

    @classmethod
    def example(cls) -> Classes:
        return cls(4, 3, noise=0.5, positives="instance", instance_correlation=0.5)

    def false_negative_chance(self, n_negatives: int) -> float:
        """1 - (1 - 1/C)^n: the chance that one of n negatives or more has the anchor's class."""
        if n_negatives < 0:
            raise ParameterError(f"n_negatives must be at least 0; got {n_negatives}")
        return -math.expm1(n_negatives * math.log1p(-self.false_negative_rate))

    def log_posterior(self, view: Tensor) -> Tensor:
        """ln p(c | view), what the best classifier says: `... x n x dim` -> `... x n x C`."""
        return torch.log_softmax(self._log_likelihood(self._latents_of(view.double())), -1).to(view)

    def draw_latents(self, n: int, generator: torch.Generator) -> Pairs:
        device = generator.device
        label = torch.randint(self.n_classes, (n,), generator=generator, device=device)
        deviation, fresh = normal(n, self.dim, generator), normal(n, self.dim, generator)
        other = self.correlation * deviation + math.sqrt(1 - self.correlation**2) * fresh
        mean = self._means.to(deviation)[label]
        z = mean + self.noise * deviation
        return Pairs(z, mean + self.noise * other, {"label": label, "latent": z, "deviation": deviation})

    def ratio_of_latents(self, z_a: Tensor, z_b: Tensor) -> Tensor:
        """With z, m in units of noise, b = rho / (1 - rho^2) and p(z, z'|c) multiplied out,

            ln p(z, z'|c) = I_rho + b z.z' + h_c(z) + h_c(z'),
            h_c(z) = -|z - m_c|^2 / (2 (1 - rho^2)) - b z.m_c + b |m_c|^2 / 2,

        up to the constant that p(z) p(z') has too: what depends on c is a sum of one term a side.
        """
        b = self.correlation / (1 - self.correlation**2)
        joint = _log_sum_over_classes(self._half(z_a, b), self._half(z_b, b))
        cross = b / self.noise**2 * (z_a @ z_b.mT)
        alone, alone_too = (torch.logsumexp(self._log_likelihood(z), -1) for z in (z_a, z_b))
        constant = self._of_instances + math.log(self.n_classes)
        return constant + cross + joint - alone.unsqueeze(-1) - alone_too.unsqueeze(-2)

    def _log_likelihood(self, z: Tensor) -> Tensor:
        """ln p(z|c) up to a constant, `... x n x dim` -> `... x n x C`."""
        apart = z.unsqueeze(-2) - self._means.to(z)
        return -(apart**2).sum(-1) / (2 * self.noise**2)

    def _half(self, z: Tensor, b: float) -> Tensor:
        means = self._means.to(z)
        pull = (means**2).sum(-1) / 2 - z @ means.T
        return self._log_likelihood(z) / (1 - self.correlation**2) + b / self.noise**2 * pull


def _log_sum_over_classes(of_a: Tensor, of_b: Tensor) -> Tensor:
    """ln sum_c e^(a_c + b_c) of all pairs, a few rows at a time: `... x n x C`, `... x m x C` -> `... x n x m`."""
    rows = max(1, PAIRS_AT_ONCE // max(1, of_b.numel()))
    return torch.cat(
        [torch.logsumexp(some.unsqueeze(-2) + of_b.unsqueeze(-3), -1) for some in of_a.split(rows, -2)], -2
    )


def _parted_directions(n: int, dim: int, seed: int, n_candidates: int = 32) -> Tensor:
    """`n` unit vectors, each the one of some random candidates that is farthest from those before it."""
    source = generator(seed)
    candidates = normalize(torch.randn(n, n_candidates, dim, generator=source, dtype=torch.float64), dim=-1)
    chosen = candidates[0, :1]
    for some in candidates[1:]:
        farthest = torch.cdist(some, chosen).min(1).values.argmax()
        chosen = torch.cat([chosen, some[farthest].unsqueeze(0)])
    return chosen

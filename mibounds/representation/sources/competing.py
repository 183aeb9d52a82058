"""Easy bits beside a hard factor, both shared: which does an encoder take, when either would lower its loss?"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from mibounds.distributions.gaussian import Gaussian
from mibounds.distributions.maps.random_network import RandomNetwork
from mibounds.errors import ParameterError
from mibounds.representation.sources._labels import DirectionLabels
from mibounds.representation.sources._latents import LatentSource
from mibounds.representation.sources.base import Factor, Pairs
from mibounds.seeding import seed_of


class Competing(LatentSource):
    """Views g(A u, k(h)): u in {-1, +1}^b fair bits, each flipped in u' with chance e; h, h' correlated normal.

        I = I_bits + I_hard = b (ln 2 - H(e)) - (dim/2) ln(1 - rho^2),
        ln r = (b - flips) ln 2(1 - e) + flips ln 2e + ln r_rho(h, h').

    The bits are large and g bends them little, so they are read at once; h is small beside them and seen through the
    network k of its own. The two are independent, so each feature's information is exact and they add. With e = 1/2 the
    bits are still there but private, which is the control. A clean input is a view.

    Args:
        n_bits: b, at least 1.
        hard_dim: of h and of k(h).
        flip: e in [0, 1/2].
        hard_correlation: rho, -1 < rho < 1, in each dimension of h.
        amplitude: A, greater than 0.
        n_classes: of the label, which is read from h: cells of random directions; 0 for none.
        hard_depth: hidden layers of k; 0 for none.
        depth: hidden layers of g, which mixes both; 0 sets them side by side.
        seed: of g, k and the classes' directions.

    Attributes:
        bits_information, hard_information: in nats; their sum is the mutual information.

    Raises: ParameterError.

    References: Chen, Luo and Li 2021, arXiv:2011.02803 (bits that suppress what is harder).

    Example:
        >>> source = Competing(4, flip=0.0)
        >>> round(source.bits_information / math.log(2), 6)
        4.0
    """

    name = "competing"

    def __init__(
        self,
        n_bits: int = 4,
        hard_dim: int = 4,
        *,
        flip: float = 0.02,
        hard_correlation: float = 0.9,
        amplitude: float = 4.0,
        n_classes: int = 10,
        hard_depth: int = 2,
        depth: int = 1,
        seed: int = 0,
    ):
        if n_bits < 1 or hard_dim < 1 or hard_depth < 0:
            raise ParameterError(
                "expected n_bits >= 1 (flip = 0.5 makes them carry nothing), hard_dim >= 1 and hard_depth >= 0; "
                f"got {n_bits}, {hard_dim} and {hard_depth}"
            )
        if not 0 <= flip <= 0.5:
            raise ParameterError(f"flip must lie in [0, 0.5]; got {flip}")
        if not 0 < amplitude < math.inf:
            raise ParameterError(f"amplitude must be greater than 0 and finite; got {amplitude}")
        super().__init__(n_bits + hard_dim, depth, seed)
        self.n_bits, self.hard_dim = n_bits, hard_dim
        self.flip, self.amplitude = float(flip), float(amplitude)
        self._law = Gaussian.from_correlation(hard_dim, hard_correlation)
        self._bend = RandomNetwork(hard_dim, hard_depth, seed=seed_of("hard", seed)) if hard_depth else None
        self.bits_information = n_bits * (math.log(2) - _entropy(flip))
        self.hard_information = self._law.mutual_information
        self.mutual_information = self.bits_information + self.hard_information
        shared = hard_correlation != 0
        self._labels = DirectionLabels(hard_dim, n_classes, seed=seed_of("classes", seed), shared=shared)
        self.label = self._labels.name
        self.factors = {
            "bits": Factor(n_bits, shared=flip < 0.5),
            "hard": Factor(hard_dim, shared=shared),
            **self._labels.factors,
        }

    @classmethod
    def example(cls) -> Competing:
        return cls(2, 2, flip=0.1, hard_correlation=0.6, n_classes=4)

    def draw_latents(self, n: int, generator: torch.Generator) -> Pairs:
        device = generator.device
        bits = 2.0 * torch.randint(2, (n, self.n_bits), generator=generator, device=device) - 1
        flipped = torch.rand(n, self.n_bits, generator=generator, device=device) < self.flip
        hard, other = self._law.sample(n, generator)
        known = {"bits": bits, "hard": hard, **self._labels.known(hard)}
        return Pairs(self._joined(bits, hard), self._joined(torch.where(flipped, -bits, bits), other), known)

    def _joined(self, bits: Tensor, hard: Tensor) -> Tensor:
        return torch.cat([self.amplitude * bits, self._bend.forward(hard) if self._bend else hard], -1)

    def ratio_of_latents(self, z_a: Tensor, z_b: Tensor) -> Tensor:
        (bits, hard), (other_bits, other_hard) = self._parts(z_a), self._parts(z_b)
        flips = (self.n_bits - bits @ other_bits.mT) / 2
        same = (self.n_bits - flips) * math.log1p(-self.flip)
        of_bits = self.n_bits * math.log(2) + same + torch.xlogy(flips, self.flip)
        return of_bits + self._law.log_density_ratio_matrix(hard, other_hard)

    def _parts(self, z: Tensor) -> tuple[Tensor, Tensor]:
        bits, hard = z.split([self.n_bits, self.hard_dim], -1)
        return bits.sign(), self._bend.inverse(hard) if self._bend else hard


def _entropy(chance: float) -> float:
    """H(e) in nats."""
    return -sum(q * math.log(q) for q in (chance, 1 - chance) if q > 0)

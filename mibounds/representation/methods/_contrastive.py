"""What contrastive methods share: embeddings on the sphere, a number of negatives, a temperature, a bias."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn.functional import normalize

from mibounds.errors import ParameterError, ShapeError
from mibounds.representation import distributed
from mibounds.representation.contrast import Arrangement, Contrast, available, contrast, require_negatives
from mibounds.representation.large_contrast import is_large, softmax_loss, softmax_loss_in_ring
from mibounds.representation.methods.base import Method
from mibounds.representation.network import Network
from mibounds.representation.per_run import PerRun, Temperature, per_run
from mibounds.representation.sources import Pairs, Source


class WithNegatives(Method):
    """A loss of each anchor's positive and negatives, scores being cosines.

    Args:
        network, seeds: see Method.
        n_negatives: K - 1 an anchor, one or one a run; None for all that the batch holds.
        repulsion: False takes the negatives away, so that only the positives' scores are raised: a control, which
            collapses.

    Raises: ShapeError, ParameterError; more negatives than the batch holds are refused before the training.
    """

    arrangement: ClassVar[Arrangement] = "two-view"
    prevents_collapse = "the negatives"
    broken = {"repulsion": False}
    collapse = "complete"

    def __init__(
        self,
        network: Network,
        seeds: Sequence[int],
        *,
        n_negatives: int | Sequence[int | None] | None = None,
        repulsion: bool = True,
    ):
        super().__init__(network, seeds)
        self.n_negatives = _counts(n_negatives, self.n_runs)
        self.repulsion = repulsion

    def forward(self, network: Network, pairs: Pairs) -> Tensor:
        return self.loss_of(*self.embeddings(network, pairs))

    def loss_of(self, z_a: Tensor, z_b: Tensor) -> Tensor:
        """The losses, `R`, of embeddings."""
        arranged = self.arranged(z_a, z_b)
        return self.loss(arranged) if self.repulsion else -arranged.positives.mean(-1)

    def require(self, source: Source, batch_size: int) -> None:
        require_negatives(self.n_negatives, self.arrangement, batch_size)

    @abstractmethod
    def loss(self, arranged: Contrast) -> Tensor:
        """The losses, `R`, from the scores of anchors, positives and negatives."""

    def embeddings(self, network: Network, pairs: Pairs) -> tuple[Tensor, Tensor]:
        """Both views' embeddings, of all processes, where scores are taken."""
        z_a, z_b = (
            distributed.gather(self.placed(network(v).embedding)) for v in (pairs.view_a, pairs.view_b)
        )
        return z_a, z_b

    def placed(self, z: Tensor) -> Tensor:
        """Where an embedding lies when scores are taken: on the unit sphere."""
        return normalize(z, dim=-1)

    def arranged(self, z_a: Tensor, z_b: Tensor) -> Contrast:
        """The scores of all anchors."""
        return contrast(z_a, z_b, self.divisor(), self.arrangement, self.n_negatives)

    def divisor(self) -> Tensor | float:
        """What inner products are divided by to be scores."""
        return 1.0

    def value_nats(self, loss: Tensor, batch_size: int) -> Tensor | None:
        return self.reading(loss, batch_size) if self.repulsion else None

    def reading(self, loss: Tensor, batch_size: int) -> Tensor | None:
        """`value_nats` of the unbroken loss."""
        return None

    def n_candidates(self, batch_size: int) -> list[int]:
        """K, the positive included, one a run."""
        return [k + 1 for k in require_negatives(self.n_negatives, self.arrangement, batch_size)]


class Contrastive(WithNegatives):
    """A loss whose scores are cosines over a temperature.

    Args:
        network, seeds: see Method.
        temperature: tau > 0, one or one a run; it has no default.
        learn_temperature: whether tau is trained with the network.
        options: n_negatives, repulsion: see WithNegatives.

    Raises: ShapeError, ParameterError.
    """

    def __init__(
        self,
        network: Network,
        seeds: Sequence[int],
        *,
        temperature: PerRun,
        learn_temperature: bool = False,
        **options: Any,
    ):
        super().__init__(network, seeds, **options)
        self.temperature = Temperature(temperature, self.n_runs, learned=learn_temperature)

    @classmethod
    def example(cls, network: Network, seeds: Sequence[int], **options: Any) -> Method:
        return cls(network, seeds, **({"temperature": 0.2} | options))

    def divisor(self) -> Tensor | float:
        return self.temperature()

    def widest(self) -> list[float]:
        """2/tau a run: how far apart two scores can be, and so a ceiling of whatever a cosine critic says."""
        return (2 / self.temperature()).flatten().tolist()


class WithBias(Contrastive):
    """A loss whose value depends on the scores' level, which cosines cannot reach: scores are s / tau + b.

    b is stored times the first tau, in units of a cosine, so that an optimiser's step moves it as far as cosines.

    Args:
        network, seeds: see Method.
        temperature: tau > 0, one or one a run; it has no default.
        bias: b, or its start where learned, one or one a run; None for -1/tau, so that no score starts above 0.
        learn_bias: whether b is trained with the network.
        options: learn_temperature, n_negatives, repulsion: see Contrastive.

    Raises: ShapeError, ParameterError.
    """

    def __init__(
        self,
        network: Network,
        seeds: Sequence[int],
        *,
        temperature: PerRun,
        bias: PerRun | None = None,
        learn_bias: bool = True,
        **options: Any,
    ):
        super().__init__(network, seeds, temperature=temperature, **options)
        first = self.temperature().detach().squeeze(-1)
        start = [-1 / tau for tau in first.flatten().tolist()] if bias is None else bias
        values = per_run("bias", start, self.n_runs, math.isfinite, "finite")
        self.first: Tensor
        self.register_buffer("first", first.clone())
        self.level = nn.Parameter(torch.tensor(values).unsqueeze(1) * first, requires_grad=learn_bias)

    @property
    def bias(self) -> Tensor:
        """b, `R x 1`."""
        return self.level / self.first

    def arranged(self, z_a: Tensor, z_b: Tensor) -> Contrast:
        return super().arranged(z_a, z_b).shifted(self.bias)


class Softmax(Contrastive):
    """Losses mean_i [ ln sum_j e^(s_ij) - s_i+ ], which need no matrix of scores; a large one is not made.

    Facts: with_positive, whether the positive is among the candidates j.
    """

    with_positive: ClassVar[bool] = True

    def forward(self, network: Network, pairs: Pairs) -> Tensor:
        n = pairs.view_a.shape[1] * distributed.n_processes()
        everyone = all(k in (None, available(self.arrangement, n)) for k in self.n_negatives)
        if distributed.n_processes() == 1 or not (everyone and self._is_large(n)):
            return super().forward(network, pairs)
        z_a, z_b = (self.placed(network(v).embedding) for v in (pairs.view_a, pairs.view_b))
        own = softmax_loss_in_ring(z_a, z_b, self.divisor(), self.arrangement, self.with_positive)
        return distributed.gather(own.unsqueeze(1)).mean(1)

    def loss_of(self, z_a: Tensor, z_b: Tensor) -> Tensor:
        if not self._is_large(z_a.shape[1]):
            return super().loss_of(z_a, z_b)
        return softmax_loss(
            z_a, z_b, self.divisor(), self.arrangement, self.n_negatives, with_positive=self.with_positive
        )

    def _is_large(self, batch_size: int) -> bool:
        return self.repulsion and is_large(self.arrangement, batch_size)


class CrossEntropy(Softmax):
    """Losses -ln softmax of the positive among K candidates, so that ln K - loss is InfoNCE."""

    denominator = "with positive"
    validity: ClassVar[Literal["bound in expectation", "plug-in", "none"]] = "bound in expectation"

    def loss(self, arranged: Contrast) -> Tensor:
        return arranged.cross_entropy.mean(-1)

    def reading(self, loss: Tensor, batch_size: int) -> Tensor | None:
        return loss.new_tensor(self.ceiling(batch_size)) - loss

    def ceiling(self, batch_size: int) -> list[float]:
        return [math.log(k) for k in self.n_candidates(batch_size)]


def _counts(n_negatives: int | Sequence[int | None] | None, n_runs: int) -> list[int | None]:
    counts = (
        [n_negatives] * n_runs if n_negatives is None or isinstance(n_negatives, int) else list(n_negatives)
    )
    if len(counts) != n_runs:
        raise ShapeError(f"expected one n_negatives, or {n_runs}, one a run; got {len(counts)}")
    for k in counts:
        if k is not None and k < 1:
            raise ParameterError(f"n_negatives must be at least 1, or None for all; got {k}")
    return counts

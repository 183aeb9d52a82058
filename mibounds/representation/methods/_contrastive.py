"""What contrastive methods share: unit embeddings, a temperature, a number of negatives."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mibounds.representation import distributed
from mibounds.representation.contrast import Arrangement, Contrast, contrast, require_negatives
from mibounds.representation.methods.base import Method
from mibounds.representation.network import Network
from mibounds.representation.per_run import PerRun, Temperature
from mibounds.representation.sources import Pairs


class Contrastive(Method):
    """A loss of each anchor's positive and negatives, scores being cosines over a temperature.

    Args:
        network, seeds: see Method.
        temperature: tau > 0, one or one a run; it has no default.
        n_negatives: K - 1 an anchor, one or one a run; None for all that the batch holds.
        learn_temperature: whether tau is trained with the network.
        repulsion: False takes the negatives away, so that only the positives' scores are raised: a control, which
            collapses.

    Raises: ParameterError; more negatives than the batch holds are refused at the first batch.
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
        temperature: PerRun,
        n_negatives: int | Sequence[int] | None = None,
        learn_temperature: bool = False,
        repulsion: bool = True,
    ):
        super().__init__(network, seeds)
        self.temperature = Temperature(temperature, self.n_runs, learned=learn_temperature)
        self.n_negatives = (
            [n_negatives] * self.n_runs
            if n_negatives is None or isinstance(n_negatives, int)
            else list(n_negatives)
        )
        self.repulsion = repulsion

    @classmethod
    def example(cls, network: Network, seeds: Sequence[int], **options: Any) -> Method:
        return cls(network, seeds, **({"temperature": 0.2} | options))

    def forward(self, network: Network, pairs: Pairs) -> Tensor:
        z_a, z_b = (
            distributed.gather(normalize(network(view).embedding, dim=-1))
            for view in (pairs.view_a, pairs.view_b)
        )
        arranged = contrast(z_a, z_b, self.temperature(), self.arrangement, self.n_negatives)
        return self.loss(arranged) if self.repulsion else -arranged.positives.mean(-1)

    @abstractmethod
    def loss(self, arranged: Contrast) -> Tensor:
        """The losses, `R`, from the scores of anchors, positives and negatives."""

    def n_candidates(self, batch_size: int) -> list[int]:
        """K, the positive included, one a run."""
        return [k + 1 for k in require_negatives(self.n_negatives, self.arrangement, batch_size)]


class CrossEntropy(Contrastive):
    """Losses -ln softmax of the positive among K candidates, so that ln K - loss is InfoNCE."""

    denominator = "with positive"
    validity = "bound in expectation"

    def loss(self, arranged: Contrast) -> Tensor:
        log_partition = torch.logaddexp(arranged.positives, arranged.log_sum_exp)
        return (log_partition - arranged.positives).mean(-1)

    def value_nats(self, loss: Tensor, batch_size: int) -> Tensor | None:
        return loss.new_tensor(self.ceiling(batch_size)) - loss

    def ceiling(self, batch_size: int) -> list[float]:
        return [math.log(k) for k in self.n_candidates(batch_size)]

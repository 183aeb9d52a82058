"""Supervised: a linear classifier on the representation, trained with its encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.nn.functional import cross_entropy

from mibounds.errors import DataError, ParameterError
from mibounds.representation.methods._rows import mean_over_rows
from mibounds.representation.methods.base import Method
from mibounds.representation.network import Network
from mibounds.representation.sources import Pairs, Source
from mibounds.seeding import generator, seed_of
from mibounds.stacked import StackedLinear


class Supervised(Method):
    """loss = -mean_i ln softmax(W h_i + b)[label of i], h the representation of view a.

    The first view is its augmented input. The second is left alone, since factors are known of the first: where a pair
    shares information and not a thing, as in `vmf`, the other view may have another label. The projector stays as it
    was drawn.

    Args:
        network, seeds: see Method.
        n_classes: of the label.
        label: the factor's name.

    Raises: ParameterError, also for a batch of one; DataError if the pairs carry no such label.

    References: the baseline of Chen et al. 2020, arXiv:2002.05709.
    """

    name = "supervised"
    needs = frozenset({"labels"})
    references = ("the baseline of Chen et al. 2020, arXiv:2002.05709",)

    def __init__(self, network: Network, seeds: Sequence[int], *, n_classes: int, label: str = "label"):
        super().__init__(network, seeds)
        if n_classes < 2:
            raise ParameterError(f"n_classes must be at least 2; got {n_classes}")
        self.n_classes, self.label = n_classes, label
        drawn = [generator(seed_of("classifier", seed)) for seed in seeds]
        self.classifier = StackedLinear(network.dim_representation, n_classes, drawn)

    @classmethod
    def example(cls, network: Network, seeds: Sequence[int], **options: Any) -> Method:
        return cls(network, seeds, **({"n_classes": 10} | options))

    def forward(self, network: Network, pairs: Pairs) -> Tensor:
        if self.label not in pairs.factors:
            known = ", ".join(pairs.factors) or "none"
            raise DataError(
                f"supervised needs the factor {self.label!r}; the pairs have {known}; say which with label=..."
            )
        logits = self.classifier(network(pairs.view_a).representation)
        return mean_over_rows(cross_entropy(logits.mT, pairs.factors[self.label], reduction="none"))

    def require(self, source: Source, batch_size: int) -> None:
        factor = source.factors.get(self.label)
        if factor is None or factor.n_classes is None:
            raise DataError(f"supervised needs classes; {source.name} has none called {self.label!r}")
        source.require_labelled_pairs(self.name)
        if factor.n_classes != self.n_classes:
            raise ParameterError(
                f"n_classes must be the {factor.n_classes} of {source.name}'s {self.label!r}; got {self.n_classes}"
            )

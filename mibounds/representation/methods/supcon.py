"""Supervised contrastive loss: all rows of the anchor's class are its positives."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mibounds.errors import DataError
from mibounds.representation import distributed
from mibounds.representation.contrast import Contrast
from mibounds.representation.methods._contrastive import Contrastive
from mibounds.representation.network import Network
from mibounds.representation.sources import Pairs, Source


class SupCon(Contrastive):
    """loss = -mean_i mean_(p in P(i)) ln [ e^(s_ip / tau) / sum_(a != i) e^(s_ia / tau) ], i over the 2n views.

    P(i) are the other view of i's row, and the candidates of i's class. n_negatives counts the other rows' views that
    an anchor is set against before their labels are known. Both views carry their row's label. If no label comes twice
    it is NT-Xent. The loss measures the labels: it bounds no MI of the views.

    Args:
        network, seeds: see Method.
        label: the factor that holds the classes.
        options: temperature, n_negatives, learn_temperature, repulsion: see Contrastive.

    Raises: ShapeError, ParameterError; DataError if the pairs carry no such label.

    References: Khosla et al. 2020, arXiv:2004.11362, eq. 2 (the sum outside the logarithm).
    """

    name = "supcon"
    denominator = "with positive"
    needs = frozenset({"labels"})
    references = ("Khosla et al. 2020, arXiv:2004.11362",)

    def __init__(self, network: Network, seeds: Sequence[int], *, label: str = "label", **options: Any):
        super().__init__(network, seeds, **options)
        self.label = label

    def forward(self, network: Network, pairs: Pairs) -> Tensor:
        arranged = self.arranged(*self.embeddings(network, pairs))
        if not self.repulsion:
            return -arranged.positives.mean(-1)
        return self.loss(arranged, self._same_label(pairs))

    def loss(self, arranged: Contrast, same: Tensor | None = None) -> Tensor:
        """The losses, `R`; `same`, `R x m x c`, says which candidates have the anchor's label."""
        if same is None:
            return arranged.cross_entropy.mean(-1)
        own_class = same & arranged.kept
        drawn = arranged.positives + arranged.negatives.masked_fill(~own_class, 0.0).sum(-1)
        mean_positive = drawn / (1 + own_class.sum(-1))
        return (arranged.cross_entropy + arranged.positives - mean_positive).mean(-1)

    def _same_label(self, pairs: Pairs) -> Tensor:
        if self.label not in pairs.factors:
            known = ", ".join(pairs.factors) or "none"
            raise DataError(
                f"supcon needs the factor {self.label!r}; the pairs have {known}; say which with label=..."
            )
        labels = distributed.gather(pairs.factors[self.label].unsqueeze(-1))
        both = torch.cat([labels, labels], dim=1)
        return both == both.mT

    def require(self, source: Source, batch_size: int) -> None:
        factor = source.factors.get(self.label)
        if factor is None or factor.n_classes is None:
            raise DataError(f"supcon needs classes; {source.name} has none called {self.label!r}")
        source.require_labelled_pairs(self.name)
        super().require(source, batch_size)

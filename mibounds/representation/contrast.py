"""Which pairs a contrastive loss sets against each other: each anchor's positive, and its negatives.

The number of negatives is apart from the batch size: of the negatives that a batch holds, an anchor i is set against
the first K - 1 in the order of their distance (row - i) mod n. Rows come in random order, so this is a random choice,
and more negatives are the fewer ones and others beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, get_args

import torch
from torch import Tensor

from mibounds.errors import ParameterError, ShapeError, UnknownNameError

Arrangement = Literal["one-way", "symmetric", "two-view"]


@dataclass(frozen=True)
class Contrast:
    """Scores of m anchors, R runs.

    Attributes:
        positives: `R x m`.
        negatives: `R x m x c`, -inf where a candidate is not among the anchor's negatives.
        n_negatives: `R x 1`, how many of the c are.
    """

    positives: Tensor
    negatives: Tensor
    n_negatives: Tensor

    @property
    def kept(self) -> Tensor:
        """`R x m x c`: true for an anchor's negatives."""
        return self.negatives > -torch.inf

    @property
    def log_sum_exp(self) -> Tensor:
        """ln of the sum of e^score over an anchor's negatives, `R x m`."""
        return torch.logsumexp(self.negatives, dim=-1)

    @property
    def log_mean_exp(self) -> Tensor:
        """ln of the mean of e^score over an anchor's negatives, `R x m`."""
        return self.log_sum_exp - self.n_negatives.log()

    @property
    def log_partition(self) -> Tensor:
        """ln of the mean of e^score over all anchors' negatives, `R`: one for the batch."""
        anchors = self.positives.shape[1]
        return self.negatives.logsumexp((-2, -1)) - (anchors * self.n_negatives.squeeze(1)).log()

    @property
    def cross_entropy(self) -> Tensor:
        """-ln softmax of the positive among the anchor's candidates, itself included: `R x m`."""
        return torch.logaddexp(self.positives, self.log_sum_exp) - self.positives

    def filled(self, value: float) -> Tensor:
        """The negatives with `value` where a candidate is left out, for functions that -inf would turn to NaN."""
        return self.negatives.masked_fill(~self.kept, value)

    def mean_over_negatives(self, values: Tensor) -> Tensor:
        """Mean of `values`, `R x m x c`, over all anchors' negatives: `R`."""
        kept = values.masked_fill(~self.kept, 0.0)
        return kept.sum((-2, -1)) / (self.n_negatives.squeeze(1) * values.shape[1])

    def shifted(self, by: Tensor) -> Contrast:
        """All scores plus `by`, `R x 1`."""
        return Contrast(self.positives + by, self.negatives + by.unsqueeze(-1), self.n_negatives)


def available(arrangement: Arrangement, batch_size: int) -> int:
    """The negatives that a batch holds for an anchor: n - 1 across views, 2n - 2 with both views of the others."""
    return 2 * batch_size - 2 if arrangement == "two-view" else batch_size - 1


def require_negatives(
    n_negatives: Sequence[int | None], arrangement: Arrangement, batch_size: int
) -> tuple[int, ...]:
    """The numbers, None being all there are. Raises: ParameterError if one is not to be had from the batch."""
    most = available(arrangement, batch_size)
    if most < 1:
        raise ParameterError(f"a batch of {batch_size} holds no negatives; take batch_size of 2 or more")
    for k in n_negatives:
        if k is not None and not 1 <= k <= most:
            raise ParameterError(
                f"n_negatives must lie in 1..{most}, which a batch of {batch_size} holds ({arrangement}); got {k}"
            )
    return tuple(most if k is None else k for k in n_negatives)


def contrast(
    z_a: Tensor,
    z_b: Tensor,
    temperature: Tensor | float,
    arrangement: Arrangement = "one-way",
    n_negatives: Sequence[int | None] | None = None,
) -> Contrast:
    """Scores z.z'/temperature of two views' embeddings, arranged.

    "one-way": anchors are view a, candidates view b (InfoNCE). "symmetric": the same and its transpose (CLIP).
    "two-view": anchors are both views, candidates both views of all other rows (NT-Xent: K = 2n - 1, the anchor itself
    left out).

    Args:
        z_a, z_b: `R x n x d`; normalise them for a cosine.
        temperature: `R x 1 x 1`, or a number.
        n_negatives: one a run, None for all there are.

    Raises: ShapeError, ParameterError, UnknownNameError.

    Example:
        >>> z = torch.eye(3).unsqueeze(0)
        >>> scores = contrast(z, z, temperature=0.5, n_negatives=[1])
        >>> scores.positives, scores.negatives[0, 0]
        (tensor([[2., 2., 2.]]), tensor([-inf, 0., -inf]))
    """
    if arrangement not in get_args(Arrangement):
        raise UnknownNameError("arrangement", arrangement, get_args(Arrangement))
    if z_a.ndim != 3 or z_a.shape != z_b.shape:
        raise ShapeError(
            f"expected two views of one shape R x n x d; got {tuple(z_a.shape)} and {tuple(z_b.shape)}"
        )
    runs, n, _ = z_a.shape
    counts = require_negatives(n_negatives or [None] * runs, arrangement, n)
    if len(counts) != runs:
        raise ShapeError(f"expected n_negatives for {runs} runs; got {len(counts)}")
    positives = (z_a * z_b).sum(-1) / _column(temperature)
    if arrangement == "two-view":
        both = torch.cat([z_a, z_b], dim=1)
        scores = torch.bmm(both, both.mT) / temperature
    else:
        scores = torch.bmm(z_a, z_b.mT) / temperature
        if arrangement == "symmetric":
            scores = torch.cat([scores, scores.mT], dim=1)
    dropped = _dropped(arrangement, n, counts, z_a.device)
    n_counted = torch.tensor(counts, dtype=z_a.dtype, device=z_a.device).unsqueeze(1)
    doubled = positives if arrangement == "one-way" else torch.cat([positives, positives], dim=1)
    return Contrast(doubled, scores.masked_fill(dropped, -torch.inf), n_counted)


def _column(temperature: Tensor | float) -> Tensor | float:
    return temperature.squeeze(-1) if isinstance(temperature, Tensor) else temperature


@lru_cache(maxsize=4)
def _dropped(arrangement: Arrangement, n: int, counts: tuple[int, ...], device: torch.device) -> Tensor:
    """`R x m x c` (or `1 x m x c`, if all runs agree): true for what is not among an anchor's negatives."""
    rank = _rank(arrangement, n).to(device)
    distinct = counts if len(set(counts)) > 1 else counts[:1]
    kept = torch.tensor(distinct, device=device).view(-1, 1, 1)
    return (rank < 0) | (rank >= kept)


def _rank(arrangement: Arrangement, n: int) -> Tensor:
    """The place of each candidate among an anchor's negatives, from 0; negative for its positive and itself."""
    row = torch.arange(n)
    distance = (row - row.unsqueeze(1)) % n
    if arrangement == "one-way":
        return distance - 1
    if arrangement == "symmetric":
        return (distance - 1).repeat(2, 1)
    view = torch.arange(2).repeat_interleave(n)
    same_view = (view == view.unsqueeze(1)).long()
    return 2 * (distance.repeat(2, 2) - 1) + same_view

"""MoCo: negatives from a queue of past keys, which a slow copy of the network makes consistent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from mibounds.errors import ParameterError
from mibounds.partition import Block, mean_log_partition
from mibounds.representation import distributed
from mibounds.representation.contrast import Contrast, contrast, require_negatives
from mibounds.representation.large_contrast import LARGE
from mibounds.representation.methods._contrastive import CrossEntropy
from mibounds.representation.methods._momentum import MomentumNetwork, Schedule
from mibounds.representation.methods._queue import Queue
from mibounds.representation.network import Network
from mibounds.representation.per_run import PerRun
from mibounds.representation.sources import Pairs, Source


class MoCo(CrossEntropy):
    """loss = -mean_i ln [ e^(q_i.k_i / tau) / (e^(q_i.k_i / tau) + sum_j e^(q_i.k_j / tau)) ], queries q, keys k.

    Keys come from the momentum network. An anchor's negatives are the batch's other keys and those of the queue, newest
    first; the paper has the queue alone, which is empty when training starts. The batch's keys enter the queue after
    the step.

    ln K - loss cannot pass ln K, K being the candidates that there were. It is a bound in expectation if all keys are
    the batch's own (`queue=0`). Keys of earlier weights have another law than the positive's, so a drift of the network
    alone tells them apart, at no information at all: with a queue it is no bound.

    Args:
        network, seeds, temperature, n_negatives, learn_temperature, repulsion: see Contrastive. n_negatives takes the
            newest keys; while the queue fills, those that there are.
        queue: how many past keys are kept; 0 for the batch's alone. Any length.
        momentum: m of the key network, one or one a run; 0 for the network itself without gradient.
        schedule: of the momentum, "constant" or "cosine" to 1.
        symmetric: whether view b is asked with view a's keys too; both views' keys then enter the queue.
        allow_long_queue: lets the queue be longer than the data, so that an anchor's own keys are among its negatives:
            a control.

    Attributes:
        mean_age: of the queue's keys at the next step, in steps.

    Raises: ParameterError.

    References: He et al. 2020, arXiv:1911.05722, eq. 1 and 2; Chen et al. 2020, arXiv:2003.04297 (v2); Chen et al.
    2021, arXiv:2104.02057 (v3: no queue, symmetric).
    """

    name = "moco"
    arrangement = "one-way"
    validity = "none"
    needs = frozenset({"momentum encoder", "queue"})
    references = ("He et al. 2020, arXiv:1911.05722", "Chen et al. 2020, arXiv:2003.04297")

    def __init__(
        self,
        network: Network,
        seeds: Sequence[int],
        *,
        queue: int = 512,
        momentum: PerRun = 0.99,
        schedule: Schedule = "constant",
        symmetric: bool = False,
        allow_long_queue: bool = False,
        **contrastive: Any,
    ):
        super().__init__(network, seeds, **contrastive)
        self.keys = MomentumNetwork(network, momentum, schedule)
        self.queue = Queue(queue, network.dim_embedding, self.n_runs)
        self.symmetric, self.allow_long_queue = symmetric, allow_long_queue
        self._latest: Tensor | None = None
        self._n_candidates: Tensor | None = None

    @property
    def mean_age(self) -> float:
        return self.queue.mean_age

    def forward(self, network: Network, pairs: Pairs) -> Tensor:
        parts = (network, self.keys)
        views = [(pairs.view_a, pairs.view_b), (pairs.view_b, pairs.view_a)][: 1 + self.symmetric]
        asked = [
            [
                distributed.gather(self.placed(part(view).embedding))
                for part, view in zip(parts, both, strict=True)
            ]
            for both in views
        ]
        self._latest = torch.cat([keys for _, keys in asked], dim=1)
        return torch.stack([self._one_way(q, k) for q, k in asked]).mean(0)

    def _one_way(self, q: Tensor, k: Tensor) -> Tensor:
        if self.repulsion and q.shape[1] * (q.shape[1] + self.queue.length) >= LARGE:
            return self._large(q, k)
        arranged = self._with_queue(q, k)
        self._n_candidates = arranged.n_negatives.squeeze(1) + 1
        return self.loss(arranged) if self.repulsion else -arranged.positives.mean(-1)

    def _with_queue(self, q: Tensor, k: Tensor) -> Contrast:
        wanted = q.new_tensor([c - 1 for c in self.n_candidates(q.shape[1])]).view(-1, 1)
        in_batch = [min(c - 1, q.shape[1] - 1) for c in self.n_candidates(q.shape[1])]
        batch = contrast(q, k, self.temperature(), "one-way", in_batch)
        past = torch.bmm(q, self.queue.rows.to(q).mT) / self.temperature()
        kept = (wanted - batch.n_negatives).clamp(max=self.queue.filled)
        past = past.masked_fill((self.queue.place >= kept).unsqueeze(1), -torch.inf)
        return Contrast(batch.positives, torch.cat([batch.negatives, past], dim=-1), batch.n_negatives + kept)

    def _large(self, q: Tensor, k: Tensor) -> Tensor:
        """The same loss without the matrix of scores; runs may differ in how many of the queue's keys they take."""
        n, tau = q.shape[1], self.temperature()
        wanted = q.new_tensor([c - 1 for c in self.n_candidates(n)], dtype=torch.long)
        in_batch = wanted.clamp(max=n - 1)
        kept = (wanted - in_batch).clamp(max=self.queue.filled)
        self._n_candidates = (in_batch + kept + 1).to(q)
        means = []
        for run, (own, past) in enumerate(zip(in_batch.tolist(), kept.tolist(), strict=True)):
            held = self.queue.rows[run : run + 1, self.queue.place < past].to(q)
            blocks = [Block(k[run : run + 1], count=own + 1), Block(held)]
            means.append(mean_log_partition(q[run : run + 1] / tau[run : run + 1], blocks)[0])
        return torch.cat(means) - ((q * k).sum(-1) / tau.squeeze(-1)).mean(-1)

    def n_candidates(self, batch_size: int) -> list[int]:
        """K with a full queue, the positive included, one a run. Raises: ParameterError."""
        require_negatives([None], self.arrangement, batch_size)
        most = batch_size - 1 + self.queue.length
        for k in self.n_negatives:
            if k is not None and not 1 <= k <= most:
                raise ParameterError(
                    f"n_negatives must lie in 1..{most}, which a batch of {batch_size} and a queue of "
                    f"{self.queue.length} hold; got {k}"
                )
        return [(most if k is None else k) + 1 for k in self.n_negatives]

    def require(self, source: Source, batch_size: int) -> None:
        self.n_candidates(batch_size)
        if source.n_train is not None and self.queue.length > source.n_train and not self.allow_long_queue:
            raise ParameterError(
                f"queue must be at most the {source.n_train} training examples of {source.name}, or it holds an "
                f"anchor's own keys as negatives; got {self.queue.length}; allow_long_queue=True is for a control"
            )

    def after_step(self, network: Network, progress: float) -> None:
        if self._latest is not None:
            self.queue.push(self._latest)
        self.keys.follow(network, progress)

    def reading(self, loss: Tensor, batch_size: int) -> Tensor | None:
        """ln K - loss, K being the candidates of the latest batch: a filling queue holds fewer than a full one."""
        if self._n_candidates is None:
            return super().reading(loss, batch_size)
        return self._n_candidates.log().to(loss) - loss

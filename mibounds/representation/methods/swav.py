"""SwAV: each view predicts the other's soft assignment to prototypes, all of which are used equally."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import log_softmax, normalize

from mibounds.errors import ParameterError
from mibounds.representation import distributed
from mibounds.representation.methods._queue import Queue
from mibounds.representation.methods._rows import require_rows
from mibounds.representation.methods._sinkhorn import sinkhorn
from mibounds.representation.methods.base import Method
from mibounds.representation.network import Network
from mibounds.representation.per_run import PerRun, Temperature
from mibounds.representation.sources import Pairs
from mibounds.seeding import generator, seed_of


class SwAV(Method):
    """loss = -mean_i sum_p [q'_ip ln softmax(s_i / tau)_p + q_ip ln softmax(s'_i / tau)_p] / 2, s_ip = cos(z_i, c_p).

    The codes q are Sinkhorn's assignments of the batch, and of the queue behind it, at equal shares of the P
    prototypes c; no gradient flows through them. Without equal shares one prototype takes all rows; at a small tau the
    loss is then gone before the spread is, which shrinks on as slowly as ln of the steps.

    Args:
        network, seeds: see Method.
        temperature: tau > 0, one or one a run; it has no default.
        prototypes: P.
        eps: of Sinkhorn; the smaller, the harder the codes.
        iterations: of Sinkhorn.
        queue: past embeddings a view that share in the assignment, for batches smaller than P.
        frozen_steps: first steps in which the prototypes stay as drawn.
        sinkhorn: False takes e^(s / eps), each row over its sum, for codes: a control, which collapses.

    Raises: ParameterError, also for a batch of one.

    References: Caron et al. 2020, arXiv:2006.09882, eq. 1 to 5.
    """

    name = "swav"
    needs = frozenset({"prototypes", "batch statistics"})
    prevents_collapse = "equal shares of the prototypes (Sinkhorn)"
    broken = {"sinkhorn": False}
    collapse = "complete"
    references = ("Caron et al. 2020, arXiv:2006.09882",)

    def __init__(
        self,
        network: Network,
        seeds: Sequence[int],
        *,
        temperature: PerRun,
        prototypes: int = 64,
        eps: float = 0.05,
        iterations: int = 3,
        queue: int = 0,
        frozen_steps: int = 0,
        sinkhorn: bool = True,
    ):
        super().__init__(network, seeds)
        if eps <= 0:
            raise ParameterError(f"eps must be greater than 0; got {eps}")
        lowest = {
            "prototypes": (prototypes, 2),
            "iterations": (iterations, 1),
            "frozen_steps": (frozen_steps, 0),
        }
        for name, (value, least) in lowest.items():
            if value < least:
                raise ParameterError(f"{name} must be at least {least}; got {value}")
        self.temperature = Temperature(temperature, self.n_runs)
        self.eps, self.iterations, self.sinkhorn, self.frozen_steps = eps, iterations, sinkhorn, frozen_steps
        shape = (network.dim_embedding, prototypes)
        drawn = [torch.randn(shape, generator=generator(seed_of("prototypes", seed))) for seed in seeds]
        self.prototypes = nn.Parameter(normalize(torch.stack(drawn), dim=1))
        self.queue_a, self.queue_b = (Queue(queue, network.dim_embedding, self.n_runs) for _ in range(2))
        self.steps_done: Tensor
        self.register_buffer("steps_done", torch.tensor(0))
        self._latest: list[Tensor] = []

    @classmethod
    def example(cls, network: Network, seeds: Sequence[int], **options: Any) -> Method:
        return cls(network, seeds, **({"temperature": 0.1} | options))

    def forward(self, network: Network, pairs: Pairs) -> Tensor:
        z = [normalize(network(view).embedding, dim=-1) for view in (pairs.view_a, pairs.view_b)]
        prototypes = self._held_while_frozen()
        scores_a, scores_b = (require_rows(distributed.gather(torch.bmm(rows, prototypes))) for rows in z)
        self._latest = [distributed.gather(rows.detach()) for rows in z] if self.queue_a.length else []
        codes_a, codes_b = self._codes(scores_a, self.queue_a), self._codes(scores_b, self.queue_b)
        return (self._cross_entropy(codes_b, scores_a) + self._cross_entropy(codes_a, scores_b)) / 2

    def _cross_entropy(self, codes: Tensor, scores: Tensor) -> Tensor:
        return -(codes * log_softmax(scores / self.temperature(), dim=-1)).sum(-1).mean(-1)

    @torch.no_grad()
    def _codes(self, scores: Tensor, queue: Queue) -> Tensor:
        if not self.sinkhorn:
            return torch.softmax(scores / self.eps, dim=-1)
        past = queue.rows[:, : int(queue.filled)].to(scores)
        scores = torch.cat([scores, torch.bmm(past, self.prototypes)], dim=1)
        return sinkhorn(scores, self.eps, self.iterations)[:, : scores.shape[1] - past.shape[1]]

    def _held_while_frozen(self) -> Tensor:
        """The prototypes, with a gradient of zero in the first steps: the device is not waited for."""
        trained = (self.steps_done >= self.frozen_steps).to(self.prototypes)
        return trained * self.prototypes + (1 - trained) * self.prototypes.detach()

    @torch.no_grad()
    def after_step(self, network: Network, progress: float) -> None:
        self.prototypes.copy_(normalize(self.prototypes, dim=1))
        self.steps_done.add_(1)
        for queue, rows in zip((self.queue_a, self.queue_b), self._latest, strict=False):
            queue.push(rows)

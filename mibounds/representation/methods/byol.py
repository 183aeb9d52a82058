"""BYOL: an online network predicts what a slow copy of itself makes of the other view."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from mibounds.representation.batch_norm import Norm
from mibounds.representation.heads import Predictor
from mibounds.representation.methods._momentum import MomentumNetwork, Schedule
from mibounds.representation.methods._rows import mean_over_rows
from mibounds.representation.methods.base import Method
from mibounds.representation.network import Network
from mibounds.representation.per_run import PerRun
from mibounds.representation.sources import Pairs
from mibounds.seeding import generator, seed_of


class BYOL(Method):
    """loss = mean_i [2 - 2 cos(q(z_i), t'_i)] + [2 - 2 cos(q(z'_i), t_i)], q the predictor, t the target's embedding.

    The target is the momentum network. Without momentum it is the online network, its gradient stopped; with
    `stop_gradient=False` it is the online network and gradients flow through it, whatever the momentum, since a copy
    has no gradient that could reach the weights.

    Args:
        network, seeds: see Method.
        momentum: m of the target, one or one a run; None for no copy, which is the same as 0 at less cost.
        schedule: of the momentum, "cosine" to 1 over the training, or "constant".
        predictor: False compares the embeddings themselves: a control, which collapses.
        stop_gradient: False trains the target too: a control, which collapses.
        predictor_hidden, predictor_norm: of the predictor's one hidden layer.

    Raises: ParameterError, also for a batch of one.

    References: Grill et al. 2020, arXiv:2006.07733, eq. 1 and 2.
    """

    name = "byol"
    needs = frozenset({"momentum encoder", "predictor"})
    prevents_collapse = "the predictor with the stop-gradient"
    broken = {"predictor": False}
    collapse = "complete"
    references = ("Grill et al. 2020, arXiv:2006.07733",)

    def __init__(
        self,
        network: Network,
        seeds: Sequence[int],
        *,
        momentum: PerRun | None = 0.99,
        schedule: Schedule = "cosine",
        predictor: bool = True,
        stop_gradient: bool = True,
        predictor_hidden: int = 128,
        predictor_norm: Norm = "batch",
    ):
        super().__init__(network, seeds)
        copied = stop_gradient and momentum not in (None, 0)
        self.target = MomentumNetwork(network, momentum or 0.0, schedule) if copied else None
        self.stop_gradient = stop_gradient
        drawn = [generator(seed_of("predictor", seed)) for seed in seeds]
        self.predictor: nn.Module = (
            Predictor(network.dim_embedding, drawn, hidden=predictor_hidden, norm=predictor_norm)
            if predictor
            else nn.Identity()
        )

    def forward(self, network: Network, pairs: Pairs) -> Tensor:
        z_a, z_b = network(pairs.view_a).embedding, network(pairs.view_b).embedding
        t_a, t_b = self._targets(pairs, z_a, z_b)
        cosines = cosine_similarity(self.predictor(z_a), t_b, dim=-1)
        return mean_over_rows(4 - 2 * cosines - 2 * cosine_similarity(self.predictor(z_b), t_a, dim=-1))

    def _targets(self, pairs: Pairs, z_a: Tensor, z_b: Tensor) -> tuple[Tensor, Tensor]:
        if not self.stop_gradient:
            return z_a, z_b
        if self.target is None:
            return z_a.detach(), z_b.detach()
        return self.target(pairs.view_a).embedding, self.target(pairs.view_b).embedding

    def after_step(self, network: Network, progress: float) -> None:
        if self.target is not None:
            self.target.follow(network, progress)

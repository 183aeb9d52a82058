"""SimSiam: a predictor and a stopped gradient, neither negatives nor a copy."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn.functional import cosine_similarity, normalize

from mibounds.errors import ParameterError
from mibounds.representation import distributed
from mibounds.representation.batch_norm import Norm
from mibounds.representation.heads import Predictor
from mibounds.representation.methods._redundancy import covariance_penalty, variance_hinge
from mibounds.representation.methods._rows import mean_over_rows
from mibounds.representation.methods.base import Method
from mibounds.representation.network import Network
from mibounds.representation.sources import Pairs
from mibounds.seeding import generator, seed_of


class SimSiam(Method):
    """loss = -mean_i [cos(q(z_i), stop z'_i) + cos(q(z'_i), stop z_i)] / 2 + redundancy (D(z) + D(z')) / 2.

    A loss of -1 is the collapse as well as the ideal: read spread and effective rank beside it. D is VICReg's hinge on
    the variance plus its penalty on covariances, of unit embeddings times sqrt(d), which have unit variance where they
    are uniform. Decorrelation alone would not do: a cosine sees no scale, so a shrinking spread can stay uncorrelated.

    Args:
        network, seeds: see Method.
        predictor: False compares the embeddings themselves: a control, which collapses.
        stop_gradient: False trains both sides: a control, which collapses unless redundancy is reduced.
        redundancy: weight of D, at least 0.
        predictor_hidden, predictor_norm: of the predictor's one hidden layer.

    Raises: ParameterError, also for a batch of one.

    References: Chen and He 2021, arXiv:2011.10566, eq. 4; D: Bardes et al. 2022, arXiv:2105.04906, eq. 1 and 4.
    """

    name = "simsiam"
    needs = frozenset({"predictor"})
    prevents_collapse = "the stop-gradient with the predictor"
    broken = {"stop_gradient": False}
    collapse = "complete"
    references = ("Chen and He 2021, arXiv:2011.10566", "Bardes et al. 2022, arXiv:2105.04906")

    def __init__(
        self,
        network: Network,
        seeds: Sequence[int],
        *,
        predictor: bool = True,
        stop_gradient: bool = True,
        redundancy: float = 0.0,
        predictor_hidden: int = 128,
        predictor_norm: Norm = "batch",
    ):
        super().__init__(network, seeds)
        if redundancy < 0:
            raise ParameterError(f"redundancy must be at least 0; got {redundancy}")
        self.stop_gradient, self.redundancy = stop_gradient, redundancy
        drawn = [generator(seed_of("predictor", seed)) for seed in seeds]
        self.predictor: nn.Module = (
            Predictor(network.dim_embedding, drawn, hidden=predictor_hidden, norm=predictor_norm)
            if predictor
            else nn.Identity()
        )

    def forward(self, network: Network, pairs: Pairs) -> Tensor:
        z_a, z_b = network(pairs.view_a).embedding, network(pairs.view_b).embedding
        t_a, t_b = (z.detach() if self.stop_gradient else z for z in (z_a, z_b))
        cosines = cosine_similarity(self.predictor(z_a), t_b, dim=-1)
        loss = mean_over_rows(-(cosines + cosine_similarity(self.predictor(z_b), t_a, dim=-1)) / 2)
        if self.redundancy == 0:
            return loss
        return loss + self.redundancy * (_redundancy(z_a) + _redundancy(z_b)) / 2


def _redundancy(z: Tensor) -> Tensor:
    unit = normalize(distributed.gather(z), dim=-1) * z.shape[-1] ** 0.5
    return variance_hinge(unit) + covariance_penalty(unit)

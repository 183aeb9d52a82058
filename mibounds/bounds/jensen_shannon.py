"""Jensen-Shannon: trained as a classifier of joint against product pairs, read as NWJ."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import softplus

from mibounds.bounds.base import Bound
from mibounds.bounds.nwj import NWJ
from mibounds.numerics import off_diagonal_mean, positives


@dataclass(frozen=True)
class JensenShannon(Bound):
    """Trained on E_p[-softplus(-f)] - E_q[softplus(f)], whose optimum is f = ln r; read as NWJ at 1 + f.

    Training is stable where NWJ's own is not, since the objective's gradient is bounded; the value read keeps
    NWJ's variance.

    References: Hjelm et al. 2019, eq. 4; Poole et al. 2019, section 2.2 ("I_JS").
    """

    name = "jensen_shannon"
    direction = "lower"
    validity = "bound in expectation"
    references = ("Hjelm et al. 2019, arXiv:1808.06670", "Poole et al. 2019, arXiv:1905.06922")

    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return NWJ()(1 + scores)

    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return NWJ().population(joint, 1 + scores)

    def objective(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return -softplus(-positives(scores)).mean(-1) - off_diagonal_mean(softplus(scores))

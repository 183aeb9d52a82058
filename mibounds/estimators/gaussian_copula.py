"""Gaussian copula: canonical correlations of normal scores, whatever the columns' own distributions."""

from __future__ import annotations

from dataclasses import dataclass, replace

from mibounds.data import Samples
from mibounds.estimators._left_out import surely_lost
from mibounds.estimators._ranks import normal_scores
from mibounds.estimators._resolution import as_resolved
from mibounds.estimators._terms import FromTerms, Terms
from mibounds.estimators._unpaired import surely_in_excess
from mibounds.estimators.gaussian import Gaussian


@dataclass(frozen=True)
class GaussianCopula(FromTerms):
    """The Gaussian's MI of the columns' normal scores: I = -1/2 sum_k ln(1 - rho_k^2), less the plug-in's bias.

    Increasing maps of single columns change neither the ranks nor the MI, so it is right for every law that such maps
    make Gaussian: uniform, heavy-tailed or bimodal columns are no matter. Under other laws it says what linear maps of
    the scores see, which may be far too much where columns are bent in each other, or say in which of some clusters a
    row lies, as those of an embedding do: pairs that are left out then read less than of Gaussian columns, or sides
    that were drawn apart are weighed higher, and a warning says so. Scores use each column's ranks alone, equal values
    share their mean rank. Where columns agree so closely that n ranks do not tell how closely, it reads too little; it
    then says so, and is called saturated.

    Value, bias and interval are those of `gaussian`; what is exact there under a Gaussian law is close to it here.

    Raises: DataError as `gaussian` does.

    References: Ince et al. 2017, Human Brain Mapping 38, 1541-1573; Klaassen and Wellner 1997, Bernoulli 3, 55-77
        (normal scores are efficient).

    Example:
        >>> from mibounds.distributions.gaussian import Gaussian as Law
        >>> x, y = (side.numpy() for side in Law.from_correlation(1, 0.8).sample(2000, seed=0))
        >>> print(GaussianCopula().estimate(Samples(x**3, y), seed=0, confidence=0.95))
        0.492 nats (95% interval 0.458 to 0.526) by gaussian_copula, no bound: the truth may lie on either side
    """

    name = "gaussian_copula"
    validity = "nearly unbiased if the copula is Gaussian"
    references = ("Ince et al. 2017", "Klaassen and Wellner 1997")

    def terms(self, samples: Samples, seed: int) -> Terms:
        x, y = normal_scores(samples.x), normal_scores(samples.y)
        found = Gaussian().terms(Samples(x, y), seed)
        found = replace(found, lost=surely_lost(x, y), excess=surely_in_excess(x, y, seed))
        return as_resolved(found, x, y)

"""Nearest neighbours in each side's leading principal components: of groups that many columns tell together."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from mibounds.data import Samples
from mibounds.errors import DataError
from mibounds.estimators._ranks import normal_scores
from mibounds.estimators._terms import Array, FromTerms, Terms
from mibounds.estimators._unpaired import surely_in_excess
from mibounds.estimators.gaussian import NEGLIGIBLE
from mibounds.estimators.ksg_extrapolated import ExtrapolatedKSG

MOST_LEADING = 10  # a side: in more, neighbours see little
BEYOND_NOISE = 1.1  # times what would be the largest if all columns had as much of it


@dataclass(frozen=True)
class LeadingComponents(FromTerms):
    """What neighbours read in the principal components, of columns' normal scores, that stand out of noise.

    Many columns of 0 and 1, or of counts, say together what none of them says alone: in which of some groups a row
    lies. No neighbour is near in all of them, but in the components that lead. These come of each side alone, so that
    no dependence is seen that is not there; what the others tell is missed. Hence KSG's plain value is read, and what
    extrapolation would add to it, half of it, is standard error.

    Raises: DataError where no component stands out, or all or too many do; and where a Gaussian weighs sides that were
        drawn apart as it should, so that a copula may well be right.

    References: Marchenko and Pastur 1967, Mathematics of the USSR-Sbornik 1, 457-483 (the sizes of noise).
    """

    name = "leading_components"
    validity = "falls short by what other components tell"

    def terms(self, samples: Samples, seed: int) -> Terms:
        scores_x, scores_y = normal_scores(samples.x), normal_scores(samples.y)
        x, y = leading(scores_x), leading(scores_y)
        kept, of = (x.shape[1], y.shape[1]), (scores_x.shape[1], scores_y.shape[1])
        what = f"{kept[0]} + {kept[1]} principal components of {of[0]} + {of[1]} columns' ranks"
        if min(kept) == 0 or max(kept) > MOST_LEADING or kept == of:
            raise DataError(
                f"{what} stand out of noise; expected 1 to {MOST_LEADING} a side, and fewer than all"
            )
        if not surely_in_excess(scores_x, scores_y, seed):
            raise DataError("sides that were drawn apart are weighed as high as those of Gaussian columns")
        found = ExtrapolatedKSG().terms(Samples(x, y), seed)
        nats = float(found.pointwise.mean())
        return replace(found, nats=nats, warnings=(f"read in {what}: what the others tell is missed",))


def leading(scores: Array) -> Array:
    """The principal components of more size than noise would have, the largest first: `n x dim` -> `n x k`.

    The median size tells the noise. Where columns have less than half as many directions as they are, it is rounding.
    """
    centred = scores - scores.mean(axis=0)
    columns, sizes, _ = np.linalg.svd(centred, full_matrices=False)
    noise = _edge(centred.shape) * max(float(np.median(sizes)), NEGLIGIBLE * sizes[0])
    k = int((sizes > BEYOND_NOISE * noise).sum())
    return (columns * sizes)[:, :k]


def _edge(shape: tuple[int, ...]) -> float:
    """The largest singular value of noise, in medians: (1 + sqrt(b)) / sqrt(m), b = short / long side.

    The median m of Marchenko and Pastur's eigenvalues is 1 - b/3 to within 2%.
    """
    ratio = min(shape) / max(shape)
    return (1 + math.sqrt(ratio)) / math.sqrt(1 - ratio / 3)

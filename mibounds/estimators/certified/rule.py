"""From a critic's scores to a certified limit: what is fixed before the held-out pairs are looked at."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mibounds.confidence_limits import matched_pairs_limit
from mibounds.errors import DivergedError

Array = NDArray[np.float64]

# An overfitted critic's scores are too wide; what it knows is kept by drawing them together.
SCALES = (1.0, 0.75, 0.5, 0.25)
CLIPS = (0.25, 0.5, 0.75, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0, 5.5, 6.0, 7.0, 8.0)
SLACKS = (1.0, 1.5, 2.0, 4.0, 8.0, 16.0)


@dataclass(frozen=True)
class Rule:
    """s = clip(scale f - offset, low, high), and w_ij = (s_ii + s_jj)/2 + 1 - (e^s_ij + e^s_ji)/2.

    For two independent pairs E[w_ij] = E_p[s] + 1 - E_q[e^s], q = p(x) p(y): Nguyen, Wainwright and Jordan's bound,
    which is at most I(X; Y) for every fixed s. `offset` makes E_q[e^s] about 1, where it equals Donsker and Varadhan's.

    Attributes:
        critic: whose scores it reads.
        floor: no w_ij falls under it; see `confidence_limits.matched_pairs_limit`.
    """

    critic: str
    scale: float
    offset: float
    low: float
    high: float
    floor: float

    @property
    def least(self) -> float:
        """No w_ij can be less."""
        return self.low + 1 - math.exp(self.high)

    def values(self, scores: Array) -> Array:
        """w of all pairs within groups: `n_groups x m x m` scores -> the same shape."""
        s = np.clip(self.scale * scores - self.offset, self.low, self.high)
        positives = np.diagonal(s, axis1=1, axis2=2)
        ratios = np.exp(s)
        own, partition = positives[:, :, None] + positives[:, None, :], ratios + ratios.transpose(0, 2, 1)
        return own / 2 + 1 - partition / 2

    def limit(self, scores: Array, error: float) -> float:
        """At most the mutual information, in nats, with probability 1 - error over the pairs scored."""
        return matched_pairs_limit(self.values(scores), self.floor, error)


def choose(scores: Mapping[str, Array], n_held_out: int, error: float) -> Rule:
    """The rule whose limit, on scores of the selection fold, promises most for `n_held_out` other pairs.

    The logarithm of the error is spread over the pairs, ln(error) / n each, so that few pairs stand for many: the error
    used here is error^(n / n_held_out).

    Args:
        scores: critic -> its scores, `n_groups x m x m` of n = n_groups m pairs.

    Raises: DivergedError if no critic gives finite scores.
    """
    rules = [rule for name, of_critic in scores.items() for rule in _candidates(name, of_critic)]
    if not rules:
        raise DivergedError(
            "no critic's scores are finite on the selection fold; look for extreme values in the data"
        )
    promised = [_promised(rule, scores[rule.critic], n_held_out, error) for rule in rules]
    return max(promised, key=lambda found: found[0])[1]


def _candidates(name: str, scores: Array) -> Iterator[Rule]:
    for scale in SCALES:
        centre = _log_partition(scale * scores)
        if not math.isfinite(centre):
            continue
        for clip in CLIPS:
            low, high = -clip - 1, clip
            more = _log_partition(np.clip(scale * scores - centre, low, high))
            yield Rule(name, scale, centre + more, low - more, high - more, floor=math.nan)


def _promised(rule: Rule, scores: Array, n_held_out: int, error: float) -> tuple[float, Rule]:
    """The limit, and the rule with the floor that gives it: lowered while that gains."""
    n = scores.shape[0] * scores.shape[1]
    values, best = rule.values(scores), (-math.inf, rule)
    for slack in SLACKS:
        floor = 1 - slack * (1 - rule.least) * (1 + 1e-9)  # rounding must not put a value under it
        limit = matched_pairs_limit(values, floor, error ** (n / n_held_out))
        if limit <= best[0]:
            break
        best = limit, replace(rule, floor=floor)
    return best


def _log_partition(scores: Array) -> float:
    """ln of the mean of e^score over the negative pairs of all groups."""
    n_groups, m, _ = scores.shape
    negatives = np.where(np.eye(m, dtype=bool), -np.inf, scores)
    return float(np.logaddexp.reduce(negatives, axis=None)) - math.log(n_groups * m * (m - 1))

"""Reading InfoNCE from a frozen network: blocks of anchors and negatives, terms, and the temperature that fits best."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mibounds.representation.network import Network
from mibounds.representation.reading import Run, device_of, embed, pairs_of, stacked
from mibounds.representation.sources import Pairs
from mibounds.representation.sources.base import Split

SCORES_AT_ONCE = 2**23
# The best temperature is looked for between these; a cosine over 5 says nothing, over 0.005 float32 says no more.
LEAST_TEMPERATURE, LARGEST_TEMPERATURE = 0.005, 5.0
GOLDEN = (math.sqrt(5) - 1) / 2
GOLDEN_STEPS = 16  # to half a percent


@dataclass(frozen=True)
class Value:
    """An estimate, its standard error and its largest block, `R` each."""

    nats: Tensor
    error: Tensor
    largest: Tensor


@dataclass(frozen=True)
class Block:
    """Unit embeddings of anchors' two views and of the pool, `R x n x d`, and the pairs that they come from."""

    z_a: Tensor
    z_b: Tensor
    pool: Tensor
    pairs: list[Pairs]


Scores = Callable[[slice], tuple[Tensor, Tensor]]  # rows -> positives R x m, negatives R x m x n_pool


class Reader:
    """Draws blocks, and reads InfoNCE from them; runs of one number of negatives are read together."""

    def __init__(self, network: Network, runs: list[Run], counts: list[int], n_pool: int):
        self.network, self.runs, self.counts, self.n_pool = network, runs, counts, n_pool

    def draw(self, n_anchors: int, split: Split, block: int) -> Block:
        n = n_anchors + self.n_pool
        pairs = pairs_of(self.runs, n, split, ("held out", block), device_of(self.network))
        z_a = embed(self.network, stacked([of.view_a for of in pairs])[:, :n_anchors]).embedding
        z_b = embed(self.network, stacked([of.view_b for of in pairs])).embedding
        z_a, z_b = (normalize(z, dim=-1) for z in (z_a, z_b))
        return Block(z_a, z_b[:, :n_anchors], z_b[:, n_anchors:], pairs)

    def info_nce(self, block: Block, temperature: Tensor | None) -> Value:
        """At a temperature a run, or (None) with the true density ratio for scores."""
        if temperature is not None:
            return self._read(block.z_a.shape[1], self.counts, _cosines(block, temperature))
        kinds = list(dict.fromkeys(zip(self.runs, self.counts, strict=True)))
        of_kind = {kind: self._oracle(block, *kind) for kind in kinds}
        every = [of_kind[kind] for kind in zip(self.runs, self.counts, strict=True)]
        return Value(
            *(torch.cat(part) for part in zip(*((v.nats, v.error, v.largest) for v in every), strict=True))
        )

    def sampled_truth(self, block: Block) -> Tensor:
        """Mean log density ratio of the anchors' own pairs, `R`; NaN if unknown."""
        of_run = {run: self._own_ratios(block, run) for run in dict.fromkeys(self.runs)}
        means = {run: math.nan if own is None else own.double().mean().item() for run, own in of_run.items()}
        return block.z_a.new_tensor([means[run] for run in self.runs], dtype=torch.float64)

    def _own_ratios(self, block: Block, run: Run) -> Tensor | None:
        """Log density ratio of each anchor's pair, `n`."""
        n, pairs = block.z_a.shape[1], block.pairs[self.runs.index(run)]
        found = run.source.log_density_ratio_matrix(
            pairs.view_a[:n].unsqueeze(1), pairs.view_b[:n].unsqueeze(1)
        )
        return None if found is None else found.reshape(n)

    def _oracle(self, block: Block, run: Run, count: int) -> Value:
        n, pairs = block.z_a.shape[1], block.pairs[self.runs.index(run)]
        ratio, positives = run.source.log_density_ratio_matrix, self._own_ratios(block, run)
        if positives is None:
            missing = block.z_a.new_full((1,), math.nan, dtype=torch.float64)
            return Value(missing, missing, missing)
        own = positives.unsqueeze(0)

        def scores(rows: slice) -> tuple[Tensor, Tensor]:
            negatives = ratio(pairs.view_a[:n][rows], pairs.view_b[n:])
            assert negatives is not None
            return own[:, rows], negatives.unsqueeze(0)

        return self._read(n, [count], scores)

    def _read(self, n: int, counts: Sequence[int], scores: Scores) -> Value:
        """Terms and the negatives' influence, summed over chunks of anchors."""
        step = max(1, SCORES_AT_ONCE // (len(counts) * self.n_pool))
        parts: list[list[tuple[Tensor, Tensor]]] = [[] for _ in counts]
        for start in range(0, n, step):
            positives, negatives = scores(slice(start, min(start + step, n)))
            for r, count in enumerate(counts):
                parts[r].append(anchor_terms(positives[r], negatives[r], count))
        return stack([_value([t for t, _ in part], [w for _, w in part]) for part in parts])


def anchor_terms(positives: Tensor, negatives: Tensor, n_negatives: int) -> tuple[Tensor, Tensor]:
    """InfoNCE's terms, and each negative's share in its anchor's partition.

    The terms are ln K - ln( 1 + sum_j e^(f_ij - f_ii) ), `m x groups` nats: each group of columns is K - 1 of them.

    Args:
        positives: f_ii, `m`.
        negatives: f_ij, `m x p`, of which the first groups * (K - 1) columns are used.

    Returns: the terms, and the shares summed over the anchors, `groups x (K - 1)`.
    """
    groups = negatives.shape[1] // n_negatives
    odds = negatives[:, : groups * n_negatives].unflatten(1, (groups, n_negatives)) - positives.view(-1, 1, 1)
    log_sum = torch.logsumexp(odds, dim=-1)
    log_partition = torch.logaddexp(log_sum, torch.zeros_like(log_sum))
    shares = (odds - log_partition.unsqueeze(-1)).exp().sum(0)
    return math.log(n_negatives + 1) - log_partition.double(), shares.double()


def _value(terms: Sequence[Tensor], shares: Sequence[Tensor]) -> Value:
    """Mean over anchors and groups; the error adds what new anchors and what new negatives would change.

    The first is the anchors' terms' variance over their number. The second is the infinitesimal jackknife: leaving a
    negative out raises the mean by its mean share.
    """
    each = torch.cat(list(terms))
    n, groups = each.shape
    of_anchors = each.mean(1).var() / n
    influence = torch.stack(list(shares)).sum(0) / (n * groups)
    of_negatives = (influence - influence.mean(1, keepdim=True)).square().sum()
    return Value(each.mean(), (of_anchors + of_negatives).sqrt(), each.mean(0).max())


def _cosines(block: Block, temperature: Tensor) -> Scores:
    scale = (1 / temperature).to(block.z_a).view(-1, 1, 1)
    positives = (block.z_a * block.z_b).sum(-1) * scale.squeeze(-1)
    return lambda rows: (positives[:, rows], torch.bmm(block.z_a[:, rows] * scale, block.pool.mT))


def best_temperature(reader: Reader, block: Block) -> Tensor:
    """The temperature at which InfoNCE on these pairs is largest, `R`, by golden section.

    InfoNCE is concave in the scores, which are linear in 1 / temperature: it has one peak.
    """
    n_runs = len(block.z_a)
    low = torch.full((n_runs,), math.log(LEAST_TEMPERATURE), dtype=torch.float64, device=block.z_a.device)
    high = torch.full_like(low, math.log(LARGEST_TEMPERATURE))

    def value(log_temperature: Tensor) -> Tensor:
        return reader.info_nce(block, log_temperature.exp()).nats

    left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
    of_left, of_right = value(left), value(right)
    for _ in range(GOLDEN_STEPS):
        up = of_right > of_left
        low, high = torch.where(up, left, low), torch.where(up, high, right)
        inner = torch.where(up, low + GOLDEN * (high - low), high - GOLDEN * (high - low))
        of_inner = value(inner)
        left, right = torch.where(up, right, inner), torch.where(up, inner, left)
        of_left, of_right = torch.where(up, of_right, of_inner), torch.where(up, of_inner, of_left)
    return ((low + high) / 2).exp()


def stack(values: Sequence[Value]) -> Value:
    nats, error, largest = zip(*((v.nats, v.error, v.largest) for v in values), strict=True)
    return Value(torch.stack(nats), torch.stack(error), torch.stack(largest))


def mean(values: Sequence[Value]) -> Value:
    """Over independent blocks."""
    blocks = stack(values)
    error = blocks.error.square().sum(0).sqrt() / len(values)
    return Value(blocks.nats.mean(0), error, blocks.largest.amax(0))

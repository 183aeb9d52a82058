"""A bound read from a model's own scores on pairs that trained nothing, beside all that limits it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mibounds import bounds, theory
from mibounds.bounds import Bound
from mibounds.errors import ParameterError
from mibounds.representation.network import Network
from mibounds.representation.per_run import PerRun, per_run
from mibounds.representation.reading import Run, device_of, embed, pairs_of, runs_of, stacked
from mibounds.representation.sources import Pairs, Source
from mibounds.representation.sources.base import Split

SCORES_AT_ONCE = 2**23
# The best temperature is looked for between these; a cosine over 5 says nothing, over 0.005 float32 says no more.
LEAST_TEMPERATURE, LARGEST_TEMPERATURE = 0.005, 5.0
GOLDEN = (math.sqrt(5) - 1) / 2
GOLDEN_STEPS = 16  # to half a percent


@dataclass(frozen=True)
class HeldOut:
    """What a model's scores say on test pairs, one number a run (`R`), in nats unless named otherwise.

    Attributes:
        estimate_nats, standard_error_nats: at the training temperature; NaN without one.
        largest_block_nats: the largest value of any batch, which no ceiling may lie below.
        best_temperature: fitted on validation pairs.
        best_temperature_estimate_nats, best_temperature_standard_error_nats,
            best_temperature_largest_block_nats: the same there.
        oracle_nats, oracle_standard_error_nats: the true density ratio's value on the same pairs; NaN if unknown.
        ceiling_nats: the bound's, ln K for InfoNCE.
        temperature_ceiling_nats, best_temperature_ceiling_nats: what cosines over that temperature can show at most.
        truth_nats: the views' MI; NaN if unknown.
        n_candidates: K.
    """

    estimate_nats: Tensor
    standard_error_nats: Tensor
    largest_block_nats: Tensor
    best_temperature: Tensor
    best_temperature_estimate_nats: Tensor
    best_temperature_standard_error_nats: Tensor
    best_temperature_largest_block_nats: Tensor
    oracle_nats: Tensor
    oracle_standard_error_nats: Tensor
    ceiling_nats: Tensor
    temperature_ceiling_nats: Tensor
    best_temperature_ceiling_nats: Tensor
    truth_nats: Tensor
    n_candidates: Tensor

    def rows(self) -> list[dict[str, float]]:
        """A flat dict a run."""
        columns = {field.name: getattr(self, field.name).tolist() for field in fields(self)}
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


@dataclass(frozen=True)
class Value:
    """An estimate, its standard error and its largest block, `R` each."""

    nats: Tensor
    error: Tensor
    largest: Tensor


def held_out_bound(
    network: Network,
    sources: Source | Sequence[Source],
    temperature: PerRun | None = None,
    n_negatives: int | Sequence[int] | None = None,
    *,
    bound: str = "info_nce",
    seeds: int | Sequence[int] = 0,
    n_anchors: int = 1024,
    n_pool: int = 2047,
    n_blocks: int = 1,
    n_validation: int = 256,
) -> HeldOut:
    """A bound on the views' MI from scores cos(z_a, z_b) / temperature of test pairs, at two temperatures.

    InfoNCE sets each of `n_anchors` test pairs against K - 1 negatives out of `n_pool` other pairs' second views,

        mean_i [ ln K - ln( 1 + sum_j e^(f_ij - f_ii) ) ],

    averaged over the groups of K - 1 that the pool holds. Its standard error counts anchors and negatives. At the
    training temperature it measures the temperature too, so it is given at the best one as well, which is fitted on
    validation pairs. Neither can pass ln K, and 1 / temperature - ln E e^(s / temperature) only by chance.

    Any other bound is read on n_anchors // K batches of K pairs, from scores shifted so that on validation pairs their
    mean odds are 1 and turned into what the bound takes (`Bound.optimal_scores`).

    Args:
        network: of R runs; its weights and mode are left as they are.
        sources: one, or one a run.
        temperature: that of training, one or one a run; None reads at the best one alone.
        n_negatives: K - 1, one or one a run; None for the whole pool.
        bound: by file name.
        seeds: of the pairs, one or one a run; runs with the same source and seed see the same.
        n_anchors: test pairs a block.
        n_pool: negatives drawn for each block of anchors, whatever a run uses of them.
        n_blocks: independent repetitions.
        n_validation: pairs on which the best temperature is fitted, with a pool of their own.

    Raises: ParameterError, UnknownNameError, ShapeError; DataError if a finite source has too few pairs.
    """
    runs = runs_of(network.n_runs, sources, seeds)
    counts = _counts(n_negatives, network.n_runs, n_pool)
    chosen = _require_readable(bounds.load(bound)())
    reader = _Reader(network, runs, counts, n_pool)
    validation = reader.draw(n_validation, "validation", 0)
    best = best_temperature(reader, validation)
    given = None if temperature is None else _temperatures(temperature, network.n_runs)
    if chosen == bounds.load("info_nce")():
        read = reader.info_nce
    else:
        read = _OfBatches(reader, chosen, validation).read
    blocks = [reader.draw(n_anchors, "test", block) for block in range(n_blocks)]
    missing = best.new_full((network.n_runs,), math.nan)
    of_given = (
        Value(missing, missing, missing) if given is None else _mean([read(block, given) for block in blocks])
    )
    of_best = _mean([read(block, best) for block in blocks])
    oracle = _mean([read(block, None) for block in blocks])
    cosines_are_bounded = chosen.name == "info_nce"
    return HeldOut(
        estimate_nats=of_given.nats,
        standard_error_nats=of_given.error,
        largest_block_nats=of_given.largest,
        best_temperature=best,
        best_temperature_estimate_nats=of_best.nats,
        best_temperature_standard_error_nats=of_best.error,
        best_temperature_largest_block_nats=of_best.largest,
        oracle_nats=oracle.nats,
        oracle_standard_error_nats=oracle.error,
        ceiling_nats=best.new_tensor([chosen.ceiling(k + 1) for k in counts]),
        temperature_ceiling_nats=_ceilings(network, given, cosines_are_bounded, missing),
        best_temperature_ceiling_nats=_ceilings(network, best, cosines_are_bounded, missing),
        truth_nats=best.new_tensor([_known(run.source.mutual_information) for run in runs]),
        n_candidates=torch.tensor([k + 1 for k in counts], device=best.device),
    )


@dataclass(frozen=True)
class _Block:
    """Unit embeddings of anchors' two views and of the pool, `R x n x d`, and the pairs that they come from."""

    z_a: Tensor
    z_b: Tensor
    pool: Tensor
    pairs: list[Pairs]


Scores = Callable[[slice], tuple[Tensor, Tensor]]  # rows -> positives R x m, negatives R x m x n_pool


class _Reader:
    """Draws blocks, and reads InfoNCE from them; runs of one number of negatives are read together."""

    def __init__(self, network: Network, runs: list[Run], counts: list[int], n_pool: int):
        self.network, self.runs, self.counts, self.n_pool = network, runs, counts, n_pool

    def draw(self, n_anchors: int, split: Split, block: int) -> _Block:
        n = n_anchors + self.n_pool
        pairs = pairs_of(self.runs, n, split, ("held out", block), device_of(self.network))
        z_a = embed(self.network, stacked([of.view_a for of in pairs])[:, :n_anchors]).embedding
        z_b = embed(self.network, stacked([of.view_b for of in pairs])).embedding
        z_a, z_b = (normalize(z, dim=-1) for z in (z_a, z_b))
        return _Block(z_a, z_b[:, :n_anchors], z_b[:, n_anchors:], pairs)

    def info_nce(self, block: _Block, temperature: Tensor | None) -> Value:
        """At a temperature a run, or (None) with the true density ratio for scores."""
        if temperature is not None:
            return self._read(block.z_a.shape[1], self.counts, _cosines(block, temperature))
        kinds = list(dict.fromkeys(zip(self.runs, self.counts, strict=True)))
        of_kind = {kind: self._oracle(block, *kind) for kind in kinds}
        every = [of_kind[kind] for kind in zip(self.runs, self.counts, strict=True)]
        return Value(
            *(torch.cat(part) for part in zip(*((v.nats, v.error, v.largest) for v in every), strict=True))
        )

    def _oracle(self, block: _Block, run: Run, count: int) -> Value:
        n, pairs = block.z_a.shape[1], block.pairs[self.runs.index(run)]
        ratio = run.source.log_density_ratio_matrix
        positives = ratio(pairs.view_a[:n].unsqueeze(1), pairs.view_b[:n].unsqueeze(1))
        if positives is None:
            missing = block.z_a.new_full((1,), math.nan, dtype=torch.float64)
            return Value(missing, missing, missing)
        own = positives.reshape(1, n)

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
        return _stack([_value([t for t, _ in part], [w for _, w in part]) for part in parts])


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


def _cosines(block: _Block, temperature: Tensor) -> Scores:
    scale = (1 / temperature).to(block.z_a).view(-1, 1, 1)
    positives = (block.z_a * block.z_b).sum(-1) * scale.squeeze(-1)
    return lambda rows: (positives[:, rows], torch.bmm(block.z_a[:, rows] * scale, block.pool.mT))


def best_temperature(reader: _Reader, block: _Block) -> Tensor:
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


class _OfBatches:
    """Any bound, on batches of K pairs, from scores read as a log density ratio."""

    def __init__(self, reader: _Reader, bound: Bound, validation: _Block):
        self.reader, self.bound, self.validation = reader, bound, validation

    def read(self, block: _Block, temperature: Tensor | None) -> Value:
        return _stack([self._run(r, block, temperature) for r in range(len(self.reader.runs))])

    def _run(self, r: int, block: _Block, temperature: Tensor | None) -> Value:
        k = self.reader.counts[r] + 1
        n_batches = block.z_a.shape[1] // k
        if n_batches < 2:
            raise ParameterError(
                f"{self.bound.name} is read on batches of K = {k} pairs, at least two; "
                f"take n_anchors of {2 * k} or more, or fewer n_negatives"
            )
        cut = slice(0, n_batches * k)
        if temperature is None:
            pairs = block.pairs[r]
            a, b = (view[cut].unflatten(0, (n_batches, k)) for view in (pairs.view_a, pairs.view_b))
            scores = self.reader.runs[r].source.log_density_ratio_matrix(a, b)
            if scores is None:
                missing = block.z_a.new_full((), math.nan, dtype=torch.float64)
                return Value(missing, missing, missing)
        else:
            a, b = (z[r, cut].unflatten(0, (n_batches, k)) for z in (block.z_a, block.z_b))
            scores = a @ b.mT / temperature[r] - self._log_mean_odds(r, temperature[r])
        values = self.bound(self.bound.optimal_scores(scores.double()))
        return Value(values.mean(), values.std() / math.sqrt(n_batches), values.max())

    def _log_mean_odds(self, r: int, temperature: Tensor) -> Tensor:
        scores = self.validation.z_a[r] @ self.validation.pool[r].mT / temperature
        return torch.logsumexp(scores.double().flatten(), 0) - math.log(scores.numel())


def _stack(values: Sequence[Value]) -> Value:
    nats, error, largest = zip(*((v.nats, v.error, v.largest) for v in values), strict=True)
    return Value(torch.stack(nats), torch.stack(error), torch.stack(largest))


def _mean(values: Sequence[Value]) -> Value:
    """Over independent blocks."""
    blocks = _stack(values)
    error = blocks.error.square().sum(0).sqrt() / len(values)
    return Value(blocks.nats.mean(0), error, blocks.largest.amax(0))


def _counts(n_negatives: int | Sequence[int] | None, n_runs: int, n_pool: int) -> list[int]:
    given = n_pool if n_negatives is None else n_negatives
    counts = per_run(
        "n_negatives", given, n_runs, lambda k: 1 <= k <= n_pool, f"in 1..{n_pool}, the size of n_pool"
    )
    return [int(k) for k in counts]


def _temperatures(temperature: PerRun, n_runs: int) -> Tensor:
    values = per_run("temperature", temperature, n_runs, lambda tau: tau > 0, "greater than 0")
    return torch.tensor(values, dtype=torch.float64)


def _require_readable(bound: Bound) -> Bound:
    if bound.baseline is not None:
        raise ParameterError(f"{bound.name} needs a trained log-baseline, which a model's scores do not have")
    return bound


def _ceilings(network: Network, temperature: Tensor | None, known: bool, missing: Tensor) -> Tensor:
    if temperature is None or not known:
        return missing
    return missing.new_tensor(
        [theory.temperature_ceiling(network.dim_embedding, tau) for tau in temperature.tolist()]
    )


def _known(value: float | None) -> float:
    return math.nan if value is None else value

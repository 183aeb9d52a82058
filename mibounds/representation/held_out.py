"""A bound read from a model's own scores on pairs that trained nothing, beside all that limits it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from mibounds import bounds, theory
from mibounds.bounds import Bound
from mibounds.errors import ParameterError
from mibounds.representation._anchors import Block, Reader, Value, best_temperature, mean, stack
from mibounds.representation.network import Network
from mibounds.representation.per_run import PerRun, per_run
from mibounds.representation.reading import runs_of
from mibounds.representation.sources import Source


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
        sampled_truth_nats: the mean log density ratio of these very pairs, whose expectation is the MI. A bound minus
            it has the mean of the bound minus the MI, and most of the pairs' luck taken out.
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
    sampled_truth_nats: Tensor
    n_candidates: Tensor

    def rows(self) -> list[dict[str, float]]:
        """A flat dict a run."""
        columns = {field.name: getattr(self, field.name).tolist() for field in fields(self)}
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


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
    reader = Reader(network, runs, counts, n_pool)
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
        Value(missing, missing, missing) if given is None else mean([read(block, given) for block in blocks])
    )
    of_best = mean([read(block, best) for block in blocks])
    oracle = mean([read(block, None) for block in blocks])
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
        sampled_truth_nats=torch.stack([reader.sampled_truth(block) for block in blocks]).mean(0),
        n_candidates=torch.tensor([k + 1 for k in counts], device=best.device),
    )


class _OfBatches:
    """Any bound, on batches of K pairs, from scores read as a log density ratio."""

    def __init__(self, reader: Reader, bound: Bound, validation: Block):
        self.reader, self.bound, self.validation = reader, bound, validation

    def read(self, block: Block, temperature: Tensor | None) -> Value:
        return stack([self._run(r, block, temperature) for r in range(len(self.reader.runs))])

    def _run(self, r: int, block: Block, temperature: Tensor | None) -> Value:
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

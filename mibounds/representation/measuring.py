"""Measuring a model: probes, geometry and held-out bounds of each run, one flat row a run."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from mibounds.errors import UnknownNameError
from mibounds.representation import geometry
from mibounds.representation._known import DEFAULT_SIZES, SPLITS, Known, Row, Sizes, fill
from mibounds.representation.held_out import HeldOut, held_out_bound
from mibounds.representation.network import Embedded, Network
from mibounds.representation.per_run import PerRun
from mibounds.representation.probes.folds import Folds
from mibounds.representation.reading import (
    Run,
    device_of,
    embed,
    examples_of,
    layers,
    n_rows,
    pairs_of,
    runs_of,
    stacked,
)
from mibounds.representation.sources import Source
from mibounds.representation.sources.base import Split

__all__ = ["HeldOut", "Sizes", "baselines", "features", "held_out_bound", "measure"]

OK, NOT_FINITE = "ok", "features are not finite"


def features(
    network: Network,
    sources: Source | Sequence[Source],
    n: int | None = None,
    *,
    seeds: int | Sequence[int] = 0,
    split: Split = "test",
) -> tuple[Embedded, list[dict[str, Tensor]]]:
    """Representations and embeddings `R x n x d` of clean inputs, and each run's factors by name.

    The encoder is frozen: evaluation mode, no gradients. `n` is None for all rows of a finite source.

    Raises: ShapeError, DataError.
    """
    drawn = examples_of(runs_of(network.n_runs, sources, seeds), n, split, device_of(network))
    return embed(network, stacked([examples.x for examples in drawn])), [
        examples.factors for examples in drawn
    ]


def measure(
    network: Network,
    sources: Source | Sequence[Source],
    *,
    temperature: PerRun | None = None,
    n_negatives: int | Sequence[int] | None = None,
    seeds: int | Sequence[int] = 0,
    sizes: Sizes = DEFAULT_SIZES,
    per_layer: bool | Sequence[str] = False,
    held_out: bool = True,
) -> list[Row]:
    """One flat row a run: what a frozen network's features say downstream, its geometry, and its held-out bound.

    Probes are ridge and k-NN on the representation h of clean inputs, tuned on validation and read on test:

        accuracy, knn_accuracy      of the source's label; <factor>_accuracy of other classes
        <factor>_r2                 of numbers, the mean over their dimensions

    Geometry of the embedding z on test inputs, and of h as representation_effective_rank and representation_spread:

        alignment (on test pairs), uniformity, tolerance, effective_rank, spread

    and all fields of `HeldOut`: estimate_nats at the training temperature, best_temperature_estimate_nats,
    oracle_nats, ceiling_nats, temperature_ceiling_nats, truth_nats ... `per_layer` adds <layer>_<each probe> and
    <layer>_effective_rank, of all layers or of those named ("layer_1", ..., "embedding"). A run whose features are not
    finite has NaN everywhere, and says so in `status`.

    Args:
        network: of R runs; left as it is.
        sources: one, or one a run; they may differ in what is known of their examples.
        temperature: that of training, one or one a run; None for a method without one.
        n_negatives: K - 1 of the held-out bound, one or one a run; None for the whole pool.
        seeds: of the evaluation data, one or one a run. Runs with the same source and seed share it.
        sizes: of that data.
        held_out: False leaves the bounds out.

    Raises: ShapeError, ParameterError, UnknownNameError; DataError for a label with one class, or a finite source with
        too few rows.
    """
    runs = runs_of(network.n_runs, sources, seeds)
    known = Known(runs, sizes, device_of(network))
    h, z = (Folds(*folds) for folds in zip(*(embed(network, x) for x in known.inputs()), strict=True))
    finite = h.train.new_ones(len(runs), dtype=torch.bool)
    for fold in (*h, *z):
        finite &= fold.isfinite().flatten(1).all(1)
    rows: list[Row] = [{"status": OK if fine else NOT_FINITE} for fine in finite]
    h, z = (folds.map(lambda fold: _without(fold, finite)) for folds in (h, z))
    known.probe(rows, h, knn=True)
    fill(rows, _geometry(h.test, z.test) | {"alignment": _alignment(network, runs, sizes, finite)})
    known.tolerance(rows, z.test)
    if per_layer:
        by_layer = [layers(network, x) for x in known.inputs()]
        for name in by_layer[0] if per_layer is True else per_layer:
            if name not in by_layer[0]:
                raise UnknownNameError("layer", name, by_layer[0])
            folds = Folds(*(_without(found[name], finite) for found in by_layer))
            known.probe(rows, folds, prefix=f"{name}_")
            fill(rows, {f"{name}_effective_rank": geometry.effective_rank(folds.test)})
    if held_out:
        of_bound = _held_out(network, runs, temperature, n_negatives, sizes)
        rows = [row | of_run for row, of_run in zip(rows, of_bound, strict=True)]
    return [row if row["status"] == OK else _missing(row) for row in rows]


def baselines(
    untrained: Network | None,
    sources: Source | Sequence[Source],
    *,
    n_runs: int | None = None,
    seeds: int | Sequence[int] = 0,
    sizes: Sizes = DEFAULT_SIZES,
) -> list[Row]:
    """The same probes on the raw inputs (raw_accuracy, raw_<factor>_r2 ...) and on an untrained network (random_...).

    With the seeds and sizes of `measure` they see the same data, so that differences are paired. A raw input's
    numbers are the same for all runs that share source and seed.

    Args:
        untrained: a network as it was built, of as many runs as will be compared; None for the raw inputs alone.
        n_runs: needed without a network.

    Raises: ShapeError, DataError.
    """
    n = untrained.n_runs if untrained else n_runs or 1
    device = device_of(untrained) if untrained else torch.device("cpu")
    runs = runs_of(n, sources, seeds)
    distinct = list(dict.fromkeys(runs))
    alone = Known(distinct, sizes, device)
    of_raw: list[Row] = [{} for _ in distinct]
    alone.probe(of_raw, Folds(*(x.flatten(2) for x in alone.inputs())), knn=True, prefix="raw_")
    raw = dict(zip(distinct, of_raw, strict=True))
    rows = [dict(raw[run]) for run in runs]
    if untrained is not None:
        known = Known(runs, sizes, device)
        of_random = Folds(*(embed(untrained, x).representation for x in known.inputs()))
        known.probe(rows, of_random, knn=True, prefix="random_")
    return rows


def _geometry(h: Tensor, z: Tensor) -> dict[str, Tensor]:
    return {
        "uniformity": geometry.uniformity(z),
        "effective_rank": geometry.effective_rank(z),
        "spread": geometry.spread(z),
        "representation_effective_rank": geometry.effective_rank(h),
        "representation_spread": geometry.spread(h),
    }


def _alignment(network: Network, runs: Sequence[Run], sizes: Sizes, finite: Tensor) -> Tensor:
    n = min([sizes.anchors, *(count for run in runs if (count := n_rows(run.source, "test")) is not None)])
    pairs = pairs_of(runs, n, "test", ("alignment",), device_of(network))
    views = ([of_run.view_a for of_run in pairs], [of_run.view_b for of_run in pairs])
    z_a, z_b = (_without(embed(network, stacked(view)).embedding, finite) for view in views)
    return geometry.alignment(z_a, z_b)


def _held_out(
    network: Network,
    runs: Sequence[Run],
    temperature: PerRun | None,
    n_negatives: int | Sequence[int] | None,
    sizes: Sizes,
) -> list[dict[str, float]]:
    """Of a finite source's rows two thirds are the pool where there are fewer than asked for."""
    sources, seeds = [run.source for run in runs], [run.seed for run in runs]
    there = {
        split: _least([n_rows(source, split) for source in dict.fromkeys(sources)]) for split in SPLITS[1:]
    }
    pool = int(min(sizes.pool, 2 * min(there.values()) // 3))
    found = held_out_bound(
        network,
        sources,
        temperature,
        n_negatives,
        seeds=seeds,
        n_anchors=int(min(sizes.anchors, there["test"] - pool)),
        n_pool=pool,
        n_blocks=sizes.blocks,
        n_validation=int(min(256, there["validation"] - pool)),
    )
    return found.rows()


def _least(counts: Sequence[int | None]) -> float:
    return min([count for count in counts if count is not None], default=math.inf)


def _without(fold: Tensor, finite: Tensor) -> Tensor:
    """Zeros for the runs that are not finite, which no decomposition takes."""
    return torch.where(finite.view(-1, *[1] * (fold.ndim - 1)), fold, 0.0)


def _missing(row: Row) -> Row:
    kept = ("status", "ceiling_nats", "temperature_ceiling_nats", "oracle_nats", "truth_nats", "n_candidates")
    return {name: value if name in kept else math.nan for name, value in row.items()}

"""Accuracy when few training rows keep their label: frozen probe, raw inputs, fine-tuning and training from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from mibounds.errors import DataError, ShapeError, UnknownNameError
from mibounds.representation._known import DEFAULT_SIZES, SPLITS, Row, Sizes
from mibounds.representation.network import Network
from mibounds.representation.probes import Folds, Ridge, fine_tune, label_subset, logistic_probe
from mibounds.representation.reading import Run, device_of, embed, examples_of, runs_of, stacked
from mibounds.representation.sources import Source
from mibounds.seeding import seed_of

PROBES = {"ridge": lambda features, labels: Ridge(features).classify(labels), "logistic": logistic_probe}


def few_labels(
    network: Network,
    sources: Source | Sequence[Source],
    fractions: Sequence[float],
    *,
    seeds: int | Sequence[int] = 0,
    sizes: Sizes = DEFAULT_SIZES,
    untrained: Network | None = None,
    probe: Literal["ridge", "logistic"] = "ridge",
    **training: Any,
) -> list[Row]:
    """One flat row a run; for each fraction f, of the training rows' labels and class by class,

        n_labels_at_f               that came: at least one a class
        accuracy_at_f               of the linear probe on the frozen representation
        raw_accuracy_at_f           of the same on raw inputs

    and, given an untrained network of the same architecture,

        random_accuracy_at_f        of the same on its frozen representation
        fine_tuned_accuracy_at_f    of a copy of the encoder trained on these labels
        supervised_accuracy_at_f    of a copy of the untrained one trained alike

    The validation fold, on which all five are tuned or stopped, keeps its labels at every fraction.

    Args:
        network, sources, seeds, sizes: see `measure`.
        fractions: each greater than 0, at most 1.
        probe: "ridge", quick, or "logistic", which papers report.
        training: see `fine_tune`.

    Raises: ParameterError, ShapeError, UnknownNameError; DataError for a source without labels.
    """
    if probe not in PROBES:
        raise UnknownNameError("probe", probe, PROBES)
    if untrained is not None and untrained.n_runs != network.n_runs:
        raise ShapeError(f"expected an untrained network of {network.n_runs} runs; got {untrained.n_runs}")
    runs = runs_of(network.n_runs, sources, seeds)
    counts = (sizes.train, sizes.validation, sizes.test)
    drawn = [examples_of(runs, n, split, device_of(network)) for n, split in zip(counts, SPLITS, strict=True)]
    inputs = Folds(*(stacked([examples.x for examples in of_split]) for of_split in drawn))
    read = {"": inputs.map(lambda fold: embed(network, fold).representation), "raw_": inputs}
    if untrained is not None:
        read["random_"] = inputs.map(lambda fold: embed(untrained, fold).representation)
    labels = [Folds(*(_labels(of_split[r].factors, run) for of_split in drawn)) for r, run in enumerate(runs)]
    rows: list[Row] = [{} for _ in runs]
    for fraction in fractions:
        for r, run in enumerate(runs):
            kept = label_subset(labels[r].train, fraction, seed_of("labels", run.seed)).rows
            known = labels[r]._replace(train=labels[r].train[kept])
            rows[r][f"n_labels_at_{fraction:g}"] = len(kept)
            for prefix, folds in read.items():
                features = folds.map(lambda fold: fold[r : r + 1].flatten(2))  # noqa: B023
                found = PROBES[probe](features._replace(train=features.train[:, kept]), known)
                rows[r][f"{prefix}accuracy_at_{fraction:g}"] = found.accuracy.item()
        if untrained is not None:
            _train(rows, network, untrained, inputs, labels, runs, fraction, training)
    return rows


def _train(
    rows: list[Row],
    network: Network,
    untrained: Network,
    inputs: Folds,
    labels: Sequence[Folds],
    runs: Sequence[Run],
    fraction: float,
    training: dict[str, Any],
) -> None:
    """Adds the accuracies of both starts. Runs train in one stack, hence on equally many labels."""
    kept = [
        label_subset(known.train, fraction, seed_of("labels", run.seed)).rows
        for known, run in zip(labels, runs, strict=True)
    ]
    if len({len(of_run) for of_run in kept}) > 1:
        raise ShapeError("runs trained on labels in one stack need one seed for their evaluation data")
    x = torch.stack([inputs.train[r, of_run] for r, of_run in enumerate(kept)])
    of_train = torch.stack([known.train[of_run] for known, of_run in zip(labels, kept, strict=True)])
    folds = inputs._replace(train=x)
    known = Folds(
        of_train,
        torch.stack([of_run.validation for of_run in labels]),
        torch.stack([of_run.test for of_run in labels]),
    )
    seeds = [seed_of("fine-tuning", run.seed, r) for r, run in enumerate(runs)]
    for name, start in (("fine_tuned", network), ("supervised", untrained)):
        found = fine_tune(start.encoder, folds, known, seeds, **training).accuracy.tolist()
        for row, accuracy in zip(rows, found, strict=True):
            row[f"{name}_accuracy_at_{fraction:g}"] = accuracy


def _labels(factors: dict[str, Tensor], run: Run) -> Tensor:
    if run.source.label is None or run.source.label not in factors:
        raise DataError(
            f"{run.source.name} has no label; label fractions need one (its factors: {', '.join(factors)})"
        )
    return factors[run.source.label]

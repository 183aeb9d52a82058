"""What a trained model is worth, in one call: a checkpoint or a training in, rows and a readable table out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mibounds.representation import _evaluation_table, checkpoint
from mibounds.representation._known import DEFAULT_SIZES, Row, Sizes
from mibounds.representation.few_labels import few_labels
from mibounds.representation.loop import Pretrainer
from mibounds.representation.measuring import OK, baselines, measure
from mibounds.representation.network import Network
from mibounds.representation.per_run import Temperature
from mibounds.representation.sources import Source


@dataclass(frozen=True)
class Evaluation:
    """Rows of numbers, one a run, with baselines in the same row: raw_... on inputs, random_... before training.

    Attributes:
        rows: flat, units in the names.
        method: by file name.
        steps: that it was trained for.
    """

    rows: list[Row]
    method: str
    steps: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON, which has no NaN: what is unknown is None."""
        rows = [{name: _known(value) for name, value in row.items()} for row in self.rows]
        return {"method": self.method, "steps": self.steps, "rows": rows}

    def __str__(self) -> str:
        return _evaluation_table.text(self.rows, self.method, self.steps)


def evaluate(
    model: Pretrainer | str | Path,
    sources: Source | Sequence[Source] | None = None,
    *,
    n_negatives: int | Sequence[int] | None = None,
    seeds: int | Sequence[int] = 0,
    sizes: Sizes = DEFAULT_SIZES,
    label_fractions: Sequence[float] = (),
    fine_tuned: bool = False,
    per_layer: bool | Sequence[str] = False,
    device: str = "auto",
) -> Evaluation:
    """Probes, geometry and held-out bounds of a model, beside the same probes on raw inputs and before training.

    The model is left as it is. All data is drawn from its sources' validation and test splits, probes learn from the
    training split; runs of one source share it.

    Args:
        model: a training, or the folder of its checkpoint.
        sources: to evaluate on, one or one a run; None for those of the training.
        n_negatives, seeds, sizes, per_layer: see `measure`.
        label_fractions: adds the accuracies of `few_labels`.
        fine_tuned: whether those include fine-tuning and training from scratch, which takes minutes.
        device: that a checkpoint is loaded to.

    Raises: DataError for a checkpoint that is missing, truncated or does not fit; ShapeError, ParameterError.

    Example:
        >>> from mibounds.representation.recipe import Recipe
        >>> training = Recipe("simclr", "vmf", {"temperature": 0.1}, steps=5, batch_size=32).build("cpu")
        >>> _ = training.fit()
        >>> found = evaluate(training, sizes=Sizes(200, 100, 200, anchors=64, pool=63))
        >>> found.rows[0]["estimate_nats"] < found.rows[0]["ceiling_nats"]
        True
    """
    pretrainer = (
        model if isinstance(model, Pretrainer) else checkpoint.load(model, device=device, sources=sources)
    )
    network, untrained = pretrainer.network, _untrained(pretrainer)
    evaluated = pretrainer.sources if sources is None else sources
    rows = measure(
        network,
        evaluated,
        temperature=_temperature(pretrainer),
        n_negatives=n_negatives,
        seeds=seeds,
        sizes=sizes,
        per_layer=per_layer,
    )
    beside = [baselines(untrained, evaluated, n_runs=network.n_runs, seeds=seeds, sizes=sizes)]
    if label_fractions:
        start = untrained if fine_tuned else None
        beside.append(
            few_labels(network, evaluated, label_fractions, seeds=seeds, sizes=sizes, untrained=start)
        )
    for more in beside:
        rows = [row | of_run for row, of_run in zip(rows, more, strict=True)]
    for row, status in zip(rows, pretrainer.status, strict=True):
        row["status"] = status if row["status"] == OK else row["status"]
    return Evaluation(rows, pretrainer.method.name, pretrainer.steps_done)


def _untrained(pretrainer: Pretrainer) -> Network | None:
    """The network before its first step; None for a training without a recipe, which cannot be made again."""
    if pretrainer.recipe is None:
        return None
    return pretrainer.recipe.build(str(pretrainer.device), pretrainer.sources).network


def _temperature(pretrainer: Pretrainer) -> list[float] | None:
    module = getattr(pretrainer.method, "temperature", None)
    return module().flatten().tolist() if isinstance(module, Temperature) else None


def _known(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value

"""Contrastive encoders: sources of paired views, encoders, methods, the one pretraining loop, and measuring a model.

Everything is a stack of R independent runs, `R x n x ...`, that may differ in seed, source, temperature, number of
negatives and learning rate; every parameter has the run as its leading dimension. A run gives the same numbers alone as
among others.

>>> trained = pretrain("simclr", "vmf", temperature=0.1, steps=20, batch_size=32, seeds=[0, 1], device="cpu")
>>> trained.status
['ok', 'ok']
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from mibounds.representation.evaluation import Evaluation
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.sources import Source

__all__ = ["evaluate", "load_checkpoint", "pretrain"]


def pretrain(
    method: str,
    source: str | Source | Sequence[Source],
    *,
    temperature: float | Sequence[float] | None = None,
    checkpoint: str | Path | None = None,
    resume: bool = False,
    device: str = "auto",
    **settings: Any,
) -> Pretrainer:
    """Trains a stack of encoders by a method on a source, all settings by name.

    Args:
        method: by file name, see `methods.names()`.
        source: by file name, see `sources.names()`; or sources that are made already, one for all runs or one a run.
        temperature: of the method, for those that have one: they have no default.
        checkpoint: a folder that the state is saved to, now and then and at the end.
        resume: go on from the checkpoint, if there is one.
        device: "auto", "cpu", "cuda" or a torch device's name.
        settings: of the `recipe.Recipe`: steps, batch_size, seeds, method_options, source_options, encoder ...

    Raises: UnknownNameError, ParameterError, DataError, ShapeError, each naming what was expected.
    """
    from mibounds.representation import checkpoint as checkpoints
    from mibounds.representation.recipe import Recipe

    if temperature is not None:
        settings["method_options"] = {**settings.get("method_options", {}), "temperature": temperature}
    name, given = (source, None) if isinstance(source, str) else (None, source)
    pretrainer = Recipe.from_dict({"method": method, "source": name, **settings}).build(device, given)
    if checkpoint is None:
        pretrainer.fit()
    else:
        checkpoints.fit(pretrainer, checkpoint, resume=resume)
    return pretrainer


def load_checkpoint(
    folder: str | Path, *, device: str = "auto", sources: Source | Sequence[Source] | None = None
) -> Pretrainer:
    """The training that was saved in `folder`: its `network`, `method` and `sources`, ready to go on or to be measured.

    `sources` are needed only where they were not made by name.

    Raises: DataError for a checkpoint that is missing, truncated or that does not fit.
    """
    from mibounds.representation import checkpoint as checkpoints

    return checkpoints.load(folder, device=device, sources=sources)


def evaluate(
    model: Pretrainer | str | Path, sources: Source | Sequence[Source] | None = None, **options: Any
) -> Evaluation:
    """Probes, geometry and held-out bounds of a training or of a checkpoint's folder; print it, or read its `rows`.

    `sources` are those of the training by default; `options` are those of `evaluation.evaluate`: label_fractions,
    per_layer, n_negatives, seeds, sizes ...

    Raises: DataError for a checkpoint that is missing, truncated or that does not fit; ShapeError, ParameterError.
    """
    from mibounds.representation.evaluation import evaluate as evaluate_model

    return evaluate_model(model, sources, **options)

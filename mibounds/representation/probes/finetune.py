"""Fine-tuning: the encoder as an initialisation, trained on labels with a linear layer on top."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from mibounds.errors import ShapeError
from mibounds.representation.encoders import Encoder
from mibounds.representation.probes import _early_stopping
from mibounds.representation.probes.folds import Folds, accuracy, require_labels
from mibounds.representation.probes.nonlinear import class_loss
from mibounds.seeding import generator, seed_of
from mibounds.stacked import StackedLinear

DEFAULTS: dict[str, Any] = {
    "learning_rate": 1e-3,
    "batch_size": 64,
    "max_steps": 1000,
    "check_every": 20,
    "patience": 10,
}


@dataclass(frozen=True)
class FineTuned:
    """Accuracy on the test fold, `R`, and the trained copy of the encoder with its classifier."""

    accuracy: Tensor
    model: nn.Sequential


def fine_tune(
    encoder: Encoder, inputs: Folds, labels: Folds, seeds: Sequence[int], **training: Any
) -> FineTuned:
    """Trains a copy of the encoder and a linear classifier on labels; the encoder itself is left as it is.

    With an untrained encoder this is plain supervised learning: the same net, the same steps, from scratch. Adam on
    the cross-entropy, stopped where the validation loss is least, each run on its own.

    Args:
        encoder: a stack of R.
        inputs: three folds `R x n x *shape`.
        labels: three folds of class indices, `R x n` or `n`.
        seeds: one a run, of the classifier's weights and the batches.
        training: learning_rate, batch_size, max_steps, check_every, patience.

    Raises: ShapeError, DataError, ParameterError.
    """
    if len(seeds) != encoder.n_runs or any(len(fold) != encoder.n_runs for fold in inputs):
        raise ShapeError(
            f"expected inputs and seeds for {encoder.n_runs} runs; got {len(inputs.train)} and {len(seeds)}"
        )
    known, n_classes = require_labels(labels, inputs)
    known = known.map(lambda fold: fold.expand(encoder.n_runs, -1))
    generators = [generator(seed_of("classifier", seed)) for seed in seeds]
    classifier = StackedLinear(encoder.dim, n_classes, generators).to(next(encoder.parameters()).device)
    model = nn.Sequential(copy.deepcopy(encoder), classifier)
    model.requires_grad_()
    _early_stopping.fit(model, inputs, known, class_loss, seeds, **(DEFAULTS | training))
    predicted = _early_stopping.outputs(model, inputs.test).argmax(-1)
    return FineTuned(accuracy(predicted, known.test), model)

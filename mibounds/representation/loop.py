"""The one pretraining loop: R runs train together on a method's loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from mibounds.errors import ParameterError, ShapeError
from mibounds.optimization import PerRunSteps, denormals_flushed
from mibounds.representation.batches import stacked_pairs
from mibounds.representation.methods import Method
from mibounds.representation.network import Network
from mibounds.representation.optimizers import cosine, make_optimizer
from mibounds.representation.per_run import PerRun, per_run
from mibounds.representation.sources import Pairs, Source


class Pretrainer(nn.Module):
    """Trains a stack of networks by a method.

    Args:
        network, method: of the same R runs.
        sources: one for all runs, or one a run.
        seeds: one a run, of the batches: which pairs a run sees, in which order.
        batch_size: pairs a step.
        steps: of the whole training, over which the rate falls.
        optimizer: "adam", "adamw", "sgd" or "lars".
        learning_rate: the largest, one or one a run.
        weight_decay: of matrices; biases and norms have none.
        warmup: share of the steps over which the rate rises.
        check_every: steps between two looks at the embedding's spread and rank.

    Attributes:
        status: one a run, "ok" or "diverged at step ...".
        steps_done: so far.
        alarms: lines about collapse or divergence, in order.

    Raises: ShapeError, ParameterError.
    """

    def __init__(
        self,
        network: Network,
        method: Method,
        sources: Source | Sequence[Source],
        seeds: Sequence[int],
        *,
        batch_size: int,
        steps: int,
        optimizer: str = "adam",
        learning_rate: PerRun = 1e-3,
        weight_decay: float = 0.0,
        warmup: float = 0.0,
        check_every: int = 100,
    ):
        super().__init__()
        self.network, self.method = network, method
        self.n_runs = network.n_runs
        self.sources = [sources] * self.n_runs if isinstance(sources, Source) else list(sources)
        if not len(self.sources) == len(seeds) == method.n_runs == self.n_runs:
            raise ShapeError(
                f"expected sources and seeds for {self.n_runs} runs; got {len(self.sources)} and {len(seeds)}"
            )
        for name, value in (("batch_size", batch_size), ("steps", steps), ("check_every", check_every)):
            if value < 1:
                raise ParameterError(f"{name} must be at least 1; got {value}")
        rates = per_run("learning_rate", learning_rate, self.n_runs, lambda rate: rate > 0, "greater than 0")
        self.seeds, self.batch_size, self.steps = list(seeds), batch_size, steps
        self.learning_rate, self.warmup, self.check_every = max(rates), warmup, check_every
        self.optimizer = make_optimizer(optimizer, self, self.learning_rate, weight_decay)
        everyone = torch.arange(self.n_runs)
        self._steps = PerRunSteps(self.optimizer, rates, [(network, everyone), (method, everyone)])
        self.status = ["ok"] * self.n_runs
        self.alarms: list[str] = []
        self.steps_done = 0

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def fit(self, steps: int | None = None) -> Tensor:
        """Takes `steps` steps, by default all that are left. Returns the losses before each, `steps x R`."""
        steps = self.steps - self.steps_done if steps is None else steps
        batches = stacked_pairs(
            self.sources, self.seeds, self.batch_size, first_step=self.steps_done, device=self.device
        )
        self.train()
        with denormals_flushed():
            losses = torch.stack([self._step(pairs) for pairs, _ in zip(batches, range(steps), strict=False)])
        self._note_divergence(losses, self.steps_done - steps)
        return losses

    def _step(self, pairs: Pairs) -> Tensor:
        for group in self.optimizer.param_groups:
            group["lr"] = self.learning_rate * cosine(self.steps_done / self.steps, self.warmup)
        losses = self.method(self.network, pairs)
        self.optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()
        self._steps.step()
        self.steps_done += 1
        self.method.after_step(self.network, self.steps_done / self.steps)
        return losses.detach()

    def _note_divergence(self, losses: Tensor, first_step: int) -> None:
        for run, bad in enumerate((~losses.isfinite()).T):
            if bad.any() and self.status[run] == "ok":
                self.status[run] = f"diverged at step {first_step + int(bad.nonzero()[0])}"

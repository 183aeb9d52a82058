"""The one pretraining loop: R runs train together on a method's loss."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, Literal, TypeAlias, get_args

import torch
from torch import Tensor, nn

from mibounds.errors import ParameterError, ShapeError, UnknownNameError
from mibounds.optimization import PerRunSteps, denormals_flushed
from mibounds.representation import alarms
from mibounds.representation.batches import stacked_pairs
from mibounds.representation.distributed import agreed, average, average_gradients, n_processes, own_rows
from mibounds.representation.methods import Method
from mibounds.representation.network import Network
from mibounds.representation.optimizers import (
    DEFAULT_RATES,
    SCHEDULES,
    clip_by_run,
    make_optimizer,
    require_optimizer,
    require_schedule,
)
from mibounds.representation.per_run import PerRun, per_run
from mibounds.representation.sources import Pairs, Source

Precision = Literal["float32", "bfloat16"]
Watch: TypeAlias = "Callable[[Pretrainer], bool]"

AGREE_EVERY = 10  # steps: asking all processes at each would hold up a GPU


class Pretrainer(nn.Module):
    """Trains a stack of networks by a method.

    Args:
        network, method: of the same R runs.
        sources: one for all runs, or one a run.
        seeds: one a run, of the batches: which pairs a run sees, in which order.
        batch_size: pairs a step, over all processes.
        steps: of the whole training, over which the rate falls.
        optimizer: "adam", "adamw", "sgd" or "lars".
        learning_rate: the largest, one or one a run; None for the optimiser's usual one.
        weight_decay: of matrices; biases and norms have none.
        schedule: of the rate, "cosine" or "constant".
        warmup: share of the steps over which the rate rises.
        clip: the largest norm of a run's gradient; None for any.
        precision: of the network's layers, "float32" or "bfloat16"; losses are computed in float32.
        compile: whether the network goes through torch.compile.
        check_every: steps between two looks at the embedding's spread and rank.

    Attributes:
        status: one a run, "ok" or "diverged at step ...".
        steps_done: so far.
        alarms: lines about collapse or divergence, in order, each once a run.
        checks: what each look found: step, and one a run of loss, spread and effective_rank (None where not finite),
            and examples_a_second, pairs of all runs.
        recipe: what `recipe.Recipe.build` made it from; else None.

    Raises: ShapeError, ParameterError, UnknownNameError.
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
        learning_rate: PerRun | None = None,
        weight_decay: float = 0.0,
        schedule: str = "cosine",
        warmup: float = 0.0,
        clip: float | None = None,
        precision: Precision = "float32",
        compile: bool = False,
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
        _require(batch_size, steps, check_every, warmup, weight_decay, clip)
        if precision not in get_args(Precision):
            raise UnknownNameError("precision", precision, get_args(Precision))
        if learning_rate is None:
            learning_rate = DEFAULT_RATES[require_optimizer(optimizer)]
        rates = per_run("learning_rate", learning_rate, self.n_runs, lambda rate: rate > 0, "greater than 0")
        self._schedule = SCHEDULES[require_schedule(schedule)]
        self.seeds, self.batch_size, self.steps = list(seeds), batch_size, steps
        self.warmup, self.clip, self.compiled, self.check_every = warmup, clip, compile, check_every
        self.settings = {
            "seeds": self.seeds,
            "batch_size": batch_size,
            "steps": steps,
            "optimizer": optimizer,
            "learning_rate": rates,
            "weight_decay": weight_decay,
            "schedule": schedule,
            "warmup": warmup,
            "clip": clip,
        }
        for source in dict.fromkeys(self.sources):
            method.require(source, batch_size)
        for part in self._networks():
            part.precision = precision
            if compile:
                part.compile()
        self.learning_rate = max(rates)
        self.optimizer = make_optimizer(optimizer, self, self.learning_rate, weight_decay)
        everyone = torch.arange(self.n_runs)
        self._steps = PerRunSteps(self.optimizer, rates, [(network, everyone), (method, everyone)])
        self.status = ["ok"] * self.n_runs
        self.alarms: list[str] = []
        self.checks: list[dict[str, Any]] = []
        self.recipe: Any = None
        self.steps_done = 0
        self._unread: list[Tensor] = []
        self._clock = (time.perf_counter(), 0)

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def fit(self, steps: int | None = None, *, watch: Watch | None = None) -> Tensor:
        """Takes `steps` steps, by default all that are left. Returns the losses before each, `steps x R`.

        `watch` is called after each step. Once it returns True, and goes on to, the training pauses: the next call of
        `fit` takes the steps that are left, as if there had been no pause.

        Raises: ParameterError for more steps than are left, and where memory does not suffice.
        """
        left = self.steps - self.steps_done
        steps = left if steps is None else steps
        if not 0 <= steps <= left:
            raise ParameterError(f"steps must lie in 0..{left}, those left of {self.steps}; got {steps}")
        batches = stacked_pairs(
            self.sources, self.seeds, self.batch_size, first_step=self.steps_done, device=self.device
        )
        self.train()
        losses = next(self.network.parameters()).new_empty(steps, self.n_runs, requires_grad=False)
        taken, self._clock = 0, (time.perf_counter(), self.steps_done)
        with denormals_flushed(), alarms.named_failures(self.batch_size, self.n_runs, self.compiled):
            for pairs in islice(batches, steps):
                losses[taken] = latest = self._step(pairs)
                taken += 1
                self._unread.append(latest)
                if self.steps_done % self.check_every == 0 or self.steps_done == self.steps:
                    self._check(latest, pairs)
                if watch is not None and self._paused(watch):
                    break
        self.note_divergence()
        return losses[:taken]

    def _step(self, pairs: Pairs) -> Tensor:
        middle = (self.steps_done + 0.5) / self.steps  # of the step: at its ends a rate may be 0
        rate = self.learning_rate * self._schedule(middle, self.warmup)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        losses = self.loss(pairs)
        self.optimizer.zero_grad(set_to_none=True)
        losses.sum().backward()
        average_gradients(self.parameters())
        if self.clip is not None:
            clip_by_run(self.parameters(), self.clip)
        self._steps.step()
        self.steps_done += 1
        self.method.after_step(self.network, self.steps_done / self.steps)
        return average(losses.detach())

    def loss(self, pairs: Pairs) -> Tensor:
        """The losses `R` of this process's share of a batch `R x batch_size x *shape`."""
        if n_processes() > 1:
            factors = {name: own_rows(values) for name, values in pairs.factors.items()}
            pairs = Pairs(own_rows(pairs.view_a), own_rows(pairs.view_b), factors)
        return self.method(self.network, pairs)

    def take_history(
        self, status: Sequence[str], lines: Sequence[str], checks: Sequence[dict[str, Any]]
    ) -> None:
        """What a saved training had seen so far: status, alarms and checks."""
        self.status, self.alarms, self.checks = list(status), list(lines), list(checks)

    def _networks(self) -> list[Network]:
        """The one that is trained, and copies that the method keeps of it."""
        return [module for module in self.modules() if isinstance(module, Network)]

    def _paused(self, watch: Watch) -> bool:
        wish = watch(self)
        if n_processes() > 1 and self.steps_done % AGREE_EVERY:
            return False
        return agreed(wish, self.device)

    def _check(self, losses: Tensor, pairs: Pairs) -> None:
        """Looks at the last losses, and at the embeddings of the last batch as the trained network gives them."""
        self.note_divergence()  # waits for the device, so that the time is true
        started, first_step = self._clock
        seconds, steps = time.perf_counter() - started, self.steps_done - first_step
        geometry = alarms.geometry_of(self._embeddings(pairs.view_a[:, : alarms.ROWS]))
        self.checks.append(
            {
                "step": self.steps_done,
                "loss": alarms.finite_or_none(losses.tolist()),
                "spread": geometry.spread,
                "effective_rank": geometry.effective_rank,
                "examples_a_second": steps * self.batch_size * self.n_runs / seconds,
            }
        )
        for run, kind, what in alarms.collapses(geometry):
            self._alarm(run, f"{kind} collapse at step {self.steps_done}", what)
        self._clock = (time.perf_counter(), self.steps_done)

    @torch.no_grad()
    def _embeddings(self, view: Tensor) -> Tensor:
        self.network.eval()
        embeddings = self.network.forward(view).embedding  # not compiled anew for another mode and shape
        self.network.train()
        return embeddings

    def note_divergence(self) -> None:
        """Reads the losses since it did so last, and gives a status to runs of which one is not finite."""
        if not self._unread:
            return
        bad = ~torch.stack(self._unread).isfinite()
        self._unread.clear()
        for run, of_run in enumerate(bad.T.tolist()):
            if any(of_run) and self.status[run] == "ok":
                self.status[run] = f"diverged at step {self.steps_done - len(of_run) + of_run.index(True)}"
                self._alarm(run, self.status[run], "its loss is not finite; lower learning_rate")

    def _alarm(self, run: int, what: str, why: str) -> None:
        """Once a run and kind of trouble."""
        kind = f"run {run}: {what.partition(' at step')[0]} at step "
        if not any(line.startswith(kind) for line in self.alarms):
            self.alarms.append(f"run {run}: {what}: {why}")


def _require(
    batch_size: int, steps: int, check_every: int, warmup: float, weight_decay: float, clip: float | None
) -> None:
    for name, count in (("batch_size", batch_size), ("steps", steps), ("check_every", check_every)):
        if count < 1:
            raise ParameterError(f"{name} must be at least 1; got {count}")
    if not 0 <= warmup < 1:
        raise ParameterError(f"warmup is a share of the steps, 0 or more and less than 1; got {warmup}")
    if weight_decay < 0:
        raise ParameterError(f"weight_decay must be 0 or more; got {weight_decay}")
    if clip is not None and clip <= 0:
        raise ParameterError(f"clip must be greater than 0, or None; got {clip}")

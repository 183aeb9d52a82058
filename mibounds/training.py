"""The one loop for critics: R independent runs train together as one stack of tensors.

Runs of a stack may differ in data, seed, bound and learning rate. They never meet: every operation acts along the
leading dimension, so a run gives the same numbers alone as among others, and one that diverges harms no other.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mibounds.bounds import Bound
from mibounds.critics.base import Baseline, Critic
from mibounds.distributions import Distribution
from mibounds.errors import ParameterError, ShapeError
from mibounds.optimization import PerRunSteps, denormals_flushed, keep_freed_memory
from mibounds.seeding import generator, seed_of

Batch = tuple[Tensor, Tensor]
Places = Tensor | slice

# Steps drawn from the generator at once. A constant, since the stream of numbers depends on it.
STEPS_A_DRAW = 32
PAIRS_AT_ONCE = 2**16


def fresh_batches(
    laws: Sequence[Distribution], seeds: Sequence[int], batch_size: int, device: str | torch.device = "cpu"
) -> Iterator[Batch]:
    """Endless batches `R x batch_size x dim` of new samples; run r sees `laws[r]` through `seeds[r]`.

    Runs with the same law and seed share one draw: a paired comparison costs its data once.
    """
    keys = list(zip(laws, seeds, strict=True))
    sources = {key: generator(key[1], device) for key in dict.fromkeys(keys)}
    order = [list(sources).index(key) for key in keys]
    places = _places(order, len(sources), device)
    while True:
        drawn = [law.sample(STEPS_A_DRAW * batch_size, source) for (law, _), source in sources.items()]
        x, y = (
            torch.stack(side).unflatten(1, (STEPS_A_DRAW, batch_size)) for side in zip(*drawn, strict=True)
        )
        for step in range(STEPS_A_DRAW):
            yield x[:, step][places], y[:, step][places]


def shuffled_batches(x: Tensor, y: Tensor, seeds: Sequence[int], batch_size: int) -> Iterator[Batch]:
    """Endless batches of a finite sample `R x n x dim`, reshuffled each epoch; ragged remainders are left out.

    Run r shuffles by `seeds[r]`. A batch holds distinct rows, so no negative is the positive drawn twice.
    """
    n = x.shape[1]
    if batch_size > n:
        raise ParameterError(f"batch_size must be at most the {n} samples; got {batch_size}")
    sources = [generator(seed) for seed in seeds]
    runs = torch.arange(len(sources), device=x.device).unsqueeze(1)
    while True:
        orders = torch.stack([torch.randperm(n, generator=source) for source in sources]).to(x.device)
        for start in range(0, n - batch_size + 1, batch_size):
            rows = orders[:, start : start + batch_size]
            yield x[runs, rows], y[runs, rows]


def _places(chosen: Sequence[int], total: int, device: str | torch.device) -> Places:
    """An index of those among `total`; of all in order, one that copies nothing."""
    return slice(None) if list(chosen) == list(range(total)) else torch.tensor(chosen, device=device)


@dataclass
class _Reading:
    """One bound read from some runs of a group: `rows` of the group, into `columns` of the values."""

    bound: Bound
    rows: Places
    columns: Places


@dataclass
class _Group:
    """The runs of a stack that train on one bound, with what that bound keeps between steps."""

    bound: Bound
    runs: list[int]
    places: Places
    baseline: Baseline | None
    readings: list[_Reading]
    state: Tensor | None = None

    def inputs(self, scores: Tensor, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        """What the bound is called with: scores, and its log-baseline if it has one."""
        if self.baseline is None:
            return (scores[self.places],)
        return scores[self.places], self.baseline(x[self.places], y[self.places])

    def read(self, inputs: tuple[Tensor, ...], values: Tensor, objective: Tensor | None = None) -> None:
        """Writes the bounds' values on `inputs` into their columns of `values`; one that was trained is at hand."""
        for reading in self.readings:
            if objective is not None and reading.bound == self.bound and self.bound.trains_its_value:
                values[reading.columns] = objective.detach()[reading.rows]
            else:
                values[reading.columns] = reading.bound(*(i.detach()[reading.rows] for i in inputs))


class Trainer(nn.Module):
    """Trains a stack of critics, each on its bound, and reads bounds from it.

    Args:
        critic: R critics in one stack.
        bounds: what each run is trained on; one a run, or one for all.
        seeds: one a run, for the log-baselines that some bounds train beside the critic.
        readings: pairs (run, bound), the C columns of all values; a run may be read by several bounds. By default
            each run is read by the bound it trains, so that C = R.
        learning_rate: of Adam; one a run, or one for all.
        hidden: widths of the log-baselines' hidden layers.

    Attributes: `status`, one a run, "ok" or "diverged at step ...".

    Raises: ShapeError if there are not R bounds, seeds or learning rates; ParameterError for a learning rate <= 0.
    """

    def __init__(
        self,
        critic: Critic,
        bounds: Bound | Sequence[Bound],
        seeds: Sequence[int],
        *,
        readings: Sequence[tuple[int, Bound]] | None = None,
        learning_rate: float | Sequence[float] = 5e-4,
        hidden: Sequence[int] = (256, 256),
    ):
        super().__init__()
        n_runs = critic.n_runs
        bounds = [bounds] * n_runs if isinstance(bounds, Bound) else list(bounds)
        rates = [learning_rate] * n_runs if isinstance(learning_rate, int | float) else list(learning_rate)
        if not len(bounds) == len(seeds) == len(rates) == n_runs:
            raise ShapeError(
                f"expected {n_runs} bounds, seeds and learning rates, one a run; "
                f"got {len(bounds)}, {len(seeds)} and {len(rates)}"
            )
        if not min(rates) > 0:
            raise ParameterError(f"learning_rate must be greater than 0; got {min(rates)}")
        self.critic = critic
        self.n_runs = n_runs
        self.readings = list(enumerate(bounds)) if readings is None else list(readings)
        self.status = ["ok"] * n_runs
        self.steps_done = 0
        device = next((p.device for p in critic.parameters()), torch.device("cpu"))
        self._groups = [
            self._group(bound, [r for r in range(n_runs) if bounds[r] == bound], seeds, hidden, device)
            for bound in dict.fromkeys(bounds)
        ]
        self.baselines = nn.ModuleList(group.baseline for group in self._groups if group.baseline)
        trained = list(self.parameters())
        self.optimizer = torch.optim.Adam(trained, lr=max(rates), fused=True) if trained else None
        self._steps = PerRunSteps(self.optimizer, rates, self.owners()) if self.optimizer else None

    def _group(
        self, bound: Bound, runs: list[int], seeds: Sequence[int], hidden: Sequence[int], device: torch.device
    ) -> _Group:
        baseline = None
        if bound.baseline is not None:
            own = [seed_of("log_baseline", seeds[r]) for r in runs]
            baseline = Baseline(bound.baseline, self.critic.dim_x, self.critic.dim_y, own, hidden).to(device)
        columns = [(c, r, reader) for c, (r, reader) in enumerate(self.readings) if r in runs]
        readings = [
            _Reading(
                reader,
                _places([runs.index(r) for _, r, b in columns if b == reader], len(runs), device),
                _places([c for c, _, b in columns if b == reader], len(self.readings), device),
            )
            for reader in dict.fromkeys(b for _, _, b in columns)
        ]
        return _Group(bound, runs, _places(runs, self.n_runs, device), baseline, readings)

    def owners(self) -> list[tuple[nn.Module, Tensor]]:
        """The trained modules, each with the runs that its parameters' leading dimension stands for."""
        everyone = torch.arange(self.n_runs)
        return [(self.critic, everyone)] + [
            (g.baseline, torch.tensor(g.runs)) for g in self._groups if g.baseline
        ]

    def fit(self, batches: Iterator[Batch], steps: int) -> Tensor:
        """Takes `steps` training steps. Returns the bounds' values on each batch before its step, `steps x C` nats.

        On batches of new samples those values are held out. A run whose values stop being finite gets a status that
        says at which step; the others go on.
        """
        if self.optimizer is None:
            raise ParameterError(f"the critic {type(self.critic).__name__} has nothing to train")
        keep_freed_memory()
        with denormals_flushed():
            values = torch.stack([self._train_step(*next(batches)) for _ in range(steps)])
        self._note_divergence(values)
        self.steps_done += steps
        return values

    def _train_step(self, x: Tensor, y: Tensor) -> Tensor:
        assert self.optimizer and self._steps
        scores = self.critic(x, y)
        values = scores.new_empty(len(self.readings))
        objectives = []
        for group in self._groups:
            inputs = group.inputs(scores, x, y)
            objective, group.state = group.bound.step(group.state, *inputs)
            objectives.append(objective)
            group.read(inputs, values, objective)
        self.optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(objectives, [torch.full_like(o, -1) for o in objectives])  # each as if alone
        self._steps.step()
        return values

    def evaluate(self, batches: Iterable[Batch], n_batches: int) -> Tensor:
        """The bounds' values on the next `n_batches` batches, `n_batches x C` nats; nothing is trained."""
        return torch.stack([self.values(x, y) for x, y in itertools.islice(batches, n_batches)])

    @torch.no_grad()
    def values(self, x: Tensor, y: Tensor) -> Tensor:
        """The bounds' values on one batch, `C` nats."""
        scores = self.critic(x, y)
        values = scores.new_empty(len(self.readings))
        for group in self._groups:
            group.read(group.inputs(scores, x, y), values)
        return values

    @torch.no_grad()
    def inputs(self, x: Tensor, y: Tensor) -> list[tuple[Tensor, ...]]:
        """What each run's bound is called with on one batch: scores `n x n`, and log-baseline `n` if it has one.

        Scores are computed some rows at a time, so that a concatenated critic needs no n^2 hidden activations at once.
        """
        rows = max(1, PAIRS_AT_ONCE // y.shape[1])
        scores = torch.cat([self.critic(part, y) for part in x.split(rows, dim=1)], dim=1)
        of_run = {
            run: each
            for group in self._groups
            for run, *each in zip(group.runs, *group.inputs(scores, x, y), strict=True)
        }
        return [tuple(of_run[run]) for run in range(self.n_runs)]

    def _note_divergence(self, values: Tensor) -> None:
        bad = (~values.isfinite()).cpu()
        for column in bad.any(0).nonzero().flatten().tolist():
            run, _ = self.readings[column]
            if self.status[run] == "ok":
                self.status[run] = f"diverged at step {self.steps_done + int(bad[:, column].nonzero()[0])}"

    def get_extra_state(self) -> dict[str, Any]:
        """What a resumed run needs beside the weights: the optimiser's moments and the bounds' own memory."""
        return {
            "optimizer": self.optimizer.state_dict() if self.optimizer else None,
            "bounds": [group.state for group in self._groups],
            "status": list(self.status),
            "steps_done": self.steps_done,
        }

    def set_extra_state(self, state: dict[str, Any]) -> None:
        if self.optimizer:
            self.optimizer.load_state_dict(state["optimizer"])
        for group, kept in zip(self._groups, state["bounds"], strict=True):
            group.state = kept
        self.status, self.steps_done = list(state["status"]), state["steps_done"]


class BestWeights:
    """A copy of each run's weights at its best selection value so far; never a reference to weights that train on."""

    def __init__(self, trainer: Trainer):
        self.best = torch.full((trainer.n_runs,), -torch.inf)
        self._kept = [
            (p, p.detach().clone(), runs) for module, runs in trainer.owners() for p in module.parameters()
        ]

    def update(self, values: Tensor) -> Tensor:
        """Keeps the weights of those runs whose `values` (`R`) beat their best, being finite. Returns which did."""
        values = values.detach().cpu()
        better = values.isfinite() & (values > self.best)
        self.best = torch.where(better, values, self.best)
        for p, kept, runs in self._kept:
            kept[better[runs]] = p.detach()[better[runs]]
        return better

    def restore(self) -> None:
        """Puts the kept weights back."""
        with torch.no_grad():
            for p, kept, _ in self._kept:
                p.copy_(kept)

"""The loop that models of densities share: parts trained at once on one fold, each selected by itself on another."""

from __future__ import annotations

import itertools
import math
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from mibounds.data import Samples
from mibounds.errors import DivergedError, ParameterError
from mibounds.estimators._device import device_named
from mibounds.estimators._held_out import ROWS_AT_ONCE, HeldOut, History, Pairs
from mibounds.optimization import denormals_flushed
from mibounds.seeding import generator, seed_of
from mibounds.training import shuffled_batches

MATERIAL_NATS = 1e-3


class Model(nn.Module):
    """Modules by name, each with a loss of its own, and what they say together of a pair."""

    def losses(self, x: Tensor, y: Tensor, source: torch.Generator) -> dict[str, Tensor]:
        """A loss a pair, by the name of the module that it trains: `n x dim_x`, `n x dim_y` -> `n` each."""
        raise NotImplementedError

    def log_density_ratio(self, x: Tensor, y: Tensor, source: torch.Generator) -> Tensor:
        """What each pair adds to the estimate: `n x dim_x`, `n x dim_y` -> `n` nats."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Trained(HeldOut):
    """Base of estimators whose model is trained by Adam; what is kept is a moving average of its weights.

    Args:
        batch_size: pairs in a training batch; lowered to the training fold.
        max_steps: of training.
        check_every: steps between two checks on the selection fold.
        patience: checks in which no part's loss falls by 0.001 nats after which training stops.
        learning_rate: of Adam.
        device: "auto" (CUDA if there is a device, else the CPU) or a torch device's name.
    """

    batch_size: int = 256
    max_steps: int = 2000
    check_every: int = 50
    patience: int = 8
    learning_rate: float = 2e-3
    device: str = "auto"

    averaging: ClassVar[float] = 0.98  # the share of the average that a step keeps

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_counts(batch_size=2, max_steps=1, check_every=1, patience=1)
        if not 0 < self.learning_rate < math.inf:
            raise ParameterError(f"learning_rate must be greater than 0 and finite; got {self.learning_rate}")

    @abstractmethod
    def model(self, x: Tensor, y: Tensor, seed: int) -> Model:
        """The untrained model; `x` and `y` are the training fold."""

    def pairs(self, samples: Samples, seed: int) -> Pairs:
        pairs, device = super().pairs(samples, seed), device_named(self.device)
        return replace(pairs, x=pairs.x.to(device), y=pairs.y.to(device))

    def fitted(self, pairs: Pairs, seed: int) -> tuple[Model, History]:
        """The model with the weights of each part's best check, and the checks' mean losses."""
        x, y = pairs.train
        model = self.model(x, y, seed_of("weights", seed)).to(x.device)
        batches = shuffled_batches(x[None], y[None], [seed_of("batches", seed)], min(self.batch_size, len(x)))
        training = _Training(model, self.learning_rate, self.averaging, seed)
        best, checks, since_best = _BestParts(training.averaged), [], 0
        while training.steps_done < self.max_steps and since_best < self.patience:
            steps = min(self.check_every, self.max_steps - training.steps_done)
            train = training.fit(itertools.islice(batches, steps))
            select = mean_losses(training.averaged, *pairs.select, seed)
            if not all(map(math.isfinite, [*train.values(), *select.values()])):
                break
            checks.append({"step": training.steps_done, **_named("train", train), **_named("select", select)})
            since_best = 0 if best.update(select) > MATERIAL_NATS else since_best + 1
        if not checks:
            raise DivergedError(
                f"training {self.name} found no finite value to select by; lower learning_rate (it was "
                f"{self.learning_rate}) or look for extreme values in the data"
            )
        best.restore()
        return training.averaged.eval(), {name: tuple(check[name] for check in checks) for name in checks[0]}

    def of_fit(self, history: History) -> Iterator[str]:
        if history["step"][-1] >= self.max_steps:
            yield f"training was stopped at max_steps = {self.max_steps} before it settled; more may move the value"


@torch.no_grad()
def mean_losses(model: Model, x: Tensor, y: Tensor, seed: int) -> dict[str, float]:
    """Each part's mean loss on a fold. What is drawn for it depends on `seed` alone, so that checks can be compared."""
    source = generator(seed_of("select", seed), x.device)
    parts = zip(x.split(ROWS_AT_ONCE), y.split(ROWS_AT_ONCE), strict=True)
    losses = [model.losses(*part, source) for part in parts]
    return {name: torch.cat([loss[name] for loss in losses]).mean().item() for name in losses[0]}


def _named(fold: str, losses: Mapping[str, float]) -> dict[str, float]:
    return {f"{fold}_{name}": loss for name, loss in losses.items()}


class _Training:
    """A model that trains, and the moving average of it."""

    def __init__(self, model: Model, learning_rate: float, averaging: float, seed: int):
        self.model, self.steps_done = model, 0
        self._average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(averaging))
        self._optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
        self._source = generator(seed_of("noise", seed), next(model.parameters()).device)

    @property
    def averaged(self) -> Model:
        return self._average.module  # type: ignore[return-value]

    def fit(self, batches: Iterable[tuple[Tensor, Tensor]]) -> dict[str, float]:
        """A step a batch `1 x n x dim`; the mean losses."""
        with denormals_flushed():
            losses = [self._step(x[0], y[0]) for x, y in batches]
        self.steps_done += len(losses)
        return {name: sum(loss[name] for loss in losses) / len(losses) for name in losses[0]}

    def _step(self, x: Tensor, y: Tensor) -> dict[str, float]:
        losses = {name: loss.mean() for name, loss in self.model.losses(x, y, self._source).items()}
        self._optimizer.zero_grad(set_to_none=True)
        torch.stack([*losses.values()]).sum().backward()
        self._optimizer.step()
        self._average.update_parameters(self.model)
        return {name: loss.item() for name, loss in losses.items()}


class _BestParts:
    """A copy of each part's weights at the lowest loss that it had on the selection fold."""

    def __init__(self, model: nn.Module):
        self._model = model
        self._losses: dict[str, float] = {}
        self._weights: dict[str, dict[str, Any]] = {}

    def update(self, losses: Mapping[str, float]) -> float:
        """Keeps what is better than before. Returns by how much the part that gained most is."""
        gains = {name: self._losses.get(name, math.inf) - loss for name, loss in losses.items()}
        for name in (name for name, gain in gains.items() if gain > 0):
            self._losses[name] = losses[name]
            self._weights[name] = deepcopy(self._model.get_submodule(name).state_dict())
        return max(gains.values())

    def restore(self) -> None:
        """Puts the kept weights back."""
        for name, weights in self._weights.items():
            self._model.get_submodule(name).load_state_dict(weights)

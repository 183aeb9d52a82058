"""What a bound is: a functional of scores, and facts about it that a test can check."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Literal

from mibounds.errors import ParameterError

if TYPE_CHECKING:  # listing the bounds' names must not wait for torch
    from torch import Tensor

Invariance = Literal["constant", "rows", "columns"]


class Bound(ABC):
    """A functional of scores in nats. A subclass is a frozen dataclass whose fields are its parameters.

    Facts, each checked by the conformance suite:
        name: its file's name.
        direction: "lower" if its expectation (validity "bound in expectation") or its population value
            ("plug-in") is at most the MI for every critic, "upper" if at least, "none" if neither.
        validity: "bound in expectation" (the mean over batches is a bound), "plug-in" (the population value
            is, the mean over batches is biased), or "none".
        invariances: what may be added to the scores without changing the value: a "constant", one number a
            row ("rows", any c(x)), one number a column ("columns", any c(y)).
        baseline: None, or what a second, trained function sees: "x" (one log-baseline a row) or "pair" (one a
            positive pair). Such a bound is called with `(scores, log_baseline)`, log_baseline `... x n`.
        takes: "scores" of any critic, or "log_conditional", scores[i, j] = log p(y_j | x_i) up to any c(y).
        trainable: whether maximising `objective` over scores makes sense; where not (upper bounds), it refuses.
        tight: whether the population value at `optimal_scores` is the MI itself, for every law.
        references: where the equation stands.
    """

    name: ClassVar[str]
    direction: ClassVar[Literal["lower", "upper", "none"]]
    validity: ClassVar[Literal["bound in expectation", "plug-in", "none"]]
    invariances: ClassVar[frozenset[Invariance]] = frozenset()
    baseline: ClassVar[Literal["x", "pair"] | None] = None
    takes: ClassVar[Literal["scores", "log_conditional"]] = "scores"
    trainable: ClassVar[bool] = True
    tight: ClassVar[bool] = True
    references: ClassVar[tuple[str, ...]]

    @abstractmethod
    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        """The value on a batch: `... x n x n` -> `...` nats."""

    @abstractmethod
    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        """The same functional under exact weights: `joint`, `scores` are `a x b` over a law's outcomes.

        log_baseline, where the bound takes one, is `a` ("x") or `a x b` ("pair").
        """

    def objective(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        """What training maximises, `...` nats; the bound itself unless the paper says otherwise.

        Raises: ParameterError if the bound is not trainable.
        """
        if not self.trainable:
            raise ParameterError(
                f"{self.name} is an upper bound, loosened by training; fit log p(y|x) by likelihood instead"
            )
        if self.trained_as != self:
            return self.trained_as.objective(scores, *log_baseline)
        return self(scores, *log_baseline)

    @property
    def trained_as(self) -> Bound:
        """The bound whose objective trains this one's critic: itself, unless it only reads another's critic.

        Runs of bounds with equal `trained_as` are one training, read in several ways.
        """
        return self

    @property
    def trains_its_value(self) -> bool:
        """Whether what a step maximises is the value itself."""
        kind = type(self)
        return kind.step is Bound.step and kind.objective is Bound.objective and self.trained_as == self

    def step(self, state: Tensor | None, *inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """(objective, next state) of one training step; only a bound with a memory (MINE) has a state."""
        return self.objective(*inputs), state

    def ceiling(self, batch_size: int) -> float:
        """The supremum, in nats, over all finite `batch_size x batch_size` scores; inf if there is none."""
        return math.inf

    def optimal_scores(self, log_density_ratio: Tensor) -> Tensor:
        """Scores at which the bound is tightest, given ln p(x,y)/p(x)p(y) (with a log-baseline of zero)."""
        return log_density_ratio

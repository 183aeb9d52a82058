"""What a source is: pairs of views, clean inputs, and what is known of both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from mibounds.errors import DataError
from mibounds.seeding import Seed, seed_of

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True)
class Factor:
    """One thing that is known of each example: `n x dim` numbers, or `n` class indices.

    Attributes:
        dim: width of the numbers; 1 for classes.
        n_classes: None for numbers.
        shared: whether both views of a pair carry it; a factor that is not is private to a view.
    """

    dim: int = 1
    n_classes: int | None = None
    shared: bool = True


class Pairs(NamedTuple):
    """Two views of each of n things: `... n x *shape` a side, and the factors of the first view, by name."""

    view_a: Tensor
    view_b: Tensor
    factors: dict[str, Tensor]


class Examples(NamedTuple):
    """Clean inputs for probes, `n x *shape`, and their factors by name."""

    x: Tensor
    factors: dict[str, Tensor]


class Source(ABC):
    """Pairs of views that share known information.

    An endless source draws new pairs for every seed, whatever the split: who trains and who reads take other seeds. A
    finite one has disjoint splits and goes through its training rows in shuffled epochs.

    Attributes:
        name: its file's name.
        shape: of one input, `(dim,)` or `(channels, height, width)`.
        factors: what is known of an example, by name.
        label: the factor that downstream accuracy is read on; None if the source has no classes.
        mutual_information: between the views, in nats; None if unknown.
        n_train: training examples; None if endless.
        labelled_pairs: whether training pairs carry their factors; where not, classes are -1 there.
        steps_a_draw: training steps drawn at once, a constant since the stream of numbers depends on it.
    """

    name: ClassVar[str]
    steps_a_draw: ClassVar[int] = 1
    shape: tuple[int, ...]
    factors: Mapping[str, Factor]
    label: str | None = "label"
    mutual_information: float | None = None
    n_train: int | None = None
    labelled_pairs: bool = True

    @classmethod
    @abstractmethod
    def example(cls) -> Source:
        """A small member for the conformance suite, and for a first look."""

    @abstractmethod
    def pairs(
        self, n: int, seed: Seed, *, device: str | torch.device = "cpu", split: Split = "test"
    ) -> Pairs:
        """`n` pairs of a split. A finite source draws rows without replacement. Raises: DataError if it has too few."""

    @abstractmethod
    def examples(
        self, n: int | None, seed: Seed, *, device: str | torch.device = "cpu", split: Split = "test"
    ) -> Examples:
        """`n` clean inputs of a split; None for all rows of a finite source. Raises: DataError."""

    def training_block(
        self, block: int, batch_size: int, seed: int, device: str | torch.device = "cpu"
    ) -> Pairs:
        """The pairs of `steps_a_draw` training steps, `batch_size` rows a step.

        A function of its arguments alone: a run that is resumed in the middle sees what an undisturbed one does.
        """
        return self.pairs(self.steps_a_draw * batch_size, seed_of(seed, block), device=device, split="train")

    def require_labelled_pairs(self, method: str) -> None:
        """Raises: DataError if the training pairs carry no labels for `method`."""
        if not self.labelled_pairs:
            raise DataError(f"{method} needs labels, and the training pairs of {self.name} have none")

    def require_count(self, n: int | None) -> int:
        """`n`, for an endless source. Raises: DataError for None, since there is no "all"."""
        if n is None:
            raise DataError(f"{self.name} is endless; say how many examples to draw")
        return n

    def log_density_ratio_matrix(self, view_a: Tensor, view_b: Tensor) -> Tensor | None:
        """The optimal critic's scores, `... x n x *shape`, `... x m x *shape` -> `... x n x m`; None if unknown."""
        return None

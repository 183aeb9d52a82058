"""What a method is: a loss of two views, what it keeps between steps, and facts that a test can check."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Literal

from torch import Tensor, nn

from mibounds.representation.network import Network
from mibounds.representation.sources import Pairs, Source

Need = Literal[
    "labels", "momentum encoder", "queue", "predictor", "prototypes", "batch statistics", "decoder"
]


class Method(nn.Module):
    """R losses, one a run of the network's stack.

    Facts, each checked by the conformance suite:
        name: its file's name.
        denominator: what an anchor's positive is set against: "with positive" (the positive among the candidates),
            "without positive", or "none" (no negatives are contrasted by a partition).
        validity: of `value_nats` as a lower bound on the views' MI: "bound in expectation", "plug-in" or "none".
        needs: what it uses beside the two views of its own batch.
        prevents_collapse: the piece without which the trivial solution wins, in words.
        broken: options that take that piece away.
        collapse: what then happens: "complete" (the embedding's spread vanishes), "dimensional" (its rank does), or
            "none" where a method has no such piece.
        references: where the loss stands.

    Args:
        network: what will be trained; a method may copy it (momentum) or fit its width (predictor).
        seeds: one a run, for weights of the method's own.
    """

    name: ClassVar[str]
    denominator: ClassVar[Literal["with positive", "without positive", "none"]] = "none"
    validity: ClassVar[Literal["bound in expectation", "plug-in", "none"]] = "none"
    needs: ClassVar[frozenset[Need]] = frozenset()
    prevents_collapse: ClassVar[str] = ""
    broken: ClassVar[Mapping[str, Any]] = {}
    collapse: ClassVar[Literal["complete", "dimensional", "none"]] = "none"
    references: ClassVar[tuple[str, ...]]

    def __init__(self, network: Network, seeds: Sequence[int]):
        super().__init__()
        self.n_runs = network.n_runs

    @classmethod
    def example(cls, network: Network, seeds: Sequence[int], **options: Any) -> Method:
        """The method at settings for small data; `options` go over them. For the suites, and for a first look."""
        return cls(network, seeds, **options)

    def require(self, source: Source, batch_size: int) -> None:
        """Whether the method can train on batches of the source. Raises: ParameterError, DataError where it cannot."""

    @abstractmethod
    def forward(self, network: Network, pairs: Pairs) -> Tensor:
        """The losses on one batch, `R`."""

    def after_step(self, network: Network, progress: float) -> None:
        """What follows an optimiser's step; `progress` goes from 0 to 1 over the training."""

    def value_nats(self, loss: Tensor, batch_size: int) -> Tensor | None:
        """What a loss `R` on a batch says as an estimate of the views' MI, `R` nats; None if it says nothing."""
        return None

    def ceiling(self, batch_size: int) -> list[float] | None:
        """The largest `value_nats` that a batch can give, one a run; None if there is none."""
        return None

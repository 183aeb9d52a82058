"""What is certified: a lower bound in nats, and what it rests on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Certificate:
    """A lower bound on a mutual information, with a confidence that holds under every law of independent pairs.

    Attributes:
        nats: what is certified; at least 0, which every mutual information is.
        limit_nats: the confidence limit itself, which may be negative: then nothing was certified.
        confidence: that the truth is no less, over draws of the held-out pairs.
        n_held_out: pairs that the limit was read from.
        ceiling_nats: the most that so many pairs could certify, whatever their law; at 95% about ln n_held_out - 1.8.
        method: how the limit was made.
        critic: whose scores it reads, "trained" or "gaussian".
        folds: how many pairs each fold holds.
        assumptions: all that the confidence rests on.
        warnings: signs that it does not hold here, and what should be known first; one sentence each.
    """

    nats: float
    limit_nats: float
    confidence: float
    n_held_out: int
    ceiling_nats: float
    method: str
    critic: str
    folds: Mapping[str, int]
    assumptions: tuple[str, ...]
    warnings: tuple[str, ...] = ()

    def __str__(self) -> str:
        sure = f"{100 * self.confidence:g}% confidence"
        pairs = f"{self.n_held_out:,} held-out pairs"
        if self.limit_nats <= 0:
            return f"nothing certified with {sure} from {pairs}: at least 0 nats, as under every law"
        return (
            f"at least {self.nats:.3f} nats with {sure}, under any law of independent pairs; "
            f"{pairs} can certify no more than {self.ceiling_nats:.2f}"
        )

    def as_dict(self) -> dict[str, Any]:
        """All fields in JSON's types."""
        return asdict(self) | {"assumptions": list(self.assumptions), "warnings": list(self.warnings)}

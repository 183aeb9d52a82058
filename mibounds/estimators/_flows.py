"""Normalising flows by zuko, behind an extra; drawn from a seed of their own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from mibounds.errors import DataError, ParameterError
from mibounds.estimators._training import Trained

FLOWS = ("NSF", "MAF", "NICE")


@dataclass(frozen=True, kw_only=True)
class Flowing(Trained):
    """Base of estimators by normalising flows.

    Args:
        flow: "NSF", of rational-quadratic splines (neural spline flows); "MAF", of affine maps, which is quicker and
            sees less; or "NICE", of affine couplings.
        transforms: maps one after the other.
        hidden: widths of the hidden layers of the networks that shape them.
    """

    flow: str = "NSF"
    transforms: int = 2
    hidden: tuple[int, ...] = (64, 64)
    batch_size: int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_counts(transforms=1)
        self.require_widths("hidden")
        if self.flow not in FLOWS:
            raise ParameterError(f"flow must be one of {', '.join(FLOWS)}; got {self.flow!r}")

    def new_flow(self, dim: int, dim_context: int, seed: int) -> nn.Module:
        """An untrained flow of `dim` columns, given `dim_context` others. Torch's own generator stays as it was."""
        try:
            from zuko import flows
        except ImportError as error:
            raise DataError("normalising flows are zuko's: pip install 'mibounds[flows]'") from error
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            kind: Any = getattr(flows, self.flow)
            return kind(dim, dim_context, transforms=self.transforms, hidden_features=self.hidden)

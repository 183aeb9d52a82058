"""MINE: Donsker-Varadhan, trained with a moving average of the partition in its gradient."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mibounds.bounds.base import Bound
from mibounds.bounds.donsker_varadhan import DonskerVaradhan
from mibounds.errors import ParameterError
from mibounds.numerics import log_mix, off_diagonal_log_mean_exp, positives


@dataclass(frozen=True)
class MINE(Bound):
    """MINE: E_p[f] - ln E_q[e^f], trained by the gradient E_p[grad f] - E_q[e^f grad f] / ema.

    Donsker-Varadhan's own gradient divides by the batch's E_q[e^f] and is biased for it; ema, an exponential
    moving average of that partition over the steps, removes most of the bias. The value keeps DV's upward
    bias.

    Args:
        rate: weight of the newest batch in the average, in (0, 1]; 1 is Donsker-Varadhan.

    Raises: ParameterError if rate lies outside.

    References: Belghazi et al. 2018, section 3.2; rate 0.1 as in Song and Ermon 2020.

    Example:
        >>> bound, scores = MINE(rate=0.5), torch.zeros(2, 2)
        >>> _, state = bound.step(None, scores)
        >>> _, state = bound.step(state, scores + 2)
        >>> bool(state.exp().isclose((1 + state.new_tensor(2.0).exp()) / 2))
        True
    """

    rate: float = 0.1

    name = "mine"
    direction = "lower"
    validity = "plug-in"
    invariances = frozenset({"constant"})
    references = ("Belghazi et al. 2018, arXiv:1801.04062",)

    def __post_init__(self) -> None:
        if not 0 < self.rate <= 1:
            raise ParameterError(f"rate must lie in (0, 1]; got {self.rate}")

    def __call__(self, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return DonskerVaradhan()(scores)

    def population(self, joint: Tensor, scores: Tensor, *log_baseline: Tensor) -> Tensor:
        return DonskerVaradhan().population(joint, scores)

    def step(self, state: Tensor | None, *inputs: Tensor) -> tuple[Tensor, Tensor | None]:
        """(surrogate with MINE's gradient, log of the moving average); both `...`, the average detached."""
        scores = inputs[0]
        log_partition = off_diagonal_log_mean_exp(scores)
        newest = log_partition.detach()
        log_ema = newest if state is None else log_mix(newest, state, self.rate)
        # No overflow: the average holds at least `rate` of the newest partition.
        return positives(scores).mean(-1) - torch.exp(log_partition - log_ema), log_ema

"""First in, first out: embeddings of past batches, kept with the model's state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from mibounds.errors import ParameterError


class Queue(nn.Module):
    """The last `length` rows that were pushed, and at which push each came; it may hold fewer, never others.

    Rows, their ages and the place of the next one are buffers, so a checkpoint has them. Over several processes the
    gathered rows are pushed, so that all hold the same.

    Args:
        length: any, 0 for an empty queue.
        dim: d of a row.
        n_runs: R.

    Raises: ParameterError if length < 0.

    Example:
        >>> queue = Queue(3, dim=1, n_runs=1)
        >>> for value in (1.0, 2.0, 3.0, 4.0):
        ...     queue.push(torch.full((1, 1, 1), value))
        >>> queue.rows.flatten().tolist(), queue.place.tolist()
        ([4.0, 2.0, 3.0], [0, 2, 1])
    """

    def __init__(self, length: int, dim: int, n_runs: int):
        super().__init__()
        if length < 0:
            raise ParameterError(f"a queue's length must be at least 0; got {length}")
        self.length = length
        self.rows: Tensor
        self.pushed_at: Tensor
        self.next: Tensor
        self.pushes: Tensor
        self.register_buffer("rows", torch.zeros(n_runs, length, dim))
        self.register_buffer("pushed_at", torch.full((length,), -1))
        self.register_buffer("next", torch.tensor(0))
        self.register_buffer("pushes", torch.tensor(0))

    @torch.no_grad()
    def push(self, rows: Tensor) -> None:
        """Takes `R x n x d` in; of more rows than the length, the last stay."""
        if self.length == 0:
            return
        rows = rows[:, -self.length :].to(self.rows)
        places = (self.next + torch.arange(rows.shape[1], device=rows.device)) % self.length
        self.rows.index_copy_(1, places, rows)
        self.pushed_at.index_copy_(0, places, self.pushes.expand(len(places)))
        self.next.add_(rows.shape[1]).remainder_(self.length)
        self.pushes.add_(1)

    @property
    def filled(self) -> Tensor:
        """How many places hold a row, a whole number on the device; they are the first ones."""
        return (self.pushed_at >= 0).sum()

    @property
    def place(self) -> Tensor:
        """Of each row among all, from the newest, 0; past `filled` where there is none. `length`."""
        slots = torch.arange(self.length, device=self.rows.device)
        return (self.next - 1 - slots) % max(self.length, 1)

    @property
    def mean_age(self) -> float:
        """In steps, of the rows that the next step will meet, those of the last push being 1; 0.0 if it is empty."""
        held = self.pushed_at[self.pushed_at >= 0]
        return (self.pushes - held).double().mean().item() if len(held) else 0.0

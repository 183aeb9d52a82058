"""What can go wrong while a model trains, and how it is said: collapse, divergence, memory, a missing compiler."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from mibounds.errors import ParameterError
from mibounds.representation.geometry import effective_rank, spread

SHARE_OF_UNIFORM = 0.1  # of the spread 1/sqrt(d) that unit vectors in all directions have
LOWEST_RANK = 2.0
ROWS = 512  # more tell no more, and a rank costs d^2 a row


class Geometry(NamedTuple):
    """Of R runs' embeddings: spread and effective rank, None where a number is not finite; and what they can be."""

    spread: list[float | None]
    effective_rank: list[float | None]
    dim: int
    highest_rank: int


def geometry_of(embeddings: Tensor) -> Geometry:
    """Of embeddings `R x n x d`; the first rows stand for all."""
    rows = embeddings[:, :ROWS].float()
    sound = rows.flatten(1).isfinite().all(1)
    of_sound = [(spread(run).item(), effective_rank(run).item()) for run in rows[sound]]
    found = iter(of_sound)
    by_run = [next(found) if ok else (None, None) for ok in sound.tolist()]
    n, dim = rows.shape[1:]
    return Geometry([s for s, _ in by_run], [k for _, k in by_run], dim, min(n - 1, dim))


def collapses(geometry: Geometry) -> Iterator[tuple[int, str, str]]:
    """The runs that have collapsed: run, kind ("complete" or "dimensional") and what shows it.

    Complete: the spread of unit embeddings is under a tenth of 1/sqrt(d), that of all directions alike. Dimensional:
    the effective rank is under 2, where there are rows and dimensions for twice that.
    """
    least = SHARE_OF_UNIFORM / math.sqrt(geometry.dim)
    for run, (width, rank) in enumerate(zip(geometry.spread, geometry.effective_rank, strict=True)):
        if width is None or rank is None:
            continue
        if width < least:
            yield run, "complete", f"the embeddings' spread {width:.2g} is under {least:.2g}"
        elif rank < LOWEST_RANK and geometry.highest_rank >= 2 * LOWEST_RANK:
            yield (
                run,
                "dimensional",
                f"the embeddings' effective rank is {rank:.2f} of {geometry.highest_rank}",
            )


def finite_or_none(values: Sequence[float]) -> list[float | None]:
    """JSON has no NaN, and a failed run must not look like a value."""
    return [value if math.isfinite(value) else None for value in values]


@contextmanager
def named_failures(batch_size: int, n_runs: int, compiled: bool) -> Iterator[None]:
    """Says of torch's two commonest failures which setting to change. Raises: ParameterError."""
    try:
        yield
    except RuntimeError as error:
        first_line = str(error).partition("\n")[0]
        if isinstance(error, torch.cuda.OutOfMemoryError) or "can't allocate memory" in first_line:
            raise ParameterError(
                f"out of memory at batch_size={batch_size} and {n_runs} runs at once: lower batch_size, train fewer "
                "seeds at once, or take precision bfloat16"
            ) from error
        if compiled and type(error).__module__.startswith(("torch._dynamo", "torch._inductor")):
            raise ParameterError(
                f"the network cannot be compiled here ({first_line}); leave compile out"
            ) from error
        raise

"""Reading a frozen network: evaluation data for a stack of runs, and what the network makes of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

import torch
from torch import Tensor

from mibounds.errors import DataError, ShapeError
from mibounds.representation.network import Embedded, Network
from mibounds.representation.sources import Examples, Pairs, Source
from mibounds.representation.sources.base import Split
from mibounds.seeding import seed_of

ROWS_AT_ONCE = 2048


class Run(NamedTuple):
    """What a run is evaluated on. Runs that are equal in it share one draw."""

    source: Source
    seed: int


def runs_of(n: int, sources: Source | Sequence[Source], seeds: int | Sequence[int] = 0) -> list[Run]:
    """One source and seed for each of n runs. Raises: ShapeError."""
    each = [sources] * n if isinstance(sources, Source) else list(sources)
    seed = [seeds] * n if isinstance(seeds, int) else list(seeds)
    if not len(each) == len(seed) == n:
        raise ShapeError(
            f"expected one source and one seed, or {n}, one a run; got {len(each)} sources and {len(seed)} seeds"
        )
    return [Run(*run) for run in zip(each, seed, strict=True)]


def device_of(network: Network) -> torch.device:
    return next(network.parameters()).device


@contextmanager
def frozen(network: Network) -> Iterator[None]:
    """No gradients, batch norm by its running averages; the network's mode is put back."""
    training = network.training
    network.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        network.train(training)


def embed(network: Network, x: Tensor) -> Embedded:
    """`R x n x *shape` -> h and z in float32, in evaluation mode, without gradients, some rows at a time."""
    with frozen(network):
        # forward alone: a compiled network would be compiled again for this mode and shape
        parts = [network.forward(rows) for rows in x.split(ROWS_AT_ONCE, dim=1)]
    return Embedded(*(torch.cat(list(part), dim=1).float() for part in zip(*parts, strict=True)))


def layers(network: Network, x: Tensor) -> dict[str, Tensor]:
    """The encoder's activations by layer, `R x n x width`, and the embedding as "embedding"."""

    def one(rows: Tensor) -> dict[str, Tensor]:
        found = network.encoder.layers(rows)
        last = list(found.values())[-1]
        return {name: value.flatten(2) for name, value in found.items()} | {
            "embedding": network.projector(last)
        }

    with frozen(network):
        parts = [one(rows) for rows in x.split(ROWS_AT_ONCE, dim=1)]
    return {name: torch.cat([part[name] for part in parts], dim=1).float() for name in parts[0]}


def examples_of(
    runs: Sequence[Run], n: int | None, split: Split, device: str | torch.device = "cpu"
) -> list[Examples]:
    """Clean inputs for each run, drawn once for runs that share source and seed.

    A finite source with fewer than `n` rows gives all it has, as it does for None.
    """
    drawn = {run: _examples(run, n, split, device) for run in dict.fromkeys(runs)}
    return [drawn[run] for run in runs]


def _examples(run: Run, n: int | None, split: Split, device: str | torch.device) -> Examples:
    seed = seed_of("examples", split, run.seed)
    try:
        return run.source.examples(n, seed, device=device, split=split)
    except DataError:
        if run.source.n_train is None:
            raise
        return run.source.examples(None, seed, device=device, split=split)


def n_rows(source: Source, split: Split) -> int | None:
    """Rows of a finite source's split; None for an endless one."""
    return None if source.n_train is None else len(source.examples(None, 0, split=split).x)


def pairs_of(
    runs: Sequence[Run],
    n: int,
    split: Split,
    purpose: tuple[str | int, ...],
    device: str | torch.device = "cpu",
) -> list[Pairs]:
    """Pairs of views for each run, drawn once for runs that share source and seed; `purpose` tells draws apart."""
    drawn = {
        run: run.source.pairs(n, seed_of("pairs", split, *purpose, run.seed), device=device, split=split)
        for run in dict.fromkeys(runs)
    }
    return [drawn[run] for run in runs]


def stacked(parts: Sequence[Tensor]) -> Tensor:
    """`R x n x ...` from one tensor a run, without a copy if all runs share it. Raises: ShapeError."""
    if all(part is parts[0] for part in parts):
        return parts[0].expand(len(parts), *parts[0].shape)
    shapes = {tuple(part.shape) for part in parts}
    if len(shapes) > 1:
        raise ShapeError(
            f"runs of one stack need evaluation data of one shape; got {sorted(shapes)}; measure them apart"
        )
    return torch.stack(list(parts))

"""Training batches for a stack of runs, each a function of the run's source, its seed and the step alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count

import torch
from torch import Tensor

from mibounds.errors import ParameterError
from mibounds.representation.sources import Pairs, Source


def stacked_pairs(
    sources: Sequence[Source],
    seeds: Sequence[int],
    batch_size: int,
    *,
    first_step: int = 0,
    device: str | torch.device = "cpu",
) -> Iterator[Pairs]:
    """Endless batches `R x batch_size x *shape` from `first_step` on; run r sees `sources[r]` through `seeds[r]`.

    Runs with the same source and seed share one draw: a paired comparison costs its data once.

    Raises: ParameterError if a source has too few training examples for a batch.
    """
    for source in sources:
        if source.n_train is not None and source.n_train < batch_size:
            raise ParameterError(
                f"batch_size must be at most the {source.n_train} training examples of {source.name}; got {batch_size}"
            )
    keys = list(zip(sources, seeds, strict=True))
    distinct = list(dict.fromkeys(keys))
    order = torch.tensor([distinct.index(key) for key in keys], device=device)
    ahead, *others = {source.steps_a_draw for source in sources}
    if others:
        kinds = ", ".join(sorted({source.name for source in sources}))
        raise ParameterError(f"runs of one stack need sources that draw alike; got {kinds}: train them apart")
    block, skipped = divmod(first_step, ahead)
    for index in count(block):
        drawn = [source.training_block(index, batch_size, seed, device) for source, seed in distinct]
        steps = [_by_step(pairs, ahead) for pairs in drawn]
        for step in range(skipped, ahead):
            yield _stack([of_source[step] for of_source in steps], order)
        skipped = 0


def _by_step(pairs: Pairs, steps: int) -> list[Pairs]:
    def cut(rows: Tensor) -> Tensor:
        return rows.unflatten(0, (steps, -1))

    a, b, factors = cut(pairs.view_a), cut(pairs.view_b), {k: cut(v) for k, v in pairs.factors.items()}
    return [Pairs(a[s], b[s], {k: v[s] for k, v in factors.items()}) for s in range(steps)]


def _stack(pairs: Sequence[Pairs], order: Tensor) -> Pairs:
    def stacked(parts: Sequence[Tensor]) -> Tensor:
        return torch.stack(list(parts))[order] if len(parts) < len(order) else torch.stack(list(parts))

    a, b, factors = zip(*pairs, strict=True)
    return Pairs(stacked(a), stacked(b), {name: stacked([f[name] for f in factors]) for name in factors[0]})

"""Adam with early stopping, for a stack: each run keeps its own best weights and stops on its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from mibounds.errors import ParameterError
from mibounds.optimization import denormals_flushed
from mibounds.representation.probes.folds import Folds
from mibounds.seeding import generator, seed_of

ROWS_AT_ONCE = 2048
Loss = Callable[[Tensor, Tensor], Tensor]  # outputs R x n x t, targets R x n ... -> R


def fit(
    model: nn.Module,
    inputs: Folds,
    targets: Folds,
    loss: Loss,
    seeds: Sequence[int],
    *,
    learning_rate: float,
    batch_size: int,
    max_steps: int,
    check_every: int,
    patience: int,
) -> None:
    """Trains `model` on the training fold and leaves it with each run's weights of least validation loss.

    A run that has not improved for `patience` checks is finished: what it does while others go on is not looked at.

    Raises: ParameterError.
    """
    if min(batch_size, max_steps, check_every, patience) < 1 or not learning_rate > 0:
        raise ParameterError(
            "expected batch_size, max_steps, check_every and patience of 1 or more and learning_rate above 0; "
            f"got {batch_size}, {max_steps}, {check_every}, {patience} and {learning_rate}"
        )
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    batches = _batches(inputs.train, targets.train, seeds, batch_size)
    least = _loss_of(model, inputs.validation, targets.validation, loss)
    since, best = torch.zeros_like(least), _copied(model)
    with denormals_flushed():
        for step in range(1, max_steps + 1):
            x, y = next(batches)
            model.train()
            optimizer.zero_grad(set_to_none=True)
            loss(model(x), y).sum().backward()
            optimizer.step()
            if step % check_every and step != max_steps:
                continue
            now = _loss_of(model, inputs.validation, targets.validation, loss)
            better = (now < least) & (since < patience)
            since = torch.where(better, 0.0, since + 1)
            least = torch.where(better, now, least)
            _keep(best, model, better)
            if (since >= patience).all():
                break
    model.load_state_dict(best)


def outputs(model: nn.Module, x: Tensor) -> Tensor:
    """In evaluation mode without gradients, some rows at a time: `R x n x t`."""
    model.eval()
    with torch.no_grad():
        return torch.cat([model(rows) for rows in x.split(ROWS_AT_ONCE, dim=1)], dim=1)


def _batches(x: Tensor, y: Tensor, seeds: Sequence[int], batch_size: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Rows in shuffled epochs; run r shuffles by its own seed."""
    n, runs = x.shape[1], torch.arange(len(seeds), device=x.device).unsqueeze(1)
    sources, size = [generator(seed_of("probe batches", seed)) for seed in seeds], min(batch_size, n)
    while True:
        order = torch.stack([torch.randperm(n, generator=source) for source in sources]).to(x.device)
        for start in range(0, n - size + 1, size):
            rows = order[:, start : start + size]
            yield x[runs, rows], y[runs, rows]


def _loss_of(model: nn.Module, x: Tensor, y: Tensor, loss: Loss) -> Tensor:
    return loss(outputs(model, x), y)


def _copied(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def _keep(best: dict[str, Tensor], model: nn.Module, better: Tensor) -> None:
    """Where a run is better, its weights and running averages are copied."""
    for name, value in model.state_dict().items():
        if value.ndim and len(value) == len(better):
            best[name][better] = value[better]

"""Several processes, one loss: each sees all embeddings, and the same loss and gradients as one process would.

W processes hold a copy of the model each and W-th of a batch's rows. What they minimise is the mean of their W losses,
as a function of all copies. Where the loss sees all rows those W values are one number; where it is a mean over rows of
one's own, their mean is the mean over all rows. Every exchange of rows passes gradients back by its true adjoint, and
the copies' gradients are averaged: that is the gradient of one process, whether a parameter is used before rows are
exchanged (an encoder), after it (a temperature, prototypes) or in between.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from mibounds.errors import ParameterError


def n_processes() -> int:
    """How many train together; 1 if no process group is set up."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """This process's number among them, from 0."""
    return dist.get_rank() if n_processes() > 1 else 0


def device_of(name: str) -> torch.device:
    """The device that "auto", "cpu", "cuda" or a torch device's name stands for; under torchrun, each its own GPU.

    Raises: ParameterError if there is none.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ParameterError(
            f"device must be auto, cpu, cuda or a torch device's name; got {name!r}"
        ) from error
    if device.type != "cuda":
        return device
    n_here = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if n_here == 0:
        raise ParameterError(
            f"device {name!r} was asked for and no CUDA device can be used here; take cpu or auto"
        )
    index = int(os.environ.get("LOCAL_RANK", 0)) if device.index is None else device.index
    if index >= n_here:
        raise ParameterError(
            f"device cuda:{index} was asked for and there are {n_here}; start one process a GPU, or take cpu"
        )
    return torch.device("cuda", index)


def set_up(device: torch.device) -> None:
    """Joins the processes that torchrun started, if it started several: by nccl on GPUs, else by gloo."""
    if int(os.environ.get("WORLD_SIZE", 1)) == 1 or dist.is_initialized():
        return
    # The functions of this module take the group of the time of its import as a default argument. torch imports it at
    # some later moment, and it would then keep the group, with its threads, beyond `tear_down`; a thread that is still
    # busy when Python ends aborts the process.
    import torch.distributed.nn

    if device.type == "cuda":
        torch.cuda.set_device(device)
    store, rank, size = next(dist.rendezvous("env://"))
    # After a restart by torchrun its store still has the addresses of the processes that died.
    store = dist.PrefixStore(f"attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', 0)}", store)
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size)


def tear_down() -> None:
    """Leaves them."""
    if n_processes() > 1:
        dist.destroy_process_group()


def gather(rows: Tensor) -> Tensor:
    """Rows of all W processes, `R x n x ...` -> `R x (W n) x ...`, in ranks' order; gradients flow back."""
    return _Gather.apply(rows) if n_processes() > 1 else rows


def own_rows(rows: Tensor) -> Tensor:
    """This process's share of a batch that each has drawn whole: `R x (W n) x ...` -> `R x n x ...`.

    Raises: ParameterError unless W divides the rows.
    """
    processes, n = n_processes(), rows.shape[1]
    if n % processes:
        raise ParameterError(
            f"batch_size must be a multiple of the {processes} processes that share the batch; got {n}"
        )
    return rows.chunk(processes, dim=1)[rank()]


@torch.no_grad()
def average(values: Tensor) -> Tensor:
    """The mean over processes of a tensor of one shape on all."""
    if n_processes() == 1:
        return values
    total = values.clone()
    dist.all_reduce(total)
    return total / n_processes()


@torch.no_grad()
def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Puts the mean over processes in place of each gradient, in one exchange a dtype."""
    if n_processes() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    for dtype in {g.dtype: None for g in gradients}:
        of_dtype = [g for g in gradients if g.dtype == dtype]
        together = average(torch.cat([g.flatten() for g in of_dtype]))
        for gradient, mean in zip(of_dtype, together.split([g.numel() for g in of_dtype]), strict=True):
            gradient.copy_(mean.view_as(gradient))


def agreed(wish: bool, device: torch.device) -> bool:
    """Whether any of the processes wishes it: the same answer on all."""
    return wish if n_processes() == 1 else bool(average(torch.tensor(float(wish), device=device)) > 0)


class _Gather(torch.autograd.Function):
    """All-gather along rows. Its adjoint adds up what all processes' losses say about one's rows: a reduce-scatter."""

    @staticmethod
    def forward(context: Any, rows: Tensor) -> Tensor:
        of_all = [torch.empty_like(rows, memory_format=torch.contiguous_format) for _ in range(n_processes())]
        dist.all_gather(of_all, rows.contiguous())
        return torch.cat(of_all, dim=1)

    @staticmethod
    def backward(context: Any, *gradients: Tensor) -> Tensor:
        total = gradients[0].clone(memory_format=torch.contiguous_format)
        dist.all_reduce(total)
        return total.chunk(n_processes(), dim=1)[rank()]

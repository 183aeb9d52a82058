"""One loss over very many candidates, forward and backward, in a process of its own: seconds, and memory beside inputs.

    python benchmarks/_large_losses.py CONTENDER N DIM THREADS

Prints JSON. Runs where the contender is installed; of mibounds or a peer only what the contender needs is imported.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

TEMPERATURE = 0.1
MIB = 2**20

Loss = Callable[[Tensor, Tensor], Tensor]


def one_way() -> Loss:
    from mibounds.representation.large_contrast import softmax_loss

    return lambda a, b: softmax_loss(a[None], b[None], TEMPERATURE, "one-way").sum()


def symmetric() -> Loss:
    from mibounds.representation.large_contrast import softmax_loss

    return lambda a, b: softmax_loss(a[None], b[None], TEMPERATURE, "symmetric").sum()


def two_view() -> Loss:
    from mibounds.representation.large_contrast import softmax_loss

    return lambda a, b: softmax_loss(a[None], b[None], TEMPERATURE, "two-view").sum()


def two_passes() -> Loss:
    """NT-Xent as two one-way passes: each view's anchors against both views."""
    from mibounds.partition import Block, mean_log_partition

    def loss(a: Tensor, b: Tensor) -> Tensor:
        n, (a, b) = len(a), (a[None], b[None])
        ways = [
            mean_log_partition(own / TEMPERATURE, [Block(other), Block(own, 1, n - 1)])[0]
            for own, other in ((a, b), (b, a))
        ]
        return (torch.stack(ways).mean() - (a * b).sum(-1).mean() / TEMPERATURE).sum()

    return loss


def full_matrix() -> Loss:
    return lambda a, b: _softmax_by_hand(a @ b.T / TEMPERATURE)


def full_cross_entropy() -> Loss:
    return lambda a, b: cross_entropy(a @ b.T / TEMPERATURE, torch.arange(len(a)))


def full_two_view() -> Loss:
    def loss(a: Tensor, b: Tensor) -> Tensor:
        both, n = torch.cat([a, b]), len(a)
        scores = both @ both.T / TEMPERATURE
        scores = scores.masked_fill(torch.eye(2 * n, dtype=torch.bool), -torch.inf)
        return cross_entropy(scores, torch.arange(2 * n).roll(n))

    return loss


def lightly_nt_xent() -> Loss:
    from _peers import lightly_files

    loss: Loss = lightly_files()("loss.ntx_ent_loss").NTXentLoss(TEMPERATURE)
    return loss


CONTENDERS: dict[str, Callable[[], Loss]] = {
    "mibounds, one way": one_way,
    "full matrix, one way": full_matrix,
    "cross-entropy on the matrix, one way": full_cross_entropy,
    "mibounds, symmetric": symmetric,
    "mibounds, two views": two_view,
    "mibounds, two views as two passes": two_passes,
    "cross-entropy on the matrix, two views": full_two_view,
    "lightly, two views": lightly_nt_xent,
}


def _softmax_by_hand(scores: Tensor) -> Tensor:
    """-mean ln of softmax, by exp and log as equations are often written down, the maximum taken off."""
    scores = scores - scores.amax(1, keepdim=True).detach()
    return (scores.exp().sum(1).log() - scores.diagonal()).mean()


def inputs(n: int, dim: int) -> tuple[Tensor, Tensor]:
    """Two views on the sphere."""
    made = torch.Generator().manual_seed(0)
    a = torch.randn(n, dim, generator=made)
    b = a + torch.randn(n, dim, generator=made)
    return normalize(a, dim=-1).requires_grad_(), normalize(b, dim=-1).requires_grad_()


def clock_of(threads: int) -> Callable[[], float]:
    """A core's own time where there is one thread, which others on the machine lengthen little; else the wall's."""
    return time.process_time if threads == 1 else time.perf_counter


def gflops(threads: int, dim: int) -> float:
    """10^9 operations a second of the products that a loss is made of, 512 x dim x 1024: the floor's rate."""
    clock = clock_of(threads)
    a, b, out = torch.randn(512, dim), torch.randn(dim, 1024), torch.empty(512, 1024)
    rates = []
    for _ in range(7):
        started = clock()
        for _ in range(40):
            torch.mm(a, b, out=out)
        rates.append(40 * 2 * out.numel() * dim / (clock() - started) / 1e9)
    return sorted(rates)[len(rates) // 2]


def memory(field: str) -> float:
    """MiB, by the system's own name for it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (kib,) = [line.split()[1] for line in lines if line.startswith(field)]
    return int(kib) * 1024 / MIB


def measured(contender: str, n: int, dim: int, threads: int) -> dict[str, float]:
    torch.set_num_threads(threads)
    loss = CONTENDERS[contender]()
    small = inputs(64, dim)
    loss(*small).backward()  # what is imported or compiled at the first call is not the loss's
    rate = gflops(threads, dim)
    a, b = inputs(n, dim)
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak so far
    before = memory("VmRSS")
    clock = clock_of(threads)
    started = clock()
    value = loss(a, b)
    value.backward()
    seconds = clock() - started
    return {
        "seconds": seconds,
        "mib": memory("VmHWM") - before,
        "gflops": rate,
        "value": value.item(),
        "gradient": float(a.grad.norm()) if a.grad is not None else float("nan"),
    }


if __name__ == "__main__":
    name, *sizes = sys.argv[1:]
    print(json.dumps(measured(name, *map(int, sizes))))

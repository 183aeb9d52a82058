"""Trainings of critics that take turns: ours in packs, eager torch and peers one run at a time; their operations."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from benchmarks import _environment, _machine
from mibounds import theory
from mibounds.bounds.info_nce import InfoNCE
from mibounds.critics import Critic
from mibounds.critics.concatenated import Concatenated
from mibounds.critics.separable import Separable
from mibounds.distributions.gaussian import Gaussian
from mibounds.seeding import generator
from mibounds.training import Trainer, fresh_batches

MI_NATS = 4.0
LEARNING_RATE = 5e-4

PEER_TRAININGS = Path(__file__).with_name("_peer_trainings.py")

Steps = Callable[[int], Any]  # takes so many training steps


@dataclass(frozen=True)
class Case:
    """What is trained: a critic on fresh batches of a `dim` + `dim`-dimensional Gaussian, by InfoNCE and Adam."""

    name: str
    critic: str
    batch_size: int = 64
    hidden: tuple[int, ...] = (256, 256)
    embedding: int = 32
    dim: int = 20

    @property
    def law(self) -> Gaussian:
        return Gaussian.from_mutual_information(self.dim, MI_NATS)

    @property
    def operations(self) -> int:
        """Of a step of one run: all its matrix products forward and backward, 2 n k m each."""
        n = self.batch_size
        if self.critic == "separable":
            widths = [self.dim, *self.hidden, self.embedding]
            encoder = 3 * _layers(n, widths) - _layers(n, widths[:2])  # inputs need no gradient
            return 2 * encoder + 3 * 2 * n * n * self.embedding
        first = 2 * 2 * _layers(n, [self.dim, self.hidden[0]])
        return first + 3 * _layers(n * n, [*self.hidden, 1])

    @property
    def rounded_operations(self) -> int:
        """Those among them that bfloat16 products take over."""
        return 0 if self.critic == "separable" else 3 * _layers(self.batch_size**2, self.hidden)


def _layers(rows: int, widths: Sequence[int]) -> int:
    return sum(2 * rows * widths[k] * widths[k + 1] for k in range(len(widths) - 1))


def ours(case: Case, n_runs: int, products: str = "float32") -> Steps:
    """A pack of the library's."""
    seeds = list(range(n_runs))
    trainer = Trainer(critic_of(case, seeds, products), InfoNCE(), seeds, learning_rate=LEARNING_RATE)
    batches = fresh_batches([case.law] * n_runs, seeds, case.batch_size)
    return lambda steps: trainer.fit(batches, steps)


class Peer:
    """One run of another package's, in a process of its environment, which ends with the context.

    Called with steps it returns the seconds that they took there: of its core if there is one thread, else by the wall.
    """

    def __init__(self, environment: str, name: str, case: Case):
        facts = asdict(case) | {"correlation": theory.gaussian_correlation(case.dim, MI_NATS)}
        python = _environment.python_of(_environment.folder_of(environment))
        self.command = [str(python), str(PEER_TRAININGS), name, json.dumps(facts)]

    def __enter__(self) -> Peer:
        threads = torch.get_num_threads()
        # jax knows no number of threads but one or all.
        alone = {"XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"} if threads == 1 else {}
        self.which = 1 if threads == 1 else 0
        self.process = subprocess.Popen(
            self.command,
            env=_machine.environment(threads) | alone,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        return self

    def __exit__(self, *_: object) -> None:
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()

    def __call__(self, steps: int) -> float:
        assert self.process.stdin and self.process.stdout
        print(steps, file=self.process.stdin, flush=True)
        said = self.process.stdout.readline().split()
        if not said:
            raise RuntimeError(f"it ended by itself: {' '.join(self.command)}")
        return float(said[self.which])


def critic_of(case: Case, seeds: Sequence[int], products: str) -> Critic:
    if case.critic == "separable":
        return Separable(case.dim, case.dim, seeds, hidden=case.hidden, embedding=case.embedding)
    return Concatenated(case.dim, case.dim, seeds, hidden=case.hidden, products=products)  # type: ignore[arg-type]


def eager(case: Case) -> Steps:
    """One run in plain torch, as one writes it: `nn.Linear`, cross-entropy, `torch.optim.Adam`."""
    critic = eager_critic(case)
    optimizer = torch.optim.Adam(critic.parameters(), lr=LEARNING_RATE)
    batches = _eager_batches(case)

    def train(steps: int) -> None:
        for _ in range(steps):
            scores = critic(*next(batches))
            loss = cross_entropy(scores, torch.arange(len(scores)))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return train


def eager_critic(case: Case) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return _EagerSeparable(case) if case.critic == "separable" else _EagerConcatenated(case)


def _eager_batches(case: Case) -> Iterator[tuple[Tensor, Tensor]]:
    law, source = case.law, generator(0)
    while True:
        yield law.sample(case.batch_size, source)


class _EagerSeparable(nn.Module):
    def __init__(self, case: Case):
        super().__init__()
        self.encode_x, self.encode_y = (_mlp([case.dim, *case.hidden, case.embedding]) for _ in range(2))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return self.encode_x(x) @ self.encode_y(y).T


class _EagerConcatenated(nn.Module):
    def __init__(self, case: Case):
        super().__init__()
        self.network = _mlp([2 * case.dim, *case.hidden, 1])

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        n, m = len(x), len(y)
        pairs = torch.cat([x.unsqueeze(1).expand(n, m, -1), y.unsqueeze(0).expand(n, m, -1)], dim=-1)
        return self.network(pairs.flatten(0, 1)).view(n, m)


def _mlp(widths: Sequence[int]) -> nn.Sequential:
    layers: list[nn.Module] = []
    for k in range(len(widths) - 1):
        layers += [nn.Linear(widths[k], widths[k + 1]), nn.ReLU()]
    return nn.Sequential(*layers[:-1])

"""Other packages' trainings of a critic, in a process of the peer's environment that takes steps when it is told to.

    python _peer_trainings.py CONTENDER CASE

CASE is JSON: critic, batch_size, hidden, embedding, dim, correlation. Each line read is a number of steps; each line
written is how many seconds of wall clock and of the cores they took. All contenders train InfoNCE by Adam at 5e-4 on
new pairs of a Gaussian whose x_k and y_k are correlated. Of mibounds nothing is imported: it is not installed there.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

LEARNING_RATE = 5e-4

Case = dict[str, Any]
Steps = Callable[[int], Any]


def torch_mist_trainer(case: Case) -> Steps:
    """Its `train_mi_estimator` at its defaults, over one epoch of new pairs a call."""
    from torch_mist.utils.train import train_mi_estimator

    estimator = torch_mist_estimator(case)

    def train(steps: int) -> None:
        x, y = torch_pairs(case, steps * case["batch_size"])
        train_mi_estimator(
            estimator,
            {"x": x, "y": y},
            valid_percentage=0,
            batch_size=case["batch_size"],
            max_epochs=1,
            optimizer_params={"lr": LEARNING_RATE},
            verbose=False,
        )

    return train


def torch_mist_loop(case: Case) -> Steps:
    """A plain loop over its estimator's loss."""
    import torch

    estimator = torch_mist_estimator(case)
    optimizer = torch.optim.Adam(estimator.parameters(), lr=LEARNING_RATE)

    def train(steps: int) -> None:
        for _ in range(steps):
            loss = estimator.loss(*torch_pairs(case, case["batch_size"]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    return train


def torch_mist_estimator(case: Case) -> Any:
    from torch_mist.estimators.discriminative.factories import infonce

    separable = case["critic"] == "separable"
    hidden = [*case["hidden"], *([case["embedding"]] if separable else [])]
    kind = "separable" if separable else "joint"
    return infonce(x_dim=case["dim"], y_dim=case["dim"], hidden_dims=hidden, critic_type=kind)


def torch_pairs(case: Case, n: int) -> tuple[Any, Any]:
    import torch

    x, noise = torch.randn(n, case["dim"]), torch.randn(n, case["dim"])
    return x, case["correlation"] * x + (1 - case["correlation"] ** 2) ** 0.5 * noise


def benchmark_mi(case: Case) -> Steps:
    """Its critic and its InfoNCE in a compiled step of its optimiser; pairs are drawn beforehand."""
    import equinox
    import jax
    import optax
    from bmi.estimators.neural import _backend_quadratic_memory
    from bmi.estimators.neural._critics import MLP

    key, of_x, of_noise = jax.random.split(jax.random.PRNGKey(0), 3)
    critic = MLP(key, case["dim"], case["dim"], hidden_layers=case["hidden"])
    optimizer = optax.adam(LEARNING_RATE)
    shape = (64, case["batch_size"], case["dim"])
    x, noise = jax.random.normal(of_x, shape), jax.random.normal(of_noise, shape)
    y = case["correlation"] * x + (1 - case["correlation"] ** 2) ** 0.5 * noise

    @equinox.filter_jit
    def step(critic: Any, state: Any, x: Any, y: Any) -> tuple[Any, Any]:
        gradient = equinox.filter_grad(lambda c: -_backend_quadratic_memory.infonce(c, x, y))(critic)
        updates, state = optimizer.update(gradient, state, critic)
        return equinox.apply_updates(critic, updates), state

    held = [critic, optimizer.init(equinox.filter(critic, equinox.is_array))]

    def train(steps: int) -> None:
        for k in range(steps):
            held[:] = step(*held, x[k % len(x)], y[k % len(x)])
        jax.block_until_ready(held[1])

    return train


CONTENDERS: dict[str, Callable[[Case], Steps]] = {
    "torch-mist's trainer": torch_mist_trainer,
    "a loop on torch-mist's classes": torch_mist_loop,
    "benchmark-mi, compiled step": benchmark_mi,
}


def serve(train: Steps) -> None:
    for line in sys.stdin:
        wall, core = time.perf_counter(), time.process_time()
        with contextlib.redirect_stdout(sys.stderr):
            train(int(line))
        print(time.perf_counter() - wall, time.process_time() - core, flush=True)


if __name__ == "__main__":
    if "torch" in sys.argv[1]:
        import torch

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    serve(CONTENDERS[sys.argv[1]](json.loads(sys.argv[2])))

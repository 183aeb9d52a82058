"""Curves of the staircase by torch-mist's trainer, one after another, in its own environment.

    python _peer_staircase.py FACTS

FACTS is JSON: levels_nats, steps, evaluation_batches, and curves, a list of critic, task and bound. Prints what each
reads after each level. Of mibounds nothing is imported.
"""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any

import torch
from torch_mist.estimators.discriminative import factories
from torch_mist.utils.train import train_mi_estimator

DIM, BATCH_SIZE, LEARNING_RATE = 20, 64, 5e-4
HIDDEN, EMBEDDING = [256, 256], 32
NAMES = {
    "info_nce": "infonce",
    "nwj": "nwj",
    "donsker_varadhan": "mine",
    "mine": "mine",
    "jensen_shannon": "js",
    "smile": "smile",
}


def pairs(n: int, truth_nats: float, task: str) -> tuple[torch.Tensor, torch.Tensor]:
    correlation = (1 - torch.exp(torch.tensor(-2 * truth_nats / DIM))).sqrt()
    x = torch.randn(n, DIM)
    y = correlation * x + (1 - correlation**2).sqrt() * torch.randn(n, DIM)
    return x, y**3 if task == "cubic" else y


def curve(critic: str, task: str, bound: str, facts: dict[str, Any]) -> list[float]:
    separable = critic == "separable"
    estimator = getattr(factories, NAMES[bound])(
        x_dim=DIM,
        y_dim=DIM,
        hidden_dims=[*HIDDEN, EMBEDDING] if separable else HIDDEN,
        critic_type="separable" if separable else "joint",
        neg_samples=0,
    )
    return [level(estimator, task, truth_nats, facts) for truth_nats in facts["levels_nats"]]


def level(estimator: Any, task: str, truth_nats: float, facts: dict[str, Any]) -> float:
    x, y = pairs(facts["steps"] * BATCH_SIZE, truth_nats, task)
    train_mi_estimator(
        estimator,
        {"x": x, "y": y},
        valid_percentage=0,
        batch_size=BATCH_SIZE,
        max_epochs=1,
        optimizer_params={"lr": LEARNING_RATE},
        verbose=False,
    )
    estimator.eval()
    with torch.no_grad():
        read = [
            float(estimator.mutual_information(*pairs(BATCH_SIZE, truth_nats, task)).mean())
            for _ in range(facts["evaluation_batches"])
        ]
    return sum(read) / len(read)


if __name__ == "__main__":
    torch.set_num_threads(1)
    told = json.loads(sys.argv[1])
    for each in told["curves"]:
        with contextlib.redirect_stdout(sys.stderr):
            values = curve(**each, facts=told)
        print(each, [round(value, 3) for value in values], flush=True)

"""Two processes, a GPU each, by nccl: batch norm is SyncBatchNorm, methods train as in one; they run this file."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from mibounds.representation import distributed, load_checkpoint, methods
from mibounds.representation.batch_norm import StackedBatchNorm
from mibounds.seeding import generator
from tests.representation.test_distributed import training_of

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.gpu(2)


def normalised(norm: nn.Module, rows: Tensor) -> dict[str, Tensor]:
    """Output and gradients of the sum of its cubes."""
    rows = rows.detach().requires_grad_()
    out = norm(rows)
    out.pow(3).sum().backward()
    return {"output": out.detach(), "gradient": rows.grad, "gradient of weight": norm.weight.grad.flatten()}


def batch_norms(device: torch.device) -> dict[str, Tensor]:
    """Ours and torch's of this process's rows; torch's own refuses the CPU, where all rows' norm stands in for it."""
    rows = torch.randn(1, 16, 3, 4, 4, generator=generator(0)).to(device)
    own = distributed.own_rows(rows)
    ours = StackedBatchNorm(3, 1).to(device)
    found = {f"ours {what}": value.squeeze(0) for what, value in normalised(ours, own).items()}
    if device.type == "cuda":
        torchs: nn.Module = nn.SyncBatchNorm(3).to(device)
        found |= {f"torch {what}": value for what, value in normalised(torchs, own[0]).items()}
    else:
        torchs = nn.BatchNorm2d(3)
        of_all = normalised(torchs, rows[0])
        own_share = {what: of_all[what].chunk(2)[distributed.rank()] for what in ("output", "gradient")}
        found |= {f"torch {what}": value for what, value in own_share.items()}
    averages = {"mean": (ours.mean, torchs.running_mean), "variance": (ours.variance, torchs.running_var)}
    for what, (own_average, of_torch) in averages.items():
        found |= {f"ours {what}": own_average.flatten(), f"torch {what}": of_torch}
    return found


def findings_of(name: str, device: torch.device) -> dict[str, Tensor]:
    """Three steps' losses, and the state they end in."""
    trained = training_of(name).to(device)
    return {"losses": trained.fit(), **trained.state_dict()}


def process(folder: Path, device: torch.device) -> None:
    distributed.set_up(device)
    found = {"batch_norm": batch_norms(device), **{n: findings_of(n, device) for n in methods.names()}}
    for name, tensors in found.items():
        whole = {what: tensor.detach().clone().contiguous() for what, tensor in tensors.items()}
        save_file(whole, folder / f"{name}-{distributed.rank()}.safetensors")
    distributed.tear_down()


def torchrun(*command: str) -> None:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    start = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node=2"]
    answer = subprocess.run(
        [*start, "--master_addr=127.0.0.1", f"--master_port={port}", *command],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr


@pytest.fixture(scope="module")
def started(tmp_path_factory) -> Path:
    """What both processes found, in files NAME-RANK.safetensors."""
    folder = tmp_path_factory.mktemp("processes")
    torchrun(__file__, str(folder), os.environ.get("MIBOUNDS_GPU_SUITE", "cuda"))
    return folder


@pytest.mark.parametrize("rank", [0, 1])
def test_batch_norm_over_processes_is_torchs_sync_batch_norm(started, rank):
    found = load_file(started / f"batch_norm-{rank}.safetensors")
    compared = [what.removeprefix("torch ") for what in found if what.startswith("torch ")]
    assert {"output", "gradient", "mean", "variance"} <= set(compared)
    for what in compared:
        torch.testing.assert_close(found[f"ours {what}"], found[f"torch {what}"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", methods.names())
def test_two_processes_train_as_one(started, device, name):
    alone = findings_of(name, torch.device(device))
    for rank in (0, 1):
        found = load_file(started / f"{name}-{rank}.safetensors")
        assert found.keys() == alone.keys()
        for what, tensor in alone.items():
            torch.testing.assert_close(
                found[what],
                tensor.detach().cpu(),
                rtol=1e-6,
                atol=1e-8,
                msg=lambda m, what=what: f"{what}: {m}",
            )


def test_torchrun_starts_the_command_line(device, tmp_path):
    settings = ["--data=vmf", "--temperature=0.2", "--steps=4", "--batch-size=16", f"--device={device}"]
    torchrun("-m", "mibounds", "pretrain", "simclr", *settings, f"--out={tmp_path}")
    assert load_checkpoint(tmp_path, device="cpu").steps_done == 4


if __name__ == "__main__":
    process(Path(sys.argv[1]), distributed.device_of(sys.argv[2]))

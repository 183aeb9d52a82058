"""W processes give the loss, the gradients and the state of one, for every method; this file is what they run, too."""

from __future__ import annotations

import faulthandler
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch import distributed as dist

from mibounds.errors import ParameterError
from mibounds.representation import (
    checkpoint,
    distributed,
    large_contrast,
    load_checkpoint,
    methods,
    pretrain,
)
from mibounds.representation.batch_norm import StackedBatchNorm
from mibounds.representation.batches import stacked_pairs
from mibounds.representation.loop import AGREE_EVERY, Pretrainer
from mibounds.representation.network import Network
from mibounds.representation.sources import Pairs
from mibounds.representation.sources.classes import Classes
from mibounds.seeding import generator

pytestmark = pytest.mark.timeout(600)  # longer than processes that are stuck, so that what they say is shown

ROOT = Path(__file__).parents[2]
SEEDS = [0, 1]
BATCH = 16
STEPS = 2 * AGREE_EVERY  # processes pause together at half of them
SIZES = (2, 4)
STUCK = 200  # seconds after which a process says where it is and ends: one may wait for another that died
OPTIONS = {  # what a method's gradient must also be right for: parameters used after rows were exchanged
    "simclr": {"learn_temperature": True},
    "moco": {"learn_temperature": True, "queue": 40, "symmetric": True},
    "swav": {"queue": 24, "prototypes": 12, "frozen_steps": 0},
}


class Doubled(Classes):
    """In float64, so that only a wrong gradient can differ."""

    def pairs(self, *arguments, **options) -> Pairs:
        view_a, view_b, factors = super().pairs(*arguments, **options)
        return Pairs(view_a.double(), view_b.double(), factors)


SOURCE = Doubled.example()
N_CLASSES = SOURCE.factors[SOURCE.label].n_classes


IN_RING = [  # softmax losses, large or said to be; the last reaches far under one shift for all rows
    ("simclr", {"learn_temperature": True}),
    ("dcl", {"learn_temperature": True}),
    ("info_nce", {}),
    ("symmetric_info_nce", {"learn_temperature": True}),
    ("simclr", {"temperature": 0.0005}),
]


def training_of(name: str, steps: int = 3, **options: Any) -> Pretrainer:
    """With batch norm wherever there can be some."""
    network = Network.build(
        SOURCE.shape,
        SEEDS,
        encoder_options={"hidden": [8], "dim": 6, "norm": "batch"},
        embedding=5,
        projector_options={"hidden": 7, "norm": "batch"},
    )
    own = {"n_classes": N_CLASSES} if name == "supervised" else OPTIONS.get(name, {})
    method = methods.load(name).example(network, SEEDS, **(options or own))
    return Pretrainer(
        network.double(),
        method.double(),
        SOURCE,
        SEEDS,
        batch_size=BATCH,
        steps=steps,
        optimizer="sgd",
        learning_rate=0.1,
        clip=1.0,
        check_every=2,
    )


def resumed(folder: Path, stop: int = STEPS) -> Pretrainer:
    """A training with a queue, a momentum network and batch norm: goes on from `folder`, where it stops is saved."""
    training = training_of("moco", STEPS)
    checkpoint.fit(training, folder, resume=True, watch=lambda of: of.steps_done >= stop)
    return training


def findings_of(name: str, **options: Any) -> dict[str, Tensor]:
    """The first batch's losses and gradients, and then what three steps make of all state."""
    first = training_of(name, **options)
    losses = first.loss(next(stacked_pairs(first.sources, first.seeds, BATCH)))
    losses.sum().backward()
    distributed.average_gradients(first.parameters())
    trained = training_of(name, **options)
    history = trained.fit()
    return {
        "losses": distributed.average(losses.detach()),
        **{f"gradient of {n}": p.grad for n, p in first.named_parameters() if p.grad is not None},
        "history": history,
        **{f"trained {n}": t.detach().clone() for n, t in trained.state_dict().items()},
        "spread": torch.tensor([check["spread"] for check in trained.checks]),
    }


def batch_norms() -> dict[str, Tensor]:
    """Outputs, gradients and averages of batch norm of this process's rows, images among them."""
    found = {}
    for shape in ((2, BATCH, 3), (2, BATCH, 3, 2, 2)):
        x = torch.randn(*shape, generator=generator(0), dtype=torch.float64).requires_grad_()
        norm = StackedBatchNorm(3, 2).double()
        y = norm(distributed.own_rows(x))
        distributed.gather(y.pow(3).flatten(2)).sum().div(distributed.n_processes()).backward()
        gradient = x.grad.clone()
        if distributed.n_processes() > 1:
            gradient = distributed.average(gradient) * distributed.n_processes()
        found |= {
            f"output {len(shape)}": distributed.gather(y.detach()),
            f"gradient {len(shape)}": gradient,
            f"mean {len(shape)}": norm.mean.clone(),
            f"variance {len(shape)}": norm.variance.clone(),
        }
    return found


def process(folder: Path) -> None:
    """What each process does: writes its findings."""
    distributed.set_up(torch.device("cpu"))
    for name in methods.names():
        save_file(contiguous(findings_of(name)), folder / f"{name}-{distributed.rank()}.safetensors")
    save_file(contiguous(batch_norms()), folder / f"batch_norm-{distributed.rank()}.safetensors")
    large_contrast.LARGE = 0
    for number, (name, options) in enumerate(IN_RING):
        found = contiguous(findings_of(name, **options))
        save_file(found, folder / f"ring {number}-{distributed.rank()}.safetensors")
    for place in sorted(folder.glob("paused by *")):
        resumed(place)
    resumed(folder / "paused", stop=STEPS // 2)
    distributed.tear_down()
    os.environ["TORCHELASTIC_RESTART_COUNT"] = "1"
    distributed.set_up(torch.device("cpu"))
    (folder / f"restarted-{distributed.rank()}").write_text(str(distributed.n_processes()))
    distributed.tear_down()
    (folder / f"threads-{os.environ['RANK']}").write_text("\n".join(threads()))


def threads() -> list[str]:
    """The names of this process's threads, where /proc tells them."""
    return [name.read_text().strip() for name in Path("/proc/self/task").glob("*/comm")]


def start(n: int, folder: Path) -> None:
    """Runs n processes as torchrun would, but forked from one that has torch already."""
    resumed(folder / "paused by 1", stop=STEPS // 2)
    for other in folder.parent.glob("*/paused"):
        shutil.copytree(other, folder / f"paused by {other.parent.name}")
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # it outlives a restart
    shared = {"WORLD_SIZE": str(n), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
    shared |= {"TORCHELASTIC_USE_AGENT_STORE": "True"}
    children = []
    for rank in range(n):
        if (child := os.fork()) == 0:
            # One after the other, to be legible.
            faulthandler.dump_traceback_later(STUCK + 2 * rank, exit=True)
            os.environ.update(shared, RANK=str(rank), LOCAL_RANK=str(rank))
            process(folder)
            os._exit(0)
        children.append(child)
    codes = [os.waitpid(child, 0)[1] for child in children]
    if any(codes):
        sys.exit(f"{n} processes ended with {codes}")


def contiguous(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: tensor.contiguous() for name, tensor in tensors.items()}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def started(tmp_path_factory) -> Path:
    """The findings of 2 and of 4 processes, in files `W/METHOD-RANK.safetensors`."""
    folder = tmp_path_factory.mktemp("processes")
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(
        [sys.executable, __file__, str(folder)], env=environment, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    return folder


@pytest.fixture(params=SIZES, ids="{} processes".format)
def together(request, started) -> tuple[int, Path]:
    return request.param, started / str(request.param)


@pytest.fixture(scope="module")
def alone() -> dict[str, dict[str, Tensor]]:
    """The findings of one process."""
    return {name: findings_of(name) for name in methods.names()}


def assert_same(found: dict[str, Tensor], expected: dict[str, Tensor], whose: str) -> None:
    assert found.keys() == expected.keys(), whose
    for what, tensor in expected.items():
        torch.testing.assert_close(
            found[what], tensor, rtol=1e-6, atol=1e-8, msg=lambda m, what=what: f"{whose}, {what}: {m}"
        )


def test_every_method_has_the_losses_gradients_and_state_of_one_process(together, alone):
    n, folder = together
    for name, expected in alone.items():
        for rank in range(n):
            assert_same(load_file(folder / f"{name}-{rank}.safetensors"), expected, f"{name} on rank {rank}")


@pytest.mark.parametrize(("number", "name", "options"), [(i, *one) for i, one in enumerate(IN_RING)])
def test_keys_that_go_round_give_the_losses_and_gradients_of_one_process(number, name, options, together):
    n, folder = together
    expected = findings_of(name, **options)
    for rank in range(n):
        found = load_file(folder / f"ring {number}-{rank}.safetensors")
        assert_same(found, expected, f"{name} on rank {rank}")


def test_queues_and_weights_are_the_same_bits_on_all_ranks(together):
    n, folder = together
    for name in methods.names():
        first, *others = (load_file(folder / f"{name}-{rank}.safetensors") for rank in range(n))
        trained = [what for what in first if what.startswith("trained")]
        for other in others:
            assert all(torch.equal(first[what], other[what]) for what in trained), name


def test_batch_norm_has_the_statistics_of_all_rows_and_their_gradients(together):
    n, folder = together
    for rank in range(n):
        found = load_file(folder / f"batch_norm-{rank}.safetensors")
        assert_same(found, batch_norms(), f"batch norm on rank {rank}")


@pytest.fixture(scope="module")
def undisturbed() -> dict[str, Tensor]:
    training = training_of("moco", STEPS)
    training.fit()
    return training.state_dict()


def test_a_training_goes_on_with_another_number_of_processes(together, undisturbed):
    n, folder = together
    places = sorted(folder.glob("paused by *"))
    assert [place.name for place in places] == {2: ["paused by 1"], 4: ["paused by 1", "paused by 2"]}[n]
    for place in places:
        found = training_of("moco", STEPS)
        checkpoint.restore(found, place)
        assert found.steps_done == STEPS
        assert_same(found.state_dict(), undisturbed, f"{place.name}, resumed by {n}")


def test_what_several_processes_began_one_ends(together, undisturbed, tmp_path):
    n, folder = together
    began = checkpoint.load_state(folder / "paused")
    assert began["step"] == STEPS // 2
    alone = resumed(shutil.copytree(folder / "paused", tmp_path / "alone"))
    assert_same(alone.state_dict(), undisturbed, f"begun by {n}")


def test_processes_that_were_started_again_find_each_other(together):
    """By a store that still has the addresses of those before, as torchrun's has after a restart."""
    n, folder = together
    assert [(folder / f"restarted-{rank}").read_text() for rank in range(n)] == [str(n)] * n


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="threads are read from /proc")
def test_no_thread_of_the_group_is_left(together):
    """One that is busy when Python ends would abort the process."""
    n, folder = together
    for rank in range(n):
        names = (folder / f"threads-{rank}").read_text().split("\n")
        assert not [name for name in names if "gloo" in name], names


def test_the_findings_would_show_a_wrong_gradient(alone):
    """A temperature's gradient counted twice, as adding instead of averaging would, is not within the tolerance."""
    gradient = alone["simclr"]["gradient of method.temperature.log"]
    assert gradient.abs().min() > 1e-4


def test_alone_nothing_is_exchanged():
    rows = torch.ones(1, 3, 2)
    assert distributed.gather(rows) is rows and distributed.average(rows) is rows
    assert distributed.n_processes() == 1 and distributed.rank() == 0
    assert distributed.agreed(True, torch.device("cpu")) and not distributed.agreed(
        False, torch.device("cpu")
    )


def flags(settings: dict[str, object]) -> list[str]:
    return [f"--{name}={value}" for name, value in settings.items()]


def test_torchrun_starts_the_command_line(tmp_path):
    """Two processes write the checkpoint that one writes, and the first alone speaks."""
    settings = {"data": "vmf", "temperature": 0.2, "steps": 3, "batch-size": 8, "device": "cpu"}
    settings |= {"out": tmp_path / "two"}
    torchrun = {"nproc_per_node": 2, "master_addr": "127.0.0.1", "master_port": free_port()}
    start = [sys.executable, "-m", "torch.distributed.run", *flags(torchrun)]
    start += ["-m", "mibounds", "pretrain", "simclr", *flags(settings)]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    answer = subprocess.run(start, env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.count("simclr: 3 of 3 steps") == 1
    trained = pretrain("simclr", "vmf", temperature=0.2, steps=3, batch_size=8, device="cpu")
    found = load_checkpoint(tmp_path / "two", device="cpu").state_dict()
    for name, tensor in trained.state_dict().items():
        torch.testing.assert_close(found[name], tensor)


def test_a_batch_that_the_processes_cannot_share_is_refused(monkeypatch):
    monkeypatch.setattr(distributed, "n_processes", lambda: 4)
    with pytest.raises(ParameterError, match="multiple of the 4 processes that share the batch; got 6"):
        distributed.own_rows(torch.ones(1, 6, 2))


def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert distributed.device_of("auto") == torch.device("cpu")
    with pytest.raises(ParameterError, match="'cuda' was asked for and no CUDA device can be used here"):
        distributed.device_of("cuda")
    with pytest.raises(ParameterError, match="device must be auto, cpu, cuda"):
        distributed.device_of("gpu0")


if __name__ == "__main__":
    for size in SIZES:
        start(size, Path(sys.argv[1], str(size)))

"""`mibounds pretrain`: what it prints and leaves behind, how a stopped training goes on, and a user's mistakes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from mibounds.cli.pretrain import pretrain as command
from mibounds.representation import load_checkpoint, pretrain
from mibounds.representation.progress import Reporter
from mibounds.representation.recipe import Recipe

SHORT = ("--data", "vmf", "--temperature", "0.2", "--batch-size", "8", "--device", "cpu")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_it_trains_saves_and_says_what_came_of_it(mibounds):
    answer = mibounds("pretrain", "simclr", *SHORT, "--steps", "5", "--seeds", "0,1", "--data-set", "dim=4")
    assert answer.code == 0 and answer.err == ""
    first, *runs = answer.out.splitlines()
    assert first == "simclr: 5 of 5 steps, checkpoint in pretrained/simclr-vmf"
    assert [run.partition(":")[0] for run in runs] == ["  seed 0", "  seed 1"]
    assert "nats of at most 2.708" in runs[0] and "effective rank" in runs[0]  # ln 15
    trained = load_checkpoint("pretrained/simclr-vmf", device="cpu")
    settings = {
        "temperature": 0.2,
        "batch_size": 8,
        "steps": 5,
        "seeds": [0, 1],
        "source_options": {"dim": 4},
    }
    expected = pretrain("simclr", "vmf", device="cpu", **settings)
    assert trained.recipe == expected.recipe
    assert all(torch.equal(a, b) for a, b in zip(trained.parameters(), expected.parameters(), strict=True))


def test_every_option_reaches_the_recipe(mibounds):
    options = {
        "--set": "queue=64",
        "--data-set": "kappa=5.5",
        "--encoder-set": "hidden=16,8",
        "--projector-set": "layers=1",
        "--embedding": "6",
        "--seeds": "3,4",
        "--steps": "2",
        "--optimizer": "lars",
        "--learning-rate": "0.1,0.2",
        "--weight-decay": "0.01",
        "--schedule": "constant",
        "--warmup": "0.5",
        "--clip": "2",
        "--precision": "bfloat16",
        "--check-every": "1",
        "--out": "out",
    }
    flat = [part for pair in options.items() for part in pair]
    assert mibounds("pretrain", "moco", *SHORT, *flat, "--set", "symmetric=true").code == 0
    recipe = json.loads(Path("out/state.json").read_text())["recipe"]
    assert recipe == {
        "method": "moco",
        "source": "vmf",
        "method_options": {"queue": 64, "symmetric": True, "temperature": 0.2},
        "source_options": {"kappa": 5.5},
        "encoder": "mlp",
        "encoder_options": {"hidden": [16, 8]},
        "embedding": 6,
        "projector_options": {"layers": 1},
        "seeds": [3, 4],
        "steps": 2,
        "batch_size": 8,
        "optimizer": "lars",
        "learning_rate": [0.1, 0.2],
        "weight_decay": 0.01,
        "schedule": "constant",
        "warmup": 0.5,
        "clip": 2.0,
        "precision": "bfloat16",
        "compile": False,
        "check_every": 1,
    }


def test_the_defaults_that_help_shows_are_the_recipes():
    defaults = Recipe("simclr").as_dict()
    shown = {
        p.name: (p.help or "").partition("[default: ")[2].rstrip("]")
        for p in command.params
        if hasattr(p, "help")
    }
    for name, value in defaults.items():
        if shown.get(name) and name != "learning_rate":
            text = {None: "none"}.get(value[0] if name == "seeds" else value, value)
            assert shown[name] == str(text[0] if name == "seeds" else text), name


@pytest.mark.timeout(120)
def test_ctrl_c_saves_and_both_ways_of_going_on_end_as_if_undisturbed():
    start = [
        sys.executable,
        "-m",
        "mibounds",
        "pretrain",
        "simclr",
        *SHORT,
        "--steps",
        "1000",
        "--out",
        "out",
    ]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [*start, "--save-every", "0.2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        deadline = time.monotonic() + 60
        while not Path("out/state.json").is_file() and time.monotonic() < deadline:
            time.sleep(0.02)
        os.kill(process.pid, signal.SIGINT)
        _, said = process.communicate()
    assert process.returncode == 130, said
    step = json.loads(Path("out/state.json").read_text())["step"]
    assert 0 < step < 1000
    assert (
        said == f"mibounds: stopped at step {step}; mibounds pretrain --resume --out out goes on from there\n"
    )
    resumed = subprocess.run(
        [sys.executable, "-m", "mibounds", "pretrain", "--resume", "--out", "out", "--device", "cpu"],
        capture_output=True,
        text=True,
        env=environment,
    )
    assert resumed.returncode == 0 and resumed.stdout.startswith("simclr: 1000 of 1000 steps")
    whole = pretrain("simclr", "vmf", temperature=0.2, batch_size=8, steps=1000, device="cpu")
    found = load_checkpoint("out", device="cpu")
    assert all(torch.equal(a, b) for a, b in zip(found.parameters(), whole.parameters(), strict=True))


def test_resuming_what_is_finished_or_not_begun(mibounds):
    arguments = ("pretrain", "simclr", *SHORT, "--steps", "2", "--out", "out", "--resume")
    assert mibounds(*arguments).out == mibounds(*arguments).out
    assert mibounds("pretrain", "--resume", "--out", "out", "--device", "cpu").code == 0


def test_a_diverged_run_is_an_alarm_a_status_and_exit_code_1(mibounds):
    options = ("--optimizer", "sgd", "--learning-rate", "1e30,0.01", "--seeds", "0,1", "--steps", "5")
    answer = mibounds("pretrain", "simclr", *SHORT, *options)
    assert answer.code == 1
    assert answer.error == "alarm: run 0: diverged at step 1: its loss is not finite; lower learning_rate"
    _, diverged, sound = answer.out.splitlines()
    assert diverged == "  seed 0: diverged at step 1" and "nats" in sound


def test_a_collapse_is_said_once_on_the_screen(mibounds):
    options = ("--set", "repulsion=false", "--learning-rate", "0.01", "--steps", "300", "--check-every", "50")
    answer = mibounds("pretrain", "simclr", *SHORT, *options)
    assert answer.code == 0 and answer.error.startswith("alarm: run 0: complete collapse at step ")


def test_tensorboard_has_the_checks_and_goes_on_after_a_pause(mibounds):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    assert (
        mibounds(
            "pretrain",
            "simclr",
            *SHORT,
            "--steps",
            "6",
            "--seeds",
            "0,1",
            "--check-every",
            "2",
            "--tensorboard",
            "logs",
        ).code
        == 0
    )
    logs = EventAccumulator("logs").Reload()
    kinds = {f"{name}/run_{run}" for name in ("loss", "spread", "effective_rank") for run in (0, 1)}
    assert set(logs.Tags()["scalars"]) == kinds | {"examples_a_second"}
    checks = load_checkpoint("pretrained/simclr-vmf", device="cpu").checks
    found = logs.Scalars("loss/run_1")
    assert [event.step for event in found] == [2, 4, 6]
    assert [event.value for event in found] == pytest.approx([check["loss"][1] for check in checks])


def test_progress_has_speed_and_time_left(capsys):
    training = Recipe("simclr", "vmf", {"temperature": 0.2}, steps=4, batch_size=8).build("cpu")
    with Reporter("simclr", training) as reporter:
        reporter._last_line = -1e9  # a line is due
        training.fit(2)
        reporter.show(training)
        reporter._refreshed = -1e9
        reporter.show(training)
    line, *_ = capsys.readouterr().err.splitlines()
    assert line.startswith("simclr: 2/4 steps, ") and " examples/s, 0:00:0" in line and line.endswith(" left")


MISTAKES = {
    "nothing": ((), "expected METHOD and --data SOURCE, or --resume with --out FOLDER alone"),
    "no data": (("simclr",), "expected METHOD and --data SOURCE"),
    "method": (("simclrr", *SHORT), "unknown method 'simclrr'; did you mean 'simclr'?"),
    "source": (("simclr", "--data", "vmff"), "unknown source 'vmff'; did you mean 'vmf'?"),
    "option": (("simclr", "--dat", "vmf"), "unknown option '--dat'; did you mean '--data'?"),
    "no temperature": (
        ("simclr", "--data", "vmf"),
        "the method simclr needs 'temperature', which has no default",
    ),
    "temperature": (("simclr", *SHORT, "--temperature", "-1"), "temperature must be greater than 0; got -1"),
    "not its temperature": (("byol", *SHORT), "unknown option of the method byol 'temperature'"),
    "no equals": (("simclr", *SHORT, "--set", "repulsion"), "--set takes name=value; got 'repulsion'"),
    "negatives": (("simclr", *SHORT, "--set", "n_negatives=15"), "n_negatives must lie in 1..14"),
    "batch of one": (("simclr", *SHORT, "--batch-size", "1"), "a batch of 1 holds no negatives"),
    "device": (("simclr", *SHORT, "--device", "gpu0"), "device must be auto, cpu, cuda"),
    "no checkpoint": (
        ("--resume", "--out", "nowhere"),
        "no checkpoint in nowhere: expected state.json there",
    ),
    "precision": (("simclr", *SHORT, "--precision", "half"), "unknown precision 'half'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_leaves_nothing(mibounds, mistake):
    arguments, expected = MISTAKES[mistake]
    answer = mibounds("pretrain", *arguments)
    assert answer.code == 2 and answer.out == ""
    assert expected in answer.error and answer.error.startswith("mibounds: ")
    assert list(Path().iterdir()) == []


def test_cuda_where_there_is_none_is_one_line(mibounds, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    answer = mibounds("pretrain", "simclr", *SHORT, "--device", "cuda")
    assert answer.code == 2 and "no CUDA device can be used here; take cpu or auto" in answer.error


def test_a_checkpoint_is_not_written_over_and_another_recipe_does_not_go_on(mibounds):
    arguments = ("pretrain", "simclr", *SHORT, "--out", "out")
    assert mibounds(*arguments, "--steps", "2").code == 0
    before = Path("out/state.json").read_bytes()
    for more, expected in (
        (("--steps", "2"), "out holds a checkpoint: resume it, or save to another folder"),
        (("--steps", "3", "--resume"), "checkpoint out does not fit: expected steps=3, got steps=2"),
    ):
        answer = mibounds(*arguments, *more)
        assert answer.code == 2 and expected in answer.error
    answer = mibounds("pretrain", "--resume", "--out", "out", "--batch-size", "4")
    assert answer.code == 2 and "--batch-size would make another training" in answer.error
    assert Path("out/state.json").read_bytes() == before


def test_a_truncated_checkpoint_is_one_line(mibounds):
    assert mibounds("pretrain", "simclr", *SHORT, "--steps", "2", "--out", "out").code == 0
    (weights,) = Path("out").glob("weights-*")
    weights.write_bytes(weights.read_bytes()[:100])
    answer = mibounds("pretrain", "--resume", "--out", "out")
    assert answer.code == 2 and f"{weights.name} was truncated or changed" in answer.error


def test_what_there_is_to_pretrain_is_listed(mibounds):
    for kind, name in (("methods", "simclr"), ("sources", "vmf"), ("encoders", "mlp"), ("views", "noise")):
        header, *lines = mibounds("list", kind).out.splitlines()
        assert header == kind and name in [line.split()[0] for line in lines]

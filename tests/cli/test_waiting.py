"""What takes over two seconds is shown on a terminal, and nowhere else."""

from __future__ import annotations

import io
import time
from contextlib import contextmanager
from importlib import import_module

import numpy as np
import pytest
from rich.console import Console

from mibounds.cli import waiting as module
from mibounds.cli.waiting import waiting


def shown(monkeypatch, after: float, is_terminal: bool, seconds: float = 0.4) -> str:
    monkeypatch.setattr(module, "AFTER_SECONDS", after)
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=is_terminal, width=80)
    with waiting("six pairs", 6, console) as done:
        done(3)
        time.sleep(seconds)
    return screen.getvalue()


def test_a_bar_on_a_terminal_once_it_takes_long(monkeypatch):
    assert "six pairs" in shown(monkeypatch, 0.05, True) and "3/6" in shown(monkeypatch, 0.05, True)


def test_nothing_of_what_is_quick_and_nothing_in_a_file(monkeypatch):
    assert shown(monkeypatch, 5.0, True, seconds=0.0) == ""
    assert "six pairs" not in shown(monkeypatch, 0.05, False)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("estimate", ["--x", "0", "--y", "1", "--method", "gaussian"]),
        ("matrix", ["--out", "found"]),
        ("certify", ["--x", "0", "--y", "1", "--set", "max_steps=10"]),
    ],
)
def test_commands_that_may_take_long_say_what_goes_on(command, words, mibounds, monkeypatch, tmp_path):
    said = []

    @contextmanager
    def noted(title, total=None):
        said.append(title)
        yield lambda done: None

    monkeypatch.chdir(tmp_path)
    np.save("pairs.npy", np.random.default_rng(0).normal(size=(300, 2)))
    monkeypatch.setattr(import_module(f"mibounds.cli.{command}"), "waiting", noted)
    assert mibounds(command, "pairs.npy", *words).code == 0
    assert len(said) == 1

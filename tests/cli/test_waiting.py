"""What takes over two seconds is shown on a terminal, and nowhere else."""

from __future__ import annotations

import io
import time

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

"""What the runner says while it works."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from mibounds.study import progress
from mibounds.study.progress import Reporter


def said(terminal: bool) -> str:
    file = io.StringIO()
    with Reporter("toy (full)", 40, Console(file=file, force_terminal=terminal, width=200)) as reporter:
        reporter.resume(10)
        reporter.running = {1: "kind=[a] x4", 2: "kind=b x4", 3: "kind=c x4"}
        reporter.show(10)
        reporter.show(25)
    return file.getvalue()


def test_a_terminal_gets_a_bar_with_what_is_running_and_the_time_left():
    text = said(terminal=True)
    assert "25/40" in text and "0:00:00 left" in text
    assert "kind=[a] x4; kind=b x4; and 1 more" in text


@pytest.mark.parametrize(
    ("terminal", "every"), [(True, progress.SHOW_EVERY_SECONDS), (False, progress.LINE_EVERY_SECONDS)]
)
def test_counting_is_due_at_first_and_when_it_is_shown_again(
    monkeypatch: pytest.MonkeyPatch, terminal: bool, every: float
):
    now = [1000.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    reporter = Reporter("toy", 40, Console(file=io.StringIO(), force_terminal=terminal))
    assert reporter.is_due()
    reporter.show(1)
    now[0] += 0.9 * every
    assert not reporter.is_due()
    now[0] += 0.2 * every
    assert reporter.is_due()


def test_elsewhere_a_line_comes_now_and_then(monkeypatch: pytest.MonkeyPatch):
    assert said(terminal=False) == "toy (full): 40 cells, 10 of them finished already\n"
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", 0.0)
    lines = said(terminal=False).splitlines()
    running = "running kind=[a] x4; kind=b x4; and 1 more"
    assert lines[1:] == [
        f"toy (full): 10/40 cells, ? left, {running}",
        f"toy (full): 25/40 cells, 0:00:00 left, {running}",
    ]

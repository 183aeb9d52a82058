"""A training's progress on standard error: a bar on a terminal, a line now and then elsewhere; alarms as they come."""

from __future__ import annotations

import math
import time
from types import TracebackType

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from mibounds.representation.loop import Pretrainer

LINE_EVERY_SECONDS = 30.0
REFRESH_SECONDS = 0.1


class Reporter:
    """Says how many steps are done, how fast they go, how long is left, and what goes wrong.

    Args:
        title: what is trained.
        training: at the step from which it goes on.
    """

    def __init__(self, title: str, training: Pretrainer, console: Console | None = None):
        self.title, self.console = title, console or Console(stderr=True)
        self._first_step, self._alarms = training.steps_done, len(training.alarms)
        self._started = self._last_line = self._refreshed = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[speed]}", markup=False),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=training.steps, completed=self._first_step, speed="")

    def __enter__(self) -> Reporter:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def show(self, training: Pretrainer) -> None:
        """Refresh; costs nothing to speak of, so that it may be called after each step."""
        now = time.monotonic()
        for line in training.alarms[self._alarms :]:
            self.note(f"alarm: {line}")
        self._alarms = len(training.alarms)
        if now - self._refreshed < REFRESH_SECONDS and training.steps_done < training.steps:
            return
        self._refreshed = now
        speed = self._speed(training, now)
        self._bar.update(self._task, completed=training.steps_done, speed=speed)
        if not self.console.is_terminal and now - self._last_line >= LINE_EVERY_SECONDS:
            self._last_line = now
            self.note(f"{self.title}: {training.steps_done}/{training.steps} steps, {speed}")

    def note(self, line: str) -> None:
        """One line that stays."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _speed(self, training: Pretrainer, now: float) -> str:
        a_second = (training.steps_done - self._first_step) / max(now - self._started, 1e-9)
        if a_second == 0:
            return ""
        minutes, seconds = divmod(round((training.steps - training.steps_done) / a_second), 60)
        examples = a_second * training.batch_size * training.n_runs
        return f"{examples:,.0f} examples/s, {minutes // 60}:{minutes % 60:02d}:{seconds:02d} left"


def summary(training: Pretrainer) -> list[str]:
    """A line a run: what the last look found, and what the loss says in nats where it says something."""
    if not training.checks:
        return [
            f"seed {seed}: {status}" for seed, status in zip(training.seeds, training.status, strict=True)
        ]
    check = training.checks[-1]
    losses = torch.tensor(
        [math.nan if loss is None else loss for loss in check["loss"]], device=training.device
    )
    nats = training.method.value_nats(losses, training.batch_size)
    ceilings = training.method.ceiling(training.batch_size)
    lines = []
    for run, (seed, status) in enumerate(zip(training.seeds, training.status, strict=True)):
        if status == "ok":
            status = f"loss {losses[run]:.4g}"
            if nats is not None:
                status += f", {nats[run]:.3f} nats" + (f" of at most {ceilings[run]:.3f}" if ceilings else "")
            status += (
                f", spread {check['spread'][run]:.3f}, effective rank {check['effective_rank'][run]:.2f}"
            )
        lines.append(f"seed {seed}: {status}")
    return lines

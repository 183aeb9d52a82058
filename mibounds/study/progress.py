"""Progress on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import time
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

LINE_EVERY_SECONDS = 30.0


class Reporter:
    """Says what is running, how much is done and how long is left."""

    def __init__(self, title: str, total: int, console: Console | None = None):
        self.title, self.total, self.already, self.done = title, total, 0, 0
        self.console = console or Console(stderr=True)
        self.running: dict[int, str] = {}
        self._started = self._last_line = time.monotonic()
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("[dim]{task.fields[running]}"),
            console=self.console,
            disable=not self.console.is_terminal,
        )

    def __enter__(self) -> Reporter:
        self._bar.start()
        self._task = self._bar.add_task(self.title, total=self.total, running="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def resume(self, done: int) -> None:
        """So many cells were finished before; they say nothing about the time left."""
        self.already = done
        self._bar.reset(self._task, completed=done)
        if done:
            self.note(f"{self.title}: {done} of {self.total} cells are finished already")

    def show(self, done: int) -> None:
        """Refresh; `done` counts finished cells."""
        self.done = done
        running = "; ".join(self.running.values())
        self._bar.update(self._task, completed=done, running=running)
        now = time.monotonic()
        if not self.console.is_terminal and now - self._last_line >= LINE_EVERY_SECONDS:
            self._last_line = now
            self.note(f"{self.title}: {done}/{self.total} cells, {self._left(now)} left, running {running}")

    def note(self, line: str) -> None:
        """One line that stays."""
        self._bar.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _left(self, now: float) -> str:
        fresh = self.done - self.already
        if not fresh:
            return "?"
        seconds = (now - self._started) / fresh * (self.total - self.done)
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d}"

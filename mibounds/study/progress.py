"""Progress on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import math
import time
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

LINE_EVERY_SECONDS = 30.0
SHOW_EVERY_SECONDS = 0.5
NAMED_AT_ONCE = 2


class Reporter:
    """Says what is running, how many of `total` cells are done and how long is left."""

    def __init__(self, title: str, total: int, console: Console | None = None):
        self.title, self.total = title, total
        self.console = console or Console(stderr=True)
        self.running: dict[int, str] = {}
        self._before = 0
        self._started = self._last_line = time.monotonic()
        self._last_shown = -math.inf
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[left]} left  {task.fields[running]}", markup=False),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=total, left="?", running="")

    def __enter__(self) -> Reporter:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def resume(self, done: int) -> None:
        """So many cells were finished before; they say nothing about the time left."""
        self._before = done
        self._started = time.monotonic()
        self._bar.update(self._task, completed=done)
        already = f", {done} of them finished already" if done else ""
        self.note(f"{self.title}: {self.total} cells{already}")

    def is_due(self) -> bool:
        """Whether what was shown last is old enough to count the finished cells anew."""
        every = SHOW_EVERY_SECONDS if self.console.is_terminal else LINE_EVERY_SECONDS
        return time.monotonic() - self._last_shown >= every

    def show(self, done: int) -> None:
        """Refresh; `done` counts finished cells."""
        self._last_shown = time.monotonic()
        left, running = self._left(done), self._running()
        self._bar.update(self._task, completed=done, left=left, running=running)
        quiet = time.monotonic() - self._last_line
        if not self.console.is_terminal and quiet >= LINE_EVERY_SECONDS:
            self._last_line = time.monotonic()
            self.note(f"{self.title}: {done}/{self.total} cells, {left} left, running {running}")

    def note(self, line: str) -> None:
        """One line that stays."""
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _running(self) -> str:
        labels = list(self.running.values())
        more = len(labels) - NAMED_AT_ONCE
        return "; ".join(labels[:NAMED_AT_ONCE]) + (f"; and {more} more" if more > 0 else "")

    def _left(self, done: int) -> str:
        if done <= self._before:
            return "?"
        rate = (time.monotonic() - self._started) / (done - self._before)
        minutes, seconds = divmod(round(rate * (self.total - done)), 60)
        return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"

"""What is going on, on standard error, once it takes over two seconds and somebody looks: a spinner, or a bar."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

AFTER_SECONDS = 2.0


@contextmanager
def waiting(
    title: str, total: int | None = None, console: Console | None = None
) -> Iterator[Callable[[int], None]]:
    """Shows `title` and the time that has gone by, and of `total` steps how many are done.

    Yields what is told the number of steps done. Nothing is shown, or loaded, where standard error is no terminal.
    """
    if console is None and not sys.stderr.isatty():
        yield lambda done: None
        return
    with _shown(title, total, console) as tell:
        yield tell


@contextmanager
def _shown(title: str, total: int | None, console: Console | None) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        SpinnerColumn,
        TextColumn,
        TimeElapsedColumn,
    )

    console = console or Console(stderr=True)
    counted = [BarColumn(bar_width=20), MofNCompleteColumn()] if total else [SpinnerColumn()]
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        *counted,
        TimeElapsedColumn(),
        console=console,
        disable=not console.is_terminal,
        transient=True,
    )
    task = bar.add_task(title, total=total)
    timer = threading.Timer(AFTER_SECONDS, bar.start)
    timer.daemon = True
    timer.start()
    try:
        yield lambda done: bar.update(task, completed=done)
    finally:
        timer.cancel()
        timer.join()  # a bar that is just being started is stopped after that
        bar.stop()

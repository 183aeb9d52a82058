"""A worker process seen from the runner: one request, one answer, both a line of JSON."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from mibounds.errors import ParameterError, StudyError

PATIENCE_SECONDS = 5.0
GROUPS = os.name == "posix"
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


class WorkerProcess:
    """A running worker; `greet` it first, then `ask`. It leads a group of processes, its study's own, and all end.

    Args:
        threads: for the worker's arithmetic, unless the environment says otherwise.

    Attributes:
        device, device_name: what came of the greeting.
        was_killed: whether its end came from outside, by SIGKILL: as a rule, for the memory that it took.

    Raises:
        StudyError: no process could be started.
    """

    def __init__(self, threads: int):
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        # Who limits OpenMP means all arithmetic: two threads of one product that wait for each other slow it fivefold.
        shares = dict.fromkeys(THREAD_VARIABLES, os.environ.get("OMP_NUM_THREADS", str(threads)))
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "mibounds.study.workers.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env=shares | dict(os.environ) | {"PYTHONPATH": path},
                text=True,
                encoding="utf-8",
                process_group=0 if GROUPS else None,
            )
        except OSError as error:
            raise StudyError(f"a worker process could not start: {error.strerror or error}") from error
        self.device = self.device_name = ""
        self.was_killed = self._is_gone = self._is_dismissed = False
        self._overran: float | None = None
        self._answering = threading.Lock()

    def greet(self, device: str) -> None:
        """Agree on the device: "auto", "cpu" or "cuda"; ParameterError if there is no such device here."""
        answer = self.ask(device)
        if answer is None:
            raise StudyError(f"a worker process could not start: {self.end()}")
        if "refused" in answer:
            self.end()
            raise ParameterError(answer["refused"])
        self.device, self.device_name = answer["device"], answer["device_name"]

    def ask(self, request: Any, limit_seconds: float | None = None) -> dict[str, Any] | None:
        """The answer to one request; None if the process is gone, dismissed, or took longer than the limit."""
        requests, answers = self._process.stdin, self._process.stdout
        assert requests and answers
        line = json.dumps(request) + "\n"
        try:
            with self._ended_after(limit_seconds):
                requests.write(line)
                requests.flush()
                answer = answers.readline()
        except (OSError, ValueError):  # a broken pipe, or one that `dismiss` closed
            answer = ""
        self._is_gone = not (answer.endswith("\n") or self._is_dismissed)
        return json.loads(answer) if answer.endswith("\n") else None

    @contextmanager
    def _ended_after(self, seconds: float | None) -> Iterator[None]:
        """The process is killed if the block takes longer."""
        if seconds is None:
            yield
            return
        waiting = True

        def kill() -> None:
            with self._answering:
                if waiting:
                    self._overran = seconds
                    self._kill()

        timer = threading.Timer(seconds, kill)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            with self._answering:
                waiting = False
            timer.cancel()

    def dismiss(self) -> None:
        """Close the worker's input: it ends, whatever it is at, as soon as no file is half-written."""
        assert self._process.stdin
        self._is_dismissed = True
        with suppress(OSError):
            self._process.stdin.close()

    def end(self) -> str:
        """Dismiss the worker, wait for its end, and say in words how it came."""
        if not self._is_gone:
            self.dismiss()
        code = self._ended_code()
        if self._overran is not None:
            return f"it took longer than the limit of {self._overran / 60:g} minutes, and was ended"
        if code < 0 and self._is_gone:
            self.was_killed = -code == signal.SIGKILL
            return f"its worker was killed by {signal.Signals(-code).name} (out of memory, perhaps)"
        return f"its worker ended with exit code {code}"

    def _ended_code(self) -> int:
        """The worker's exit code; nothing of it is left then."""
        try:
            code = self._process.wait(PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._kill()
            code = self._process.wait()
        self._kill()  # processes of the study's own, which a worker that was killed leaves behind
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(OSError, ValueError):
                assert pipe
                pipe.close()
        return code

    def _kill(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL) if GROUPS else self._process.kill()

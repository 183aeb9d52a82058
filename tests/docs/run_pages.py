"""Runs pages' code, a process each, forked from one that has loaded what is heavy. Standard input: page -> steps."""

from __future__ import annotations

import io
import json
import os
import shlex
import subprocess
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

OWN = Path("mine")  # where pages put files of the reader's


def run(steps: list[tuple[str, str, str | None]]) -> list[dict[str, Any]]:
    """What each step printed, up to the first that failed."""
    files = [path_of(code) for language, code, _ in steps if language == "python"]
    for path in filter(None, files):
        path.parent.mkdir(parents=True, exist_ok=True)  # folders are looked for when the package is loaded
    os.environ["MIBOUNDS_PATH"] = str(OWN)
    names: dict[str, Any] = {"__name__": "page"}
    done = []
    for language, code, _ in steps:
        out, err = io.StringIO(), io.StringIO()
        try:
            with redirect_stdout(out), redirect_stderr(err):
                python(code, names) if language == "python" else command(code)
        except BaseException:
            done.append({"output": out.getvalue(), "error": err.getvalue() + traceback.format_exc()})
            break
        done.append({"output": out.getvalue(), "error": None})
    return done


def python(code: str, names: dict[str, Any]) -> None:
    """Runs it; or writes it, where its first line is a path."""
    path = path_of(code)
    if path is None:
        exec(compile(code, "page", "exec"), names)
    else:
        path.write_text(code)


def path_of(code: str) -> Path | None:
    first = code.partition("\n")[0]
    return (
        Path(first[2:]) if first.startswith("# ") and first.endswith(".py") and " " not in first[2:] else None
    )


def command(line: str) -> None:
    words = shlex.split(line, comments=True)
    if words:
        PROGRAMS[words[0]](words[1:])


def mibounds(words: list[str]) -> None:
    from mibounds.cli.main import call

    assert call(words) == 0, words


def started(*before: str) -> Callable[[list[str]], None]:
    def start(words: list[str]) -> None:
        answer = subprocess.run([*before, *words], capture_output=True, text=True)
        print(answer.stdout, end="")
        assert answer.returncode == 0, answer.stderr

    return start


def export(words: list[str]) -> None:
    for word in words:
        name, _, value = word.partition("=")
        os.environ[name] = value


def leave(words: list[str]) -> None:
    """What changes the environment itself, or takes minutes; see test_pages.py."""


PROGRAMS = {
    "mibounds": mibounds,
    "python": started(sys.executable),
    "torchrun": started(sys.executable, "-m", "torch.distributed.run"),
    "export": export,
    "pip": leave,
    "make": leave,
}


def main() -> None:
    import matplotlib
    import pandas  # noqa: F401  loaded once, before the forks
    import scipy.stats  # noqa: F401
    import sklearn.linear_model  # noqa: F401
    import torch  # noqa: F401

    matplotlib.use("agg")
    folder = Path.cwd()
    for page, steps in json.load(sys.stdin).items():
        child = os.fork()
        if child == 0:
            own = folder / page
            own.mkdir(parents=True)
            os.chdir(own)
            (own / "done.json").write_text(json.dumps(run(steps)))
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main()

"""What only a shell sees: the start, the end, broken pipes, Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import mibounds

HEAVY = {"torch", "pandas", "seaborn", "scipy", "matplotlib"}
LOADED = """
import sys
from mibounds.cli.main import call
code = call(sys.argv[1:])
print(" ".join(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
sys.exit(code)
"""
COMMAND = [sys.executable, "-m", "mibounds.cli.main"]


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["list"], ["run", "--help"], ["estimate", "--help"]]
)
def test_it_answers_without_heavy_imports(arguments):
    answer = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True
    )
    assert answer.stdout
    assert not HEAVY & set(answer.stderr.split())


def test_checking_needs_no_torch(toy, mibounds):
    assert mibounds("run", "toy", "--preset", "smoke", "--workers", "1", "--out", "results").code == 0
    for command in (["check"], ["plot", "toy"], ["verdicts"], ["status", "toy"]):
        answer = subprocess.run(
            [sys.executable, "-c", LOADED, *command], capture_output=True, text=True, check=True
        )
        assert "torch" not in answer.stderr.split(), command


def test_version():
    answer = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True, check=True)
    assert answer.stdout == f"mibounds {mibounds.__version__}\n"


def test_no_command_shows_the_help():
    alone, asked = (
        subprocess.run([*COMMAND, *more], capture_output=True, text=True) for more in ([], ["--help"])
    )
    assert alone.returncode == 0 and alone.stdout == asked.stdout


def test_a_reader_that_leaves_early_is_no_error():
    with subprocess.Popen([*COMMAND, "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""


def test_ctrl_c_says_how_to_go_on(toy):
    slow = toy.read_text().replace(
        "def measure(pack):", "def measure(pack):\n    import time; time.sleep(0.3)"
    )
    toy.write_text(slow)
    with subprocess.Popen(
        [*COMMAND, "run", "toy", "--workers", "1", "--device", "cpu"], stderr=subprocess.PIPE, text=True
    ) as process:
        cells = Path("results/toy/cells")
        deadline = time.monotonic() + 60
        while not list(cells.glob("*.json")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in said
    assert said.splitlines()[-1] == "mibounds: stopped; the same command goes on from there"
    resumed = subprocess.run(
        [*COMMAND, "run", "toy", "--workers", "1"], capture_output=True, text=True, check=True
    )
    assert "finished already" in resumed.stderr

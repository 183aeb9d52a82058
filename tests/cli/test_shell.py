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
from mibounds.cli.main import mibounds as group

HEAVY = {
    "altair",
    "jinja2",
    "matplotlib",
    "numpy",
    "pandas",
    "rich",
    "scipy",
    "seaborn",
    "sklearn",
    "torch",
    "vl_convert",
}
TABLES = {"numpy", "pandas"}
FIGURES = TABLES | {"matplotlib", "scipy", "seaborn"}  # seaborn loads scipy
PAGE = TABLES | {"altair", "jinja2", "scipy", "vl_convert"}  # intervals of means in its charts
LOADED = """
import sys
from mibounds.cli.main import call
code = call(sys.argv[1:])
print(" ".join(sorted({name.partition(".")[0] for name in sys.modules})), file=sys.stderr)
sys.exit(code)
"""
COMMAND = [sys.executable, "-m", "mibounds.cli.main"]


def loaded_by(*arguments: str) -> set[str]:
    """Which of the heavy modules a command has loaded when it is done."""
    answer = subprocess.run(
        [sys.executable, "-c", LOADED, *arguments], capture_output=True, text=True, check=True
    )
    assert answer.stdout
    return HEAVY & set(answer.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    "command",
    ["--help", "--version", "list", "list bounds --json", *(f"{name} --help" for name in group.commands)],
)
def test_it_answers_without_heavy_imports(command):
    assert loaded_by(*command.split()) == set()


def test_a_command_loads_what_it_uses_and_nothing_else(toy, mibounds):
    """Of a study that itself loads nothing."""
    assert mibounds("run", "toy", "--workers", "1", "--device", "cpu").code == 0
    may_load = {
        "status toy": set(),
        "verdicts --json": set(),
        "verdicts": {"rich"},
        "check": TABLES,
        "plot toy": FIGURES,
        "report": PAGE,
        "run toy --device cpu": FIGURES | {"rich"},
    }
    beyond = {command: loaded_by(*command.split()) - allowed for command, allowed in may_load.items()}
    assert not any(beyond.values()), beyond


@pytest.mark.parametrize(
    ("method", "may_load"), [("gaussian", TABLES | {"scipy"}), ("info_nce", TABLES | {"scipy", "torch"})]
)
def test_an_estimate_loads_what_its_method_needs(tmp_path, method, may_load):
    table = tmp_path / "pairs.csv"
    table.write_text("a,b\n" + "".join(f"{i % 7},{i % 5}\n" for i in range(200)))
    options = ("--set", "max_steps=2") if method == "info_nce" else ()
    loaded = loaded_by("estimate", str(table), "--x", "a", "--y", "b", "--method", method, *options)
    assert loaded <= may_load


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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_one_line():
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(
            [*COMMAND, "list", "bounds", "--json"], stdout=full, stderr=subprocess.PIPE, text=True
        )
    assert answer.returncode == 1 and len(answer.stderr.splitlines()) == 1
    assert answer.stderr.startswith("mibounds: the operating system refused: ")


def test_ctrl_c_says_how_to_go_on(toy):
    slow = toy.read_text().replace(
        "def measure(pack):", "def measure(pack):\n    import time; time.sleep(0.3)"
    )
    toy.write_text(slow)
    with subprocess.Popen(
        [*COMMAND, "run", "toy", "--workers", "1", "--device", "cpu", "--fresh"],
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        cells = Path("results/toy/cells")
        deadline = time.monotonic() + 60
        while not list(cells.glob("*.json")) and time.monotonic() < deadline:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert "Traceback" not in said
    told = "mibounds: stopped; to go on from there: mibounds run toy --workers 1 --device cpu"
    assert said.splitlines()[-1] == told, "the very command, but for what would start over"
    again = told.split("mibounds ")[-1].split()
    resumed = subprocess.run([*COMMAND, *again], capture_output=True, text=True, check=True)
    assert "finished already" in resumed.stderr

"""An environment of the peers' own: pinned releases, which nothing else here depends on."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PEERS = {"pytorch-metric-learning": "2.9.0", "lightly": "1.6.0"}
BESIDES = ("numpy==2.4.6", "scipy==1.17.1", "scikit-learn==1.9.1", "tqdm==4.70.1")  # what their losses import
STAMP = "made.json"

Run = Callable[[Sequence[str]], str | None]


class NoEnvironment(Exception):
    """What all peers need could not be installed."""


def pins() -> list[str]:
    """All requirements; torch is the one of constraints.txt, so that both sides compute by one release."""
    return [_torch(), *BESIDES, *(f"{peer}=={version}" for peer, version in PEERS.items())]


def python_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def make(folder: Path, run: Run | None = None) -> dict[str, str]:
    """Makes the environment in `folder`, unless it is there whole. Returns why a peer is missing, by its name.

    Peers come without what they ask for: lightly would bring torchvision and a GPU's libraries.

    Args:
        folder: of the environment; what is in it is replaced.
        run: carries a command out, and returns None or what went wrong.

    Raises: NoEnvironment.
    """
    run = run or _run
    stamp = folder / STAMP
    if stamp.is_file() and json.loads(stamp.read_text()) == pins():
        return {}
    if why := run([sys.executable, "-m", "venv", "--clear", str(folder)]):
        raise NoEnvironment(f"cannot make an environment in {folder}: {why}")
    pip = [str(python_of(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if why := run([*pip, _torch(), *BESIDES]):
        raise NoEnvironment(f"cannot install torch and what the peers need beside it: {why}")
    asked = {peer: run([*pip, "--no-deps", f"{peer}=={version}"]) for peer, version in PEERS.items()}
    missing = {peer: why for peer, why in asked.items() if why}
    if not missing:
        stamp.write_text(json.dumps(pins()))
    return missing


def _torch() -> str:
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    (found,) = [line for line in lines if line.startswith("torch==")]
    return found


def _run(command: Sequence[str]) -> str | None:
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode == 0:
        return None
    said = (answer.stderr or answer.stdout).strip().splitlines()
    errors = [line for line in said if line.startswith("ERROR:")] or said or ["no message"]
    return errors[-1].removeprefix("ERROR: ")

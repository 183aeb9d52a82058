"""Environments of the peers' own: the releases that peers.toml pins, which nothing else here depends on."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
PINNED = tomllib.loads(Path(__file__).with_name("peers.toml").read_text())
PEERS = dict(pin.split("==") for pin in PINNED["losses"]["peers"])
STAMP = "made.json"

Run = Callable[[Sequence[str]], str | None]


class NoEnvironment(Exception):
    """What all peers need could not be installed."""


def folder_of(name: str) -> Path:
    """Where the environment `name` of peers.toml is made."""
    return ROOT / ".benchmarks" / name


def pins(name: str = "losses") -> list[str]:
    """All that an environment holds."""
    return [*_beside(name), *PINNED[name]["peers"]]


def python_of(folder: Path) -> Path:
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def make(folder: Path, run: Run | None = None, name: str = "losses") -> dict[str, str]:
    """Makes the environment in `folder`, unless it is there whole. Returns why a peer is missing, by its name.

    Peers come without what they ask for: lightly would bring torchvision and a GPU's libraries.

    Args:
        folder: of the environment; what is in it is replaced.
        run: carries a command out, and returns None or what went wrong.
        name: of the environment's table in peers.toml.

    Raises: NoEnvironment.
    """
    run = run or _run
    stamp = folder / STAMP
    if stamp.is_file() and json.loads(stamp.read_text()) == pins(name):
        return {}
    if why := run([sys.executable, "-m", "venv", "--clear", str(folder)]):
        raise NoEnvironment(f"cannot make an environment in {folder}: {why}")
    pip = [str(python_of(folder)), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if why := run([*pip, *_beside(name)]):
        raise NoEnvironment(f"cannot install what the peers need beside them: {why}")
    asked = {pin.partition("==")[0]: run([*pip, "--no-deps", pin]) for pin in PINNED[name]["peers"]}
    missing = {peer: why for peer, why in asked.items() if why}
    if not missing:
        stamp.write_text(json.dumps(pins(name)))
    return missing


def why_missing(name: str, folder: Path | None = None) -> str | None:
    """Makes the environment `name`, unless it is there whole; why a peer of it cannot be had, or None."""
    try:
        missing = make(folder or folder_of(name), name=name)
    except NoEnvironment as error:
        return str(error)
    return "; ".join(f"{peer}: {why}" for peer, why in missing.items()) or None


def _beside(name: str) -> list[str]:
    """What the peers need; torch is the one of constraints.txt, so that both sides compute by one release."""
    return [_torch() if pin == "torch" else pin for pin in PINNED[name]["beside"]]


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

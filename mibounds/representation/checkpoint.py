"""Checkpoints: a training's whole state in a folder. A kill at any moment leaves the old one or the new.

    state.json                          recipe, step, status, alarms, checks, versions, and the names of the two others
    weights-STEP-DIGEST.safetensors     all parameters and buffers: network, method, momentum networks, queues
    optimizer-STEP-DIGEST.safetensors   the optimiser's moments

The tensors' files carry new names and come first; the folder changes its checkpoint when `state.json` takes its place.
Nothing in them can run code.
"""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import mibounds
from mibounds import files
from mibounds.errors import DataError, StoreError
from mibounds.representation.distributed import rank
from mibounds.representation.loop import Pretrainer, Watch
from mibounds.representation.recipe import Recipe
from mibounds.representation.sources import Source

STATE = "state.json"
FORMAT = 1
PARTS = ("weights", "optimizer")
MAY_DIFFER = {
    "precision",
    "compile",
    "check_every",
}  # when a training goes on; all else would make it another one


def save(pretrainer: Pretrainer, folder: str | Path) -> None:
    """Writes the training's state to `folder`, in place of the one that is there.

    Raises: StoreError if it cannot be written, DataError without safetensors.
    """
    folder = Path(folder)
    pretrainer.note_divergence()
    held = {"weights": _weights(pretrainer), "optimizer": _moments(pretrainer)}
    named = {part: _write(folder, part, pretrainer.steps_done, tensors) for part, tensors in held.items()}
    state = {
        "format": FORMAT,
        "recipe": pretrainer.recipe.as_dict() if pretrainer.recipe else None,
        "settings": pretrainer.settings,
        "step": pretrainer.steps_done,
        "status": pretrainer.status,
        "alarms": pretrainer.alarms,
        "checks": pretrainer.checks,
        "versions": {
            "mibounds": mibounds.__version__,
            "torch": torch.__version__,
            "python": platform.python_version(),
        },
        "shapes": {name: _size(tensor.shape) for name, tensor in held["weights"].items()},
        "files": named,
    }
    files.write_text(folder / STATE, json.dumps(state, indent=1, allow_nan=False) + "\n")
    kept = {of_part["name"] for of_part in named.values()}
    for path in (path for part in PARTS for path in folder.glob(f"{part}-*.safetensors")):
        if path.name not in kept:
            files.remove(path)
    files.remove_stale(folder)


def load_state(folder: str | Path) -> dict[str, Any]:
    """What `state.json` says. Raises: DataError if there is none, or if it is broken or of another format."""
    path = Path(folder) / STATE
    try:
        state = json.loads(path.read_text(encoding="utf-8"))
        found, *_ = state["format"], state["files"], state["settings"], state["step"]
    except FileNotFoundError as error:
        raise DataError(f"no checkpoint in {folder}: expected {STATE} there") from error
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"checkpoint {folder} is broken: {STATE} cannot be read ({error!r})") from error
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error
    if found != FORMAT:
        raise DataError(f"checkpoint {folder} has format {found}; this version reads format {FORMAT}")
    return state


def restore(pretrainer: Pretrainer, folder: str | Path) -> None:
    """Puts the saved state into a training that was made the same way. Nothing is changed if it does not fit.

    Raises: DataError for a checkpoint that is missing, broken, or of another training.
    """
    state = load_state(folder)
    own = pretrainer.recipe.as_dict() if pretrainer.recipe and state["recipe"] else {}
    for expected, found in ((own, state["recipe"]), (pretrainer.settings, state["settings"])):
        for name in expected:
            if name not in MAY_DIFFER and found.get(name) != expected[name]:
                raise _misfit(folder, f"{name}={expected[name]}", f"{name}={found.get(name)}")
    weights, moments = (_read(Path(folder), part, state) for part in PARTS)
    _require_shapes(folder, {n: t.shape for n, t in pretrainer.state_dict().items()}, weights)
    by_parameter = _by_parameter(folder, pretrainer, moments)
    pretrainer.load_state_dict(weights)
    groups = pretrainer.optimizer.state_dict()["param_groups"]
    pretrainer.optimizer.load_state_dict({"state": by_parameter, "param_groups": groups})
    pretrainer.steps_done = state["step"]
    pretrainer.take_history(state["status"], state["alarms"], state["checks"])


def load(
    folder: str | Path, *, device: str = "auto", sources: Source | Sequence[Source] | None = None
) -> Pretrainer:
    """The training that was saved in `folder`, at the step where it was.

    `sources` are needed only where the training had sources that were not made by name.

    Raises: DataError for a checkpoint that is missing, broken, or that does not fit the sources.
    """
    recipe = load_state(folder)["recipe"]
    if recipe is None:
        raise DataError(f"checkpoint {folder} has no recipe: make its Pretrainer, then checkpoint.restore it")
    pretrainer = Recipe.from_dict(recipe).build(device, sources)
    restore(pretrainer, folder)
    return pretrainer


def fit(
    pretrainer: Pretrainer,
    folder: str | Path,
    *,
    resume: bool = False,
    every_seconds: float = 300.0,
    watch: Watch | None = None,
) -> Tensor:
    """`pretrainer.fit`, saving to `folder` now and then and at the end. Of several processes the first one writes.

    Args:
        folder: where the checkpoint is kept.
        resume: go on from the checkpoint in `folder`, if there is one.
        every_seconds: between two savings.
        watch: see Pretrainer.fit; when it pauses the training, that is saved too.

    Returns: losses `steps x R` of the steps taken.

    Raises: DataError if there is a checkpoint already and `resume` was not asked for, or if it does not fit.
    """
    if (Path(folder) / STATE).exists():
        if not resume:
            raise DataError(f"{folder} holds a checkpoint: resume it, or save to another folder")
        restore(pretrainer, folder)
    saved = time.monotonic()

    def watch_and_save(training: Pretrainer) -> bool:
        nonlocal saved
        if rank() == 0 and time.monotonic() - saved >= every_seconds:
            save(training, folder)
            saved = time.monotonic()
        return watch is not None and watch(training)

    losses = pretrainer.fit(watch=watch_and_save)
    if rank() == 0:
        save(pretrainer, folder)
    return losses


def _weights(pretrainer: Pretrainer) -> dict[str, Tensor]:
    """Copies, since tensors that share memory are refused."""
    return {
        n: t.detach().cpu().clone(memory_format=torch.contiguous_format)
        for n, t in pretrainer.state_dict().items()
    }


def _trained(pretrainer: Pretrainer) -> list[str]:
    """Names of the parameters in the order in which the optimiser counts them."""
    names = {id(p): name for name, p in pretrainer.named_parameters()}
    return [names[id(p)] for group in pretrainer.optimizer.param_groups for p in group["params"]]


def _moments(pretrainer: Pretrainer) -> dict[str, Tensor]:
    """`parameter:moment` -> tensor."""
    names = _trained(pretrainer)
    return {
        f"{names[index]}:{moment}": tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for index, moments in pretrainer.optimizer.state_dict()["state"].items()
        for moment, tensor in moments.items()
        if isinstance(tensor, Tensor)
    }


def _by_parameter(
    folder: str | Path, pretrainer: Pretrainer, moments: dict[str, Tensor]
) -> dict[int, dict[str, Tensor]]:
    """The optimiser's own form: by the parameter's number."""
    shapes = {name: p.shape for name, p in pretrainer.named_parameters()}
    numbers = {name: index for index, name in enumerate(_trained(pretrainer))}
    by_number: dict[int, dict[str, Tensor]] = {}
    for key, tensor in moments.items():
        name, _, moment = key.rpartition(":")
        if name not in numbers or tensor.shape not in (shapes[name], torch.Size()):
            raise _misfit(
                folder, f"moments of {', '.join(map(str, numbers))}", f"{key} of {_size(tensor.shape)}"
            )
        by_number.setdefault(numbers[name], {})[moment] = tensor
    return by_number


def _write(folder: Path, part: str, step: int, tensors: dict[str, Tensor]) -> dict[str, str]:
    content = _safetensors().save(tensors)
    digest = hashlib.sha256(content).hexdigest()
    name = f"{part}-{step:08d}-{digest[:8]}.safetensors"
    with files.whole(folder / name) as temporary:
        temporary.write_bytes(content)
    return {"name": name, "sha256": digest}


def _read(folder: Path, part: str, state: dict[str, Any]) -> dict[str, Tensor]:
    name, expected = state["files"][part]["name"], state["files"][part]["sha256"]
    path = folder / Path(name).name  # never outside the folder
    if not path.is_file():
        raise DataError(f"checkpoint {folder} is not whole: expected {path.name}, which is missing")
    if files.sha256_of(path) != expected:
        raise DataError(
            f"checkpoint {folder} is not whole: {path.name} was truncated or changed since it was written"
        )
    return _safetensors().load_file(path)


def _require_shapes(folder: str | Path, expected: dict[str, torch.Size], found: dict[str, Tensor]) -> None:
    for name in [*expected, *found]:
        size = _size(found[name].shape) if name in found else "nothing"
        wanted = _size(expected[name]) if name in expected else "nothing"
        if size != wanted:
            raise _misfit(folder, f"{wanted} as {name}", size)


def _size(shape: torch.Size) -> str:
    return " x ".join(map(str, shape)) or "a number"


def _misfit(folder: str | Path, expected: str, found: Any) -> DataError:
    return DataError(f"checkpoint {folder} does not fit: expected {expected}, got {found}")


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        raise DataError("checkpoints need safetensors: pip install 'mibounds[representation]'") from error
    return safetensors.torch

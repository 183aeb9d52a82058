"""The record of a run: what was computed, with what, how long it took, and what it decided."""

from __future__ import annotations

import json
import platform
import shlex
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mibounds import files
from mibounds.errors import StoreError
from mibounds.study import find
from mibounds.study.grid import Grid
from mibounds.study.record_shape import fault_of
from mibounds.study.study import TABLE, Tables, Value
from mibounds.study.tables import Gathered
from mibounds.study.verdict import Verdict

NAME = "record.json"
PACKAGES = ("mibounds", "torch", "numpy", "scipy", "pandas", "matplotlib", "seaborn", "scikit-learn")
SEEDS_RULE = "seed = sha256(slug, purpose, replicate, the axes declared for the purpose)"


def now() -> str:
    """UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def make(
    grid: Grid,
    gathered: Gathered,
    tables: Tables,
    hashes: dict[str, str],
    decided: dict[str, Verdict],
    session: dict[str, Any],
) -> dict[str, Any]:
    """All that record.json holds.

    `gathered` tells of the cells, `session` of the run itself (started, engine ...); `tables` are as they were read.
    """
    study, table = grid.study, tables[TABLE]
    return {
        "study": study.slug,
        "question": study.question,
        "version": study.version,
        "preset": grid.preset,
        "altered": grid.altered,
        "grid": grid.sha256,
        "axes": grid.axes,
        "settings": grid.settings,
        "widths": _widths(grid, gathered.made),
        "seeds": {"rule": SEEDS_RULE, "purposes": dict(study.seeds)},
        "cells": len(grid.cells),
        "rows": len(table),
        "failed": int((table["status"] != "ok").sum()),
        "cell_seconds": gathered.seconds,
        "peak_mib": gathered.peak_mib,
        "made": gathered.made,
        **session,
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "packages": _versions(),
        "code": study.code,
        "study_sha256": study.source_sha256,
        "tables": hashes,
        "verdicts": {claim: verdict.as_dict() for claim, verdict in decided.items()},
    }


def command(grid: Grid, overrides: Mapping[str, Sequence[Value]], replicates: int | None, device: str) -> str:
    """The command line that gives this grid again."""
    words = ["mibounds", "run", find.name_of(grid.study), "--preset", grid.preset]
    for axis, values in overrides.items():
        words += ["--set", f"{axis}={','.join(map(str, values))}"]
    words += [] if replicates is None else ["--replicates", str(replicates)]
    return shlex.join([*words, "--device", device])


def write(folder: Path, record: dict[str, Any]) -> None:
    """Replace record.json."""
    files.write_text(folder / NAME, json.dumps(record, indent=2, allow_nan=False) + "\n")


def read(folder: Path) -> dict[str, Any] | None:
    """The folder's record, None if there is none; a broken one is a StoreError."""
    path = folder / NAME
    content = files.read_bytes(path)
    if content is None:
        return None
    try:
        record = json.loads(content)
    except ValueError as error:
        raise StoreError(f"{path} is no record: {error}; remove it and run the study again") from error
    fault = fault_of(record)
    if fault is not None:
        raise StoreError(f"{path} is no record of a run: {fault}; remove it and run the study again")
    return record


def require(folder: Path) -> dict[str, Any]:
    """The folder's record; StoreError if no run has ended there."""
    found = read(folder)
    if found is None:
        raise StoreError(f"no results in {folder}: there is no {NAME}; run the study first")
    return found


def _widths(grid: Grid, cells_made: list[dict[str, Any]]) -> list[int]:
    """Cells that were measured together: the packs', and what they were halved to where memory was not enough."""
    packs = {len(pack.cells) for pack in grid.packs}
    return sorted(packs | {made["width"] for made in cells_made if "width" in made})


def _versions() -> dict[str, str]:
    import importlib.metadata  # a tenth of a second that who only reads a record does without

    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found

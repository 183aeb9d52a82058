"""Merge: the cells of several folders in one, each seen to be whole, of this study, and of its code as it is."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mibounds import files
from mibounds.errors import ParameterError, StoreError
from mibounds.study import find
from mibounds.study.cell import digest
from mibounds.study.store import FLUSH_SECONDS, STALE, Store, parse
from mibounds.study.study import Study


@dataclass
class Merged:
    """What became of each file.

    Attributes:
        added, known: cells that came new into the folder, and files of cells that it had.
        left: a line for each file that was not taken, and why; it stays where it is.
        differing: a line for each file whose tables are not those of the cell that was kept.
    """

    study: Study
    folder: Path
    added: int = 0
    known: int = 0
    left: list[str] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)


def merge(folders: Sequence[str | Path], out: str | Path, study: Study | None = None) -> Merged:
    """Copy the cells of `folders` into `out`; `run` with the same folder concludes then, or says what is missing.

    A file is taken if its checksum, schema, study, version and measuring code are right and its id is the hash of its
    content. Of a cell that is there twice the first is kept: what `out` has, then the order of the folders.

    Args:
        folders: results folders, or folders of those, as `--out` of a run leaves them.
        out: the folder that gets a folder named after the study, as with `--out` of a run.
        study: whose cells; by default the study that all of them say they are of.

    Raises:
        ParameterError: a folder holds no cells, or cells of several studies and `study` says not which.
        StoreError: `out` cannot be written, or a folder not be read.
    """
    sources = [place for folder in folders for place in _places(Path(folder), study)]
    study = study or _only_study(sources)
    merged = Merged(study, Path(out, study.slug))
    store = Store(merged.folder, merged.left.append)
    store.open()
    for path in (path for source in sources for path in _cell_files(source)):
        if path.parent.resolve() != store.cells.resolve():
            _take(path, store, merged)
    return merged


def _places(folder: Path, study: Study | None) -> list[Path]:
    """The folders `cells` in a results folder, or in those below it that are of the study."""
    try:
        below = sorted(folder.glob("*/cells" if study is None else f"{study.slug}/cells"))
        found = [place for place in (folder / "cells", *below) if place.is_dir()]
    except OSError as error:  # such as a name that is too long
        raise StoreError(f"cannot read {folder}: {error.strerror or error}") from error
    if not found:
        raise ParameterError(f"no cells in {folder}: expected a folder that a run wrote, or one of its --out")
    return found


def _cell_files(place: Path) -> Iterator[Path]:
    try:
        yield from sorted(path for path in place.glob("*.json") if not path.name.startswith("."))
    except OSError as error:
        raise StoreError(f"cannot list {place}: {error.strerror or error}") from error


def _only_study(sources: Sequence[Path]) -> Study:
    slugs = set()
    for source in sources:
        payloads = (parse(_content(path))[0] for path in _cell_files(source))
        first = next((payload for payload in payloads if payload is not None), None)
        slugs |= set() if first is None else {first["study"]}
    if len(slugs) != 1:
        there = f"cells of {', '.join(sorted(slugs))}" if slugs else "no cell that can be read"
        raise ParameterError(f"the folders hold {there}; say with --study which study is meant")
    slug = slugs.pop()
    if slug not in find.names():
        raise ParameterError(
            f"the folders hold cells of {slug}, which is not found; name its file with --study"
        )
    return find.load(slug)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


def _take(path: Path, store: Store, merged: Merged) -> None:
    content = _content(path)
    payload, fault = parse(content)
    if payload is not None:
        fault = _foreign(payload, path, merged.study)
    if payload is None or fault is not None:
        merged.left.append(f"{path} was left: {fault}")
        return
    own = store.path(payload["id"])
    kept = None
    if own.exists():
        kept, fault = parse(_content(own))
        fault = fault or _foreign(kept, own, merged.study)
        if fault is not None:
            store.set_aside(own, fault)
            kept = None
    if kept is None:
        files.write_text(own, content.decode(), flush=payload["seconds"] >= FLUSH_SECONDS)
        merged.added += 1
        return
    merged.known += 1
    if difference := _difference(kept["tables"], payload["tables"]):
        merged.differing.append(
            f"{path} differs from the cell that was kept, {_named(payload)}: {difference}"
        )


def _foreign(payload: Any, path: Path, study: Study) -> str | None:
    """Why a sound file is no cell that the study would measure today."""
    if payload["study"] != study.slug:
        return f"it is of study {payload['study']!r}, not of {study.slug!r}"
    if payload["version"] != study.version:
        return f"it is of version {payload['version']}; the study is at {study.version}"
    if payload["code"] != study.code:
        return STALE
    identity = [payload["study"], payload["version"], payload["point"], payload["settings"]]
    if not digest(identity)[:20] == payload["id"] == path.stem:
        return "its name is not the hash of its content"
    return None


def _named(payload: dict[str, Any]) -> str:
    return f"{payload['study']}({', '.join(f'{name}={value}' for name, value in payload['point'].items())})"


def _difference(kept: dict[str, Any], other: dict[str, Any]) -> str:
    """Where the tables of one cell differ first, or nothing."""
    if json.dumps(kept, sort_keys=True) == json.dumps(other, sort_keys=True):
        return ""
    for name, rows in kept.items():
        theirs = other.get(name, [])
        if len(rows) != len(theirs):
            return f"{len(rows)} and {len(theirs)} rows of {name!r}"
        for row, their in zip(rows, theirs, strict=True):
            for column in {**row, **their}:
                one, two = row.get(column), their.get(column)
                if not _same(one, two):
                    return f"{column!r} of {name!r} is {one!r} there, {two!r} here"
    return "it has other tables"


def _same(one: Any, other: Any) -> bool:
    both_nan = all(isinstance(value, float) and math.isnan(value) for value in (one, other))
    return both_nan or one == other

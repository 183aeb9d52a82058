"""Studies found by their files. Listing names imports none of them."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import traceback
import types
from pathlib import Path

import mibounds
from mibounds import registry
from mibounds.errors import StudyError, UnknownNameError, one_line
from mibounds.study.study import Study


def folders() -> list[Path]:
    """Where studies lie: the package's own first, then `studies/` under each entry of MIBOUNDS_PATH."""
    package = Path(str(mibounds.__file__)).parent
    packed, checkout = package / "_studies", package.parent / "studies"
    own = packed if packed.is_dir() else checkout
    return [own, *map(Path, registry.user_folders("studies"))]


def names() -> list[str]:
    """File names, without suffix, of all studies, sorted."""
    return sorted(_files())


def load(name: str | Path) -> Study:
    """The STUDY of the file with this name, or of a path that ends in `.py`."""
    if str(name).endswith(".py"):
        return load_file(Path(name))
    known = _files()
    if str(name) not in known:
        raise UnknownNameError("study", str(name), known)
    return load_file(known[str(name)])


def name_of(study: Study) -> str:
    """What `load` finds it by: its slug, or else the path of its file."""
    known = _files().get(study.slug)
    by_slug = study.file is None or (known is not None and known.resolve() == study.file)
    return study.slug if by_slug else str(study.file)


def load_file(path: Path) -> Study:
    """The STUDY that the file defines; a broken file is a StudyError that names its line."""
    path = path.resolve()
    try:
        source = path.read_bytes()
    except OSError as error:
        raise StudyError(f"cannot read the study file {path}: {error.strerror or error}") from error
    module = types.ModuleType(
        f"mibounds_study_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}_{path.stem}"
    )
    module.__file__ = str(path)
    sys.modules[module.__name__] = module  # dataclasses in the file look their module up
    try:
        exec(compile(source, path, "exec"), module.__dict__)
    except Exception as error:
        del sys.modules[module.__name__]
        raise StudyError(f"{_place(error, path)}: {one_line(error)}") from error
    study = getattr(module, "STUDY", None)
    if not isinstance(study, Study):
        raise StudyError(f"{path} must end in STUDY = Study(...); its STUDY is {study!r}")
    if study.slug != path.stem:
        raise StudyError(f"{path} holds the study {study.slug!r}; slug and file name must be the same")
    return dataclasses.replace(study, file=path, source=source)


def line_of(error: BaseException, path: Path) -> int | None:
    """The last line of the file at `path` that the exception passed through."""
    lines = [
        frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)
    ]
    return lines[-1] if lines else None


def _place(error: Exception, path: Path) -> str:
    line = error.lineno if isinstance(error, SyntaxError) else line_of(error, path)
    return str(path) if line is None else f"{path}, line {line}"


def _files() -> dict[str, Path]:
    found: dict[str, Path] = {}
    for folder in folders():
        for path in folder.glob("*.py"):
            if not path.stem.startswith("_"):
                found.setdefault(path.stem, path)
    return found

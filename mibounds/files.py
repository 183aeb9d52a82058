"""Files written whole or not at all."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from mibounds.errors import StoreError

STALE_SECONDS = 600
writing = threading.Lock()  # held while a file is half-written: who ends the process takes it first


@contextmanager
def whole(path: Path, flush: bool = True) -> Iterator[Path]:
    """A temporary path beside `path` to write to; it takes the name `path` when the block ends well.

    A reader sees the old file or the new one, and two writers never share a temporary file. Without `flush` that holds
    through the end of this process; through a loss of power, the file may be there without its content.
    """
    temporary = path.with_name(f".{uuid.uuid4().hex}.tmp{path.suffix}")
    with writing:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            yield temporary
            if flush:
                with temporary.open("rb+") as file:
                    os.fsync(file.fileno())
            temporary.replace(path)
        except OSError as error:
            raise StoreError(
                f"cannot write {path}: {error.strerror or error}; free or change the folder"
            ) from error
        finally:
            with suppress(
                StoreError
            ):  # a folder that turned read-only: why it cannot be written is said already
                remove(temporary)


def write_text(path: Path, text: str, flush: bool = True) -> None:
    """Replace the file at `path` by `text`, or leave it as it was and raise StoreError."""
    with whole(path, flush) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def remove(path: Path) -> None:
    """Remove a file that may be gone already, or in a folder that never came to be."""
    try:
        path.unlink(missing_ok=True)
    except NotADirectoryError:
        return
    except OSError as error:
        raise StoreError(f"cannot remove {path}: {error.strerror or error}") from error


def remove_stale(folder: Path) -> None:
    """Remove what writers that were killed left behind; writing takes seconds, so old ones have no owner."""
    for path in folder.glob(".*.tmp*"):
        try:
            age = time.time() - path.stat().st_mtime
        except FileNotFoundError:
            continue
        if age > STALE_SECONDS:
            remove(path)


def read_bytes(path: Path) -> bytes | None:
    """A file's content, None if there is no such file; StoreError if it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error

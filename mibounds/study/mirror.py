"""A mirror: a second place for a run's files that all its machines reach, such as an object store, through fsspec.

Workers send the cells that they finish, the runner fetches those that it lacks. So machines need no disk in common, and
another one goes on where this one stopped.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from glob import has_magic
from pathlib import Path
from typing import Any

from mibounds import files
from mibounds.errors import ParameterError, StoreError
from mibounds.study import record
from mibounds.study.cell import Cell
from mibounds.study.store import Store

CELLS = "cells"
AT_ONCE = 500  # files a request to the backend, which takes several at the same time where it can


class Mirror:
    """A results folder at a URL; a file is whole there or absent, as object stores have it.

    Args:
        url: of the results folder, such as "s3://bucket/results/projector".

    Raises:
        ParameterError: no backend for such a URL, or it is not installed.
        StoreError: a backend that connects at once cannot.
    """

    def __init__(self, url: str):
        self.url = url.rstrip("/")
        self._files, self._root = _opened(self.url)

    @classmethod
    def below(cls, url: str, *parts: str) -> Mirror:
        """The one at a path below a URL."""
        if not url:
            raise ParameterError("a mirror needs a URL, such as s3://bucket/results; got none")
        return cls(posixpath.join(url, *parts))

    def open(self) -> None:
        """Make the folder, so that a place that cannot be written is known before any work."""
        probe = self._at(CELLS, ".writable")
        with self._reached():
            self._files.makedirs(self._at(CELLS), exist_ok=True)
            self._files.pipe_file(probe, b"")
            self._files.rm_file(probe)

    def present(self) -> set[str]:
        """Ids of the cells that lie there, unread."""
        with self._reached():
            self._files.invalidate_cache()
            try:
                found = self._files.ls(self._at(CELLS), detail=False)
            except FileNotFoundError:
                return set()
        names = (posixpath.basename(path) for path in found)
        return {name.removesuffix(".json") for name in names if name.endswith(".json")}

    def fetch_missing(self, store: Store, cells: Iterable[Cell]) -> None:
        """Copy the cells here that lie there alone; whether they are sound is for the store to see."""
        lacking = self.present() - store.present()
        self._fetch(store, [cell.id for cell in cells if cell.id in lacking])

    def send_missing(self, store: Store, cells: Iterable[Cell]) -> None:
        """Copy the cells there that lie here alone."""
        lacking = store.present() - self.present()
        self.send(store, [cell.id for cell in cells if cell.id in lacking])

    def fetch(self, store: Store, cell_ids: Iterable[str]) -> None:
        """Copy these cells here, unless they are."""
        self._fetch(store, [one for one in cell_ids if not store.holds([one])])

    def send(self, store: Store, cell_ids: Iterable[str]) -> None:
        """Copy those of these cells that are here, in place of what is there."""
        self._send(store.cells, CELLS, [f"{one}.json" for one in cell_ids])

    def remove(self, cells: Iterable[Cell]) -> None:
        """Take these cells away from there."""
        present = self.present()
        for cell in cells:
            if cell.id in present:
                with self._reached():
                    self._files.rm_file(self._at(CELLS, f"{cell.id}.json"))

    def send_results(self, folder: Path) -> None:
        """Copy what a run concluded with; the record last, as on the disk."""
        names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.name[0] != ".")
        self._send(folder, "", [name for name in names if name != record.NAME])
        self._send(folder, "", [record.NAME])

    def _fetch(self, store: Store, cell_ids: Sequence[str]) -> None:
        for some in _in_lots(cell_ids):
            with self._reached():
                contents = self._read([self._at(CELLS, f"{one}.json") for one in some])
            for path, content in contents.items():
                with files.whole(store.cells / posixpath.basename(path)) as temporary:
                    temporary.write_bytes(content)

    def _read(self, paths: Sequence[str]) -> dict[str, bytes]:
        """A backend reads several at the same time where it can; but it takes "[1]" in a path for a pattern."""
        if has_magic(self._root):
            return {path: self._files.cat_file(path) for path in paths}
        found: dict[str, bytes] = self._files.cat(paths)
        return found

    def _send(self, folder: Path, place: str, names: Sequence[str]) -> None:
        for some in _in_lots(names):
            contents = {self._at(place, name): files.read_bytes(folder / name) for name in some}
            with self._reached():
                self._files.pipe({path: content for path, content in contents.items() if content is not None})

    def _at(self, *parts: str) -> str:
        return posixpath.join(self._root, *(part for part in parts if part))

    @contextmanager
    def _reached(self) -> Iterator[None]:
        """Whatever a backend raises, in one line: each has errors of its own."""
        try:
            yield
        except Exception as error:
            raise _unreached(self.url, error) from error


def _opened(url: str) -> tuple[Any, str]:
    """The backend, and the URL's path in its words."""
    import fsspec

    try:
        return fsspec.url_to_fs(url)
    except (ImportError, ValueError) as error:
        raise ParameterError(f"a mirror cannot lie at {url!r}: {error}") from error
    except Exception as error:  # some backends connect at once
        raise _unreached(url, error) from error


def _unreached(url: str, error: Exception) -> StoreError:
    why = " ".join(str(error).split()) or type(error).__name__
    return StoreError(f"the mirror {url} cannot be reached: {why}")


def _in_lots(names: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(names), AT_ONCE):
        yield names[start : start + AT_ONCE]

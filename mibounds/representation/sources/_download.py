"""Files from the web: fetched once, checked against their checksum, gone on with where a download was cut."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from mibounds.errors import DataError, ParameterError, StoreError

if TYPE_CHECKING:
    from requests import Response

ALGORITHMS = ("md5", "sha1", "sha256", "sha512")
CHUNK_BYTES = 1 << 18
TIMEOUT_SECONDS = 30


def data_folder(root: str | Path | None) -> Path:
    """`root`, else what the environment variable MIBOUNDS_DATA names, else the user's cache."""
    named = root or os.environ.get("MIBOUNDS_DATA")
    return Path(named).expanduser() if named else Path(_pooch().os_cache("mibounds"))


def file_name(url: str) -> str:
    """The name that the file behind `url` gets here. Raises: ParameterError."""
    name = PurePosixPath(urlsplit(url).path).name
    if not url.startswith(("http://", "https://")) or name in ("", ".."):
        raise ParameterError(f"url must look like https://host/folder/archive.tar.gz; got {url!r}")
    return name


def require_checksum(checksum: str) -> str:
    """`checksum` if it reads "algorithm:hexadecimal digits". Raises: ParameterError."""
    algorithm, _, digits = checksum.partition(":")
    if algorithm not in ALGORITHMS or not re.fullmatch("[0-9a-fA-F]{8,}", digits):
        raise ParameterError(f"checksum must look like md5:0123abcd... or sha256:...; got {checksum!r}")
    return checksum


def fetched(url: str, checksum: str, folder: Path) -> Path:
    """The file behind `url`, in `folder`; no request is made if it lies there with the right checksum.

    Raises: DataError if the server is out of reach, cuts the connection, or gives another file than the checksum's.
    """
    pooch: Any = _pooch()
    import requests
    import urllib3

    name, digits = file_name(url), require_checksum(checksum).partition(":")[2]
    part = folder / f"{name}.{digits[:8]}.part"
    by_hand = f"or download it by hand to {folder / name}"
    try:
        path = pooch.retrieve(url, checksum, name, folder, downloader=Resuming(part))
    except requests.HTTPError as error:
        raise DataError(f"the server refuses: {error}; give another url=, {by_hand}") from error
    except requests.RequestException as error:
        why = type(error).__name__
        raise DataError(f"cannot reach {url} ({why}); run again once online, {by_hand}") from error
    except urllib3.exceptions.HTTPError as error:
        here = f"{part.stat().st_size:,} bytes"
        raise DataError(
            f"the download of {url} was cut after {here}; run again to go on from there, {by_hand}"
        ) from error
    except OSError as error:
        raise StoreError(
            f"cannot write to {folder}: {error.strerror or error}; give another root="
        ) from error
    except ValueError as error:
        raise DataError(
            f"{url} gave an unexpected file. {error} Run again, {by_hand}, or give the checksum= of that file"
        ) from error
    return Path(path)


@dataclass(frozen=True)
class Resuming:
    """A downloader for pooch that keeps an unfinished download in `part`, and asks for the rest of it the next time.

    A server that knows no ranges answers with the whole file, which replaces the part. Whether the pieces belong
    together is for the checksum to say.
    """

    part: Path

    def __call__(self, url: str, output_file: str, pooch: object, check_only: bool = False) -> None:
        import requests

        here = self.part.stat().st_size if self.part.exists() else 0
        headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={here}-"} if here else {})
        with requests.get(url, headers=headers, stream=True, timeout=TIMEOUT_SECONDS) as response:
            if not (here and response.status_code == 416):  # out of range: all of it is here
                response.raise_for_status()
                goes_on = response.headers.get("Content-Range", "").startswith(f"bytes {here}-")
                self._save(response, here if goes_on else 0)
        self.part.replace(output_file)

    def _save(self, response: Response, start: int) -> None:
        import urllib3

        total = start + int(response.headers.get("Content-Length", 0))
        with self.part.open("ab" if start else "wb") as file, _progress() as progress:
            task = progress.add_task(self.part.stem, total=total or None, completed=start)
            # undecoded: the checksum is of the bytes that are sent, even where the server calls .gz an encoding
            for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
                file.write(chunk)
                progress.advance(task, len(chunk))
        if self.part.stat().st_size < total:
            raise urllib3.exceptions.ProtocolError("the body is shorter than its Content-Length")


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """One process at a time in `folder`; the others wait. Raises: StoreError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("ab")
    except OSError as error:
        raise StoreError(
            f"cannot write to {folder}: {error.strerror or error}; give another root="
        ) from error
    with lock:
        # a system or a network drive without locks has the checksum as its one guard
        with suppress(ImportError, OSError):
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
    )
    return Progress(*columns, console=console, disable=not console.is_terminal)


def _pooch() -> Any:
    try:
        import pooch  # type: ignore[import-untyped]
    except ImportError as error:
        raise DataError("downloads need pooch: pip install 'mibounds[representation]'") from error
    return pooch

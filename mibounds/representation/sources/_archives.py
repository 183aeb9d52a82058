"""Members of a downloaded tar archive as files of fixed-width records."""

from __future__ import annotations

import shutil
import tarfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

import torch
from torch import Tensor

from mibounds.errors import DataError
from mibounds.files import whole
from mibounds.representation.sources._download import (
    alone,
    data_folder,
    fetched,
    file_name,
    require_checksum,
)


def unpacked(url: str, checksum: str, members: Sequence[str], root: str | Path | None) -> dict[str, Path]:
    """These members of the archive behind `url`, as files; no other one is written.

    They lie in a folder that the checksum names, so that another archive of the same name is never taken for this one.
    What lies there already is neither downloaded nor unpacked again.

    Raises: DataError, StoreError.
    """
    folder = data_folder(root)
    digits = require_checksum(checksum).partition(":")[2].lower()
    into = folder / f"{file_name(url).partition('.')[0]}-{digits[:8]}"
    files = {member: into / PurePosixPath(member).name for member in members}
    if not all(path.is_file() for path in files.values()):
        with alone(folder):
            extract(fetched(url, checksum, folder), files)
    return files


def extract(archive: Path, files: Mapping[str, Path]) -> None:
    """Writes the members that `files` names, each whole, where it says; a member's own path is never followed.

    Raises: DataError if the archive is truncated, of another kind, or lacks a member.
    """
    missing = {member: path for member, path in files.items() if not path.is_file()}
    remedy = "remove it and download it again"
    try:
        with tarfile.open(archive, "r:gz") as tar:
            while missing and (member := tar.next()):
                # a regular file, since a link could lead anywhere
                if member.isreg() and member.name in missing and (source := tar.extractfile(member)):
                    with whole(missing.pop(member.name)) as temporary, temporary.open("wb") as file:
                        shutil.copyfileobj(source, file)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise DataError(f"{archive} is truncated, or no tar.gz archive ({error}); {remedy}") from error
    if missing:
        raise DataError(f"{archive} has no {', '.join(missing)}; {remedy}")


def records(path: Path, width: int) -> Tensor:
    """The file as rows of `width` bytes, `n x width`; they are read when they are used. Raises: DataError."""
    size = path.stat().st_size
    if size == 0 or size % width:
        raise DataError(
            f"{path} must hold records of {width} bytes; it has {size} bytes: remove it and run again"
        )
    return torch.from_file(str(path), shared=False, size=size, dtype=torch.uint8).view(-1, width)


def require_labels(path: Path, labels: Tensor, n_classes: int) -> Tensor:
    """`labels`, `n`, if all lie in 0..n_classes - 1. Raises: DataError."""
    if labels.min() < 0 or labels.max() >= n_classes:
        raise DataError(
            f"{path} must hold labels of {n_classes} classes; got {labels.min()}..{labels.max()}, counted from 0: "
            "remove it and run again"
        )
    return labels

"""Where results lie and where a run puts them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mibounds.errors import StoreError

if TYPE_CHECKING:
    from mibounds.study import Study

RECORD = "record.json"

results_option = click.option(
    "--results",
    type=click.Path(path_type=Path),
    default=Path("results"),
    metavar="DIR",
    help="Folder with a folder for each study, or one study's own; by default ./results.",
)
out_option = click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Results go to DIR/STUDY; by default to results/STUDY for the full grid, else to a folder below it.",
)

mirror_option = click.option(
    "--mirror",
    metavar="URL",
    help="A second folder of results on an object store or any other place of fsspec's: finished cells go there, and "
    "come from there.",
)


def out_folder(study: Study, preset: str, altered: bool, out: Path | None) -> Path:
    """The folder that a run of the study writes to."""
    from mibounds.study import default_out

    return default_out(study, preset, altered) if out is None else out / study.slug


def places(folder: Path, mirror: str | None) -> str:
    """Where a run's cells lie, in words."""
    return str(folder) if mirror is None else f"{folder} and {mirror}"


def folder_of(results: Path, slug: str) -> Path:
    """The study's folder in `results`, which may be that folder itself."""
    try:
        return results if (results / RECORD).is_file() else results / slug
    except OSError as error:
        raise StoreError(f"cannot read {results}: {error.strerror or error}") from error


def named(studies: Iterable[str], results: Path) -> list[tuple[Study, Path]]:
    """Studies by name or file, each once, with their folders in `results`."""
    from mibounds.study import load

    found = [load(name) for name in dict.fromkeys(studies)]
    return [(study, folder_of(results, study.slug)) for study in found]


def folders(results: Path) -> list[Path]:
    """All folders in `results` that hold a run."""
    try:
        paths = (results / RECORD, *sorted(results.glob(f"*/{RECORD}")))
        found = [path.parent for path in paths if path.is_file()]
    except OSError as error:  # such as a name that is too long
        raise StoreError(f"cannot read {results}: {error.strerror or error}") from error
    if not found:
        raise StoreError(f"no results in {results}: run a study first, or name another folder with --results")
    return found

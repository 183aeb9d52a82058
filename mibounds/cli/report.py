"""`mibounds report`: one HTML page of studies, verdicts, figures and tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from mibounds.cli.results import folders, named, results_option


@click.command()
@click.argument("studies", metavar="[STUDY...]", nargs=-1)
@results_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("report.html"),
    show_default=True,
    metavar="FILE",
)
def report(studies: tuple[str, ...], results: Path, out: Path) -> None:
    """Write one HTML page from results.

    Of all studies that have results, if none is named. The page holds all it shows: it opens from disk, without a
    server and without a network.
    """
    from mibounds import report as page
    from mibounds.cli.verdicts import study_of
    from mibounds.study import Study, record

    page.require_packages()
    chosen: Sequence[tuple[Study | None, Path]] = named(studies, results) or [
        (study_of(record.require(folder)), folder) for folder in folders(results)
    ]
    size = page.write([page.gather(study, folder) for study, folder in chosen], out)
    count = f"{len(chosen)} {'study' if len(chosen) == 1 else 'studies'}"
    click.echo(f"{out} ({count}, {size / 1e6:.1f} MB)")

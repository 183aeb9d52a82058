"""`mibounds status`: how far a run has come."""

from __future__ import annotations

from pathlib import Path

import click

from mibounds.cli.grid_options import grid_of, grid_options
from mibounds.cli.results import mirror_option, out_folder, out_option, places


@click.command()
@click.argument("study", metavar="STUDY")
@grid_options
@out_option
@mirror_option
def status(
    study: str,
    preset: str,
    settings: tuple[str, ...],
    replicates: int | None,
    out: Path | None,
    mirror: str | None,
) -> None:
    """Say how far a run has come."""
    from mibounds.study import load, parse_overrides
    from mibounds.study import status as status_of

    loaded = load(study)
    grid = grid_of(loaded, preset, settings, replicates)
    folder = out_folder(loaded, preset, grid.altered, out)
    overrides = parse_overrides(loaded, settings)
    found = status_of(loaded, preset, folder, overrides=overrides, replicates=replicates, mirror=mirror)
    where = places(folder, mirror)
    click.echo(f"{loaded.slug} ({preset}): {found.done} of {found.total} cells are finished in {where}")
    if found.missing:
        click.echo(f"next: {found.missing[0]!r}")

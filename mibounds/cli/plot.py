"""`mibounds plot`: the figure again, from tables that are there."""

from __future__ import annotations

from pathlib import Path

import click

from mibounds.cli.results import folder_of, results_option


@click.command()
@click.argument("study", metavar="STUDY")
@results_option
def plot(study: str, results: Path) -> None:
    """Draw a figure again from its tables."""
    from mibounds.study import load, redraw

    loaded = load(study)
    drawn = redraw(loaded, folder_of(results, loaded.slug))
    for path in drawn:
        click.echo(path)
    if not drawn:
        click.echo(f"{loaded.slug} draws no figure")

"""`mibounds merge`: the cells of several machines in one folder."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from mibounds.cli.errors import say, say_all


@click.command()
@click.argument("folders", metavar="FOLDER...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    metavar="DIR",
    help="Cells go to DIR/STUDY, where `mibounds run STUDY --out DIR` goes on.",
)
@click.option("--study", "name", metavar="STUDY", help="Whose cells; by default the study that all are of.")
def merge(folders: tuple[Path, ...], out: Path, name: str | None) -> int:
    """Join the cells of shards.

    Copies every sound cell of the folders, and names each file that it leaves: corrupted, of another study or
    measured by other code. Exit code 1 if there was one. `mibounds run` then concludes, or measures what is missing.
    """
    from mibounds import study

    merged = study.merge(folders, out, None if name is None else study.load(name))
    slug, where = merged.study.slug, merged.folder
    click.echo(f"{slug}: {merged.added} cells added to {where}, {merged.known} were there already")
    if merged.differing:
        count = len(merged.differing)
        say_all(f"{count} cells came twice with other tables; the first was kept", merged.differing)
    if merged.left:
        say(f"{len(merged.left)} files were not merged")
        for line in merged.left:
            click.echo(f"  {line}", err=True)
    command = shlex.join(["mibounds", "run", name or slug, "--out", str(out)])
    click.echo(f"next: {command}, with the preset of the shards")
    return int(bool(merged.left))

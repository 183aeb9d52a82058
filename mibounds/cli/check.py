"""`mibounds check`: do the tables still say what the record says?"""

from __future__ import annotations

from pathlib import Path

import click

from mibounds.cli.results import folders, named, results_option


@click.command()
@click.argument("studies", metavar="[STUDY...]", nargs=-1)
@results_option
def check(studies: tuple[str, ...], results: Path) -> int:
    """Compute verdicts again, compare with the record.

    From the tables alone; of all studies that have results, if none is named.
    """
    from mibounds.study import check as problems_of
    from mibounds.study import load, names, record

    chosen, known, exit_code = named(studies, results), names(), 0
    for folder in [] if studies else folders(results):
        slug = record.require(folder)["study"]
        if slug in known:
            chosen.append((load(slug), folder))
        else:
            click.echo(
                f"{folder}: its study {slug!r} is not found; name the study's file: mibounds check FILE"
            )
            exit_code = 1
    for study, folder in chosen:
        problems = problems_of(study, folder)
        for problem in problems:
            click.echo(problem)
        if problems:
            exit_code = 1
        else:
            count = len(record.require(folder)["verdicts"])
            click.echo(f"{study.slug}: {count} verdicts agree with the record")
    return exit_code

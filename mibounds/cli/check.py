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
    from mibounds.study import load, record

    chosen = named(studies, results) or [
        (load(record.require(folder)["study"]), folder) for folder in folders(results)
    ]
    exit_code = 0
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

"""`mibounds run`: measure what is missing, then tables, figures and verdicts."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibounds.cli.engine_options import engine_of, engine_options
from mibounds.cli.errors import say_all
from mibounds.cli.grid_options import grid_of, grid_options
from mibounds.cli.plan import say_plan
from mibounds.cli.results import mirror_option, out_folder, out_option, places
from mibounds.cli.verdicts import rows_of, show

if TYPE_CHECKING:
    from mibounds.study import Results, Status, Study


@click.command()
@click.argument("studies", metavar="STUDY...|all", nargs=-1, required=True)
@grid_options
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda")
@engine_options
@click.option(
    "--shard",
    metavar="I/N",
    help="Measure this part of N alone, the packs dealt the same way on every machine; see `mibounds merge`.",
)
@click.option(
    "--plan",
    "only_plan",
    is_flag=True,
    help="Say what the missing cells will take, from what such cells took before; nothing is measured.",
)
@out_option
@mirror_option
@click.option(
    "--fresh",
    is_flag=True,
    help="Measure everything anew, finished cells are set aside; by default a run goes on where it was stopped.",
)
def run(
    studies: tuple[str, ...],
    preset: str,
    settings: tuple[str, ...],
    replicates: int | None,
    device: str,
    engine: str,
    shard: str | None,
    only_plan: bool,
    out: Path | None,
    mirror: str | None,
    fresh: bool,
    **of_engine: Any,
) -> int:
    """Run studies, or go on with stopped ones.

    Measures the cells that are missing, then writes tables, figures, record and verdicts.
    STUDY is a name from `mibounds list studies` or the path of a file.
    """
    from mibounds import study

    chosen = [study.load(name) for name in names_of(studies)]
    grids = [
        grid_of(one, preset, settings, replicates) for one in chosen
    ]  # all input is judged before any work
    chosen_engine = engine_of(engine, of_engine)
    part = None if shard is None else study.Shard.parse(shard)
    if only_plan:
        for one, grid in zip(chosen, grids, strict=True):
            say_plan(grid, out_folder(one, preset, grid.altered, out), part, mirror, fresh)
        return 0
    exit_code = 0
    asked: list[dict[str, Any]] = [
        {
            "preset": preset,
            "out": out_folder(one, preset, grid.altered, out),
            "overrides": study.parse_overrides(one, settings),
            "replicates": replicates,
            "mirror": mirror,
        }
        for one, grid in zip(chosen, grids, strict=True)
    ]
    if fresh:  # of all, before any is measured: a run that was stopped goes on without it
        for one, of_one in zip(chosen, asked, strict=True):
            study.forget(one, shard=part, **of_one)
    for one, of_one in zip(chosen, asked, strict=True):
        start = study.run if part is None else partial(study.run_shard, shard=part)
        try:
            ended = start(one, device=device, engine=chosen_engine, **of_one)
        except study.RunFailed as error:
            say_all(str(error), error.failures)
            exit_code = 1
        else:
            if isinstance(ended, study.Status):
                _say_left(one, ended, shard, of_one["out"], mirror)
            else:
                _report(one, ended)
    return exit_code


def names_of(studies: tuple[str, ...]) -> list[str]:
    from mibounds.study import names

    return names() if studies == ("all",) else list(dict.fromkeys(studies))


def _say_left(study: Study, status: Status, shard: str | None, folder: Path, mirror: str | None) -> None:
    where = places(folder, mirror)
    merging = ", then `mibounds merge` if their folders differ" if mirror is None else " with this mirror"
    click.echo(
        f"{study.slug}: shard {shard} is finished; of the whole grid, {status.done} of {status.total} cells "
        f"lie in {where}. Run the other shards{merging}."
    )


def _report(study: Study, results: Results) -> None:
    record = results.record
    click.echo(f"{study.slug}: {study.question}")
    click.echo(
        f"  table    {results.folder / 'table.csv'} ({record['rows']} rows, {record['failed']} not ok)"
    )
    figure = results.folder / "figure.png"
    if figure.is_file():
        click.echo(f"  figure   {figure}")
    show(rows_of(record))

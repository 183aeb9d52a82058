"""What `mibounds run --plan` says: how much there is to do, and what it will take."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mibounds.cli.results import places

if TYPE_CHECKING:
    from mibounds.study import Grid, Plan, Shard

MIB, GIB = 2**20, 2**30


def say_plan(grid: Grid, folder: Path, shard: Shard | None, mirror: str | None, fresh: bool) -> None:
    """Print the plan of the cells that `folder` and the mirror lack."""
    from mibounds import study
    from mibounds.study.engines.local import n_cores

    committed = Path("results", grid.study.slug)
    plan = study.plan(grid, folder, committed, shard, mirror=mirror, fresh=fresh)
    part = "" if shard is None else f", shard {shard}"
    click.echo(
        f"{grid.study.slug} ({grid.preset}{part}): {plan.cells} cells in {plan.packs} packs; "
        f"{plan.missing} cells are missing in {places(folder, mirror)}, {plan.to_do} packs to measure"
    )
    if plan.known is None:
        looked_in = " nor in ".join(dict.fromkeys([str(folder), str(committed)]))
        click.echo(
            f"  hours    unknown: none of its cells was measured in {looked_in}; run one shard of many first"
        )
    elif plan.seconds:
        _say_costs(plan, n_cores())


def _say_costs(plan: Plan, cores: int) -> None:
    from mibounds.study.planning import counts

    assert plan.known is not None and plan.disk_bytes is not None
    click.echo(f"  from     {plan.known.source}, on workers like those that measured them")
    if plan.other_settings:
        told = ", ".join(
            f"{name} {there} (here {here})" for name, (there, here) in plan.other_settings.items()
        )
        click.echo(
            f"  beware   those were measured with {told}; their hours are not scaled to these settings"
        )
    if plan.unlike:
        click.echo(
            f"  beware   {plan.unlike} packs are like none that was measured and are guessed from others"
        )
    click.echo("  workers  hours, on any engine, without the start of its workers")
    for workers in counts(cores):
        here = "  (this machine's cores)" if workers == cores else ""
        click.echo(f"  {workers:7}  {plan.wall_seconds(workers) / 3600:.3g}{here}")
    click.echo(
        f"  longest  {plan.longest_seconds / 60:.2g} minutes for one pack: no number of workers is faster"
    )
    peak = plan.known.peak_mib
    memory = (
        "unknown: those cells do not tell" if peak is None else f"{peak / 1024:.2g} GiB a worker, at most"
    )
    click.echo(f"  memory   {memory}")
    click.echo(f"  disk     {_size(plan.disk_bytes)} in {plan.missing} files, without tables and figures")


def _size(n_bytes: float) -> str:
    return f"{n_bytes / GIB:.2g} GiB" if n_bytes >= GIB else f"{n_bytes / MIB:.2g} MiB"

"""The options that choose an engine and what it gets. Those of another engine are refused."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from mibounds.cli.settings import settings
from mibounds.errors import ParameterError

if TYPE_CHECKING:
    from mibounds.study.engines.base import Engine

# name of the option -> what the engine's class calls it
OPTIONS = {
    "--workers": "workers",
    "--address": "address",
    "--partition": "partition",
    "--minutes": "minutes",
    "--jobs": "jobs",
    "--cluster": "cluster",
    "--sbatch": "sbatch",
    "--cpus-per-pack": "cpus_per_pack",
    "--gpus-per-pack": "gpus_per_pack",
    "--limit": "limit",
}


def engine_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--engine`, and options that some of the engines take."""
    for option in reversed(
        (
            click.option("--engine", default="local", show_default=True, metavar="local|ray|slurm"),
            click.option("--workers", type=int, metavar="N", help="local: processes; by default one a core."),
            click.option(
                "--limit", type=float, metavar="MINUTES", help="A pack that takes longer is ended and failed."
            ),
            click.option("--cpus-per-pack", type=int, metavar="N", help="ray, slurm: cores; by default one."),
            click.option(
                "--gpus-per-pack",
                type=float,
                metavar="N",
                help="ray, slurm: GPUs; with ray a share, such as 0.25.",
            ),
            click.option(
                "--address", metavar="HOST:PORT", help="ray: of a cluster; by default one is started here."
            ),
            click.option("--partition", metavar="NAME", help="slurm: where jobs go."),
            click.option(
                "--minutes",
                type=int,
                metavar="N",
                help="slurm: a job's time; what is left goes on in another.",
            ),
            click.option("--jobs", type=int, metavar="N", help="slurm: most jobs at the same time."),
            click.option(
                "--sbatch",
                multiple=True,
                metavar="NAME=VALUE",
                help="slurm: an option of sbatch, such as account=me.",
            ),
            click.option(
                "--cluster", metavar="slurm|local", help="slurm: local runs the jobs here, as a trial."
            ),
        )
    ):
        command = option(command)
    return command


def engine_of(engine: str, chosen: Mapping[str, Any]) -> Engine:
    """The engine of these options; all mistakes are found here, before any work."""
    from mibounds.study import engines

    given = {name: value for name, value in chosen.items() if value not in (None, ())}
    if "sbatch" in given:
        given["sbatch"] = settings("--sbatch", given["sbatch"])
    for option, name in OPTIONS.items():
        if name in given and engine in engines.names() and not engines.takes(engine, name):
            owners = " and ".join(engines.owners(name))
            raise ParameterError(f"{option} belongs to the engine {owners}, not to {engine}")
    return engines.make(engine, **given)

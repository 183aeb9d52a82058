"""The options that choose a grid, shared by the commands that need one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from mibounds.study import Grid, Study


def grid_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--preset`, `--set` and `--replicates`."""
    for option in (
        click.option("--replicates", type=int, metavar="N", help="Instead of the preset's number."),
        click.option(
            "--set",
            "settings",
            multiple=True,
            metavar="AXIS=V1,V2",
            help="Values of an axis instead of the preset's; may be given again for another axis.",
        ),
        click.option("--preset", default="full", show_default=True, help="smoke, quick or full."),
    ):
        command = option(command)
    return command


def grid_of(study: Study, preset: str, settings: tuple[str, ...], replicates: int | None) -> Grid:
    """The grid that these options choose."""
    from mibounds.study import make_grid, parse_overrides

    return make_grid(study, preset, parse_overrides(study, settings), replicates)

"""The options that name two sides of a file, a critic and how the answer is said: of `estimate` and `certify`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from mibounds.cli.settings import settings

CRITIC = "critic."


def two_sides(command: Callable[..., Any]) -> Callable[..., Any]:
    """FILE, `--x`, `--y`, `--critic`, `--seed`, `--bits` and `--json`."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="For machines."),
        click.option("--bits", is_flag=True, help="Say it in bits as well."),
        click.option("--seed", type=int, default=0, show_default=True),
        click.option("--critic", help="By file name, for what trains one."),
        click.option("--y", "y_columns", required=True, metavar="COLUMNS", help="Of y."),
        click.option(
            "--x",
            "x_columns",
            required=True,
            metavar="COLUMNS",
            help="Of x, such as a,b or left or sensor_* or 0:32.",
        ),
        click.argument("file", type=click.Path(path_type=Path)),
    ):
        command = option(command)
    return command


def method_options(method: str, critic: str | None, texts: Sequence[str]) -> dict[str, Any]:
    """The method's options, its critic's under `critic_options`; refused if one is of the wrong kind."""
    from mibounds.estimators import build

    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in settings("--set", texts).items()
    }
    of_critic = {name: given.pop(name) for name in list(given) if name.startswith(CRITIC)}
    if critic is not None:
        given["critic"] = critic
    if of_critic:
        given["critic_options"] = {name.removeprefix(CRITIC): value for name, value in of_critic.items()}
    build(method, **given)  # a bad option is refused before the file is read
    return given

"""The options that name two sides of a file, a critic and how the answer is said: of `estimate` and `certify`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from mibounds.cli.settings import settings
from mibounds.errors import ParameterError

CRITIC = "critic."


def two_sides(command: Callable[..., Any]) -> Callable[..., Any]:
    """FILE, `--x`, `--y`, `--critic`, `--seed`, `--bits` and `--json`."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="For machines."),
        click.option("--bits", is_flag=True, help="Say it in bits as well."),
        click.option("--seed", type=int, default=0, show_default=True),
        click.option("--critic", help="By file name, of a bound such as info_nce."),
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


def options_given(critic: str | None, texts: Sequence[str]) -> dict[str, Any]:
    """What `--set` gave, `--critic`, and under `critic_options` what `--set` gave for the critic."""
    given = {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in settings("--set", texts).items()
    }
    of_critic = {name: given.pop(name) for name in list(given) if name.startswith(CRITIC)}
    if critic is not None:
        given["critic"] = critic
    if of_critic:
        given["critic_options"] = {name.removeprefix(CRITIC): value for name, value in of_critic.items()}
    return given


def method_options(method: str, critic: str | None, texts: Sequence[str]) -> dict[str, Any]:
    """`options_given`, of which the method takes all: a bad one is refused before the file is read."""
    from mibounds.estimators import build, options_of

    given = options_given(critic, texts)
    if {"critic", "critic_options"} & set(given) - options_of(method):
        raise ParameterError(
            f"{method} takes no --critic and no --set critic.NAME; a bound does, such as --method info_nce"
        )
    build(method, **given)
    return given

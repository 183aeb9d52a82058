"""`mibounds estimate`: the mutual information of a file's columns."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mibounds.cli.errors import say
from mibounds.cli.settings import settings
from mibounds.cli.waiting import waiting

CRITIC = "critic."


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--x",
    "x_columns",
    required=True,
    metavar="COLUMNS",
    help="Of x, such as a,b or left or sensor_* or 0:32.",
)
@click.option("--y", "y_columns", required=True, metavar="COLUMNS", help="Of y.")
@click.option("--given", "given_columns", metavar="COLUMNS", help="Of z, for the MI of x and y given z.")
@click.option("--method", default="auto", show_default=True, help="A bound or an estimator.")
@click.option("--critic", help="By file name, for methods that train one.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Of the interval.")
@click.option(
    "--set",
    "texts",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the method, such as budget=fast, or of its critic, such as critic.temperature=0.1.",
)
@click.option("--bits", is_flag=True, help="Say it in bits as well.")
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def estimate(
    file: Path,
    x_columns: str,
    y_columns: str,
    given_columns: str | None,
    method: str,
    critic: str | None,
    seed: int,
    confidence: float,
    texts: tuple[str, ...],
    bits: bool,
    as_json: bool,
) -> None:
    """Estimate the MI between columns of a file.

    FILE ends in .csv, .tsv, .parquet, .npz or .npy. COLUMNS are names, patterns, positions from 0 or
    ranges of them, joined by commas; the name of a 2-d array stands for all its columns. The first line
    of a .csv or .tsv names the columns; where it holds numbers alone, it is data, and columns are named
    by their positions.
    """
    from mibounds.estimators import estimate_file
    from mibounds.estimators.base import finite_or_none

    options = method_options(method, critic, texts)
    with waiting(f"estimating by {method}"):
        found = estimate_file(
            *(file, x_columns, y_columns, given_columns),
            method=method,
            seed=seed,
            confidence=confidence,
            **options,
        )
    nats = (found.nats, *found.interval)
    value, low, high = (number / math.log(2) for number in nats)
    if as_json:
        in_bits = {"bits": finite_or_none(value), "interval_bits": [*map(finite_or_none, (low, high))]}
        click.echo(json.dumps(found.as_dict() | (in_bits if bits else {}), indent=2))
        return
    if bits:
        click.echo(f"{value:.3f} bits ({found.confidence:.0%} interval {low:.3f} to {high:.3f})")
    click.echo(found)
    for warning in found.warnings:
        say(f"warning: {warning}")


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

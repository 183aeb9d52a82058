"""`mibounds estimate`: the mutual information of a file's columns."""

from __future__ import annotations

import json
import math
from pathlib import Path

import click

from mibounds.cli.errors import say
from mibounds.cli.two_sides import method_options, two_sides
from mibounds.cli.waiting import waiting


@click.command()
@two_sides
@click.option("--given", "given_columns", metavar="COLUMNS", help="Of z, for the MI of x and y given z.")
@click.option("--method", default="auto", show_default=True, help="A bound or an estimator.")
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Of the interval.")
@click.option(
    "--set",
    "texts",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the method, such as budget=fast, or of a bound's critic, such as critic.embedding=16.",
)
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
    of a .csv or .tsv names the columns; where it holds numbers alone (other than 0, 1, 2, ...), it is
    data, and columns are named by their positions.
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
        click.echo(f"{value:.3f} bits ({100 * found.confidence:g}% interval {low:.3f} to {high:.3f})")
    click.echo(found)
    for warning in found.warnings:
        say(f"warning: {warning}")

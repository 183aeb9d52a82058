"""`mibounds verdicts`: what was decided, in one table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from mibounds.cli.results import folders, results_option

NO_VALUE = "-"


@click.command()
@results_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def verdicts(results: Path, as_json: bool) -> None:
    """Show claims with verdict, effect, interval."""
    from mibounds.study import record

    rows = [row for folder in folders(results) for row in rows_of(record.require(folder))]
    if as_json:
        names = ("claim", "verdict", "effect", "low", "high", "study")
        click.echo(json.dumps([{name: row[name] for name in names} for row in rows], indent=2))
    else:
        show(rows)


def rows_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a claim of a run's record."""
    return [
        {"study": record["study"], "claim": claim, "verdict": decided["outcome"], **decided}
        for claim, decided in record["verdicts"].items()
    ]


def show(rows: list[dict[str, Any]]) -> None:
    """Print the rows in columns; why a claim is undecided stands behind it."""
    if not rows:
        return
    header = ("study", "claim", "verdict", "effect", "interval", "unit")
    lines = [header, *(_line(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    reasons = ["", *(row["reason"] for row in rows)]
    for line, reason in zip(lines, reasons, strict=True):
        cells = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join([*cells, reason]).rstrip())


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    low, high = _number(row["low"]), _number(row["high"])
    interval = NO_VALUE if low == high == NO_VALUE else f"{low} .. {high}"
    return (row["study"], row["claim"], row["verdict"], _number(row["effect"]), interval, row["unit"])


def _number(value: float | None) -> str:
    return NO_VALUE if value is None else f"{value:.3g}"

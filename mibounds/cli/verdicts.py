"""`mibounds verdicts`: what was decided, in one table."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from mibounds.cli.results import folders, results_option
from mibounds.errors import ParameterError

if TYPE_CHECKING:
    from mibounds.study import Study

NO_VALUE = "-"
COLUMNS = ("claim", "text", "verdict", "effect", "study", "replicates", "figure")
FOR_MACHINES = (
    "claim",
    "text",
    "verdict",
    "effect",
    "low",
    "high",
    "unit",
    "reason",
    "study",
    "replicates",
    "figure",
)
FIGURE = "figure.png"
UNBOUNDED = 100_000  # characters: no line is broken where no person reads


@click.command()
@results_option
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--markdown", is_flag=True, help="A Markdown table, the README's.")
def verdicts(results: Path, as_json: bool, markdown: bool) -> None:
    """Show claims with verdict, effect, interval."""
    if as_json and markdown:
        raise ParameterError("--json and --markdown are two ways to write the table; expected one of them")
    rows = decided(results)
    if as_json:
        click.echo(json.dumps([{name: row[name] for name in FOR_MACHINES} for row in rows], indent=2))
    elif markdown:
        click.echo(as_markdown(rows))
    else:
        click.echo(as_text(rows), nl=False)


def decided(results: Path) -> list[dict[str, Any]]:
    """A row a claim of all results in the folder."""
    from mibounds.study import record

    rows = []
    for folder in folders(results):
        found = record.require(folder)
        texts = {claim.id: claim.text for claim in study.claims} if (study := study_of(found)) else {}
        figure = folder / FIGURE
        of_folder = {
            "replicates": len(found.get("axes", {}).get("replicate", ())) or None,
            "figure": figure.as_posix() if figure.is_file() else None,
        }
        rows += [row | of_folder | {"text": texts.get(row["claim"])} for row in rows_of(found)]
    return rows


def study_of(record: dict[str, Any]) -> Study | None:
    """The study that a record is of; None where its file is not among those that are found by name."""
    from mibounds.study import load, names

    return load(record["study"]) if record["study"] in names() else None


def rows_of(record: dict[str, Any]) -> list[dict[str, Any]]:
    """A row a claim of a run's record."""
    return [
        {"study": record["study"], "claim": claim, "verdict": decided["outcome"], **decided}
        for claim, decided in record["verdicts"].items()
    ]


def as_text(rows: list[dict[str, Any]]) -> str:
    """As wide as the terminal, a line a claim elsewhere."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*COLUMNS, box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column, least in zip(table.columns, (8, 24, 12, 10, 8, 10, 10), strict=True):
        column.min_width, column.overflow = least, "fold"
    for row in rows:
        table.add_row(*(Text(cell) for cell in cells(row)))
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else UNBOUNDED
    console = Console(width=width, color_system=None)
    with console.capture() as captured:
        console.print(table)
    return "".join(f"{line.rstrip()}\n" for line in captured.get().splitlines())


def as_markdown(rows: list[dict[str, Any]]) -> str:
    """The same with links to study and figure, as seen from the folder in which the command runs."""
    lines = [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
    for row in rows:
        claim, text, verdict, effect, study, replicates, figure = cells(row)
        shown = f"[figure]({quote(row['figure'])})" if row["figure"] else figure
        line = (f"`{claim}`", plain(text), verdict, plain(effect), f"`{study}`", replicates, shown)
        lines.append(f"| {' | '.join(line)} |")
    return "\n".join(lines)


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """What the table shows of a row; why there is no effect stands in the effect's place."""
    low, high = _number(row["low"]), _number(row["high"])
    effect = f"{_number(row['effect'])} [{low}, {high}] {row['unit']}".rstrip()
    return (
        row["claim"],
        row["text"] or NO_VALUE,
        row["verdict"],
        effect if row["effect"] is not None else row["reason"] or NO_VALUE,
        row["study"],
        NO_VALUE if row["replicates"] is None else str(row["replicates"]),
        row["figure"] or NO_VALUE,
    )


def plain(text: str) -> str:
    """The text as it is: nothing in it is markup. Brackets make a link only where another follows."""
    return re.sub(r"([\\`*_<>|~$]|\](?=[(\[]))", r"\\\1", " ".join(text.split()))


def show(rows: list[dict[str, Any]]) -> None:
    """Print the rows of one run in columns; why a claim is undecided stands behind it."""
    if not rows:
        return
    header = ("study", "claim", "verdict", "effect", "interval", "unit")
    lines = [header, *(_line(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    reasons = ["", *(row["reason"] for row in rows)]
    for line, reason in zip(lines, reasons, strict=True):
        columns = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        click.echo("  ".join([*columns, reason]).rstrip())


def _line(row: dict[str, Any]) -> tuple[str, ...]:
    low, high = _number(row["low"]), _number(row["high"])
    interval = NO_VALUE if low == high == NO_VALUE else f"{low} .. {high}"
    return (row["study"], row["claim"], row["verdict"], _number(row["effect"]), interval, row["unit"])


def _number(value: float | None) -> str:
    return NO_VALUE if value is None else f"{value:.3g}"

"""`mibounds matrix`: the mutual information of every two columns of a file, as a table and a heat map."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mibounds.cli.errors import say, say_all
from mibounds.cli.two_sides import method_options
from mibounds.cli.waiting import waiting
from mibounds.errors import DataError, ParameterError

if TYPE_CHECKING:
    from pandas import DataFrame

SHOWN = 10


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--columns", default=":", metavar="COLUMNS", help="Of all by default; as for `estimate`.")
@click.option("--method", help="Of all pairs; by default the one that suits both columns' kinds.")
@click.option(
    "--set",
    "texts",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the method, such as budget=fast of auto.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("mi_matrix"), show_default=True, help="A folder."
)
@click.option("--workers", type=int, default=1, show_default=True, help="Pairs worked on at once.")
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--confidence", type=float, default=0.95, show_default=True, help="Of each interval.")
@click.option("--bits", is_flag=True, help="Say and draw it in bits.")
@click.option("--json", "as_json", is_flag=True, help="The table for machines.")
def matrix(
    file: Path,
    columns: str,
    method: str | None,
    texts: tuple[str, ...],
    out: Path,
    workers: int,
    seed: int,
    confidence: float,
    bits: bool,
    as_json: bool,
) -> None:
    """Estimate the MI of every two columns of a file.

    Writes table.csv (always in nats), matrix.png and matrix.svg into --out. By default two continuous columns are
    estimated by ksg, a discrete one beside numbers by ross, two discrete ones by discrete, and rounded numbers by
    mixed. It is an error if no pair can be estimated; of some that cannot, the table says why.
    """
    from mibounds.data import read_table, select_columns
    from mibounds.pairwise import pairwise

    if texts and method is None:
        raise ParameterError("--set is of a method's options; name it, such as --method auto")
    options = method_options(method, None, texts) if method else {}
    source = read_table(file)
    chosen = select_columns(source, columns)
    n_pairs = math.comb(chosen.shape[1], 2)
    with waiting(f"{n_pairs} pairs", n_pairs) as done:
        table = pairwise(
            chosen,
            method=method,
            seed=seed,
            confidence=confidence,
            workers=workers,
            done=done,
            options=options,
        )
    failed = table[table["status"] != "ok"]
    if len(failed) == n_pairs:
        first = failed.iloc[0]
        raise DataError(
            f"none of {n_pairs} pairs was estimated; {first['column_x']}, {first['column_y']} {first['status']}"
        )
    written = _write(table, out, "bits" if bits else "nats")
    if as_json:
        click.echo(json.dumps(_records(table), indent=2))
    else:
        click.echo("\n".join(_lines(table, bits)))
        click.echo(f"written: {', '.join(map(str, written))}")
    for warning in source.warnings():
        say(f"warning: {warning}")
    if len(failed):
        of_each = zip(failed["column_x"], failed["column_y"], failed["status"], strict=True)
        say_all(f"{len(failed)} of {n_pairs} pairs failed", [f"{a}, {b}: {why}" for a, b, why in of_each])
    warned = int((table["warnings"] != "").sum())
    if warned:
        say(f"warning: {warned} of {n_pairs} pairs have warnings; see the column `warnings` of the table")


def _write(table: DataFrame, out: Path, unit: str) -> list[Path]:
    from mibounds import files
    from mibounds.pairwise import square
    from mibounds.plots.matrix import draw_matrix

    paths = [out / name for name in ("table.csv", "matrix.png", "matrix.svg")]
    files.write_text(paths[0], table.to_csv(index=False, lineterminator="\n"))
    in_unit = square(table) / (math.log(2) if unit == "bits" else 1.0)
    figure = draw_matrix(in_unit, unit)
    for path in paths[1:]:
        with files.whole(path) as temporary:
            figure.savefig(temporary, dpi=200, metadata={"Date": None} if path.suffix == ".svg" else None)
    return paths


def _records(table: DataFrame) -> list[dict[str, Any]]:
    """The rows in JSON's types, with all digits; what is not finite is None."""
    from mibounds.estimators.base import finite_or_none

    return [
        {
            str(name): finite_or_none(value) if isinstance(value, float) else value
            for name, value in row.items()
        }
        for row in table.to_dict("records")
    ]


def _lines(table: DataFrame, bits: bool) -> list[str]:
    """The pairs with most information, and how many have any."""
    unit, scale = ("bits", math.log(2)) if bits else ("nats", 1.0)
    known = table[table["status"] == "ok"].sort_values("estimate_nats", ascending=False)
    found = int((known["p_holm"] < 0.05).sum())
    lines = [
        f"{found} of {len(known)} pairs share information (Holm-adjusted p below 0.05); the most, in {unit}:"
    ]
    numbers = ["estimate_nats", "low_nats", "high_nats"]
    for _, row in known.head(SHOWN).iterrows():
        value, low, high = (f"{row[name] / scale:.3f}" for name in numbers)
        lines.append(f"  {value} ({low} to {high})  {row['column_x']}, {row['column_y']}  by {row['method']}")
    if len(known) > SHOWN:
        lines.append(f"  ... and {len(known) - SHOWN} more")
    return lines

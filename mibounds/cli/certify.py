"""`mibounds certify`: a lower bound on the mutual information of a file's columns that needs no trust."""

from __future__ import annotations

import json
import math
from pathlib import Path

import click

from mibounds.cli.errors import say
from mibounds.cli.two_sides import options_given, two_sides
from mibounds.cli.waiting import waiting


@click.command()
@two_sides
@click.option("--confidence", type=float, default=0.95, show_default=True, help="That the truth is no less.")
@click.option(
    "--set",
    "texts",
    multiple=True,
    metavar="NAME=VALUE",
    help="An option of the training, such as max_steps=500, or of the critic, such as critic.embedding=16.",
)
def certify(
    file: Path,
    x_columns: str,
    y_columns: str,
    confidence: float,
    critic: str | None,
    seed: int,
    texts: tuple[str, ...],
    bits: bool,
    as_json: bool,
) -> None:
    """Certify a lower bound on the MI between columns of a file.

    It holds with the given confidence under any law, if the rows are independent. FILE and COLUMNS
    are those of `mibounds estimate`.
    """
    from mibounds.estimators.certified import certify_file, training

    options = options_given(critic, texts)
    training(**options)  # a bad option is refused before the file is read
    with waiting("certifying"):
        found = certify_file(file, x_columns, y_columns, confidence=confidence, seed=seed, **options)
    in_bits = found.nats / math.log(2)
    if as_json:
        click.echo(json.dumps(found.as_dict() | ({"bits": in_bits} if bits else {}), indent=2))
        return
    if bits:
        click.echo(f"at least {in_bits:.3f} bits")
    click.echo(found)
    for warning in found.warnings:
        say(f"warning: {warning}")

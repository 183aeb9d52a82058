"""`mibounds evaluate`: what a checkpoint's encoder is worth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mibounds.cli.settings import settings
from mibounds.errors import ParameterError

if TYPE_CHECKING:
    from mibounds.representation.sources import Source


@click.command()
@click.argument("checkpoint", type=click.Path(path_type=Path))
@click.option("--data", metavar="SOURCE", help="Another source than the one that it was trained on.")
@click.option(
    "--data-set", "data_settings", multiple=True, metavar="NAME=VALUE", help="An option of that source."
)
@click.option(
    "--label-fractions",
    default="",
    metavar="F,F,...",
    help="Accuracy from these shares of the labels, such as 0.01,0.1,1.",
)
@click.option("--fine-tune", is_flag=True, help="With --label-fractions: trained further, and from scratch.")
@click.option("--per-layer", is_flag=True, help="Probe each layer of the encoder.")
@click.option("--n-negatives", type=int, help="K - 1 of the held-out bound; by default as many as there are.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the evaluation data.")
@click.option("--device", default="auto", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
def evaluate(
    checkpoint: Path,
    data: str | None,
    data_settings: tuple[str, ...],
    label_fractions: str,
    fine_tune: bool,
    per_layer: bool,
    n_negatives: int | None,
    seed: int,
    device: str,
    as_json: bool,
) -> None:
    """Probe a checkpoint's frozen encoder, read its bounds on held-out pairs, and set both beside baselines.

    CHECKPOINT is the folder that `mibounds pretrain` wrote.
    """
    from mibounds.representation.evaluation import evaluate as evaluate_model

    found = evaluate_model(
        checkpoint,
        _source(data, data_settings),
        n_negatives=n_negatives,
        seeds=seed,
        label_fractions=_fractions(label_fractions, fine_tune),
        fine_tuned=fine_tune,
        per_layer=per_layer,
        device=device,
    )
    click.echo(json.dumps(found.as_dict(), indent=2, allow_nan=False) if as_json else found)


def _source(name: str | None, texts: tuple[str, ...]) -> Source | None:
    from mibounds.options import made
    from mibounds.representation import sources

    if name is None:
        if texts:
            raise ParameterError("--data-set sets options of the source that --data names; name it")
        return None
    return made("source", sources.load(name), settings("--data-set", texts))


def _fractions(text: str, fine_tune: bool) -> list[float]:
    if fine_tune and not text:
        raise ParameterError("--fine-tune trains on shares of the labels; say which by --label-fractions")
    try:
        return [float(part) for part in text.split(",") if part]
    except ValueError as error:
        raise ParameterError(
            f"--label-fractions takes numbers joined by commas, such as 0.01,0.1; got {text!r}"
        ) from error

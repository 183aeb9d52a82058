"""`mibounds pretrain`: train encoders by a method, in a folder from which the training can go on."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from mibounds.cli.errors import say
from mibounds.cli.settings import settings, value
from mibounds.errors import ParameterError

if TYPE_CHECKING:
    from mibounds.representation.loop import Pretrainer

OK, FAILED, STOPPED = 0, 1, 130
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Value(click.ParamType):
    """A number, a word, or several joined by commas."""

    name = "value"

    def convert(self, text: Any, parameter: click.Parameter | None, context: click.Context | None) -> Any:
        return value(text) if isinstance(text, str) else text


def _set(flag: str, name: str, of: str) -> Callable[..., Any]:
    help_text = f"An option of {of}; may be given again."
    return click.option(flag, name, multiple=True, metavar="NAME=VALUE", help=help_text)


def _setting(flag: str, default: str, help_text: str, kind: Any = None) -> Callable[..., Any]:
    """An option that is a field of the recipe; its default is the recipe's, which is shown here."""
    return click.option(flag, type=kind or Value(), help=f"{help_text}  [default: {default}]")


@click.command()
@click.argument("method", metavar="METHOD", required=False)
@click.option("--data", metavar="SOURCE", help="Where pairs come from, see `mibounds list sources`.")
@_set("--set", "method_options", "the method, such as n_negatives=64")
@_set("--data-set", "source_options", "the source, such as dim=10")
@_setting("--temperature", "none", "Of the methods that have one, which need it; one, or one a run: 0.1,0.2.")
@_setting("--encoder", "mlp", "See `mibounds list encoders`.", str)
@_set("--encoder-set", "encoder_options", "the encoder, such as hidden=128,128")
@_setting("--embedding", "32", "Width of the embeddings.", int)
@_set("--projector-set", "projector_options", "the projector, such as layers=3")
@_setting("--seeds", "0", "One a run; runs train together: 0,1,2.")
@_setting("--steps", "1000", "Of the whole training.", int)
@_setting("--batch-size", "256", "Pairs a step, over all processes.", int)
@_setting("--optimizer", "adam", "adam, adamw, sgd or lars.", str)
@_setting("--learning-rate", "by optimizer", "The largest; one, or one a run.")
@_setting("--weight-decay", "0.0", "Of matrices.", float)
@_setting("--schedule", "cosine", "Of the rate: cosine or constant.", str)
@_setting("--warmup", "0.0", "Share of the steps over which the rate rises.", float)
@_setting("--clip", "none", "Largest norm of a run's gradient.", float)
@_setting("--precision", "float32", "float32, or bfloat16 with the loss in float32.", str)
@click.option("--compile", is_flag=True, help="The network through torch.compile.")
@_setting("--check-every", "100", "Steps between two looks for collapse.", int)
@click.option("--device", default="auto", show_default=True, metavar="auto|cpu|cuda")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="For the checkpoint; by default pretrained/METHOD-SOURCE.",
)
@click.option("--resume", is_flag=True, help="Go on from the checkpoint in --out, if there is one.")
@click.option(
    "--save-every",
    type=click.FloatRange(min=0),
    default=300.0,
    show_default=True,
    metavar="SECONDS",
    help="Between checkpoints.",
)
@click.option(
    "--tensorboard", type=click.Path(path_type=Path), metavar="FOLDER", help="Logs for TensorBoard."
)
@click.pass_context
def pretrain(
    context: click.Context,
    method: str | None,
    data: str | None,
    device: str,
    out: Path | None,
    resume: bool,
    save_every: float,
    tensorboard: Path | None,
    **recipe: Any,
) -> int:
    """Train encoders by a method, or go on.

    METHOD is a name from `mibounds list methods`. Ctrl-C saves a checkpoint. A stopped training goes on by the same
    command with --resume, or by `mibounds pretrain --resume --out FOLDER` alone. Under torchrun, processes share
    each batch.
    """
    from mibounds.representation import checkpoint, distributed

    where = distributed.device_of(device)
    distributed.set_up(where)
    try:
        training, folder = _training(method, data, out, resume, str(where), recipe, context)
        with _asked_to_stop() as asked, _watching(training, tensorboard, asked) as watch:
            checkpoint.fit(training, folder, resume=resume, every_seconds=save_every, watch=watch)
        return _report(training, folder) if distributed.rank() == 0 else OK
    finally:
        distributed.tear_down()


def _training(
    method: str | None,
    data: str | None,
    out: Path | None,
    resume: bool,
    device: str,
    recipe: dict[str, Any],
    context: click.Context,
) -> tuple[Pretrainer, Path]:
    """The training at its first step, by the folder's own recipe if no method is named; and that folder."""
    from mibounds.representation import checkpoint
    from mibounds.representation.recipe import Recipe

    if method is None and resume and out is not None:
        _require_none_given([*recipe, "data"], context)
        kept = checkpoint.load_state(out)["recipe"]
        if kept is None:
            raise ParameterError(f"checkpoint {out} was not made by this command; go on with it from Python")
        return Recipe.from_dict(kept).build(device), out
    if method is None or data is None:
        raise ParameterError("expected METHOD and --data SOURCE, or --resume with --out FOLDER alone")
    given = _recipe(recipe) | {"method": method, "source": data}
    return Recipe.from_dict(given).build(device), out or Path("pretrained", f"{method}-{data}")


def _recipe(options: dict[str, Any]) -> dict[str, Any]:
    """The recipe's settings that were given; for the others its own defaults hold."""
    found = {name: given for name, given in options.items() if given not in (None, ())}
    for name, flag in (
        ("method_options", "--set"),
        ("source_options", "--data-set"),
        ("encoder_options", "--encoder-set"),
        ("projector_options", "--projector-set"),
    ):
        found[name] = settings(flag, found.get(name, ()))
    if "temperature" in found:
        found["method_options"]["temperature"] = found.pop("temperature")
    return found


def _require_none_given(names: list[str], context: click.Context) -> None:
    default = click.core.ParameterSource.DEFAULT
    for name in names:
        if context.get_parameter_source(name) is not default:
            raise ParameterError(
                f"--{name.replace('_', '-')} would make another training; to go on with the one in the checkpoint, "
                "leave it out, or give METHOD and --data too"
            )


@contextmanager
def _asked_to_stop() -> Iterator[list[int]]:
    """A list that the signal to stop goes into: the step is finished and saved first. A second one stops at once."""
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _watching(
    training: Pretrainer, logs: Path | None, asked: list[int]
) -> Iterator[Callable[[Pretrainer], bool]]:
    """What is called after each step: shows, logs, and says whether to stop. The first process alone shows and logs."""
    from mibounds.representation.distributed import rank
    from mibounds.representation.progress import Reporter
    from mibounds.representation.tensorboard import TensorBoard

    if rank() > 0:
        yield lambda _: bool(asked)
        return
    board = nullcontext() if logs is None else TensorBoard(logs, training)
    with Reporter(training.method.name, training) as reporter, board as opened:

        def watch(current: Pretrainer) -> bool:
            reporter.show(current)
            if opened is not None:
                opened.write(current)
            return bool(asked)

        yield watch


def _report(training: Pretrainer, folder: Path) -> int:
    from mibounds.representation.progress import summary

    done = training.steps_done
    click.echo(f"{training.method.name}: {done} of {training.steps} steps, checkpoint in {folder}")
    for line in summary(training):
        click.echo(f"  {line}")
    if done < training.steps:
        say(f"stopped at step {done}; mibounds pretrain --resume --out {folder} goes on from there")
        return STOPPED
    return OK if all(status == "ok" for status in training.status) else FAILED

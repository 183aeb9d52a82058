"""The command `mibounds`: its sub-commands, its exit codes, and errors on one line.

Exit codes: 0 done, 1 a claim's check, a run or a training failed, 2 the user's input, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Sequence

import click

from mibounds import __version__
from mibounds.cli.certify import certify
from mibounds.cli.check import check
from mibounds.cli.errors import say
from mibounds.cli.estimate import estimate
from mibounds.cli.evaluate import evaluate
from mibounds.cli.list import list_names
from mibounds.cli.matrix import matrix
from mibounds.cli.merge import merge
from mibounds.cli.plot import plot
from mibounds.cli.pretrain import pretrain
from mibounds.cli.report import report
from mibounds.cli.run import run
from mibounds.cli.status import status
from mibounds.cli.verdicts import verdicts
from mibounds.errors import DivergedError, MiboundsError, ParameterError, UnknownNameError

OK, FAILED, BAD_INPUT, STOPPED = 0, 1, 2, 130


class Commands(click.Group):
    """Sub-commands in the order in which they are used, and the nearest name for one that does not exist."""

    def list_commands(self, context: click.Context) -> list[str]:
        return list(self.commands)

    def resolve_command(
        self, context: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if not args[0].startswith("-") and args[0] not in self.commands:
            raise UnknownNameError("command", args[0], self.commands)
        return super().resolve_command(context, args)


@click.group(
    cls=Commands, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.version_option(__version__, message="%(prog)s %(version)s")
@click.pass_context
def mibounds(context: click.Context) -> None:
    """Mutual-information bounds, contrastive encoders, and studies that end in a verdict."""
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for command in (
    list_names,
    run,
    merge,
    status,
    plot,
    check,
    verdicts,
    report,
    estimate,
    certify,
    matrix,
    pretrain,
    evaluate,
):
    mibounds.add_command(command)


def call(arguments: Sequence[str]) -> int:
    """Run one command line; returns its exit code. Only a bug raises."""
    try:
        _require_text(arguments)
        return mibounds.main(list(arguments), prog_name="mibounds", standalone_mode=False) or OK
    except click.Abort:
        goes_on = run.name in arguments[:1]
        say(f"stopped; to go on from there: {_again(arguments)}" if goes_on else "stopped")
        return STOPPED
    except click.ClickException as error:
        say(_usage(error))
        return BAD_INPUT
    except DivergedError as error:
        say(str(error))
        return FAILED
    except MiboundsError as error:
        say(str(error))
        return BAD_INPUT
    except OSError as error:  # such as a full disk behind standard output
        say(f"the operating system refused: {error}")
        return FAILED
    except (MemoryError, RuntimeError) as error:
        from mibounds.study.workers.memory import ran_out

        if not ran_out(error):
            raise
        say("memory did not suffice; take fewer rows, columns or units of a critic")
        return FAILED


def _require_text(arguments: Sequence[str]) -> None:
    """Raises ParameterError for what no shell can give, and no file can be called."""
    for argument in arguments:
        try:
            sound = b"\0" not in os.fsencode(argument)
        except UnicodeEncodeError:
            sound = False
        if not sound:
            raise ParameterError(
                f"an argument must be text without NUL and lone surrogates; got {argument!r:.80}"
            )


def _again(arguments: Sequence[str]) -> str:
    """The same command; with --fresh it would forget what is finished."""
    return shlex.join(["mibounds", *(word for word in arguments if word != "--fresh")])


def _usage(error: click.ClickException) -> str:
    context = getattr(error, "ctx", None)
    if context is None:
        return error.format_message()
    if isinstance(error, click.NoSuchOption):
        known = [name for parameter in context.command.get_params(context) for name in parameter.opts]
        return str(UnknownNameError("option", error.option_name, [n for n in known if n.startswith("-")]))
    return f"{error.format_message()} See {context.command_path} --help."


def main() -> None:
    """The console script."""
    code = call(sys.argv[1:])
    try:
        sys.stdout.flush()
    except OSError:
        # What is left unwritten would be tried once more at the end, and be a second message.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = code or FAILED
    sys.exit(code)


if __name__ == "__main__":
    main()

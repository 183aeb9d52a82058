"""What went wrong, in one line on standard error."""

from __future__ import annotations

from collections.abc import Sequence

import click

SHOWN = 10


def say(message: str) -> None:
    """One line `mibounds: message`, whatever line breaks the message holds."""
    click.echo(f"mibounds: {' '.join(message.split())}", err=True)


def say_all(message: str, details: Sequence[str]) -> None:
    """`say`, then the first few details below it."""
    say(message)
    for line in details[:SHOWN]:
        click.echo(f"  {line}", err=True)
    if len(details) > SHOWN:
        click.echo(f"  ... and {len(details) - SHOWN} more", err=True)

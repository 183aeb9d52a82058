"""`mibounds list`: what there is, by file name, without running any of it."""

from __future__ import annotations

import ast
import json
import math
import tokenize
from pathlib import Path

import click

import mibounds
from mibounds import registry
from mibounds.errors import ParameterError, UnknownNameError

OF_REPRESENTATION = ("methods", "sources", "views", "encoders")
KINDS = ("studies", "bounds", "critics", "distributions", "estimators", *OF_REPRESENTATION)


@click.command("list")
@click.argument("kind", metavar=f"[{'|'.join(KINDS)}]", required=False)
@click.option("--json", "as_json", is_flag=True, help="For machines.")
@click.option("--facts", is_flag=True, help="The facts of bounds or methods, a Markdown table.")
def list_names(kind: str | None, as_json: bool, facts: bool) -> None:
    """List studies and methods by file name."""
    if kind is not None and kind not in KINDS:
        raise UnknownNameError("kind", kind, KINDS)
    if facts:
        if kind not in FACTS or as_json:
            raise ParameterError("--facts is a table; expected `mibounds list bounds --facts`, or of methods")
        click.echo(FACTS[kind]())
        return
    found = {each: summaries(each) for each in ([kind] if kind else KINDS)}
    if as_json:
        listed = {each: [{"name": n, "summary": s} for n, s in of.items()] for each, of in found.items()}
        click.echo(json.dumps(listed[kind] if kind else listed, indent=2))
        return
    width = max((len(name) for of in found.values() for name in of), default=0)
    for each, of in found.items():
        click.echo(each)
        for name, summary in of.items():
            click.echo(f"  {name:{width}}  {summary}".rstrip())


def summaries(kind: str) -> dict[str, str]:
    """Name -> first line of its file's docstring."""
    files = _files(kind)
    return {name: _first_line(files[name]) for name in sorted(files)}


def facts_of_bounds() -> str:
    """A Markdown table, a row a bound: direction, validity, ceiling on 64 pairs and what its critic is trained on."""
    from mibounds import bounds

    rows = [
        "| bound | direction | validity | ceiling, 64 pairs (nats) | critic trained as |",
        "|---|---|---|---|---|",
    ]
    for name in bounds.names():
        bound = bounds.load(name)()
        ceiling = bound.ceiling(64)
        shown = f"{ceiling:.2f}" if math.isfinite(ceiling) else "none"
        trained = bound.trained_as.name if bound.trainable else "not trained: takes ln p(y given x)"
        rows.append(f"| `{name}` | {bound.direction} | {bound.validity} | {shown} | {trained} |")
    return "\n".join(rows)


def facts_of_methods() -> str:
    """A Markdown table, a row a method: denominator, what its value is, what it needs, what keeps it from collapse."""
    from mibounds.representation import methods

    rows = [
        "| method | positive in the denominator | ln K - loss as a bound | needs | collapses without |",
        "|---|---|---|---|---|",
    ]
    in_denominator = {"with positive": "yes", "without positive": "no", "none": "no denominator"}
    for name in methods.names():
        method = methods.load(name)
        needs = ", ".join(sorted(method.needs)) or "its two views"
        collapse = (
            f"{method.prevents_collapse}: {method.collapse}" if method.collapse != "none" else "nothing"
        )
        rows.append(
            f"| `{name}` | {in_denominator[method.denominator]} | {method.validity} | {needs} | {collapse} |"
        )
    return "\n".join(rows)


FACTS = {"bounds": facts_of_bounds, "methods": facts_of_methods}


def _files(kind: str) -> dict[str, Path]:
    from mibounds.study import find

    if kind == "studies":
        names, folders = find.names(), find.folders()
    else:
        wing = "representation." if kind in OF_REPRESENTATION else ""
        own = Path(str(mibounds.__file__)).parent.joinpath(*f"{wing}{kind}".split("."))
        names, folders = (
            registry.names(f"mibounds.{wing}{kind}"),
            [own, *map(Path, registry.user_folders(kind))],
        )
    return {
        name: next(path for path in (folder / f"{name}.py" for folder in folders) if path.is_file())
        for name in names
    }


def _first_line(path: Path) -> str:
    """Of the docstring. Files that came with the package are sound, and are read no further than to its end."""
    try:
        docstring = _opening_text(path) if _is_ours(path) else ast.get_docstring(ast.parse(path.read_bytes()))
    except SyntaxError as error:
        return f"(broken: {error.msg}, line {error.lineno})"
    return docstring.splitlines()[0] if docstring else ""


def _is_ours(path: Path) -> bool:
    from mibounds.study import find

    return path.parent == find.folders()[0] or path.is_relative_to(Path(str(mibounds.__file__)).parent)


def _opening_text(path: Path) -> str | None:
    """The docstring of a file that begins with it, as all of ours do: to parse a hundred files whole takes longest."""
    with tokenize.open(path) as file:
        first = next(tokenize.generate_tokens(file.readline))
    return ast.get_docstring(ast.parse(first.string))

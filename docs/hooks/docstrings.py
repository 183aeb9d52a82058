"""The docstrings' own shape, put into the one that the reference's parser knows."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension, Object

ONE_LINE = re.compile(r"^(Raises|Returns|References|Attributes): (\S.*(?:\n +\S.*)*)", re.MULTILINE)
LISTED = re.compile(r"^(?!Args:|Attributes:|Returns:|Raises:|Example)(\S.*:)\n((?: {4}.*\n?)+)", re.MULTILINE)
DOCTEST = re.compile(r"^(>>> .*(?:\n(?!\n).+)*)", re.MULTILINE)


class Docstrings(Extension):
    """Sections on one line, lists of facts and examples, as Markdown."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = reshaped(obj.docstring.value)


def reshaped(docstring: str) -> str:
    text = re.sub(r"^Example:$", "Examples:", docstring, flags=re.MULTILINE)
    text = ONE_LINE.sub(lambda found: f"**{found[1]}:** {joined(found[2])}", text)
    text = LISTED.sub(lambda found: f"{found[1]}\n\n{as_list(found[2])}", text)
    return DOCTEST.sub(r"```pycon\n\1\n```", text)


def as_list(indented: str) -> str:
    """Lines `    name: text` with deeper ones that go on; what is no such list stays as it is."""
    items = re.findall(r"^ {4}(\w+): (.*(?:\n {5,}\S.*)*)", indented, re.MULTILINE)
    if len(items) < 2:
        return indented
    return "\n".join(f"- `{name}`: {joined(text)}" for name, text in items) + "\n"


def joined(lines: str) -> str:
    return " ".join(line.strip() for line in lines.splitlines())

"""The site's pages as they are shown, and the code in them, in order."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(str(path.relative_to(DOCS)) for path in DOCS.rglob("*.md"))
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def hook(name: str) -> ModuleType:
    """A file of docs/hooks, imported as mkdocs does: beside its siblings."""
    from importlib import import_module

    sys.path.insert(0, str(DOCS / "hooks"))
    try:
        return import_module(name)
    finally:
        sys.path.remove(str(DOCS / "hooks"))


def shown(page: str) -> str:
    """The page's Markdown with all that is made in it."""
    return hook("pages").rendered((DOCS / page).read_text(), page)


def blocks(markdown: str) -> list[tuple[str, str]]:
    """(language, text) of each fenced block."""
    return FENCED.findall(markdown)


def with_expected(markdown: str) -> list[tuple[str, str, str | None]]:
    """(language, code, what it prints) of each block that runs; what a console shows stands in the block itself."""
    every = blocks(markdown)
    found: list[tuple[str, str, str | None]] = []
    for (language, text), (next_language, following) in zip(every, [*every, ("", "")][1:], strict=True):
        if language == "python":
            found.append((language, text, following if next_language == "text" else None))
        elif language in ("sh", "console"):
            prompt = "$ " if language == "console" else ""
            found += [("sh", line, output) for line, output in typed(text, prompt)]
    return found


def typed(text: str, prompt: str) -> list[tuple[str, str | None]]:
    """(command, what follows it) of each line that begins with the prompt."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line.startswith(prompt):
            found.append((line.removeprefix(prompt), []))
        elif found:
            found[-1][1].append(line)
    return [(command, "\n".join(lines) if lines else None) for command, lines in found]

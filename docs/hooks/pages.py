"""What mkdocs calls: markers in a page become tables and verdicts, figures of the studies become files of the site.

A marker is `<!-- made: NAME WORDS... -->`. What it becomes is computed from committed results at each build, so that no
number in the pages is typed in. On its own, a page is read with links into the checkout; here they lead into the site.
"""

from __future__ import annotations

import posixpath
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import benchmarked
import claims
import coverage
import leaderboard
import measured
import sections
import tasks

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
MARKER = re.compile(r"<!-- made: (.+?) -->")
FIGURE = re.compile(r"\((?:\.\./)+results/(\w+)/figure\.(png|svg)\)")
# Pages of the checkout that the site shows under another name.
ELSEWHERE = {"../CONTRIBUTING.md": "add_a_method.md"}

MAKERS: dict[str, Callable[..., str]] = {
    "claims": claims.page,
    "counts": claims.counts,
    "verdict": claims.verdict,
    "studies": claims.studies,
    "bounds": measured.facts_of_bounds,
    "number_of": measured.number_of,
    "trained": measured.trained,
    "perfect_critic": measured.perfect_critic,
    "candidates": measured.candidates,
    "certified": measured.certified,
    "consistency": claims.consistency,
    "contributing": sections.contributing,
    "tasks": tasks.tasks,
    "leaderboard": leaderboard.leaderboard,
    "coverage": coverage.coverage,
    "benchmark": benchmarked.benchmark,
    "processors": benchmarked.processors,
}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds each study's figure."""
    from mkdocs.structure.files import File

    for figure in sorted(RESULTS.glob("*/figure.*")):
        uri = f"figures/{figure.parent.name}{figure.suffix}"
        files.append(File.generated(config, uri, abs_src_path=str(figure)))
    return files


def on_page_markdown(markdown: str, page: Page, **_: Any) -> str:
    return rendered(markdown, page.file.src_uri)


def rendered(markdown: str, uri: str) -> str:
    """The page's text with all that is made, and with links that hold in the site."""
    made = MARKER.sub(lambda marker: make(marker[1], uri), markdown)
    for there, here in ELSEWHERE.items():
        made = made.replace(f"]({there})", f"]({here})")
    up = "../" * uri.count("/")
    return FIGURE.sub(rf"({up}figures/\1.\2)", made)


def make(marker: str, uri: str) -> str:
    """What a marker becomes on the page at `uri`: links in it are written as from the top."""
    name, *words = shlex.split(marker)
    if name not in MAKERS:
        raise ValueError(f"{uri}: no such thing is made: {name!r}; there are {', '.join(MAKERS)}")
    made = MAKERS[name](*words)
    top = posixpath.relpath(".", posixpath.dirname(uri) or ".")
    return made if top == "." else made.replace("](claims.md", f"]({top}/claims.md")

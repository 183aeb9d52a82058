"""Every code block of the site runs and prints what the page says; what pages make holds against the results."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, PAGES, ROOT, blocks, shown, with_expected

LANGUAGES = {"python", "sh", "console", "text"}
NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
# Trainings end elsewhere on other processors; a page's number must still tell the same.
RELATIVE, ABSOLUTE = 0.1, 0.1
pytestmark = pytest.mark.timeout(1200)  # one fixture runs the code of all pages
RUN = {page: steps for page in PAGES if (steps := with_expected(shown(page)))}


@pytest.fixture(scope="module")
def done(tmp_path_factory) -> Path:
    """The folder that holds what each page's code printed."""
    folder = tmp_path_factory.mktemp("pages")
    answer = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("run_pages.py"))],
        input=json.dumps(RUN),
        cwd=folder,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        capture_output=True,
        text=True,
    )
    assert answer.returncode == 0, answer.stderr
    return folder


@pytest.mark.parametrize("page", RUN)
def test_the_code_of_a_page_runs_and_prints_what_it_shows(page, done):
    results = json.loads((done / page / "done.json").read_text())
    for (_, code, expected), result in zip(RUN[page], results, strict=False):
        assert result["error"] is None, f"{code}\n{result['error']}"
        if expected is not None:
            assert_same(result["output"], expected)
    assert len(results) == len(RUN[page])


def assert_same(output: str, expected: str) -> None:
    """The same words, and numbers that are close."""
    assert skeleton(output) == skeleton(expected)
    for one, other in zip(NUMBER.findall(output), NUMBER.findall(expected), strict=True):
        assert math.isclose(float(one), float(other), rel_tol=RELATIVE, abs_tol=ABSOLUTE), (
            one,
            other,
            output,
        )


def skeleton(text: str) -> list[list[str]]:
    return [NUMBER.sub("#", line).split() for line in text.strip().splitlines()]


@pytest.mark.parametrize("other", ["1.7 nats by nwj", "2.6 nats by info_nce", "1.7 nats\nby info_nce"])
def test_another_output_would_be_seen(other):
    assert_same("1.7  nats by info_nce\n", "1.8 nats by info_nce")
    with pytest.raises(AssertionError):
        assert_same("1.7 nats by info_nce", other)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_is_of_a_language_that_runs_or_is_output(page):
    assert {language for language, _ in blocks(shown(page))} <= LANGUAGES


def test_what_only_changes_the_environment_names_what_is_there():
    """pip and make are not run, which would install this package into itself: their words are looked up."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    lines = [
        shlex.split(code, comments=True) for steps in RUN.values() for kind, code, _ in steps if kind == "sh"
    ]
    installs = [words for words in lines if words[0] == "pip"]
    assert installs
    for words in installs:
        assert words[1] == "install"
        (what,) = words[2:]
        name, _, asked = what.rstrip("]").partition("[")
        assert name in (".", "mibounds")
        assert set(filter(None, asked.split(","))) <= set(extras)
    assert {words[1] for words in lines if words[0] == "make"} <= targets


@pytest.mark.parametrize("page", PAGES)
def test_nothing_is_left_to_be_made(page):
    assert "<!-- made:" not in shown(page)
    assert "results/" not in re.sub(r"`[^`]*`", "", re.sub(r"```.*?```", "", shown(page), flags=re.DOTALL))


def test_every_public_part_of_the_package_is_in_the_reference():
    directives = set(
        re.findall(r"^::: (\S+)", "\n".join((DOCS / page).read_text() for page in PAGES), re.MULTILINE)
    )
    import mibounds

    functions = {"certify", "estimate", "pointwise"}
    parts = {name for name in mibounds.__all__ if name.islower()} - functions
    assert {f"mibounds.{part}" for part in parts} <= directives
    for directive in directives:
        path = ROOT.joinpath(*directive.split("."))
        assert path.with_suffix(".py").is_file() or (path / "__init__.py").is_file(), directive

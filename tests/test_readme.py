"""README and CONTRIBUTING hold: Python runs, commands parse, files join, links lead somewhere."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from mibounds import study
from mibounds.cli.list import facts_of_bounds, facts_of_methods
from mibounds.cli.main import mibounds
from mibounds.errors import MiboundsError
from tests.docs import pages

ROOT = Path(__file__).parents[1]
README, CONTRIBUTING = ROOT / "README.md", ROOT / "CONTRIBUTING.md"
DOCUMENTS = [README, CONTRIBUTING, *sorted((ROOT / "docs").glob("*.md"))]


def blocks(text: str, *languages: str) -> list[str]:
    """The fenced blocks of these languages."""
    return [block for language, block in pages.blocks(text) if language in languages]


def commands(text: str) -> list[list[str]]:
    """The words of every line that calls mibounds, comments and prompts aside."""
    shown = [line for block in blocks(text, "console") for line in block.splitlines()]
    lines = [line for block in blocks(text, "sh") for line in block.splitlines()]
    lines += [line.removeprefix("$ ") for line in shown if line.startswith("$ ")]  # the rest is output
    return [
        words[1:] for line in lines if (words := shlex.split(line, comments=True)) and words[0] == "mibounds"
    ]


def parse(words: list[str]) -> click.Context:
    """What the command line makes of the words, without doing it."""
    with mibounds.make_context("mibounds", list(words)) as context:
        name, command, rest = mibounds.resolve_command(context, words)
        return command.make_context(name, rest, parent=context)


def written_out(text: str) -> dict[str, str]:
    """The files that a document writes out in full: a block whose first line is its path."""
    found = (re.match(r"# (\S+\.py)\n(.*)", block, re.DOTALL) for block in blocks(text, "python"))
    return {file[1]: file[2] for file in found if file}


def targets() -> set[str]:
    """What make can make."""
    return set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def test_the_readmes_python_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (first, *more) = blocks(README.read_text(), "python")
    names: dict[str, object] = {}
    for block in (first, *more):
        exec(compile(block, README.name, "exec"), names)


@pytest.fixture
def mine(tmp_path, monkeypatch) -> dict[str, Path]:
    """CONTRIBUTING's files, written where it says, below a working directory of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MIBOUNDS_PATH", str(tmp_path / "mine"))
    files = {}
    for name, code in written_out(CONTRIBUTING.read_text()).items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(code)
        files[path.parent.name] = path
    return files


IN_ONE_PROCESS = """
import json, runpy, sys
from mibounds.cli.main import call

for program, *words in json.load(sys.stdin):
    if program == "mibounds":
        assert call(words) == 0, words
    else:
        sys.argv = words[1:]
        runpy.run_module(words[1], run_name="not_main")["main"](words[2:])
"""


def test_the_files_of_contributing_join_and_its_commands_run(mine):
    (block,) = [block for block in blocks(CONTRIBUTING.read_text(), "sh") if "MIBOUNDS_PATH=mine\n" in block]
    lines = [shlex.split(line) for line in block.splitlines() if not line.startswith("export")]
    answer = subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS], input=json.dumps(lines), capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    assert set(mine) == {
        *("bounds", "distributions", "critics", "estimators"),
        *("methods", "sources", "studies"),
    }
    for path in mine.values():
        assert re.search(rf"^  {path.stem} ", answer.stdout, re.MULTILINE), "listed"
    assert re.search(r"^which_critic +D1 +(supported|refuted|inconclusive)", answer.stdout, re.MULTILINE)
    assert "by histogram" in answer.stdout and "by average, a lower bound" in answer.stdout


def test_the_conformance_suites_take_the_files_of_contributing_up(mine):
    kinds = ("bounds", "distributions", "methods", "sources")
    names = [mine[kind].stem for kind in kinds]
    suites = [str(ROOT / "tests" / "conformance" / f"test_{kind}.py") for kind in kinds]
    options = ["-vv", "-k", " or ".join(names), "--rootdir", str(ROOT), "-p", "no:cacheprovider"]
    answer = subprocess.run(
        [sys.executable, "-m", "pytest", *suites, *options], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stdout
    assert all(name in answer.stdout for name in names)


def test_what_is_written_out_passes_ruff(mine):
    for path in mine.values():
        for command in (["check"], ["format", "--check"]):
            ruff = [
                sys.executable,
                "-m",
                "ruff",
                *command,
                "--config",
                str(ROOT / "pyproject.toml"),
                str(path),
            ]
            assert subprocess.run(ruff, capture_output=True).returncode == 0, path.name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_commands_are_known(document, mine):
    for words in commands(document.read_text()):
        chosen = parse(words).params
        for name in (*chosen.get("studies", ()), *filter(None, [chosen.get("study")])):
            assert name == "all" or name.endswith(".py") or name in study.names(), words
        if chosen.get("settings") and "studies" in chosen:
            study.parse_overrides(study.load(chosen["studies"][0]), chosen["settings"])


def test_the_readme_shows_commands():
    assert {words[0] for words in commands(README.read_text())} >= {"list", "run", "check", "estimate"}


@pytest.mark.parametrize("text", ["mibounds rnu toy", "mibounds run", "mibounds list --jsn"])
def test_a_wrong_command_would_be_found(text):
    (words,) = commands(f"```sh\n{text}\n```\n")
    with pytest.raises((MiboundsError, click.UsageError)):
        parse(words)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_make_has_the_targets_that_are_named(document):
    named = re.findall(r"^make (\w+)", "\n".join(blocks(document.read_text(), "sh", "console")), re.MULTILINE)
    assert set(named) <= targets()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document):
    links = re.findall(r"\]\(([^)#\s]+)", document.read_text())
    local = [link for link in links if "://" not in link]
    assert [link for link in local if not (document.parent / link).exists()] == []


def test_the_readmes_table_of_bounds_is_made_from_their_facts():
    (table,) = re.findall(r"<!-- bounds -->\n\n(.*?)\n\n<!-- end -->", README.read_text(), re.DOTALL)
    assert table == facts_of_bounds(), "put what `mibounds list bounds --facts` prints into the README"


def test_the_guides_table_of_methods_is_made_from_their_facts():
    guide = (ROOT / "docs" / "pretraining.md").read_text()
    (table,) = re.findall(r"<!-- methods -->\n\n(.*?)\n\n<!-- end -->", guide, re.DOTALL)
    assert table == facts_of_methods(), (
        "put what `mibounds list methods --facts` prints into docs/pretraining.md"
    )

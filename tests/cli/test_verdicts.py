"""verdicts: one table for people, for machines and for the README."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

from mibounds.cli import verdicts

ROOT = Path(__file__).parents[2]
HEADER = ["claim", "text", "verdict", "effect", "study", "replicates", "figure"]


@pytest.fixture
def finished(toy, mibounds) -> Path:
    """The study's file, after a full run."""
    assert mibounds("run", "toy", "--workers", "1", "--device", "cpu").code == 0
    return toy


def split(line: str) -> list[str]:
    return re.split(r"\s{2,}", line.strip())


def test_for_people_a_line_a_claim(finished, mibounds):
    answer = mibounds("verdicts")
    header, rule, *rows = answer.out.splitlines()
    assert answer.code == 0 and split(header) == HEADER and not set(rule) - {"─", " "}
    assert [split(row) for row in rows] == [
        ["T1", "it is", "supported", "1.5 [1, 2] units", "toy", "3", "results/toy/figure.png"],
        ["T2", "who knows", "inconclusive", "nobody knows", "toy", "3", "results/toy/figure.png"],
    ]


def test_a_long_text_breaks_on_a_terminal_and_nowhere_else(finished, mibounds, monkeypatch):
    finished.write_text(finished.read_text().replace('"it is"', f'"{"word " * 60}end"'))
    assert len(mibounds("verdicts").out.splitlines()) == 4
    monkeypatch.setattr(verdicts.sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(verdicts.shutil, "get_terminal_size", lambda: os.terminal_size((130, 40)))
    lines = mibounds("verdicts").out.splitlines()
    assert len(lines) > 6 and max(map(len, lines)) <= 130
    assert "".join(lines).count("word") == 60


def test_for_machines(finished, mibounds):
    answer = mibounds("verdicts", "--json")
    shared = {"study": "toy", "replicates": 3, "figure": "results/toy/figure.png"}
    t1 = {"claim": "T1", "text": "it is", "verdict": "supported", "effect": 1.5, "low": 1.0, "high": 2.0}
    t2 = {
        "claim": "T2",
        "text": "who knows",
        "verdict": "inconclusive",
        "effect": None,
        "low": None,
        "high": None,
    }
    assert answer.code == 0
    assert json.loads(answer.out) == [
        t1 | {"unit": "units", "reason": ""} | shared,
        t2 | {"unit": "", "reason": "nobody knows"} | shared,
    ]


def test_markdown_links_the_figure(finished, mibounds):
    header, rule, t1, t2 = mibounds("verdicts", "--markdown").out.splitlines()
    assert [cell.strip() for cell in header.strip("|").split("|")] == HEADER
    assert rule == "|---|---|---|---|---|---|---|"
    assert (
        t1 == "| `T1` | it is | supported | 1.5 [1, 2] units | `toy` | 3 | [figure](results/toy/figure.png) |"
    )
    assert "| inconclusive | nobody knows |" in t2


def test_markup_in_a_claim_stays_text(finished, mibounds):
    finished.write_text(finished.read_text().replace('"it is"', '"[red](a|b) [/red] *c* <d>"'))
    assert "[red](a|b) [/red] *c* <d>" in mibounds("verdicts").out
    assert r"[red\](a\|b) [/red] \*c\* \<d\>" in mibounds("verdicts", "--markdown").out


def test_without_its_study_a_claim_has_no_text(finished, mibounds):
    finished.unlink()
    first, _ = json.loads(mibounds("verdicts", "--json").out)
    assert first["text"] is None and first["verdict"] == "supported"
    assert split(mibounds("verdicts").out.splitlines()[2])[:3] == ["T1", "-", "supported"]


def test_without_a_figure_none_is_named(finished, mibounds):
    Path("results/toy/figure.png").unlink()
    assert json.loads(mibounds("verdicts", "--json").out)[0]["figure"] is None
    assert mibounds("verdicts", "--markdown").out.splitlines()[2].endswith("| `toy` | 3 | - |")


def test_two_ways_to_write_at_once_are_refused(finished, mibounds):
    answer = mibounds("verdicts", "--json", "--markdown")
    assert answer.code == 2 and "expected one of them" in answer.error


def test_the_readmes_table_of_verdicts_is_made_by_the_command(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("MIBOUNDS_PATH", raising=False)
    (table,) = re.findall(
        r"<!-- verdicts -->\n\n(.*?)\n\n<!-- /verdicts -->", (ROOT / "README.md").read_text(), re.DOTALL
    )
    made = verdicts.as_markdown(verdicts.decided(Path("results")))
    assert table == made, "put what `mibounds verdicts --markdown` prints into the README"

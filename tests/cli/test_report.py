"""report: where the page goes, of which studies, and what is the user's mistake."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

RUN = ("--workers", "1", "--device", "cpu")


@pytest.fixture
def finished(toy, mibounds) -> Path:
    """The study's file, after a full run; a second study beside it."""
    other = toy.with_name("other.py")
    other.write_text(toy.read_text().replace('slug="toy"', 'slug="other"'))
    assert mibounds("run", "toy", "other", *RUN).code == 0
    return toy


def test_one_page_of_all_studies(finished, mibounds):
    answer = mibounds("report")
    page = Path("report.html").read_text()
    assert answer.code == 0 and answer.out.startswith("report.html (2 studies, ")
    assert 'id="toy"' in page and 'id="other"' in page
    assert not list(Path().glob(".*.tmp*"))


def test_of_some_studies_and_elsewhere(finished, mibounds):
    assert mibounds("report", "other", "--out", "pages/mine.html").code == 0
    page = Path("pages/mine.html").read_text()
    assert 'id="other"' in page and 'id="toy"' not in page


def test_one_results_one_page(finished, mibounds):
    assert mibounds("report").code == mibounds("report", "--out", "again.html").code == 0
    assert Path("report.html").read_bytes() == Path("again.html").read_bytes()


def test_without_its_study_the_page_says_so(finished, mibounds):
    finished.unlink()
    assert mibounds("report").code == 0
    assert "file was not found" in Path("report.html").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), "unknown study 'nowhere'"),
        (("toy", "--results", "nowhere"), "run the study first"),
        (("--results", "nowhere"), "no results in nowhere"),
        (("--out", "results"), "is a directory"),
        (("--out", "results/toy/table.csv/page.html"), "cannot write"),
    ],
)
def test_a_mistake_is_one_line_and_leaves_no_page(finished, mibounds, words, said):
    answer = mibounds("report", *words)
    assert answer.code == 2 and said in answer.error
    assert not list(Path().rglob("*.html"))


def test_a_table_that_is_missing_is_named(finished, mibounds):
    Path("results/toy/table.csv").unlink()
    answer = mibounds("report")
    assert answer.code == 2 and "results/toy/table.csv" in answer.error
    assert not Path("report.html").exists()


@pytest.mark.parametrize("package", ["jinja2", "altair", "vl_convert"])
def test_what_is_not_installed_is_named(finished, mibounds, monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    answer = mibounds("report")
    assert answer.code == 2 and "pip install 'mibounds[report]'" in answer.error
    assert not Path("report.html").exists()

"""What the page says of a study is what its file, record and tables say."""

from __future__ import annotations

import json
import shutil
from urllib.parse import parse_qs, urlsplit

import pytest

from mibounds import report
from mibounds.errors import StudyError
from mibounds.report import chart
from mibounds.report.gather import rows_href


def test_words_come_from_the_studys_file(small):
    assert small.protocol == ("It has two laws and <b>five</b> levels.", "Nothing is random.")
    assert small.drawn == "A level along the axis & a colour a law."
    assert [claim.id for claim in small.claims] == ["S1", "S 2/b", "S3"]
    assert small.claims[1].text == "Who knows?" and small.claims[1].criterion == "none"
    assert small.replicates == 4 and small.axes == ["law", "level"] and small.problems == ()


def test_a_claim_links_to_the_rows_that_it_needs(small):
    (rows,) = small.claims[0].rows
    assert rows.box == {"law": ["steep"], "level": [1.0, 16.0]} and rows.count == 8
    assert small.claims[0].href == "#rows/small/table?law=steep&level=1%7C16"
    assert small.claims[2].href == "#rows/small/table" and small.claims[2].rows[0].count == 40


def test_an_address_of_rows_says_the_values_exactly():
    href = rows_href("s", "table", {"word": ["a b", "c&d=e"], "x": [0.1, 2], "on": [True]})
    asked = parse_qs(urlsplit(href.removeprefix("#")).query)
    assert asked == {"word": ["a b|c&d=e"], "x": ["0.1|2"], "on": ["True"]}


def test_anchors_are_addresses_and_differ(committed, small):
    anchors = [claim.anchor for result in (*committed, small) for claim in result.claims]
    assert len(set(anchors)) == len(anchors)
    assert small.claims[1].anchor == "small-S%202%2Fb"


def test_without_the_file_there_are_names_numbers_and_a_word_of_it(small, small_run):
    alone = report.gather(None, small_run[1])
    assert [claim.decided for claim in alone.claims] == [claim.decided for claim in small.claims]
    assert alone.claims[0].text == "" and alone.protocol == () and "not found" in alone.problems[0]


def test_a_changed_number_and_a_changed_file_are_said(small_run, tmp_path):
    loaded, folder = small_run
    copy = shutil.copytree(folder, tmp_path / "results")
    table = copy / "table.csv"
    table.write_text(table.read_text().replace("steep,16.0,0,32.0", "steep,16.0,0,33.0"))
    changed = json.loads((copy / "record.json").read_text()) | {"study_sha256": "0"}
    (copy / "record.json").write_text(json.dumps(changed))
    problems = " ".join(report.gather(loaded, copy).problems)
    assert "SHA-256 differs" in problems and "file has changed since this run" in problems


def test_results_of_another_study_are_refused(small_run, committed):
    with pytest.raises(StudyError, match="not of 'small'"):
        report.gather(small_run[0], committed[0].folder)


def test_keys_tell_every_row_from_every_other(committed, small):
    """A mean on the page is over replicates alone: no two rows of one replicate share a point."""
    for result in (*committed, small):
        for name, choice in chart.choices(result).items():
            table = result.tables[name]
            keys = [*choice["keys"], *(["replicate"] if "replicate" in table else [])]
            assert not table.duplicated(keys).any(), (result.slug, name)
            assert choice["x"] in choice["keys"] and choice["y"] in table
            assert choice["y"] not in ("seconds", "status", "replicate")


def test_colours_are_few_where_there_is_a_choice(committed):
    for result in committed:
        for name, choice in chart.choices(result).items():
            table = result.tables[name]
            other = [table[key].nunique() for key in choice["keys"] if key != choice["x"]]
            if any(1 < n <= 30 for n in other):
                assert table[choice["colour"]].nunique() <= 30, (result.slug, name)


def test_quantiles_are_students():
    found = chart.quantiles(30)
    assert found[0] == pytest.approx(12.7062, abs=1e-4) and found[8] == pytest.approx(2.26216, abs=1e-5)
    assert found[29] == pytest.approx(2.04227, abs=1e-5)

"""The page in a headless browser: silent, without a request, with filters that filter and links that lead to rows."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from mibounds.statistics import mean_interval
from tests.report.browser import Browser, started

pytestmark = pytest.mark.browser
CHART = "document.querySelector('.chart svg.marks') !== null"
SIZES = {"desktop": (1280, 900), "phone": (390, 844)}


@pytest.fixture(scope="module")
def browser(tmp_path_factory) -> Iterator[Browser]:
    with started(tmp_path_factory.mktemp("profile")) as one:
        yield one


@pytest.fixture
def opened(browser, small_page) -> Iterator[Browser]:
    """The small study's rows, its chart drawn; whatever a test does, the page stays silent."""
    browser.open(small_page, "#rows/small/table")
    browser.wait_for(CHART)
    yield browser
    assert_silent(browser)


def assert_silent(browser: Browser) -> None:
    assert browser.messages == []
    outside = [url for url in browser.requests if not url.startswith(("file:", "data:", "blob:", "about:"))]
    assert outside == [] and sum(url.startswith("file:") for url in browser.requests) == 1


def shown(browser: Browser, column: str) -> list[str]:
    """The cells of a column on the table's page."""
    return browser.value(
        f"""(() => {{
          const heads = document.querySelectorAll(".table-view thead tr:first-child th");
          const names = [...heads].map((head) => head.textContent);
          const at = names.indexOf({json.dumps(column)});
          return [...document.querySelectorAll(".table-view tbody tr")].map((row) => row.children[at].textContent);
        }})()"""
    )


def count(browser: Browser) -> str:
    return browser.value("document.querySelector('.table-view .count').textContent")


def write_filter(browser: Browser, column: str, text: str) -> None:
    """Type into a column's filter, over what stood there."""
    selector = f'.table-view input[aria-label="filter {column}"]'
    browser.value(f"document.querySelector({json.dumps(selector)}).select()")
    browser.type(selector, text)


@pytest.mark.parametrize("size", SIZES)
def test_it_opens_from_disk_silently_and_looks_like_a_page(browser, committed_page, size, tmp_path):
    width, height = SIZES[size]
    browser.open(committed_page, "", width, height)
    studies = browser.value(
        "[...document.querySelectorAll('section.explore')].map((one) => one.dataset.study)"
    )
    for slug in studies:
        browser.value(f"document.querySelector('[data-study={slug}]').scrollIntoView()")
        browser.wait_for(f"document.querySelector('[data-study={slug}] .chart svg.marks') !== null")
    assert browser.value("[...document.images].every((image) => image.complete && image.naturalWidth > 0)")
    assert browser.value("document.documentElement.scrollWidth") <= width, "nothing is wider than the window"
    assert_silent(browser)
    assert browser.screenshot(tmp_path / f"{size}.png").stat().st_size > 20_000


def test_markup_in_the_data_is_text_there_too(opened):
    assert set(shown(opened, "word")) == {"</script><img src=x onerror=alert(1)>"}
    assert opened.value("document.images.length") == 1


def test_the_board_filters_by_verdict_and_by_words(browser, small_page):
    rows = "[...document.querySelectorAll('#board tbody tr')]"
    visible = f"{rows}.filter((row) => !row.hidden).map((row) => row.dataset.outcome)"
    browser.open(small_page)
    assert browser.value(visible) == ["supported", "inconclusive", "refuted"]
    browser.click('#board button[data-outcome="refuted"]')
    assert browser.value(visible) == ["refuted"]
    assert browser.value("document.querySelector('#board .shown').textContent") == "1 of 3 claims shown"
    browser.click('#board button[data-outcome=""]')
    browser.type("#board input", "who KNOWS")
    assert browser.value(visible) == ["inconclusive"]
    assert_silent(browser)


def test_a_verdicts_number_leads_to_its_rows(browser, small_page, small):
    browser.open(small_page)
    browser.click("#board tr.supported .numbers")
    browser.wait_for("document.querySelector('.table-view .count')?.textContent.startsWith('8 of 40')")
    assert set(shown(browser, "law")) == {"steep"} and set(shown(browser, "level")) == {"1", "16"}
    rows = [int(row) for row in shown(browser, "row")]
    table = small.tables["table"]
    assert rows == [i + 1 for i in table.index[(table["law"] == "steep") & table["level"].isin([1, 16])]]
    browser.wait_for("document.querySelector('.table-view').getBoundingClientRect().top < window.innerHeight")
    assert_silent(browser)


@pytest.mark.parametrize(
    ("column", "text", "passes"),
    [
        ("level", "2", lambda t: t["level"] == 2),
        ("level", "1|8", lambda t: t["level"].isin([1, 8])),
        ("level", ">=4", lambda t: t["level"] >= 4),
        ("level", "<4 | 16", lambda t: (t["level"] < 4) | (t["level"] == 16)),
        ("level", "2..8", lambda t: t["level"].between(2, 8)),
        ("value_nats", "> 3.05", lambda t: t["value_nats"] > 3.05),
        ("value_nats", "1.1", lambda t: (t["value_nats"] - 1.1).abs() < 1e-9),
        ("odd", "inf", lambda t: t["odd"] == math.inf),
        ("odd", "<0", lambda t: t["odd"] < 0),
        ("level", "nonsense", lambda t: t["level"] < 0),
        ("law", "steep", lambda t: t["law"] == "steep"),
        ("law", "FLA", lambda t: t["law"] == "flat"),
        ("law", "flat|steep", lambda t: t["level"] > 0),
        ("word", "</script>", lambda t: t["level"] > 0),
    ],
)
def test_a_filter_passes_what_pandas_passes(opened, small, column, text, passes):
    table = small.tables["table"]
    write_filter(opened, column, text)
    wanted = [str(i + 1) for i in table.index[passes(table)]]
    assert shown(opened, "row") == wanted
    assert count(opened) == f"{len(wanted)} of {len(table)} rows"


def test_filters_join_and_clear(opened):
    write_filter(opened, "law", "flat")
    write_filter(opened, "level", ">2")
    assert count(opened) == "12 of 40 rows"
    assert opened.value("location.hash") == "#rows/small/table?law=flat&level=%3E2"
    opened.click(".table-view .bar button")
    assert count(opened) == "40 rows"


def test_headers_sort_both_ways_and_missing_values_stay_last(opened, small):
    by_value = small.tables["table"]["value_nats"]
    header = ".table-view th:nth-child({}) button"
    names = opened.value(
        "[...document.querySelectorAll('.table-view thead tr:first-child th')].map((th) => th.textContent)"
    )
    place = {name: names.index(name) + 1 for name in names}
    opened.click(header.format(place["value_nats"]))
    assert [float(text) for text in shown(opened, "value_nats")] == pytest.approx(sorted(by_value), rel=1e-5)
    opened.click(header.format(place["value_nats"]))
    assert [float(text) for text in shown(opened, "value_nats")] == pytest.approx(
        sorted(by_value)[::-1], rel=1e-5
    )
    for _ in range(2):
        opened.click(header.format(place["odd"]))
        assert shown(opened, "odd") == ["inf"] * 10 + [""] * 30


def test_a_long_table_turns_its_pages(browser, committed_page, committed):
    (result,) = [one for one in committed if one.slug == "bound_tightness"]
    total = len(result.tables["curve"])
    browser.open(committed_page, "#rows/bound_tightness/curve")
    browser.wait_for(CHART)
    first = shown(browser, "row")
    browser.click(".pager button:last-child")
    assert (first[0], first[-1], shown(browser, "row")[0]) == ("1", "50", "51")
    assert browser.value("document.querySelector('.pager span').textContent") == f"51 to 100 of {total}"
    assert_silent(browser)


def pointed_at(browser: Browser, nth: int) -> str:
    """What a pointer reads off the nth mean of the chart."""
    x, y = browser.value(
        f"""(() => {{
          document.querySelector(".chart").scrollIntoView({{ block: "center", behavior: "instant" }});
          const marks = [...document.querySelectorAll(".chart .mark-symbol.role-mark path")];
          const box = marks[{nth}].getBoundingClientRect();
          return [box.x + box.width / 2, box.y + box.height / 2];
        }})()"""
    )
    browser.call("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    return browser.wait_for("document.querySelector('#vg-tooltip-element.visible')?.textContent")


def test_a_pointer_reads_the_mean_and_its_interval(opened, small):
    said = pointed_at(opened, 0)
    found = re.fullmatch(r"value_nats (\S+) \[(\S+), (\S+)\], mean of 4; law (\w+); level (\d+)", said)
    assert found, said
    table = small.tables["table"]
    values = table[(table["law"] == found[4]) & (table["level"] == float(found[5]))]["value_nats"]
    assert [float(text) for text in found.groups()[:3]] == pytest.approx(
        mean_interval(values.tolist()), rel=1e-3
    )


def test_a_click_on_a_mean_shows_its_rows(opened):
    said = pointed_at(opened, 0)
    law, level = re.search(r"law (\w+); level (\d+)", said).groups()
    opened.click(".chart .mark-symbol.role-mark path")
    opened.wait_for("document.querySelector('.table-view .count').textContent === '4 of 40 rows'")
    assert set(shown(opened, "law")) == {law} and set(shown(opened, "level")) == {level}


def test_axes_replicates_and_scales_are_picked(opened):
    ticks = {
        name: f"label.tick:nth-of-type({n})" for n, name in enumerate(("replicates", "log x", "log y"), 5)
    }
    marks = "document.querySelectorAll('.chart .mark-symbol.role-mark path').length"
    assert opened.value(marks) == 10
    opened.click(f".controls {ticks['replicates']} input")
    opened.wait_for(f"{marks} === 50")
    for name in ("log x", "log y"):
        opened.click(f".controls {ticks[name]} input")
    opened.value(
        "(() => { const x = document.querySelector('.controls select'); x.value = 'law';"
        " x.dispatchEvent(new Event('change', { bubbles: true })) })()"
    )
    opened.wait_for(
        "[...document.querySelectorAll('.chart .role-axis-label text')].some((text) => text.textContent === 'steep')"
    )


def test_another_table_of_the_study(opened, small):
    opened.value(
        "(() => { const which = document.querySelector('.which select'); which.value = 'curve';"
        " which.dispatchEvent(new Event('change')) })()"
    )
    opened.wait_for("document.querySelector('.table-view .count').textContent === '80 rows'")
    assert shown(opened, "step")[:2] == ["1", "2"]


def test_what_is_saved_is_what_is_shown(browser, small_page, tmp_path):
    browser.open(small_page, "#rows/small/table?law=flat&level=1|2")
    browser.wait_for(CHART)
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.click(".table-view .bar button:last-child")
    browser.wait_for("new Promise((done) => setTimeout(() => done(true), 500))")
    saved = pd.read_csv(tmp_path / "small-table.csv")
    assert len(saved) == 8 and set(saved["law"]) == {"flat"} and set(saved["level"]) == {1, 2}
    assert_silent(browser)


def test_in_print_the_verdicts_and_figures_stand_without_controls(browser, committed_page, tmp_path):
    browser.open(committed_page)
    browser.call("Emulation.setEmulatedMedia", media="print")
    try:
        hidden = "[...document.querySelectorAll('nav, .filters, .explorer')].every((one) => one.offsetHeight === 0)"
        assert browser.value(hidden)
        assert browser.value("[...document.images].every((image) => image.offsetHeight > 50)")
    finally:
        browser.call("Emulation.setEmulatedMedia", media="")
    pages = len(re.findall(rb"/Type\s*/Page\b(?!s)", browser.pdf(tmp_path / "page.pdf").read_bytes()))
    n_studies = browser.value("document.querySelectorAll('section.protocol').length")
    assert (
        n_studies > 10 and 2 * n_studies < pages < 8 * n_studies
    )  # figures and claims, and no table of rows


def test_without_a_script_the_verdicts_are_there(browser, small_page):
    browser.call("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(small_page)
        assert browser.value("document.querySelectorAll('#board tbody tr').length") == 3
        assert "need JavaScript" in browser.value("document.querySelector('.explorer').textContent")
    finally:
        browser.call("Emulation.setScriptExecutionDisabled", value=False)


def test_an_error_a_warning_and_a_request_would_be_seen(browser, tmp_path):
    page: Path = tmp_path / "bad.html"
    page.write_text(
        "<script>console.warn('careful'); nothing.here;</script><img src='http://127.0.0.1:9/x.png'>"
    )
    browser.open(page)
    browser.wait_for("document.images[0].complete")
    assert any("careful" in said for said in browser.messages)
    assert any("ReferenceError" in said for said in browser.messages)
    assert "http://127.0.0.1:9/x.png" in browser.requests

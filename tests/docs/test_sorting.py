"""Tables of the site sort by a click on a heading, in a browser: numbers as numbers, words after them."""

from __future__ import annotations

import pytest

from tests.docs.pages import DOCS
from tests.report.browser import executable, started

pytestmark = pytest.mark.skipif(executable() is None, reason="no Chromium or Chrome is on the path")

PAGE = """<!doctype html><meta charset="utf-8"><script src="{script}"></script><article><table>
<thead><tr><th>name</th><th>off by</th><th>truth</th></tr></thead><tbody>
<tr><td>b</td><td>0.100</td><td>\N{MINUS SIGN}0.5</td></tr>
<tr><td>c</td><td>1,000</td><td>84%</td></tr>
<tr><td>a</td><td>no number on 2 tasks</td><td>9%</td></tr>
<tr><td>d</td><td>9.5</td><td>-</td></tr>
</tbody></table></article>"""


def test_a_click_sorts_and_a_second_turns_it_round(tmp_path):
    page = tmp_path / "page.html"
    page.write_text(PAGE.format(script=(DOCS / "assets" / "sort.js").as_uri()))
    with started(tmp_path / "profile") as browser:
        browser.open(page)

        def clicked(column: int) -> str:
            browser.click(f"th:nth-child({column}) button")
            return browser.value(
                "[...document.querySelectorAll('tbody tr')].map(r => r.cells[0].textContent).join('')"
            )

        assert clicked(1) == "abcd" and clicked(1) == "dcba"
        assert clicked(2) == "bdca" and clicked(2) == "cdba"  # words last, whichever way
        assert clicked(3) == "bacd"
        assert browser.value("document.querySelectorAll('th[aria-sort]').length") == 1
        assert browser.messages == []

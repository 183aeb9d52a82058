"""The page's text: whole, small enough, escaped, nothing from elsewhere, each picture with words."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from urllib.parse import unquote

import pytest

from mibounds import report
from mibounds.report import page

MOST_BYTES = 5_000_000
VOID = {"meta", "link", "img", "input", "br", "wbr", "hr"}


class Parsed(HTMLParser):
    """Elements with their attributes, texts by class, and whether each end has its start."""

    def __init__(self, text: str):
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.texts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module", params=["small_page", "committed_page"])
def parsed(request) -> Parsed:
    return Parsed(request.getfixturevalue(request.param).read_text(encoding="utf-8"))


def test_all_results_fit(committed_page):
    assert committed_page.stat().st_size < MOST_BYTES


def test_every_element_ends_and_every_id_is_one(parsed):
    assert parsed.open == []
    ids = [attributes["id"] for _, attributes in parsed.elements if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_nothing_is_asked_of_a_network(parsed):
    addresses = [
        a[name] for _, a in parsed.elements for name in ("src", "href", "action", "data") if a.get(name)
    ]
    assert addresses and all(address.startswith(("#", "data:")) for address in addresses)
    (policy,) = [a["content"] for a in parsed.all("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policy.startswith("default-src 'none'") and "http" not in policy


def test_links_lead_somewhere(parsed):
    ids = {unquote(attributes["id"]) for _, attributes in parsed.elements if "id" in attributes}
    studies = {attributes["data-study"] for attributes in parsed.all("section") if "data-study" in attributes}
    for link in (unquote(attributes["href"]) for attributes in parsed.all("a")):
        found = re.fullmatch(r"#rows/(\w+)/(\w+)(\?.*)?", link)
        assert found[1] in studies if found else link.removeprefix("#") in ids, link


def test_pictures_have_words_and_room(parsed):
    for picture in parsed.all("img"):
        assert len(picture["alt"]) > 30 and int(picture["width"]) > 0 and int(picture["height"]) > 0
    assert len(parsed.all("figcaption")) == len(parsed.all("img")) > 0


def test_markup_in_a_study_is_text(small_page):
    text = small_page.read_text(encoding="utf-8")
    small = Parsed(text)
    assert "onerror=alert(1)>" not in text.replace("&gt;", "").split("<script", 1)[0]
    assert [a for a in small.all("img") if "onerror" in a] == []
    assert any("</script><img src=x onerror=alert(1)>" in said for said in small.texts)
    assert "It has two laws and <b>five</b> levels." in small.texts and not small.all("i")


def test_the_board_shows_each_verdict_with_its_numbers(small):
    text = re.sub(r"<[^>]+>", " ", page.render([small]).split("<tbody>")[1].split("</tbody>")[0])
    first, second, third = re.split(r"(?=supported|inconclusive|refuted)", " ".join(text.split()))[1:]
    assert first.startswith("supported S1 The steep law") and "17.3 [1.5, 40] nats" in re.sub(
        r" (?=\[)", " ", first
    )
    assert second.startswith("inconclusive S 2/b Who knows? nobody knows")
    assert third.startswith("refuted S3 All is small.") and "2 [1, 3] nats" in third


def test_the_record_is_there(small):
    text = " ".join(re.sub(r"<[^>]+>", " ", page.render([small])).split())
    record = small.record
    for said in (record["platform"], record["packages"]["torch"], record["started"], record["study_sha256"]):
        assert said in text
    assert "noise: law" in text and "level 1, 2, 4, 8, 16" in text and record["tables"]["curve.csv"] in text


def test_an_old_record_with_little_in_it(small):
    import dataclasses

    bare = {name: small.record[name] for name in ("study", "preset", "tables", "verdicts")}
    text = page.render([dataclasses.replace(small, record=bare)])
    assert "no replicates" in text and "unknown" in text


@pytest.mark.parametrize(
    ("value", "shown"), [(0.000717, "0.000717"), (-4.11e26, "\N{MINUS SIGN}4.11e+26"), (None, "\N{EN DASH}")]
)
def test_numbers_have_three_digits(value, shown):
    assert page.number(value) == shown


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([8, 16], "8, 16"),
        (list(range(10)), "0, 1, \N{HORIZONTAL ELLIPSIS}, 9"),
        ([0.1 + 0.2, "a", True], "0.3, a, True"),
        ([], ""),
    ],
)
def test_values_of_an_axis(values, shown):
    assert page.values(values) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"), [(3.4, "3 s"), (600, "10 min"), (9000, "2.5 h"), (None, "\N{EN DASH}")]
)
def test_durations(seconds, shown):
    assert page.duration(seconds) == shown


def test_a_page_is_written_whole(small, tmp_path):
    path = tmp_path / "there" / "page.html"
    assert report.write([small], path) == path.stat().st_size
    assert [one.name for one in path.parent.iterdir()] == ["page.html"]

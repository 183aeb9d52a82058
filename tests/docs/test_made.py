"""What is made for the pages, against the committed results read the slow way."""

from __future__ import annotations

import csv
import json
import re
import statistics

import pytest

from tests.docs.pages import ROOT, hook, shown

RESULTS = ROOT / "results"


def rows(study: str, **wanted: str) -> list[dict[str, str]]:
    with (RESULTS / study / "table.csv").open() as file:
        return [
            row for row in csv.DictReader(file) if all(row[name] == value for name, value in wanted.items())
        ]


def mean(found: list[dict[str, str]], column: str) -> float:
    return statistics.mean(float(row[column]) for row in found)


def cells(table: str, row: str) -> list[str]:
    """The cells of a Markdown table's row, its name aside."""
    (line,) = [line for line in table.splitlines() if line.startswith((f"| `{row}` |", f"| {row} |"))]
    return [cell.strip() for cell in line.strip("|").split("|")][1:]


def first_number(cell: str) -> float:
    return float(re.search(r"-?[\d.]+(e\d+)?", cell.replace("\N{MINUS SIGN}", "-"))[0])


@pytest.mark.parametrize("bound", ["info_nce", "smile", "mine"])
def test_the_table_of_trained_critics_holds_means(bound):
    shown_cells = cells(hook("measured").trained("gaussian", "separable"), bound)[1:]
    for level, cell in zip((2.0, 4.0, 6.0, 8.0, 10.0), shown_cells, strict=True):
        of_cell = rows(
            "bound_tightness", task="gaussian", critic="separable", bound=bound, truth_nats=str(level)
        )
        assert len(of_cell) == 10
        exact = mean(of_cell, "estimate_nats")
        assert first_number(cell) == pytest.approx(exact, rel=0.05, abs=0.006)
        if "▲" in cell:
            assert exact > level


def test_what_passes_the_truth_is_marked_and_what_stays_under_is_not():
    table = hook("measured").trained("gaussian", "separable")
    assert "▲" in cells(table, "smile")[-1]
    assert "▲" not in "".join(cells(table, "info_nce"))


def test_the_table_of_perfect_critics_holds_biases():
    shown_cells = cells(hook("measured").perfect_critic(), "info_nce")[1:]
    for level, cell in zip(("2.0", "6.0", "10.0"), shown_cells, strict=True):
        wanted = {"bound": "info_nce", "batch_size": "64", "control": "none", "truth_nats": level}
        assert first_number(cell) == pytest.approx(
            mean(rows("bias_and_variance", **wanted), "bias_nats"), abs=0.006
        )


def test_the_table_of_candidates_holds_means_and_ends_with_the_ceiling():
    table = hook("measured").candidates()
    wanted = {
        "law": "gaussian",
        "critic": "optimal",
        "control": "none",
        "truth_nats": "4.0",
        "n_candidates": "64",
    }
    exact = mean(rows("infonce_ceiling", **wanted), "estimate_nats")
    assert float(cells(table, "4 nats")[1]) == pytest.approx(exact, abs=0.006)
    assert cells(table, "ceiling ln K")[1] == "4.16"


def test_the_table_of_what_is_certified_holds_means():
    table = hook("measured").certified()
    wanted = {"law": "level_2", "arm": "oracle"}
    for row, column in (
        ("with the true density ratio", "limit_nats"),
        ("by empirical Bernstein, true density ratio", "bernstein_nats"),
    ):
        exact = mean(rows("certified_bound", **wanted), column)
        assert float(cells(table, row)[2]) == pytest.approx(exact, abs=0.006)


def test_medians_of_a_benchmark_are_by_its_keys():
    table = hook("benchmarked").benchmark("benchmarks/startup", "by:command", "core_seconds")
    with (RESULTS / "benchmarks" / "startup.csv").open() as file:
        of_list = [
            float(row["core_seconds"]) for row in csv.DictReader(file) if row["command"] == "mibounds list"
        ]
    assert table.count("| mibounds list |") == 1
    assert float(cells(table, "mibounds list")[0]) == pytest.approx(statistics.median(of_list), rel=0.01)


def test_a_table_with_a_failed_row_is_refused(tmp_path, monkeypatch):
    measured = hook("measured")
    monkeypatch.setattr(measured, "RESULTS", tmp_path)
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "table.csv").write_text("estimate_nats,status\n1.0,ok\n2.0,diverged at step 3\n")
    with pytest.raises(ValueError, match="not ok"):
        measured.table("broken")


def test_the_claims_page_says_of_each_claim_what_the_record_says():
    claims, page = hook("claims"), shown("claims.md")
    assert claims.all_studies().keys() == {path.stem for path in (ROOT / "studies").glob("*.py")}
    for slug, one in claims.all_studies().items():
        record = RESULTS / slug / "record.json"
        verdicts = json.loads(record.read_text())["verdicts"] if record.is_file() else {}
        for claim in one.claims:
            (block,) = re.findall(
                rf'<div class="claim [\w-]+" id="{claims.anchor(slug, claim.id)}".*?</div>', page, re.DOTALL
            )
            expected = verdicts.get(claim.id, {"outcome": "not run yet", "effect": None})
            assert f">{expected['outcome']}</span>" in block
            assert claims.plain(claim.text) in block and claims.plain(claim.criterion) in block
            if expected["effect"] is not None:
                assert claims.number(expected["effect"]) in block


def test_the_counts_are_the_records():
    claims = hook("claims")
    said = {name: int(n) for n, name in re.findall(r"\*\*(\d+)\*\* (\w[\w ]*\w)", claims.counts())}
    total = sum(len(one.claims) for one in claims.all_studies().values())
    assert sum(said.values()) == total == int(claims.counts().split()[0])
    blocks = re.findall(r'<div class="claim ([\w-]+)"', shown("claims.md"))
    assert {name: blocks.count(name.replace(" ", "-")) for name in said} == said


def test_a_claim_without_a_run_waits(monkeypatch):
    claims = hook("claims")
    monkeypatch.setattr(claims, "run_of", lambda slug: None)
    assert "not run yet" in claims.verdict("infonce_ceiling", "C2.tight", "effect")
    assert "not there yet" in "\n".join(claims.section(claims.all_studies()["infonce_ceiling"]))


@pytest.mark.parametrize(
    "marker",
    ["vedict a b", "verdict infonce_ceiling C2.tigth", 'contributing "A bond"'],
    ids=lambda text: text[:8],
)
def test_a_wrong_marker_is_an_error(marker):
    with pytest.raises(ValueError, match=r"no such thing|no claim|no heading"):
        hook("pages").make(marker, "choose.md")


def test_links_of_a_page_lead_into_the_site():
    rendered = hook("pages").rendered
    text = "[a](../CONTRIBUTING.md) ![b](../results/scaling/figure.png) <!-- made: verdict infonce_ceiling C2.tight -->"
    assert "(add_a_method.md)" in rendered(text, "a.md") and "(figures/scaling.png)" in rendered(text, "a.md")
    assert "](claims.md#infonce-ceiling-c2-tight)" in rendered(text, "a.md")
    assert "](../claims.md#infonce-ceiling-c2-tight)" in rendered(text, "api/a.md")
    assert "(../figures/scaling.png)" in rendered("![b](../../results/scaling/figure.png)", "api/a.md")


def test_a_section_of_contributing_ends_where_the_next_begins():
    section = hook("sections").contributing("A critic")
    assert section.startswith("```python\n# mine/critics/distance.py") and section.endswith("```")
    code = hook("sections").contributing("A study", "code")
    assert code.startswith("```python\n# mine/studies/which_critic.py") and code.endswith(")\n```")


def test_docstrings_become_markdown():
    reshaped = hook("docstrings").reshaped
    assert reshaped("One.\n\nExample:\n    >>> 1\n    1") == "One.\n\nExamples:\n    >>> 1\n    1"
    assert reshaped("Raises: A if b;\n    C if d.") == "**Raises:** A if b; C if d."
    assert reshaped("Facts, all:\n    name: its file.\n    tight: if it\n        is.\n\nEnd.") == (
        "Facts, all:\n\n- `name`: its file.\n- `tight`: if it is.\n\nEnd."
    )
    assert reshaped("Args:\n    x: one.\n    y: two.") == "Args:\n    x: one.\n    y: two."
    assert reshaped("One.\n\n>>> f()\n[1]\n\nTwo.") == "One.\n\n```pycon\n>>> f()\n[1]\n```\n\nTwo."

"""Which rows a claim needs: the box is found by asking, and is right by construction here."""

from __future__ import annotations

import itertools

import pandas as pd
import pytest

from mibounds.report.needed import rows_in, rows_needed
from mibounds.study import Claim, Verdict, if_all_ok, rows_with


@pytest.fixture
def tables() -> dict[str, pd.DataFrame]:
    points = itertools.product(("a", "b", "c"), (1, 2, 4), range(3))
    table = pd.DataFrame(points, columns=["law", "k", "replicate"]).assign(value=1.0, status="ok")
    return {"table": table, "other": table.copy(), "plain": table.drop(columns="status")}


def claim(verdict) -> Claim:
    return Claim("A", "", "", "", verdict)


def decide(rows: pd.DataFrame) -> Verdict:
    return Verdict.above(rows["value"].mean(), 0.5, 1.5, 0.1)


def of(name: str, **wanted: object):
    return claim(lambda tables: if_all_ok(rows_with(tables[name], **wanted), decide))


@pytest.mark.parametrize(
    ("wanted", "box"),
    [
        ({}, {}),
        ({"law": "b"}, {"law": ["b"]}),
        ({"law": ("a", "c"), "k": 4}, {"law": ["a", "c"], "k": [4]}),
        ({"k": (1, 2), "replicate": 1}, {"k": [1, 2]}),
    ],
)
def test_the_box_is_what_the_claim_selects(tables, wanted, box):
    assert rows_needed(of("table", **wanted), tables, ["law", "k"]) == {"table": box}


def test_a_table_that_is_not_read_is_left_out(tables):
    assert rows_needed(of("other", k=1), tables, ["law", "k"]) == {"other": {"k": [1]}}


def test_rows_that_are_no_box_lie_in_the_smallest(tables):
    def both(tables):
        table = tables["table"]
        return if_all_ok(table[(table["law"] == "a") & (table["k"] == 1) | (table["law"] == "b")], decide)

    assert rows_needed(claim(both), tables, ["law", "k"]) == {"table": {"law": ["a", "b"]}}


def test_a_control_counts_as_needed(tables):
    def controlled(tables):
        control = if_all_ok(rows_with(tables["table"], law="c"), decide)
        if control.outcome != "supported":
            return Verdict.inconclusive("the control")
        return if_all_ok(rows_with(tables["table"], law="a"), decide)

    assert rows_needed(claim(controlled), tables, ["law", "k"]) == {"table": {"law": ["a", "c"]}}


def test_a_claim_that_looks_at_no_status_says_nothing(tables):
    careless = claim(lambda tables: decide(tables["table"]))
    assert rows_needed(careless, tables, ["law", "k"]) == {}


def test_a_claim_that_breaks_on_failed_rows_minds_them(tables):
    def strict(tables):
        if (rows_with(tables["table"], k=2)["status"] != "ok").any():
            raise ValueError("no")
        return Verdict.above(1, 1, 1, 0)

    assert rows_needed(claim(strict), tables, ["law", "k"]) == {"table": {"k": [2]}}


def test_the_tables_are_left_as_they_were(tables):
    before = {name: table.copy() for name, table in tables.items()}
    rows_needed(of("table", k=1), tables, ["law", "k"])
    for name, table in tables.items():
        pd.testing.assert_frame_equal(table, before[name])


def test_of_the_committed_claims_the_box_is_enough_and_each_value_counts(committed):
    """Failing all outside changes nothing; where a link names rows, failing them changes the verdict."""
    from mibounds import study

    named = 0
    for result in committed:
        known = {one.id: one for one in study.load(result.slug).claims}
        for one in result.claims:
            for rows in one.rows:
                if not rows.box:
                    continue
                table, verdict = result.tables[rows.table], known[one.id].verdict
                inside = rows_in(table, rows.box)
                assert rows.count == inside.sum() < len(table)
                for failed, changed in ((~inside, False), (inside, True)):
                    marked = table.assign(status=table["status"].mask(failed, "failed"))
                    again = verdict({**result.tables, rows.table: marked}).as_dict()
                    assert (again != verdict(result.tables).as_dict()) == changed, (result.slug, one.id)
                named += 1
    assert named >= 20

"""Supported, refuted and inconclusive, by the interval alone."""

from __future__ import annotations

import json
import math

import pandas as pd
import pytest

from mibounds.errors import StudyError
from mibounds.study import Verdict, if_all_ok

SUPPORTED, REFUTED, INCONCLUSIVE = "supported", "refuted", "inconclusive"


@pytest.mark.parametrize(
    ("low", "high", "above", "below"),
    [
        (1.1, 2.0, SUPPORTED, REFUTED),
        (0.1, 0.9, REFUTED, SUPPORTED),
        (0.5, 1.5, INCONCLUSIVE, INCONCLUSIVE),
        (1.0, 1.0, INCONCLUSIVE, INCONCLUSIVE),
        (math.nan, math.nan, INCONCLUSIVE, INCONCLUSIVE),
        (1.1, math.inf, SUPPORTED, REFUTED),
        (-math.inf, math.inf, INCONCLUSIVE, INCONCLUSIVE),
    ],
)
def test_above_and_below(low, high, above, below):
    assert Verdict.above(1.0, low, high, threshold=1.0).outcome == above
    assert Verdict.below(1.0, low, high, threshold=1.0).outcome == below


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (-0.1, 0.4, SUPPORTED),
        (-0.6, 0.4, INCONCLUSIVE),
        (-0.1, 0.5, INCONCLUSIVE),
        (0.6, 0.9, REFUTED),
        (-0.9, -0.6, REFUTED),
        (math.nan, 0.1, INCONCLUSIVE),
    ],
)
def test_equivalent(low, high, outcome):
    assert Verdict.equivalent(0.0, low, high, margin=0.5).outcome == outcome


def test_a_conjunction_takes_its_weakest_part():
    yes, no, open_ = (Verdict(outcome, effect=1.0) for outcome in (SUPPORTED, REFUTED, INCONCLUSIVE))
    assert Verdict.all_of(yes, yes).outcome == SUPPORTED
    assert Verdict.all_of(yes, open_).outcome == INCONCLUSIVE
    assert Verdict.all_of(open_, no, yes) is no
    with pytest.raises(StudyError, match="at least one part"):
        Verdict.all_of()


def test_an_outcome_is_one_of_three():
    with pytest.raises(StudyError, match="got 'true'"):
        Verdict("true")


def test_ends_that_are_not_finite_are_null_in_json():
    verdict = Verdict.above(1, 0.5, math.inf, threshold=0.0, unit="nats", reason="one-sided")
    assert json.loads(json.dumps(verdict.as_dict(), allow_nan=False)) == {
        "outcome": "supported",
        "effect": 1.0,
        "low": 0.5,
        "high": None,
        "unit": "nats",
        "reason": "one-sided",
    }


def test_a_claim_on_failed_or_absent_cells_is_inconclusive():
    rows = pd.DataFrame({"value": [1.0, 2.0], "status": ["ok", "diverged"]})

    def decide(needed: pd.DataFrame) -> Verdict:
        return Verdict.above(needed["value"].mean(), 0.5, 2.0, threshold=0.0)

    assert if_all_ok(rows[:1], decide).outcome == SUPPORTED
    failed = if_all_ok(rows, decide)
    assert failed.outcome == INCONCLUSIVE and "diverged" in failed.reason and "1 of 2" in failed.reason
    assert "no row" in if_all_ok(rows[:0], decide).reason

"""Supported, refuted and inconclusive, by the interval alone."""

from __future__ import annotations

import json
import math

import pandas as pd
import pytest

from mibounds.errors import StudyError
from mibounds.study import Verdict, all_above, best_by_others, first_failure, if_all_ok, provided

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


@pytest.mark.parametrize(
    ("verdict", "times"),
    [
        (Verdict.above(1.0, -1.0, 3.0, threshold=0.0), "about 4"),
        (Verdict.above(-1.0, -4.0, 2.0, threshold=0.0), "about 9"),
        (Verdict.below(1.0, 0.0, 2.5, threshold=2.0), "about 3"),  # 1.5 has to become 1
        (Verdict.equivalent(0.1, -0.7, 0.9, margin=0.5), "about 4"),  # the nearer end is the harder one
        (Verdict.equivalent(0.6, 0.4, 0.8, margin=0.5), "about 4"),
        (Verdict.above(0.0, -1.0, 1.0, threshold=0.0), "over 1,000"),
        (Verdict.above(0.5, -math.inf, 1.0, threshold=0.0), "over 1,000"),
    ],
)
def test_what_is_undecided_says_what_would_decide_it(verdict, times):
    assert verdict.outcome == INCONCLUSIVE
    assert verdict.reason == f"{times} times the replicates would decide, were the effect as found"


def test_what_is_decided_or_has_no_effect_asks_for_nothing():
    assert Verdict.above(1.0, 0.5, 2.0, threshold=0.0, reason="all").reason == "all"
    assert Verdict.above(math.nan, math.nan, math.nan, threshold=0.0, reason="none").reason == "none"


def test_the_group_that_decides_is_named():
    low, high = [0.4, 0.5, 0.45], [0.8, 0.9, 0.85]
    assert all_above({("digits", 8): low, ("digits", 2): high}, 0.1, "nats").reason == "worst of 2: digits, 8"
    assert all_above({"digits": low}, 0.1, "nats").reason == "digits"


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


def test_a_control_that_came_out_as_wanted_lets_the_claim_be_decided_and_no_other_does():
    decided = []

    def decide() -> Verdict:
        decided.append(True)
        return Verdict("refuted")

    assert provided(Verdict("supported"), "it was to hold", decide).outcome == "refuted"
    for outcome in ("refuted", "inconclusive"):
        found = provided(Verdict(outcome), "it was to hold", decide)
        assert (found.outcome, found.reason) == ("inconclusive", f"it was to hold; that is {outcome}")
    assert len(decided) == 1, "what a broken control forbids is not computed"


def test_a_row_is_as_sound_as_all_that_it_was_made_by():
    assert first_failure() == first_failure("ok", "ok") == "ok"
    assert first_failure("ok", "features are not finite") == "features are not finite"
    assert first_failure("diverged at step 3", "features are not finite") == "diverged at step 3"


def test_the_best_of_the_others_is_not_ones_own_luck():
    lucky = pd.DataFrame({"a": [1.0, 0.0, 1.0, 0.0], "b": [0.0, 1.0, 0.0, 1.0]})
    assert best_by_others(lucky).mean() == 0.0
    assert best_by_others(lucky.assign(c=3.0)).tolist() == [3.0] * 4

"""The arithmetic of times: who takes which turn, medians, ratios turn by turn. Nothing here is timed."""

from __future__ import annotations

from benchmarks._timing import Spread, in_turns, ratio, spread


def test_acts_take_turns_and_the_first_ones_do_not_count():
    said: list[str] = []
    moments = iter(range(1000))
    acts = {"a": lambda: said.append("a"), "b": lambda: [said.append("b"), next(moments)]}
    taken = in_turns(acts, 3, warmups=2, clock=lambda: next(moments))
    assert "".join(said) == "ab" * 5
    assert taken == {"a": [1, 1, 1], "b": [2, 2, 2]}


def test_an_act_of_another_process_tells_its_own_seconds():
    taken = in_turns({"there": lambda: 7.5, "here": lambda: 7}, 2, clock=iter(range(1000)).__next__)
    assert taken == {"there": [7.5, 7.5], "here": [1, 1]}


def test_a_spread_is_the_median_and_both_ends():
    assert spread([5.0, 1.0, 2.0]) == Spread(median=2.0, low=1.0, high=5.0)
    assert spread([4.0, 1.0]).median == 2.5


def test_a_ratio_is_taken_turn_by_turn():
    """A turn in which the machine was busy lengthens both, and says nothing of their ratio."""
    assert ratio([2.0, 200.0, 6.0], [1.0, 100.0, 2.0]) == Spread(median=2.0, low=2.0, high=3.0)

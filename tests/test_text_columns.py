"""Text beside numbers, NaN or in the place of numbers: kept apart, refused by row, or taken with a warning."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import torch

from mibounds.data import paired_samples
from mibounds.errors import DataError

N = 200
FLAGS = [0, 1] * (N // 2)
TIMES = N // 4


@pytest.mark.parametrize(
    ("values", "said"),
    [
        (["a", math.nan, "b", "a"] * TIMES, "has no entry in 50 of 200 rows, first in row 1"),
        (["a", None, "b", "a"] * TIMES, "has no entry in 50 of 200 rows, first in row 1"),
        (["a", "b", 1.5, "a"] * TIMES, "holds float objects, first in row 2"),
        (("a", "b", True, "a") * TIMES, "holds bool objects, first in row 2"),
        (
            [["a", 1], ["b", math.nan]] * (N // 2),
            "x, column '1', has NaN or infinity in 100 of 200 rows, first in row 1",
        ),
        ([["a", 1], ["b", "c"]] * (N // 2), "column '1', holds int objects, first in row 0"),
    ],
)
def test_what_stands_beside_text_in_a_list_becomes_no_text(values, said):
    with pytest.raises(DataError, match=said):
        paired_samples(values, FLAGS)


@pytest.mark.parametrize("holder", [list, lambda rows: np.array(rows, dtype=object)])
def test_numbers_beside_a_column_of_text_stay_numbers(holder):
    rows = holder([["b", 2, 0.5], ["a", 10, 1.5], ["b", 9, 2.5], ["a", 1, 3.5]])
    samples = paired_samples(rows, [1.0, 2.0, 3.0, 4.0])
    assert samples.x.tolist() == [[1, 2, 0.5], [0, 10, 1.5], [1, 9, 2.5], [0, 1, 3.5]]
    assert dict(samples.categories_x) == {0: "0"}


WIDE = [2**53 + i % 4 for i in range(N)]


@pytest.mark.parametrize(
    "values",
    [
        WIDE,
        [-number for number in WIDE],
        np.array(WIDE, dtype=np.uint64),
        np.ma.MaskedArray(WIDE, dtype=np.int64),
        torch.tensor(WIDE),
        pd.Series(WIDE),
        pd.Series(WIDE, dtype="Int64"),
        [["a", number] for number in WIDE],
    ],
)
def test_integers_that_a_float_no_longer_tells_apart_are_refused(values):
    with pytest.raises(
        DataError, match="holds integers that differ beyond a float's 53 bits; pass them as text"
    ):
        paired_samples(FLAGS, values)


def test_large_integers_that_stay_apart_are_numbers_and_the_others_may_be_text():
    even = [2**53 + 2 * (i % 4) for i in range(N)]
    assert paired_samples(FLAGS, even).y[:, 0].tolist() == even
    assert len(np.unique(paired_samples(FLAGS, [str(number) for number in WIDE]).y)) == 4


DAYS = ["2024-01-01", "2024-01-02 10:00"] * (N // 2)


@pytest.mark.parametrize(
    ("entries", "said"),
    [
        ([*"1234"] * (TIMES - 1) + ["1", "?", "2", "3"], "numbers as text but for '?' in row 197, from 0"),
        (["1", "2,5"] * (N // 2), "numbers as text but for '2,5' in row 1, from 0"),
        (DAYS, "dates as text, such as '2024-01-01'"),
    ],
)
def test_text_that_seems_to_be_numbers_or_dates_is_taken_with_a_warning(entries, said):
    samples = paired_samples(pd.DataFrame({"c": entries}), FLAGS, repeats_expected=True)
    assert samples.warnings == (f"x, column 'c', holds {said}; taken as categories",)
    chosen = paired_samples(pd.DataFrame({"c": pd.Categorical(entries)}), FLAGS, repeats_expected=True)
    assert chosen.warnings == (), "who makes categories means categories"


@pytest.mark.parametrize("entries", [[*"1234"] * TIMES, [*"abc1"] * TIMES, ["1", "2", "3", "more"] * TIMES])
def test_plain_labels_bring_no_warning(entries):
    assert paired_samples(entries, FLAGS, repeats_expected=True).warnings == ()


def test_numbers_as_text_that_hardly_repeat_are_refused_with_the_first_that_is_none():
    entries = [*map(str, range(N - 1)), "?"]
    with pytest.raises(
        DataError, match=r"hardly repeat .* it seems to hold numbers as text but for '\?' in row 199"
    ):
        paired_samples(entries, FLAGS)


def test_a_missing_category_is_missing():
    grades = pd.Series(pd.Categorical(["a", None, "b", "a"] * TIMES))
    with pytest.raises(DataError, match="has no entry in 50 of 200 rows, first in row 1"):
        paired_samples(grades, FLAGS)

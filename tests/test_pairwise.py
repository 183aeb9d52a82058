"""Every two columns once, each pair by what suits it; a pair that fails is a row that says why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import mibounds
from mibounds.errors import DataError, ParameterError, UnknownNameError
from mibounds.pairwise import kind_of, method_for, p_value, pairwise, square
from mibounds.plots.matrix import draw_matrix, linkage_of
from mibounds.statistics import holm


def table(n: int = 300) -> pd.DataFrame:
    random = np.random.default_rng(0)
    height = random.normal(size=n)
    return pd.DataFrame(
        {
            "height": height,
            "weight": height + 0.5 * random.normal(size=n),
            "age": random.normal(size=n).round(1),
            "sex": np.where(height + random.normal(size=n) > 0, "m", "f"),
            "smokes": random.random(n) < 0.3,
        }
    )


TABLE = table()


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (TABLE["height"], "continuous"),
        (TABLE["age"], "rounded"),
        (TABLE["sex"], "discrete"),
        (TABLE["smokes"], "discrete"),
        (TABLE["sex"].astype("category"), "discrete"),
        (pd.Series(range(20)), "rounded"),
        (pd.Series(np.arange(20) ** 0.5), "continuous"),
        (pd.Series([*range(20)] * 5), "discrete"),
        (pd.Series([*range(21)] * 5), "rounded"),
        (pd.Series([*range(20)] * 2), "rounded"),
    ],
)
def test_the_kind_of_a_column(column, kind):
    assert kind_of(column) == kind


def test_each_pair_is_what_estimate_says_by_the_method_that_suits():
    found = pairwise(TABLE)
    assert len(found) == 10 and len(set(zip(found["column_x"], found["column_y"], strict=True))) == 10
    assert (found["status"] == "ok").all()
    for row in found.itertuples():
        assert row.method == method_for(row.kind_x, row.kind_y)
        alone = mibounds.estimate(TABLE[row.column_x], TABLE[row.column_y], method=row.method)
        assert (row.estimate_nats, row.low_nats, row.high_nats) == (alone.nats, *alone.interval)
    by_pair = found.set_index(["column_x", "column_y"])["method"]
    assert by_pair["height", "weight"] == "ksg" and by_pair["height", "age"] == "mixed"
    assert by_pair["age", "sex"] == "ross" and by_pair["sex", "smokes"] == "discrete"


def test_what_is_shared_is_found_and_what_is_not_is_not():
    found = pairwise(TABLE).set_index(["column_x", "column_y"])
    assert found.loc[("height", "weight"), "p_holm"] < 1e-6 and found.loc[("height", "sex"), "p_holm"] < 1e-3
    assert (found.drop([("height", "weight"), ("height", "sex"), ("weight", "sex")])["p_holm"] > 0.05).all()
    assert found["p_holm"].tolist() == pytest.approx(holm(found["p_value"]).tolist())


def test_p_values_are_valid_where_nothing_is_shared():
    values = [
        pairwise(pd.DataFrame(np.random.default_rng(seed).normal(size=(200, 2))))["p_value"][0]
        for seed in range(60)
    ]
    assert np.mean(np.array(values) < 0.05) <= 0.15


def test_workers_and_the_order_of_what_is_done_change_nothing():
    counted: list[int] = []
    one, four = pairwise(TABLE), pairwise(TABLE, workers=4, done=counted.append)
    pd.testing.assert_frame_equal(one, four)
    assert counted == list(range(1, 11))


def test_a_pair_that_fails_is_a_row_that_says_why():
    broken = TABLE.assign(
        name=[f"row {i}" for i in range(len(TABLE))], gap=TABLE["height"].where(TABLE.index > 0)
    )
    found = pairwise(broken[["height", "sex", "name", "gap"]])
    failed = found[found["status"] != "ok"]
    assert len(failed) == 5 and failed["estimate_nats"].isna().all() and failed["p_holm"].isna().all()
    assert failed["status"].str.startswith("failed: ").all() and "hardly repeat" in failed["status"].iloc[0]
    assert found[found["status"] == "ok"]["p_holm"].notna().all()


def test_the_square_is_symmetric_without_a_diagonal():
    found = pairwise(TABLE)
    matrix = square(found)
    assert matrix.equals(matrix.T) and np.isnan(np.diag(matrix)).all()
    assert matrix.loc["weight", "height"] == found["estimate_nats"][0]


def test_columns_that_share_most_are_joined_first_and_drawn_side_by_side():
    matrix = square(pairwise(TABLE))
    first = {matrix.index[int(i)] for i in linkage_of(matrix)[0, :2]}
    assert first == {"height", "weight"}
    ticks = [text.get_text() for text in draw_matrix(matrix).axes[1].get_xticklabels()]
    assert set(ticks) == set(matrix) and abs(ticks.index("height") - ticks.index("weight")) == 1


@pytest.mark.parametrize(
    ("options", "error", "said"),
    [
        ({"workers": 0}, ParameterError, "workers must be at least 1"),
        ({"workers": "2"}, ParameterError, "workers must be at least 1; got '2'"),
        ({"workers": None}, ParameterError, "workers must be at least 1; got None"),
        ({"confidence": 1.0}, ParameterError, "confidence must lie between 0 and 1"),
        ({"confidence": "0.95"}, ParameterError, "confidence must lie between 0 and 1; got '0.95'"),
        ({"confidence": 1e-17}, ParameterError, "confidence is too near 0 or 1"),
        ({"method": 1}, ParameterError, "method must be the name"),
        ({"method": "kgs"}, UnknownNameError, "'ksg'"),
        ({"options": {"neighbours": 2}}, ParameterError, "expected method beside them"),
        (
            {"method": "ksg", "options": {"seed": 2}},
            ParameterError,
            "must be the method's parameters; got 'seed'",
        ),
        ({"method": "ksg", "options": {"neighbors": 2}}, UnknownNameError, "'neighbours'"),
    ],
)
def test_mistakes_are_named(options, error, said):
    with pytest.raises(error, match=said):
        pairwise(TABLE, **options)
    with pytest.raises(DataError, match="two columns or more; got 1"):
        pairwise(TABLE[["height"]])


def test_of_few_rows_no_p_value_is_zero_and_a_warning_says_what_it_is_worth():
    for n in (10, 11, 39):
        found = pairwise(TABLE.head(n)[["height", "weight"]])
        assert found["p_value"][0] > 0 and found["low_nats"][0] < found["high_nats"][0]
        assert found["warnings"][0].startswith(f"the p-value is not to be trusted: only {n} pairs")
    assert "p-value" not in pairwise(TABLE.head(40)[["height", "weight"]])["warnings"][0]


def test_an_interval_that_tells_no_error_tells_no_p_value():
    found = mibounds.estimate(TABLE["height"], TABLE["weight"], method="gaussian")
    assert np.isnan(p_value(replace(found, interval=(-np.inf, np.inf), confidence=1 - 2**-53)))
    assert np.isnan(p_value(replace(found, interval=(found.nats, found.nats), confidence=1e-17)))

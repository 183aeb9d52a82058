"""Hostile samples: an answer with what is doubtful about it, or a refusal by name. The whole sweep is a benchmark."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from benchmarks import hostile
from benchmarks._hostile_inputs import all_inputs, pairs
from mibounds.data import paired_samples
from mibounds.errors import DataError, MiboundsError
from mibounds.estimators import estimate
from mibounds.estimators._suspicions import spread_by_half
from mibounds.pairwise import pairwise

INPUTS = all_inputs()
QUICK = ("gaussian", "histogram")
NUMBERS = [name for name, one in INPUTS.items() if one.kind == "numbers"]
HELD = [name for name, one in INPUTS.items() if one.kind in ("holder", "unusable")]
FEW = {"max_steps": 2, "check_every": 1}
UNITS = ((1e-30, 1e-30), (1e30, 1e30), (1e-30, 1e30), (1e-300, 1e300), (1e-310, 1.0))


@pytest.mark.filterwarnings("ignore:.*nested tensors.*")
@pytest.mark.parametrize("name", HELD)
def test_whatever_holds_numbers_is_read_alike_and_all_else_is_refused(name):
    def read(x, y, method):
        paired_samples(x, y)
        return {"outcome": "answer"}

    row = hostile.judged(INPUTS[name], "any", read)
    right = {"answer": ("answer",), "refusal": ("refused",), "either": ("answer", "refused")}
    assert row["outcome"] in right[INPUTS[name].expects], row


@pytest.mark.parametrize("name", NUMBERS)
def test_odd_numbers_are_read_or_doubted_or_refused(name):
    for method in QUICK:
        row = hostile.judged(INPUTS[name], method, hostile._estimate)
        assert not row["outcome"].startswith("fault"), (method, row)


@pytest.mark.parametrize("method", ["gaussian", "histogram", "ksg", "mixed", "ross", "student_copula"])
def test_units_do_not_matter(method):
    x, y = pairs(64)
    x = x.round(0) if method == "ross" else x
    plain = estimate(x, y, method=method).nats
    for unit_x, unit_y in UNITS if method in QUICK else UNITS[2:3]:
        scaled = estimate(x * unit_x, y * unit_y, method=method).nats
        assert scaled == pytest.approx(plain, abs=1e-3), (unit_x, unit_y)


@pytest.mark.parametrize("method", ["info_nce"])
@pytest.mark.parametrize("name", ["one row at 1e200", "all but one row of both equal"])
def test_what_trains_is_finite_or_refuses(name, method):
    row = hostile.judged(INPUTS[name], method, lambda x, y, method: estimate(x, y, method=method, **FEW))
    assert row["outcome"] in ("answer", "warned", "refused"), row


@pytest.mark.parametrize(
    ("name", "method", "said"),
    [
        ("Cauchy columns", "gaussian", "columns are not normal: of their ranks' normal scores it reads 0.5"),
        ("tails of exp(exp(x))", "ksg", "x has values so far out, in column '0', that"),
        ("one row at 1e200 in x", "mixed", "x has values so far out"),
        ("each pair twice", "discrete", "stands in 2.0 pairs on the mean"),
        ("columns times 1e-30 and 1e30", "histogram", "cut into 3 bins each"),
        ("5 rows", "gaussian", "only 5 pairs"),
        ("100 rows of 60 + 60, independent", "ksg", "more columns (120) than pairs (100)"),
    ],
)
def test_what_is_doubtful_is_said(name, method, said):
    warned = " | ".join(estimate(*INPUTS[name].make(), method=method).warnings)
    assert said in warned


def test_far_values_are_said_of_the_column_as_the_user_calls_it():
    random = np.random.default_rng(0)
    far, y = random.standard_cauchy(300), random.normal(size=300)
    frame = pd.DataFrame(
        {"flat": 1.0, "near": random.normal(size=300), "group": list("abc") * 100, "far": far}
    )
    warned = estimate(frame, y, method="mixed").warnings
    assert any("so far out, in column 'far', that" in warning for warning in warned)
    warned = estimate(frame.drop(columns="group").to_numpy(), y, method="ksg").warnings
    assert any("so far out, in column '2', that" in warning for warning in warned)
    assert paired_samples(frame, y).one_hot().name_of("x", 1) == "far"


def test_a_density_that_reads_more_than_its_pairs_can_show_says_so():
    warned = estimate(*INPUTS["y holds x"].make(), method="gaussian_mixture").warnings
    assert any("rests on the model alone" in warning for warning in warned)


def test_a_histogram_of_y_equal_to_x_is_saturated():
    found = estimate(*INPUTS["y is x"].make(), method="histogram")
    assert found.saturated and found.ceiling_nats == pytest.approx(math.log(7), abs=0.01)
    assert not estimate(*pairs(), method="histogram").saturated


def test_plain_normals_are_not_doubted():
    x, y = pairs(400)
    for method in ("gaussian", "ksg", "histogram"):
        assert estimate(x, y, method=method).warnings == ()


def test_how_far_out_values_are():
    source = np.random.default_rng(0)
    columns = np.stack([source.normal(size=10_000), np.exp(source.normal(size=10_000))], axis=1)
    assert spread_by_half(columns) == pytest.approx([1.0, 3.1], rel=0.15)
    assert spread_by_half(1e-310 * columns[:, :1]) == pytest.approx([1.0], rel=0.15)
    assert spread_by_half(np.eye(9)[:, :1]).tolist() == [0.0], "a flag tells nothing"
    is_missing = source.random((10_000, 1)) < 0.3
    assert spread_by_half(np.where(is_missing, -999.0, columns[:, :1])) > 300
    assert spread_by_half(np.where(is_missing, 0.0, columns[:, 1:])) < 4


def test_numbers_whose_sums_overflow_are_refused_with_what_to_do():
    x, y = pairs(20)
    with pytest.raises(
        DataError, match=r"column '0', holds numbers so large that their sums overflow; .* divide"
    ):
        paired_samples(x * 1e305, y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(paired_samples(x * 1e300, y)) == 20


def test_what_was_given_stays_as_it_was():
    x, y = torch.tensor(pairs(60)[0], requires_grad=True), pairs(60)[1]
    kept_x, kept_y = x.detach().clone(), y.copy()
    for method in QUICK[:2]:
        estimate(x, y, method=method)
    assert (
        torch.equal(x.detach(), kept_x) and np.array_equal(y, kept_y) and x.grad is None and x.requires_grad
    )


def test_tables_for_pairwise_are_looked_at():
    x, y = pairs(60)
    table = pd.DataFrame({"a": x[:, 0].astype(">f8"), "b": y[:, 0], "c": [{}] * 60})
    found = pairwise(table)
    assert found["status"].tolist()[0] == "ok" and all(s.startswith("failed: ") for s in found["status"][1:])
    assert hostile.judged(INPUTS["long double beyond a float"], "", hostile._pairwise)["outcome"] == "refused"
    for wrong, said in (
        (np.hstack([x, y]), "pandas DataFrame; got ndarray"),
        (table.iloc[:0], "has none"),
        (table.set_axis(["a", "a", "c"], axis=1), "'a' more than once"),
    ):
        with pytest.raises(MiboundsError, match=said):
            pairwise(wrong)


def test_the_judge_finds_faults():
    """A sweep that could not fail would say nothing."""

    def warn(x, y, method):
        warnings.warn("leak", RuntimeWarning, stacklevel=2)

    def change(x, y, method):
        y += 1
        raise DataError("refused")

    one = INPUTS["times 1e-30"]
    silent = estimate(*INPUTS["Cauchy columns"].make(), method="ksg")
    for of, said in (
        (warn, "leaked RuntimeWarning"),
        (change, "changed what was given"),
        (lambda x, y, method: 1 / 0, "ZeroDivisionError"),
        (lambda x, y, method: replace(silent, nats=5.0, interval=(4.9, 5.1), warnings=()), "nothing said"),
        (lambda x, y, method: replace(silent, nats=math.nan), "not finite"),
    ):
        assert said in hostile.judged(one, "ksg", of)["outcome"]
    assert (
        "must be refused" in hostile.judged(INPUTS["one NaN"], "ksg", lambda x, y, method: silent)["outcome"]
    )

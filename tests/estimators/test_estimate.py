"""`estimate` from the user's side: near the truth, repeatable, and clear about what it cannot use."""

from __future__ import annotations

import json
import math
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest
import torch

import mibounds
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import DataError, MiboundsError, ParameterError, ShapeError, UnknownNameError
from mibounds.estimators import Estimate, build, estimate_file, methods

LAW = Gaussian.from_mutual_information(2, 1.0)
X, Y = (side.numpy() for side in LAW.sample(1500, 0))
QUICK = {"method": "info_nce", "max_steps": 300}
TINY = {"method": "info_nce", "max_steps": 4, "check_every": 2, "batch_size": 16, "critic": "bilinear"}


def test_info_nce_lies_below_the_truth_and_near_it():
    found = mibounds.estimate(X, Y, **QUICK)
    assert found.interval[0] < found.nats < found.interval[1]
    assert found.interval[0] < 1.0 and found.nats > 0.6
    assert found.folds == {"train": 900, "select": 300, "report": 300}
    assert found.ceiling_nats == pytest.approx(math.log(300)) and not found.saturated


@pytest.mark.parametrize(("dim", "truth_nats", "tolerance"), [(1, 0.5, 0.15), (5, 2.0, 0.5)])
def test_the_mean_over_seeds_lies_under_the_truth_by_little(dim, truth_nats, tolerance):
    law = Gaussian.from_mutual_information(dim, truth_nats)
    values = [mibounds.estimate(*law.sample(1500, seed), seed=seed, **QUICK).nats for seed in range(3)]
    assert truth_nats - tolerance < np.mean(values) < truth_nats + 0.1


def test_independent_sides_hold_nothing():
    found = mibounds.estimate(X, np.roll(Y, 7, axis=0), **QUICK)
    assert found.interval[0] < 0.0 and found.nats < 0.05


def test_a_negative_value_is_kept_and_explained():
    x, y = (np.random.default_rng(seed).normal(size=(200, 10)) for seed in (0, 1))
    found = mibounds.estimate(x, y, method="info_nce", max_steps=100)
    assert found.nats < 0
    assert any("negative" in warning for warning in found.warnings)


def test_the_same_seed_repeats_and_the_arrays_stay_as_they_are():
    x, y = X.copy(), Y.copy()
    first, again, other = (
        mibounds.estimate(x, y, method="info_nce", seed=seed, max_steps=50) for seed in (0, 0, 1)
    )
    assert first == again and first.nats != other.nats
    assert np.array_equal(x, X) and np.array_equal(y, Y)


HOLDERS = {
    "float64": lambda a: a.astype(np.float64),
    "lists": lambda a: a.tolist(),
    "tensor": lambda a: torch.tensor(a, requires_grad=True),
    "frame": lambda a: pd.DataFrame(a, index=range(7, 7 + len(a))),
    "not contiguous": lambda a: np.asfortranarray(a)[:, ::1],
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_what_holds_the_numbers_does_not_matter(holder):
    found = mibounds.estimate(HOLDERS[holder](X), HOLDERS[holder](Y), **TINY)
    assert found == mibounds.estimate(X, Y, **TINY)


def test_linear_units_do_not_matter():
    found, moved = mibounds.estimate(X, Y, **QUICK), mibounds.estimate(1e6 * X + 3, Y * 1e-9, **QUICK)
    assert moved.nats == pytest.approx(found.nats, abs=0.02)


def test_an_information_near_the_ceiling_is_called_saturated():
    x = np.random.default_rng(0).normal(size=(600, 4))
    found = mibounds.estimate(x, x + 1e-3, method="info_nce", max_steps=1000, learning_rate=3e-3)
    assert found.saturated and "saturated" in str(found) and found.nats <= found.ceiling_nats


def test_an_estimate_in_words():
    found = Estimate(
        nats=0.51234,
        interval=(0.41, 0.6149),
        method="info_nce",
        direction="lower",
        validity="bound in expectation",
        ceiling_nats=math.log(300),
        saturated=False,
        folds={"train": 900, "select": 300, "report": 300},
        confidence=0.95,
    )
    assert str(found) == (
        "0.512 nats (95% interval 0.410 to 0.615) by info_nce, a lower bound: the truth may lie above"
    )
    assert str(replace(found, nats=5.0, interval=(4.9, 5.1), saturated=True, confidence=0.999)) == (
        "5.000 nats (99.9% interval 4.900 to 5.100) by info_nce, a lower bound: the truth may lie above\n"
        "saturated: the most that this report fold could show is 5.704 nats"
    )
    assert str(replace(found, direction="upper")).endswith("an upper bound: the truth may lie below")
    assert str(replace(found, validity="plug-in")).endswith(
        "a lower bound (plug-in): the truth may lie above"
    )
    assert str(replace(found, direction="none")).endswith("no bound: the truth may lie on either side")


@pytest.mark.parametrize("method", methods())
def test_every_method_answers_and_its_answer_is_json(method):
    known = {f.name for f in fields(build(method))}
    trains = "max_steps" in known
    options = {name: value for name, value in TINY.items() if name in known}
    of_classes = method in ("discriminant", "logistic", "ross")
    x, y = (side[:200] > 0 if of_classes or method == "discrete" else side[:200] for side in (X, Y))
    found = mibounds.estimate(x, Y[:200] if of_classes else y, method=method, **options)
    assert found.method == {"variational": "info_nce", "variational_upper": "leave_one_out"}.get(
        method, method
    )
    assert json.loads(json.dumps(found.as_dict(), allow_nan=False))["nats"] == found.nats
    frame = pd.DataFrame(found.history)
    assert len(frame) == 2 or not trains
    if found.direction == "none" and "bound" in known:
        assert any("no bound" in warning for warning in found.warnings)
    if found.validity == "plug-in":
        assert any("in the limit of many pairs" in warning for warning in found.warnings)


CATEGORIES = np.where(Y[:, 0] > 0, "high", "low")


def test_categories_become_columns_of_0_and_1_for_a_critic_and_are_refused_by_what_needs_numbers():
    one_hot = np.stack([CATEGORIES == "high", CATEGORIES == "low"], axis=1)
    found = mibounds.estimate(X, CATEGORIES, **TINY)
    assert found == mibounds.estimate(X, one_hot, **TINY)
    frame = pd.DataFrame({"level": CATEGORIES, "y": Y[:, 1]})
    for method in ("ksg", "gaussian", "histogram"):
        with pytest.raises(
            DataError, match=f"{method} takes numbers, and 'level' holds categories; expected one of"
        ):
            mibounds.estimate(X, frame, method=method)


def test_repeats_are_no_copies_where_values_are_discrete():
    def warned(x, y, method):
        return any(
            "repeat an earlier one" in said for said in mibounds.estimate(x, y, method=method).warnings
        )

    few, some = X[:, 0] > 0, X[:, 0].round(2)
    assert not warned(few, Y[:, 0] > 0, "discrete") and not warned(few, Y[:, 0] > 0, "gaussian")
    assert not warned(some, Y[:, 0] > 0, "discrete") and warned(some, Y[:, 0] > 0, "gaussian")
    assert warned(np.tile(X, (2, 1)), np.tile(Y, (2, 1)), "gaussian")


def test_the_options_of_a_bound_reach_it():
    assert build("smile", clip=1.5).bound.clip == 1.5
    assert build("interpolated", alpha=0.2, batch_size=np.int64(8)).bound.alpha == 0.2


COMPLEX = X.astype(complex)
WITH_NAN = np.where(np.arange(1500)[:, None] == 3, np.nan, X)
INFO_NCE = {"method": "info_nce"}
COSINE, CONCATENATED = ({**INFO_NCE, "critic": name} for name in ("cosine", "concatenated"))
BAD_INPUT = [
    (X, Y[:-1], {}, ShapeError, "1500 and 1499"),
    (WITH_NAN, Y, {}, DataError, "1 of 1,500 rows, first in row 3"),
    (np.ones((1500, 1)), Y, {}, DataError, "x is constant"),
    (X[:40], Y[:40], INFO_NCE, DataError, "at least 159"),
    (X.astype(str), Y, {}, DataError, "expected numbers"),
    (COMPLEX, Y, {}, DataError, "complex"),
    (torch.tensor(COMPLEX), Y, {}, DataError, "complex"),
    (X[:, None], Y, {}, ShapeError, "(1500, 1, 2)"),
    (3.0, Y, {}, ShapeError, "n x dim"),
    ([], [], {}, DataError, "empty"),
    (X[:, :0], Y, {}, DataError, "empty"),
    ([[1, 2], [3]], [1, 2], {}, ShapeError, "equally long"),
    (X, Y, {"method": "info_nec"}, UnknownNameError, "'info_nce'"),
    (X, Y, {**INFO_NCE, "critic": "seperable"}, UnknownNameError, "'separable'"),
    (X, Y, {**INFO_NCE, "critic": "optimal"}, ParameterError, "known law"),
    (X, Y, {**INFO_NCE, "critic": "cosine"}, ParameterError, "temperature"),
    (
        X,
        Y,
        {**INFO_NCE, "critic": "cosine", "critic_options": {"temperature": 0.0}},
        ParameterError,
        "greater than 0",
    ),
    (X, Y, {**INFO_NCE, "critic_options": {"hiden": (8,)}}, UnknownNameError, "did you mean 'hidden'"),
    (X, Y, {**INFO_NCE, "critic_options": {"hidden": (8, 0)}}, ParameterError, "got (8, 0)"),
    (X, Y, {**INFO_NCE, "critic_options": {"embedding": 1.5}}, ParameterError, "got 1.5"),
    (X, Y, {**COSINE, "critic_options": {"temperature": "hot"}}, ParameterError, "got 'hot'"),
    (X, Y, {**CONCATENATED, "critic_options": {"hidden": ()}}, ParameterError, "got ()"),
    (X, Y, {"method": "club", "critic": "separable"}, UnknownNameError, "option of club"),
    (X, Y, {"method": "gaussian", "critic": "separable"}, UnknownNameError, "option of gaussian"),
    (X, Y, {"method": "smile", "clip": 0.0}, ParameterError, "clip must be"),
    (X, Y, {"method": "smile", "clip": "many"}, ParameterError, "wrong kind"),
    (X, Y, {"method": "smile", "clop": 1.0}, UnknownNameError, "'clip'"),
    (X, Y, {"method": "smile", "bound": None}, UnknownNameError, "option of smile"),
    (X, Y, {**INFO_NCE, "batch_size": 1}, ParameterError, "at least 2"),
    (X, Y, {**INFO_NCE, "batch_size": 2.5}, ParameterError, "2.5"),
    (X, Y, {**INFO_NCE, "max_steps": 0}, ParameterError, "max_steps"),
    (X, Y, {**INFO_NCE, "patience": 0}, ParameterError, "patience"),
    (X, Y, {**INFO_NCE, "learning_rate": 0.0}, ParameterError, "learning_rate"),
    (X, Y, {**INFO_NCE, "learning_rate": math.nan}, ParameterError, "learning_rate"),
    (X, Y, {**INFO_NCE, "learning_rate": "fast"}, ParameterError, "wrong kind"),
    (X, Y, {**INFO_NCE, "folds": (0.5, 0.5)}, ParameterError, "three shares"),
    (X, Y, {**INFO_NCE, "folds": 0.5}, ParameterError, "wrong kind"),
    (X, Y, {"device": "nowhere"}, ParameterError, "device"),
    (X, Y, {"confidence": 95}, ParameterError, "between 0 and 1"),
    (X, Y, {"confidence": "0.95"}, ParameterError, "between 0 and 1; got '0.95'"),
    (X, Y, {"confidence": None}, ParameterError, "between 0 and 1; got None"),
    (X, Y, {"confidence": [0.9]}, ParameterError, "between 0 and 1; got [0.9]"),
    (X, Y, {"method": None}, ParameterError, "method must be the name of a bound or an estimator; got None"),
    (X, Y, {"method": 1}, ParameterError, "method must be the name of a bound or an estimator; got 1"),
    (X, Y, {**INFO_NCE, "critic": None}, UnknownNameError, "unknown critic None"),
    (X, Y, {"method": "variational", "bound": "nwk"}, UnknownNameError, "did you mean 'nwj'?"),
    (
        X,
        Y,
        {"method": "variational", "bound": 3},
        ParameterError,
        "bound must be a bound or the name of one; got 3",
    ),
    (X, Y, {"method": "variational_upper", "bound": "nwj"}, ParameterError, "takes the scores of a critic"),
    (X, Y, {"method": "minde", "joint": "yes"}, ParameterError, "joint must be True or False; got 'yes'"),
    (X, Y, {"budget": "fast", "device": "gpu"}, ParameterError, "device must be auto"),
    (X, Y, {"seed": 0.5}, ParameterError, "seed"),
]


@pytest.mark.parametrize(("x", "y", "options", "error", "said"), BAD_INPUT, ids=range(len(BAD_INPUT)))
def test_bad_input_is_a_named_error_of_one_line(x, y, options, error, said):
    with pytest.raises(error) as caught:
        mibounds.estimate(x, y, **options)
    assert isinstance(caught.value, MiboundsError)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_bound_by_name_is_that_bound():
    options = {name: value for name, value in TINY.items() if name != "method"}
    by_name = mibounds.estimate(X, Y, method="variational", bound="nwj", **options)
    assert by_name == mibounds.estimate(X, Y, method="nwj", **options)
    assert build("variational_upper", bound="club") == build("club")


def test_whatever_number_the_confidence_is_the_estimate_is_json():
    found = mibounds.estimate(X, Y, method="gaussian", confidence=np.float32(0.9))
    assert json.loads(json.dumps(found.as_dict()))["confidence"] == pytest.approx(0.9)
    sure = mibounds.estimate(X, Y, method="gaussian", confidence=1 - 2**-53)
    assert json.loads(json.dumps(sure.as_dict(), allow_nan=False))["interval"] == [None, None]


def test_columns_of_a_file(tmp_path):
    path = tmp_path / "pairs.npz"
    np.savez(path, left=X, right=Y)
    assert estimate_file(path, "left", "right", **TINY) == mibounds.estimate(X, Y, **TINY)

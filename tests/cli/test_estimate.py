"""`mibounds estimate` hands over to the library and prints what comes back."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import DivergedError


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file with x (1-d), y (1-d), a constant column and a text column; the MI is 0.51 nats."""
    monkeypatch.chdir(tmp_path)
    x, y = (side.numpy()[:, 0] for side in Gaussian.from_correlation(1, 0.8).sample(1000, seed=0))
    rows = [f"{a},{b},1,word {a}" for a, b in zip(x, y, strict=True)]
    Path("data.csv").write_text("\n".join(["height,weight,one,name", *rows]))
    np.savez("data.npz", left=np.stack([x, x**3], 1), right=y)
    return "data.csv"


def test_the_estimate_names_its_unit_and_its_interval(data, mibounds):
    answer = mibounds("estimate", data, "--x", "height", "--y", "weight", "--method", "gaussian")
    assert answer.code == 0 and answer.err == ""
    assert "nats (95% interval" in answer.out and "by gaussian" in answer.out


def test_json_is_the_estimate_and_bits_are_added(data, mibounds):
    answer = mibounds(
        *("estimate", data, "--x", "height", "--y", "weight"), "--method", "gaussian", "--json", "--bits"
    )
    found = json.loads(answer.out)
    low, high = found["interval"]
    assert low < Gaussian.from_correlation(1, 0.8).mutual_information < high
    assert found["method"] == "gaussian" and found["ceiling_nats"] is None
    assert math.isclose(found["bits"] * math.log(2), found["nats"])


def test_bits_come_first(data, mibounds):
    answer = mibounds("estimate", data, "--x", "0", "--y", "1", "--method", "gaussian", "--bits")
    bits, nats = answer.out.splitlines()
    assert "bits" in bits and "nats" in nats
    assert math.isclose(float(bits.split()[0]) * math.log(2), float(nats.split()[0]), abs_tol=1e-3)


def test_an_interval_without_ends_has_none_in_json(data, mibounds):
    sides = ("--x", "height", "--y", "weight", "--method", "gaussian")
    sure = ("--confidence", "0.9999999999999999")
    answer = mibounds("estimate", data, *sides, *sure, "--json", "--bits")
    found = json.loads(answer.out, parse_constant=pytest.fail)
    assert found["interval"] == found["interval_bits"] == [None, None] and found["nats"] > 0


def test_a_training_that_failed_has_an_exit_code_of_its_own(data, mibounds, monkeypatch):
    def diverged(*_, **__):
        raise DivergedError("nothing finite")

    monkeypatch.setattr("mibounds.estimators.estimate_file", diverged)
    answer = mibounds("estimate", data, "--x", "height", "--y", "weight")
    assert answer.code == 1 and answer.error == "mibounds: nothing finite"


@pytest.mark.parametrize("units", ["100000000000", "100000000000000000"])
def test_memory_that_does_not_suffice_is_one_line(data, mibounds, units):
    sides = ("--x", "height", "--y", "weight", "--method", "info_nce")
    answer = mibounds("estimate", data, *sides, "--set", f"critic.embedding={units}")
    assert answer.code == 1 and "memory did not suffice" in answer.error


def test_a_bound_may_be_set_by_name(data, mibounds):
    sides = ("--x", "height", "--y", "weight", "--method", "variational", "--set", "max_steps=5")
    answer = mibounds("estimate", data, *sides, "--set", "bound=nwj")
    assert answer.code == 0 and "by nwj" in answer.out


def test_critic_and_options_reach_the_method(data, mibounds):
    quick = ("--set", "max_steps=50", "--set", "batch_size=32", "--set", "clip=2.5", "--seed", "3")
    answer = mibounds(
        *("estimate", "data.npz", "--x", "left", "--y", "right", "--json"),
        *("--method", "smile", "--critic", "bilinear", *quick),
    )
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["method"] == "smile" and set(found["folds"]) == {"train", "select", "report"}


def test_a_constant_column_is_named_in_a_warning(data, mibounds):
    answer = mibounds("estimate", data, "--x", "height,one", "--y", "weight", "--method", "gaussian")
    assert answer.code == 0
    assert answer.err == "mibounds: warning: dropped constant columns of x: 'one'\n"


def test_given_a_third_side(data, mibounds):
    np.savez("given.npz", x=np.arange(200) % 2, y=np.arange(200) // 2 % 2, z=np.arange(200) % 2)
    of_z = ("--x", "x", "--y", "y", "--given", "z", "--method", "discrete")
    answer = mibounds("estimate", "given.npz", *of_z)
    assert answer.code == 0 and "by discrete given z" in answer.out
    answer = mibounds("estimate", "given.npz", *of_z[:-1], "histogram")
    assert answer.code == 2 and "histogram has no form given z" in answer.error
    answer = mibounds("estimate", "given.npz", *of_z[:5], "x", "--method", "discrete")
    assert answer.code == 2 and "a column must be in x or in z, not in both; both hold 'x'" in answer.error


def test_a_first_line_that_was_read_as_data_is_said(data, mibounds):
    rows = np.random.default_rng(0).normal(size=(300, 2)).round(6)
    Path("years.csv").write_text("2019,2020\n" + "\n".join(f"{a},{b}" for a, b in rows) + "\n")
    for command in ("estimate", "certify", "matrix"):
        sides = () if command == "matrix" else ("--x", "0", "--y", "1")
        method = () if command == "certify" else ("--method", "ksg")
        quick = ("--set", "max_steps=1") if command == "certify" else ()
        error = mibounds(command, "years.csv", *sides, *method, *quick).err
        assert "years.csv: its first line holds numbers alone and was read as data" in error


INFO_NCE = ("--method", "info_nce")
MISTAKES = {
    "no file": (("nowhere.csv",), "there is no file nowhere.csv"),
    "column": (("--x", "hieght"), "unknown column 'hieght'; did you mean 'height'?"),
    "text column": (("--x", "name"), "'name'"),
    "same column": (("--x", "weight"), "not in both"),
    "constant side": (("--x", "one"), "x is constant"),
    "method": (("--method", "infonce"), "unknown method 'infonce'; did you mean 'info_nce'?"),
    "critic": ((*INFO_NCE, "--critic", "seperable"), "did you mean 'separable'?"),
    "option": (("--method", "info_nce", "--set", "batch=3"), "unknown option of info_nce 'batch'"),
    "option without value": (("--set", "batch_size"), "--set takes name=value"),
    "text for a number": ((*INFO_NCE, "--set", "batch_size=many"), "batch_size"),
    "confidence": (("--confidence", "95"), "confidence must lie between 0 and 1"),
    "no number for a rate": ((*INFO_NCE, "--set", "learning_rate=fast"), "wrong kind"),
    "one share for three": ((*INFO_NCE, "--set", "folds=0.5"), "wrong kind"),
    "a word for a flag": (
        ("--method", "mmg", "--set", "orthogonal=no"),
        "orthogonal must be True or False; got 'no'",
    ),
    "a device for nothing": (("--set", "budget=fast", "--set", "device=gpu"), "device must be auto"),
    "no bound": (
        ("--method", "variational", "--set", "bound=nwk"),
        "unknown bound 'nwk'; did you mean 'nwj'?",
    ),
    "an upper bound to train": (
        ("--method", "variational", "--set", "bound=club"),
        "choose a bound that is trained",
    ),
    "no temperature": (
        (*INFO_NCE, "--critic", "cosine"),
        "the critic cosine needs 'temperature', which has no default",
    ),
    "a critic of auto": (("--critic", "separable"), "auto takes no --critic and no --set critic.NAME"),
    "an option of the critic of auto": (("--set", "critic.embedding=8"), "such as --method info_nce"),
    "an option of another critic": (
        (*INFO_NCE, "--set", "critic.temperature=0.1"),
        "unknown option of the critic separable 'temperature'; known: embedding, hidden",
    ),
    "no embedding": (
        (*INFO_NCE, "--set", "critic.embedding=0"),
        "embedding must be a whole number of at least 1; got 0",
    ),
    "one width for layers": ((*INFO_NCE, "--set", "critic.hidden=64"), "such as (256, 256); got 64"),
    "temperature of zero": (
        (*INFO_NCE, "--critic", "cosine", "--set", "critic.temperature=0"),
        "temperature must be greater than 0; got 0",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(data, mibounds, mistake):
    arguments, expected = MISTAKES[mistake]
    given = dict(zip(arguments[::2], arguments[1::2], strict=False)) if len(arguments) > 1 else {}
    file = arguments[0] if len(arguments) == 1 else data
    sides = {"--x": "height", "--y": "weight"} | {k: v for k, v in given.items() if k in ("--x", "--y")}
    rest = () if set(given) <= {"--x", "--y"} else arguments
    answer = mibounds("estimate", file, *(word for pair in sides.items() for word in pair), *rest)
    assert answer.code == 2 and answer.out == ""
    assert expected in answer.error


def test_without_columns(data, mibounds):
    answer = mibounds("estimate", data, "--x", "height")
    assert answer.code == 2 and "Missing option '--y'" in answer.error


def test_ctrl_c_offers_no_going_on(data, mibounds, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("mibounds.estimators.estimate_file", interrupted)
    answer = mibounds("estimate", data, "--x", "height", "--y", "weight")
    assert answer.code == 130 and answer.err.endswith("mibounds: stopped\n")

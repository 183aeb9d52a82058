"""`mibounds certify` hands over to the library and prints what comes back."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from mibounds.distributions.gaussian import Gaussian

QUICK = ("--set", "max_steps=40", "--set", "critic.hidden=16,16")


@pytest.fixture
def data(tmp_path, monkeypatch) -> str:
    monkeypatch.chdir(tmp_path)
    x, y = Gaussian.from_correlation(1, 0.9).sample(1000, seed=0)
    np.savez("data.npz", left=x.numpy(), right=y.numpy())
    return "data.npz"


def test_it_says_what_is_certified_and_how_surely(data, mibounds):
    answer = mibounds("certify", data, "--x", "left", "--y", "right", "--bits", *QUICK)
    assert answer.code == 0 and answer.err == ""
    bits, nats = answer.out.splitlines()
    assert nats.startswith("at least 0.") and "95% confidence" in nats
    assert math.isclose(float(bits.split()[2]) * math.log(2), float(nats.split()[2]), abs_tol=1e-3)


def test_json_is_the_certificate(data, mibounds):
    words = ("certify", data, "--x", "left", "--y", "right", "--confidence", "0.9", "--json")
    found = json.loads(mibounds(*words, *QUICK).out)
    assert 0.3 < found["nats"] < Gaussian.from_correlation(1, 0.9).mutual_information
    assert found["confidence"] == 0.9 and found["folds"]["report"] == 400 and "bits" not in found


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--confidence", "95"), "confidence must lie between 0 and 1"),
        (("--critic", "seperable"), "did you mean 'separable'?"),
        (("--set", "max_step=3"), "did you mean 'max_steps'?"),
        (("--set", "folds=0.5"), "folds must be three shares"),
        (("--set", "budget=fast"), "unknown option of certify 'budget'; known: batch_size, "),
        (("--set", "bound=nwj"), "the critic is trained on info_nce; got bound = 'nwj'"),
        (("--set", "critic.embedding=-1"), "embedding must be a whole number of at least 1; got -1"),
        (("--given", "left"), "unknown option '--given'; known: "),
    ],
)
def test_a_mistake_is_one_line(data, mibounds, words, said):
    answer = mibounds("certify", data, "--x", "left", "--y", "right", *words)
    assert answer.code == 2 and answer.out == "" and said in answer.error

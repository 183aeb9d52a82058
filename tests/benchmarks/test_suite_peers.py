"""What the benchmark of the suite says of samples of one law, and of laws that only their samples tell apart."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import _environment, suite_peers
from benchmarks.suite_peers import compared, main
from mibounds import suite
from mibounds.distributions import Distribution
from mibounds.distributions.gaussian import Gaussian
from mibounds.distributions.maps.spiral import Spiral
from mibounds.distributions.student_t import StudentT
from mibounds.distributions.transformed import Transformed

N = 6000


def columns(law: Distribution, seed: int) -> np.ndarray:
    return np.hstack([side.numpy() for side in law.sample(N, seed)])


@pytest.mark.parametrize(
    "name", ["1v1-additive-0.1", "student-identity-2-2-1", "spiral-multinormal-sparse-3-3-2-2.0"]
)
def test_two_samples_of_one_law_agree(name):
    law = suite.task(name)
    found = compared(1.0, 1.0, columns(law, 1), columns(law, 2))
    assert found["status"] == "agrees" and found["largest"] < found["allowed"]


FLAT = Gaussian.sparse(3, 3, 2, 0.8)


@pytest.mark.parametrize(
    ("name", "other"),
    [
        ("spiral-multinormal-sparse-3-3-2-2.0", Transformed(FLAT, Spiral(1.0), Spiral(1.0, (1, 2)))),
        ("spiral-multinormal-sparse-3-3-2-2.0", Transformed(FLAT, Spiral(-1 / 3), Spiral(-1 / 3, (1, 2)))),
        ("student-identity-3-3-2", StudentT.identity(3, 3, dof=3)),
        ("multinormal-sparse-3-3-2-2.0", Gaussian.sparse(3, 3, 2, 0.75)),
    ],
    ids=["speed", "direction", "dof", "correlation"],
)
def test_another_law_of_the_same_columns_is_told_apart(name, other):
    found = compared(1.0, 1.0, columns(suite.task(name), 1), columns(other, 2))
    assert found["status"] == "differs"


def test_another_truth_of_the_same_law_is_told_apart():
    law = suite.task("1v1-normal-0.75")
    assert compared(1.0, 1.001, columns(law, 1), columns(law, 2))["status"] == "differs"


def test_a_missing_peer_is_named(monkeypatch, capsys, tmp_path):
    def make(*_, **__):
        raise _environment.NoEnvironment("no network")

    monkeypatch.setattr(_environment, "make", make)
    assert main(["--environment", str(tmp_path)]) == 2
    assert "no network" in capsys.readouterr().err


def test_a_failing_peer_is_named(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(_environment, "why_missing", lambda name, folder: None)
    monkeypatch.setattr(_environment, "python_of", lambda folder: "false")
    monkeypatch.setattr(suite_peers, "drawn_by_peer", lambda *_: (_ for _ in ()).throw(RuntimeError("jax")))
    assert main(["--environment", str(tmp_path)]) == 2
    assert "jax" in capsys.readouterr().err

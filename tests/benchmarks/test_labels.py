"""The benchmark of labels: what it says is known of a case is right, and a row tells when an interval misses it."""

from __future__ import annotations

import math

import numpy as np
import pytest

import mibounds
from benchmarks import labels
from benchmarks.labels import Case, gaussian_classes, interacting, main, row


def test_truths_of_laws():
    assert gaussian_classes(20_000, 2, 1, 0.0, seed=0)[2] == pytest.approx(0.0, abs=1e-12)
    assert gaussian_classes(20_000, 3, 5, 20.0, seed=0)[2] == pytest.approx(math.log(3), abs=0.01)
    x, of_rows, nats = gaussian_classes(20_000, 2, 1, 1.0, seed=0)
    assert mibounds.estimate(x, of_rows, method="ross").nats == pytest.approx(nats, abs=0.02)
    frame, of_rows, nats = interacting(20_000, seed=0)
    on_label = mibounds.estimate(frame["sex"], of_rows, method="discrete").nats
    assert on_label < nats < on_label + 0.1
    assert mibounds.estimate(frame, of_rows, method="mixed").nats == pytest.approx(nats, abs=0.02)


def test_a_classifier_certifies_no_more_than_the_truth_and_a_good_one_most_of_it():
    x, of_rows, nats = gaussian_classes(3000, 3, 2, 1.5, seed=0)
    certified = math.log(3) - labels.cross_entropy(x, of_rows)
    assert nats - 0.03 < certified < nats + 0.01


def test_a_row_says_whether_the_interval_holds_what_is_known():
    x, of_rows, nats = gaussian_classes(300, 2, 1, 1.0, seed=0)
    assert row(Case("right", x, of_rows, nats, nats), "fast")["interval_holds"]
    assert not row(Case("more", x, of_rows, nats + 0.5, nats + 0.5), "fast")["interval_holds"]
    assert not row(Case("less", x, of_rows, nats - 0.5, nats - 0.5), "fast")["interval_holds"]


def test_its_command_writes_a_row_a_case_and_budget(tmp_path, monkeypatch, capsys):
    x, of_rows, nats = gaussian_classes(300, 2, 1, 1.0, seed=0)
    monkeypatch.setattr(labels, "cases", lambda: iter([Case("one", x, of_rows, nats, nats)]))
    assert main(["--out", str(tmp_path / "labels.csv"), "--budgets", "fast"]) == 0
    written = (tmp_path / "labels.csv").read_text()
    assert len(written.splitlines()) == 2 and "one" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["--budgets", "huge"])


def test_names_of_cases_differ(monkeypatch):
    monkeypatch.setattr(labels, "N_FOR_TRUTH", 100)
    monkeypatch.setattr(labels, "cross_entropy", lambda x, of_rows: 0.1)
    found = [(case.name, len(case.labels)) for case in labels.cases()]
    assert len(set(found)) == len(found) == 16
    assert all(np.isfinite(case.at_least) and case.at_least <= case.at_most for case in labels.cases())

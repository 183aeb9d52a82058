"""The benchmark of columns that look Gaussian: its truths, and what its rows count."""

from __future__ import annotations

import math

import numpy as np
import pytest

import mibounds
from benchmarks import lookalikes
from benchmarks.lookalikes import CASES, Angle, Clusters, Counts, Topics, main, row

KINDS = (Clusters, Topics, Counts)


@pytest.mark.parametrize("kind", KINDS)
def test_groups_that_are_plain_to_see_share_what_their_names_do(kind):
    flip = 0.3 * 3 / 4  # a change may lead back
    of_names = math.log(4) + flip * math.log(flip / 3) + (1 - flip) * math.log(1 - flip)
    assert kind(4, 200).nats == pytest.approx(math.log(4), abs=0.01)
    assert kind(4, 200, changed=0.3).nats == pytest.approx(of_names, abs=0.02)
    assert kind(4, 200, changed=1.0).nats == pytest.approx(0, abs=0.01)


def test_groups_that_overlap_share_what_neighbours_see():
    case = Clusters(3, 1, changed=0.2)
    assert 0.1 < case.nats < math.log(3) - 0.1
    x, y = case.sample(10_000, seed=0)
    assert mibounds.estimate(x, y, method="ksg").nats == pytest.approx(case.nats, abs=0.03)


def test_the_angles_information_is_what_neighbours_see():
    x, y = Angle().sample(5000, seed=0)
    assert mibounds.estimate(x, y, method="ksg").nats == pytest.approx(Angle().nats, abs=0.05)
    waves = Angle(waves=7)
    assert waves.nats == Angle().nats and waves.sample(10, seed=0)[1].shape == (10, 7)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_samples_are_told_by_their_seed(case):
    first, again, other = (case.sample(20, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_row_counts_what_the_intervals_hold(monkeypatch):
    found = row(Clusters(2, 1), 200, samples=3, budget="fast")
    assert found["samples"] == 3 and 0 <= found["intervals_that_hold"] <= 3
    assert found["auto_off_nats"] >= abs(found["auto_nats"] - found["truth_nats"]) - 0.001
    monkeypatch.setattr(Clusters, "nats", 9.0)
    assert row(Clusters(2, 1), 200, samples=3, budget="fast")["intervals_that_hold"] == 0


def test_its_command_writes_a_row_a_case_and_size(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(lookalikes, "CASES", (Clusters(2, 1),))
    monkeypatch.setattr(lookalikes, "N_PAIRS", (100, 150))
    assert main(["--out", str(tmp_path / "found.csv"), "--samples", "1"]) == 0
    assert (
        len((tmp_path / "found.csv").read_text().splitlines()) == 3
        and "2 clusters" in capsys.readouterr().out
    )
    with pytest.raises(SystemExit, match="2"):
        main(["--budget", "huge"])
    with pytest.raises(SystemExit, match="2"):
        main(["--samples", "0"])


def test_names_of_cases_differ():
    assert len({case.name for case in CASES}) == len(CASES)

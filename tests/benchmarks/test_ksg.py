"""What the benchmark of KSG says of values, ratios, failures and missing peers; peers are stand-ins here."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks import _environment, ksg
from benchmarks.ksg import OURS, WITH_NOISE_NATS, columns, exit_code, summary


def measured(nats: float = 0.5, seconds: float = 1.0) -> dict:
    return {"seconds": seconds, "processor_seconds": 2.0, "nats": nats, "peak_mib": 9.0, "version": "1"}


@pytest.mark.parametrize(
    ("nats", "status"), [(0.5, "agrees"), (0.5 + 2 * WITH_NOISE_NATS, "differs"), (np.nan, "differs")]
)
def test_a_peer_s_value_is_held_to_ours(nats, status):
    found = {OURS: [measured()], "npeet-plus": [measured(nats)]}
    assert summary("npeet-plus", found, 0.0, None)["status"] == status
    assert summary(OURS, found, 1e-3, None)["status"] == "differs", "ours is held to the slow version"


def test_ratios_are_of_turns_and_the_spread_is_shown():
    ours = [measured(seconds=s) for s in (1.0, 2.0, 4.0)]
    theirs = [measured(seconds=s) for s in (3.0, 4.0, 20.0)]
    row = summary("npeet-plus", {OURS: ours, "npeet-plus": theirs}, 0.0, None)
    assert (row["seconds"], row["seconds_low"], row["seconds_high"], row["times_ours"]) == (
        4.0,
        3.0,
        20.0,
        3.0,
    )


def test_a_failure_and_a_missing_peer_are_named_and_have_exit_codes():
    missing = summary("npeet-plus", {OURS: [measured()], "npeet-plus": []}, 0.0, "no such release")
    failed = summary("npeet-plus", {OURS: [measured()], "npeet-plus": [{"status": "failed: why"}]}, 0.0, None)
    assert missing["status"] == "skipped: no such release" and failed["status"] == "failed: why"
    for statuses, code in (
        (["agrees", "agrees"], 0),
        (["agrees", "differs"], 1),
        (["agrees", "skipped: why"], 2),
    ):
        assert exit_code(pd.DataFrame({"contender": [OURS, "npeet-plus"], "status": statuses})) == code
    three = pd.DataFrame({"contender": [OURS, "a", "b"], "status": ["agrees", "agrees", "failed: why"]})
    assert exit_code(three) == 1


def test_ours_is_run_in_a_process_of_its_own_and_a_peer_that_is_not_there_fails_by_name(tmp_path):
    x, y = columns(300, 2)
    np.savez(tmp_path / "columns.npz", x=x, y=y)
    found = ksg.answer(OURS, tmp_path / "columns.npz", 1, tmp_path)
    assert found["nats"] == ksg.estimate(x, y, method="ksg").nats and found["seconds"] > 0
    child = [sys.executable, str(ksg.CHILD), "npeet-plus", str(tmp_path / "columns.npz"), "1"]
    assert "npeet_plus" in subprocess.run(child, capture_output=True, text=True).stderr


def test_the_columns_are_standardised_and_fixed():
    x, y = columns(500, 3)
    assert np.allclose([x.std(0), y.std(0)], 1) and np.array_equal(x, columns(500, 3)[0])


def test_a_whole_environment_is_made_once_and_one_that_failed_again(tmp_path, monkeypatch):
    given: list[str] = []

    def run(command):
        given.append(command[-1])
        (tmp_path / "env").mkdir(exist_ok=True)

    monkeypatch.setattr(_environment, "_run", run)
    pins = _environment.pins("neighbours")
    assert _environment.why_missing("neighbours", tmp_path / "env") is None
    assert given == [str(tmp_path / "env"), pins[-2], pins[-1]]  # made; what is beside; the peer
    assert _environment.why_missing("neighbours", tmp_path / "env") is None and len(given) == 3, (
        "it is made once"
    )
    assert json.loads((tmp_path / "env" / _environment.STAMP).read_text()) == pins
    monkeypatch.setattr(_environment, "_run", lambda command: "no network")
    assert (_environment.why_missing("neighbours", Path(tmp_path, "other")) or "").endswith("no network")

"""Where there is no GPU, or too few: what is left out, and that it is said. These tests run anywhere."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.gpu import conftest

ROOT = Path(__file__).parents[2]


def test_without_a_device_the_suite_says_that_none_can_be_used():
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "MIBOUNDS_GPU_SUITE": "cuda"}
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "tests/gpu", "-p", "no:cacheprovider"]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert answer.returncode == pytest.ExitCode.NO_TESTS_COLLECTED, answer.stdout
    (line,) = [line for line in answer.stdout.splitlines() if line.startswith("tests/gpu: ")]
    assert line.startswith("tests/gpu: no CUDA device can be used here; tests that were not run for it: ")
    assert int(line.rpartition(" ")[2]) > 50


class Item:
    """A test that needs so many devices; None for one without a mark."""

    def __init__(self, *needs: int):
        self.needs = needs

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        return None if self.needs == (0,) else pytest.Mark(name, self.needs, {}, _ispytest=True)


@pytest.mark.parametrize("there", [0, 1, 2])
def test_a_test_runs_where_there_are_as_many_devices_as_its_mark_says(there, monkeypatch):
    monkeypatch.setattr(conftest, "n_devices", lambda: there)
    items, left_out = [Item(0), Item(), Item(2)], []
    config = SimpleNamespace(
        stash={}, hook=SimpleNamespace(pytest_deselected=lambda items: left_out.extend(items))
    )
    conftest.pytest_collection_modifyitems(config, items)
    assert [item.needs for item in items] == [(0,), (), (2,)][: there + 1]
    assert [item.needs for item in left_out] == [(0,), (), (2,)][there + 1 :]
    assert config.stash == {conftest.LEFT_OUT: 2 - there}

"""The GPU suite, `pytest -m gpu`: where no CUDA device can be used its tests are left out, and that is said.

MIBOUNDS_GPU_SUITE=cpu lets the CPU stand in for the devices: that shows that the suite's code holds, nothing more.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import torch

DEVICE = os.environ.get("MIBOUNDS_GPU_SUITE", "cuda")
LEFT_OUT = pytest.StashKey[int]()


def n_devices() -> int:
    """That can be used here."""
    if DEVICE == "cpu":
        return 2
    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def needed(item: pytest.Item) -> int:
    """The devices that a test needs: 0, or those that its nearest mark names, one by default."""
    marker = item.get_closest_marker("gpu")
    return 0 if marker is None else (*marker.args, 1)[0]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    left_out = [item for item in items if needed(item) > n_devices()]
    items[:] = [item for item in items if needed(item) <= n_devices()]
    config.stash[LEFT_OUT] = len(left_out)
    if left_out:
        config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if left_out := config.stash.get(LEFT_OUT, 0):
        there = {0: "no CUDA device can be used here", 1: "there is one device"}.get(
            n_devices(), "too few devices"
        )
        terminalreporter.write_line(f"tests/gpu: {there}; tests that were not run for it: {left_out}")


@pytest.fixture
def device() -> str:
    return DEVICE


@pytest.fixture(autouse=True)
def full_float32() -> Iterator[None]:
    """cuDNN rounds a convolution's factors to ten bits (TF32) unless told otherwise: too few for a comparison."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    yield
    torch.backends.cudnn.allow_tf32 = before

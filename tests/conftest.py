"""For all tests: none may change the global random state."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest
import rich.style  # noqa: F401  takes a number from the global state when it is imported
import torch


def global_random_state() -> tuple[object, ...]:
    """All of it, comparable."""
    kind, keys, *rest = np.random.get_state(legacy=True)  # noqa: NPY002  the very state that is watched
    return random.getstate(), (kind, keys.tobytes(), *rest), torch.random.get_rng_state().numpy().tobytes()


@pytest.fixture(autouse=True)
def global_random_state_is_untouched() -> Iterator[None]:
    """Randomness comes from generators that seeds give; a test that draws from the global state fails."""
    before = global_random_state()
    yield
    touched = [
        name
        for name, was, now in zip(("random", "numpy", "torch"), before, global_random_state(), strict=True)
        if was != now
    ]
    assert not touched, f"the global random state of {', '.join(touched)} was changed"

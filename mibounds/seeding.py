"""Seeds from names, generators from seeds. Global random state is never read or written.

Importing this module does not import torch, so that the study runner can use it.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    import torch

Seed: TypeAlias = "int | torch.Generator"


def seed_of(*parts: Any) -> int:
    """A 63-bit seed that depends on `parts` alone: the same on every machine, process and Python.

    >>> seed_of("data", 0) == seed_of("data", 0), seed_of("data", 0) == seed_of("data", 1)
    (True, False)
    """
    text = json.dumps(parts, sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(seed: Seed, device: str | torch.device = "cpu") -> torch.Generator:
    """A torch generator on `device` from an integer seed; a generator is passed through."""
    import torch

    if isinstance(seed, torch.Generator):
        return seed
    return torch.Generator(device=device).manual_seed(seed)

"""How closely two columns may agree before the ranks of n pairs no longer tell how closely."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from mibounds.estimators._terms import Array, Terms
from mibounds.estimators.gaussian import information, whitened

# Of Gaussians with ln n - 2.5 nats their normal scores read 0.2 nats too little, with ln n - 1 0.6, with ln n 1.0,
# whatever n is (100 to 10,000, means of 20).
NEAR_NATS = 2.5


def as_resolved(found: Terms, x: Array, y: Array) -> Terms:
    """What was read of scores `n x dim`: saturated, with a warning, where columns agree to within what ranks tell."""
    most = math.log(len(x)) - NEAR_NATS
    if found.nats < most:  # so is what one pair of directions tells
        return found
    strongest = information(np.linalg.svdvals(whitened(x).T @ whitened(y) / len(x))[:1])
    if strongest < most:
        return found
    said = (
        f"x and y agree so closely, by {strongest:.1f} nats in one direction, that ranks of {len(x):,} pairs do not "
        f"tell how closely: of Gaussian columns 0.2 nats too little are read from {most:.1f} on, and 1.0 near ln n; if "
        "columns are nearly normal, gaussian reads more"
    )
    return replace(found, ceiling_nats=found.nats, warnings=(*found.warnings, said))

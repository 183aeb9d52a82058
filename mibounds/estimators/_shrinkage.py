"""A covariance matrix whose correlations are shrunk by as much as chance makes them, and noise for rigid columns."""

from __future__ import annotations

import numpy as np

from mibounds.estimators._boxes import Array

LEAST_VARIANCE = 0.9


def shrunk_covariance(rows: Array) -> Array:
    """Of centred rows `n x dim`: correlations shrunk as Ledoit and Wolf 2004 do, towards none; variances as they are.

    It is singular for a column that does not vary, else never.
    """
    n = len(rows)
    covariance = rows.T @ rows / n
    variances = np.diag(np.diag(covariance))
    noise = ((rows**2).sum(axis=1) ** 2).mean() - (covariance**2).sum()
    off_diagonal = ((covariance - variances) ** 2).sum()
    share = min(1.0, float(noise / n / off_diagonal)) if off_diagonal > 0 else 1.0
    shrunk: Array = (1 - share) * covariance + share * variances
    return shrunk


def noise_of_rigid(scores: Array) -> Array:
    """The covariance, diagonal, of noise that lifts each column of `CentredScores` to nearly unit variance.

    A continuous column of a hundred rows or more has it and gets none. One that hardly varies does: its few other
    values are then not taken for what a Gaussian has there.
    """
    return np.diag(np.clip(LEAST_VARIANCE - (scores**2).mean(axis=0), 0.0, None))

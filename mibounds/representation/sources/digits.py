"""scikit-learn's handwritten digits: small real images that need no download."""

from __future__ import annotations

from typing import Any

import torch

from mibounds.errors import DataError
from mibounds.representation.sources._finite import Finite, stratified
from mibounds.representation.sources.base import Split
from mibounds.representation.views import View, make

SHARES: dict[Split, float] = {"train": 0.4, "validation": 0.1, "test": 0.5}


class Digits(Finite):
    """1,797 images of 1 x 8 x 8 pixels in [0, 1], ten classes: 719 to train, 179 to validate, 899 to test.

    Each class is divided by the same shares. Half is for test, so that a point of accuracy is worth nine images.

    Args:
        view: a view, or the name of one.
        seed: of the splits.
        strengths: of the view that is named; "shift" has pixels, degrees, zoom and noise.

    Raises: DataError if scikit-learn is not installed; UnknownNameError, ParameterError.

    Example:
        >>> digits = Digits(noise=0.2)
        >>> digits.n_train, digits.pairs(4, seed=0).view_a.shape
        (719, torch.Size([4, 1, 8, 8]))
    """

    name = "digits"

    def __init__(self, view: View | str = "shift", *, seed: int = 0, **strengths: Any):
        try:
            from sklearn.datasets import load_digits
        except ImportError as error:
            raise DataError(
                "the digits come with scikit-learn: pip install 'mibounds[representation]'"
            ) from error
        loaded: Any = load_digits()
        x = torch.from_numpy(loaded.images).float().unsqueeze(1) / 16
        labels = torch.from_numpy(loaded.target).long()
        rows = stratified(labels, SHARES, seed)
        super().__init__(
            {split: (x[of_split], labels[of_split]) for split, of_split in rows.items()},
            make(view, **strengths),
            n_classes=10,
        )

    @classmethod
    def example(cls) -> Digits:
        return cls()

"""CIFAR-10: 60,000 small photographs of ten classes, from the public binary archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mibounds.representation.sources._archives import records, require_labels, unpacked
from mibounds.representation.sources._finite import Finite, stratified
from mibounds.representation.sources._toy_images import toy_splits
from mibounds.representation.sources.base import Split
from mibounds.representation.views import View, make

# both stand on the data's page, https://www.cs.toronto.edu/~kriz/cifar.html
URL = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
CHECKSUM = "md5:c32a1d4ab5d03f1284b67883e8d87530"
FOLDER = "cifar-10-batches-bin"
MEMBERS = (*(f"{FOLDER}/data_batch_{i}.bin" for i in range(1, 6)), f"{FOLDER}/test_batch.bin")
SHARES: dict[Split, float] = {"train": 0.9, "validation": 0.1}


class CIFAR10(Finite):
    """Images of 3 x 32 x 32 pixels in [0, 1]: 45,000 to train, 5,000 to validate, 10,000 to test.

    The archive of 162 MB is downloaded once, and goes on where it was cut. A record of it is a byte with the label,
    then the red, the green and the blue plane, row by row. The test split is the archive's; validation is a tenth of
    each class of the archive's training images.

    Args:
        view: a view, or the name of one.
        root: folder of the downloads; None for the one that the environment variable MIBOUNDS_DATA names, or else the
            user's cache.
        url: of the archive.
        checksum: of the archive, as "algorithm:digits".
        seed: of the division into training and validation.
        strengths: of the view that is named.

    Raises: DataError if the archive is out of reach or damaged; StoreError; UnknownNameError, ParameterError.

    References: Krizhevsky 2009, Learning multiple layers of features from tiny images.

    Example:
        >>> CIFAR10.example().shape  # made images; CIFAR10() downloads the real ones
        (3, 32, 32)
    """

    name = "cifar10"

    def __init__(
        self,
        view: View | str = "augment",
        *,
        root: str | Path | None = None,
        url: str = URL,
        checksum: str = CHECKSUM,
        seed: int = 0,
        **strengths: Any,
    ):
        view = make(view, **strengths)
        *parts, (test_images, test_labels) = map(_batch, unpacked(url, checksum, MEMBERS, root).values())
        images, labels = (torch.cat(part) for part in zip(*parts, strict=True))
        rows = stratified(labels, SHARES, seed)
        splits = {split: (images[of_split], labels[of_split]) for split, of_split in rows.items()}
        super().__init__(splits | {"test": (test_images, test_labels)}, view, n_classes=10)

    @classmethod
    def example(cls) -> CIFAR10:
        source = cls.__new__(cls)
        made = toy_splits({"train": 128, "validation": 64, "test": 64}, 32, n_classes=10)
        Finite.__init__(source, made, make("augment"), n_classes=10)
        return source


def _batch(path: Path) -> tuple[Tensor, Tensor]:
    rows = records(path, 1 + 3 * 32 * 32)
    return rows[:, 1:].reshape(-1, 3, 32, 32), require_labels(path, rows[:, 0].long(), 10)

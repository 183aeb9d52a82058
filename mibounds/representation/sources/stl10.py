"""STL-10: few labelled photographs of ten classes and many without labels, from the public binary archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mibounds.errors import DataError
from mibounds.representation.sources._archives import records, require_labels, unpacked
from mibounds.representation.sources._finite import Finite, stratified
from mibounds.representation.sources._toy_images import toy_splits
from mibounds.representation.sources.base import Pairs, Split
from mibounds.representation.views import View, make
from mibounds.seeding import Seed

# the address stands on the data's page, https://cs.stanford.edu/~acoates/stl10/, the checksum in torchvision's STL10
URL = "http://ai.stanford.edu/~acoates/stl10/stl10_binary.tar.gz"
CHECKSUM = "md5:91f7769df0f17e558f3565bffb0c7dfb"
FOLDER = "stl10_binary"
LABELLED = tuple(f"{FOLDER}/{name}.bin" for name in ("train_X", "train_y", "test_X", "test_y"))
UNLABELLED = f"{FOLDER}/unlabeled_X.bin"
SHARES: dict[Split, float] = {"train": 0.9, "validation": 0.1}
NO_LABEL = -1


class STL10(Finite):
    """Images of 3 x 96 x 96 pixels in [0, 1]: 4,500 to train, 500 to validate, 8,000 to test, 100,000 without labels.

    The archive of 2.6 GB is downloaded once, and goes on where it was cut. A file of images holds the red, the green
    and the blue plane of each, column by column. The test split is the archive's; validation is a tenth of each class
    of the archive's training images.

    With `unlabeled=True` pairs of the train split are drawn from the 100,000 images without labels, 2.7 GB that are
    read from the disk as they are used: there the label is -1, and a method that learns from labels cannot use them.
    Examples of the train split, which probes learn from, are the 4,500 labelled ones all the same.

    Args:
        view: a view, or the name of one.
        unlabeled: whether to train on the images without labels.
        root: folder of the downloads; None for the one that the environment variable MIBOUNDS_DATA names, or else the
            user's cache.
        url: of the archive.
        checksum: of the archive, as "algorithm:digits".
        seed: of the division into training and validation.
        strengths: of the view that is named.

    Raises: DataError if the archive is out of reach or damaged; StoreError; UnknownNameError, ParameterError.

    References: Coates, Ng and Lee 2011, An analysis of single-layer networks in unsupervised feature learning.

    Example:
        >>> STL10.example().shape  # made images; STL10() downloads the real ones
        (3, 96, 96)
    """

    name = "stl10"
    _unlabelled: _Unlabelled | None = None

    def __init__(
        self,
        view: View | str = "augment",
        *,
        unlabeled: bool = False,
        root: str | Path | None = None,
        url: str = URL,
        checksum: str = CHECKSUM,
        seed: int = 0,
        **strengths: Any,
    ):
        view = make(view, **strengths)
        members = (*LABELLED, UNLABELLED) if unlabeled else LABELLED
        paths = list(unpacked(url, checksum, members, root).values())
        images, labels = _labelled(*paths[:2])
        rows = stratified(labels, SHARES, seed)
        splits = {split: (images[of_split], labels[of_split]) for split, of_split in rows.items()}
        super().__init__(splits | {"test": _labelled(*paths[2:4])}, view, n_classes=10)
        if unlabeled:
            self._unlabelled = _Unlabelled(_images(paths[4]), view)
            self.n_train, self.labelled_pairs = self._unlabelled.n_train, False

    @classmethod
    def example(cls) -> STL10:
        source = cls.__new__(cls)
        made = toy_splits({"train": 64, "validation": 32, "test": 32}, 96, n_classes=10)
        Finite.__init__(source, made, make("augment"), n_classes=10)
        return source

    def pairs(
        self, n: int, seed: Seed, *, device: str | torch.device = "cpu", split: Split = "test"
    ) -> Pairs:
        if split == "train" and self._unlabelled:
            return self._unlabelled.pairs(n, seed, device=device, split="train")
        return super().pairs(n, seed, device=device, split=split)

    def training_block(
        self, block: int, batch_size: int, seed: int, device: str | torch.device = "cpu"
    ) -> Pairs:
        if self._unlabelled:
            return self._unlabelled.training_block(block, batch_size, seed, device)
        return super().training_block(block, batch_size, seed, device)


class _Unlabelled(Finite):
    """Training rows alone; to Finite they are of one class, to its callers of none."""

    name = "stl10"

    def __init__(self, images: Tensor, view: View):
        super().__init__({"train": (images, torch.zeros(len(images), dtype=torch.long))}, view, n_classes=1)

    @classmethod
    def example(cls) -> _Unlabelled:
        return cls(toy_splits({"train": 64}, 96, n_classes=10)["train"][0], make("augment"))

    def pairs(
        self, n: int, seed: Seed, *, device: str | torch.device = "cpu", split: Split = "test"
    ) -> Pairs:
        return _without_labels(super().pairs(n, seed, device=device, split=split))

    def training_block(
        self, block: int, batch_size: int, seed: int, device: str | torch.device = "cpu"
    ) -> Pairs:
        return _without_labels(super().training_block(block, batch_size, seed, device))


def _without_labels(pairs: Pairs) -> Pairs:
    return pairs._replace(factors={"label": torch.full_like(pairs.factors["label"], NO_LABEL)})


def _images(path: Path) -> Tensor:
    return records(path, 3 * 96 * 96).view(-1, 3, 96, 96).transpose(-2, -1)


def _labelled(images: Path, labels: Path) -> tuple[Tensor, Tensor]:
    x, classes = _images(images), records(labels, 1)[:, 0].long() - 1
    if len(x) != len(classes):
        raise DataError(
            f"{images} has {len(x)} images and {labels} {len(classes)} labels; remove both and run again"
        )
    return x, require_labels(labels, classes, 10)

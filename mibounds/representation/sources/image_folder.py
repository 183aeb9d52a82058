"""A folder of the user's own images, with or without classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mibounds.errors import DataError, ParameterError
from mibounds.representation.sources._finite import Finite, stratified
from mibounds.representation.sources._toy_images import toy_splits
from mibounds.representation.sources.base import Examples, Pairs, Split
from mibounds.representation.views import View, make
from mibounds.seeding import Seed

SUFFIXES = (".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")


class ImageFolder(Finite):
    """Images of 3 x size x size pixels in [0, 1], from `root/class/*.png`, or from `root/*.png` without labels.

    Each image is cropped in the middle to a square, resized, and turned into red, green and blue; all are held in
    memory, 3 size^2 bytes each. Classes are the names of the subfolders that hold images, in alphabetical order. One
    class is enough for pretraining, though not for a probe. Each class is divided by the same shares, and the split
    depends on the files' names and the seed.

    Args:
        root: the folder.
        size: pixels along each side.
        view: a view, or the name of one.
        validation: share of the images.
        test: share of the images.
        seed: of the splits.
        strengths: of the view that is named.

    Attributes:
        class_names: by label; empty without labels.

    Raises: DataError if there are no images, too few, or one that cannot be read; ParameterError, UnknownNameError.

    Example:
        >>> ImageFolder.example().shape  # made images; ImageFolder("photos", size=64) reads a folder
        (3, 16, 16)
    """

    name = "image_folder"
    class_names: tuple[str, ...] = ()

    def __init__(
        self,
        root: str | Path,
        size: int = 64,
        view: View | str = "augment",
        *,
        validation: float = 0.1,
        test: float = 0.2,
        seed: int = 0,
        **strengths: Any,
    ):
        _require_sizes(size, validation, test)
        view = make(view, **strengths)
        paths, self.class_names, labels = _found(Path(root).expanduser())
        shares: dict[Split, float] = {
            "train": 1 - validation - test,
            "validation": validation,
            "test": test,
        }
        rows = stratified(labels, {split: share for split, share in shares.items() if share}, seed)
        _require_enough(root, rows)
        images = torch.stack([_image(path, size) for path in paths])
        super().__init__(
            {split: (images[of_split], labels[of_split]) for split, of_split in rows.items()},
            view,
            n_classes=max(1, len(self.class_names)),
        )
        if not self.class_names:
            self.label, self.factors = None, {}

    @classmethod
    def example(cls) -> ImageFolder:
        source = cls.__new__(cls)
        made = toy_splits({"train": 96, "validation": 32, "test": 64}, 16, n_classes=3)
        Finite.__init__(source, made, make("augment"), n_classes=3)
        source.class_names = ("bird", "cat", "ship")
        return source

    def pairs(
        self, n: int, seed: Seed, *, device: str | torch.device = "cpu", split: Split = "test"
    ) -> Pairs:
        pairs = super().pairs(n, seed, device=device, split=split)
        return pairs._replace(factors=self._known(pairs.factors))

    def examples(
        self, n: int | None, seed: Seed, *, device: str | torch.device = "cpu", split: Split = "test"
    ) -> Examples:
        examples = super().examples(n, seed, device=device, split=split)
        return examples._replace(factors=self._known(examples.factors))

    def training_block(
        self, block: int, batch_size: int, seed: int, device: str | torch.device = "cpu"
    ) -> Pairs:
        pairs = super().training_block(block, batch_size, seed, device)
        return pairs._replace(factors=self._known(pairs.factors))

    def _known(self, factors: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: factors[name] for name in self.factors}


def _images_in(folder: Path) -> list[Path]:
    """In the order of their names; a name that begins with a dot is the system's own."""
    paths = (path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted((path for path in paths if not path.name.startswith(".")), key=lambda path: path.name)


def _found(root: Path) -> tuple[list[Path], tuple[str, ...], Tensor]:
    """The images, the names of their classes, none in a flat folder, and their labels, `n`."""
    try:
        flat = _images_in(root)
        folders = sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
        of_class = {folder.name: paths for folder in folders if (paths := _images_in(folder))}
    except OSError as error:
        raise DataError(f"cannot read the folder {root}: {error.strerror or error}") from error
    if flat and of_class:
        raise DataError(
            f"expected {root} to hold images or folders of images, a folder a class; it has {len(flat)} images "
            f"beside {len(of_class)} folders of them: move the images into folders, or give one folder"
        )
    if not flat and not of_class:
        raise DataError(
            f"no images in {root} or its subfolders; expected files that end in {', '.join(SUFFIXES)}"
        )
    groups = list(of_class.values()) or [flat]
    labels = torch.cat([torch.full((len(paths),), label) for label, paths in enumerate(groups)])
    return [path for paths in groups for path in paths], tuple(of_class), labels


def _image(path: Path, size: int) -> Tensor:
    """Bytes, `3 x size x size`."""
    try:
        from PIL import Image, ImageOps
    except ImportError as error:
        raise DataError("images are read by pillow: pip install 'mibounds[representation]'") from error
    try:
        with Image.open(path) as opened:
            if opened.mode.startswith(("I", "F")):  # pillow would cut off what exceeds a byte
                raise DataError(f"{path} must have 8 bits a channel; got mode {opened.mode!r}: convert it")
            upright = ImageOps.exif_transpose(opened).convert("RGB")
        pixels = bytearray(ImageOps.fit(upright, (size, size)).tobytes())
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"cannot read the image {path} ({error}); repair or remove it") from error
    return torch.frombuffer(pixels, dtype=torch.uint8).view(size, size, 3).permute(2, 0, 1)


def _require_sizes(size: int, validation: float, test: float) -> None:
    if size < 1:
        raise ParameterError(f"size must be at least 1 pixel; got {size}")
    if not (validation >= 0 and test >= 0 and validation + test < 1):
        raise ParameterError(
            f"validation and test must be shares of the images that leave some to train on; got {validation} and {test}"
        )


def _require_enough(root: str | Path, rows: dict[Split, Tensor]) -> None:
    if not all(map(len, rows.values())):
        counts = ", ".join(f"{len(of_split)} for {split}" for split, of_split in rows.items())
        raise DataError(
            f"too few images in {root}: {counts}; add some, or change the shares validation= and test="
        )

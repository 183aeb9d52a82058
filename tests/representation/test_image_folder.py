"""A folder of images: labels by subfolder, pixels as bytes, and one line for whatever is wrong with it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mibounds.errors import DataError, ParameterError
from mibounds.representation.sources.image_folder import ImageFolder
from mibounds.representation.views import load

IDENTITY = load("identity")()
SIZE = 4
SPLITS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = 7, 1, 2


def picture(path: Path, red: int, size: tuple[int, int] = (SIZE, SIZE), mode: str = "RGB") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (red, 0, 255)).convert(mode).save(path)


@pytest.fixture
def labelled(tmp_path) -> Path:
    """Ten images in each of three classes; the red of an image tells which it is."""
    for c, name in enumerate(("cat", "ant", "bee")):
        for i in range(10):
            picture(tmp_path / name / f"{i}.png", red=10 * c + i)
    return tmp_path


def folder(root: Path, size: int = SIZE, **options) -> ImageFolder:
    return ImageFolder(root, size, IDENTITY, **options)


def reds(x) -> list[int]:
    """Which images these are, by the top left pixel."""
    return (x[:, 0, 0, 0] * 255).round().int().tolist()


def test_labels_are_the_subfolders_in_order_of_their_names(labelled):
    source = folder(labelled)
    assert source.class_names == ("ant", "bee", "cat") and source.factors["label"].n_classes == 3
    for split in SPLITS:
        x, factors = source.examples(None, 0, split=split)
        by_red = [{0: "cat", 1: "ant", 2: "bee"}[red // 10] for red in reds(x)]
        assert [source.class_names[label] for label in factors["label"]] == by_red


def test_splits_are_disjoint_complete_and_even_in_every_class(labelled):
    source = folder(labelled)
    by_split = {split: source.examples(None, 0, split=split) for split in SPLITS}
    seen = [red for x, _ in by_split.values() for red in reds(x)]
    assert sorted(seen) == list(range(30))
    for split, n in zip(SPLITS, (TRAIN, VALIDATION, TEST), strict=True):
        assert by_split[split].factors["label"].bincount().tolist() == [n] * 3


def test_the_split_depends_on_the_seed_and_the_names_alone(labelled):
    def train(seed: int) -> list[int]:
        return reds(folder(labelled, seed=seed).examples(None, 0, split="train").x)

    assert train(0) == train(0) != train(1)


def test_a_flat_folder_has_no_labels(tmp_path):
    for i in range(10):
        picture(tmp_path / f"{i}.jpg", red=20 * i)
    source = folder(tmp_path)
    assert source.label is None and source.factors == {} and source.class_names == ()
    assert source.n_train == TRAIN and source.shape == (3, SIZE, SIZE)
    for known in (source.pairs(2, 0), source.examples(None, 0), source.training_block(0, 4, 0)):
        assert known.factors == {}


def test_one_class_is_enough_to_draw_pairs(tmp_path):
    for i in range(10):
        picture(tmp_path / "only" / f"{i}.png", red=i)
    source = folder(tmp_path)
    assert source.class_names == ("only",)
    assert source.training_block(0, 4, 0).factors["label"].tolist() == [0] * 4


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "L", "LA", "1", "CMYK"])
def test_every_mode_becomes_red_green_and_blue(tmp_path, mode):
    for i in range(10):
        picture(tmp_path / f"{i}.{'tif' if mode == 'CMYK' else 'png'}", red=255, mode=mode)
    x = folder(tmp_path).examples(None, 0).x
    assert x.shape == (TEST, 3, SIZE, SIZE)
    if mode in ("L", "LA", "1"):
        assert (x[:, 0] == x[:, 2]).all()
    else:
        assert (x[:, 0] > 0.95).all() and (x[:, 1] < 0.05).all() and (x[:, 2] > 0.95).all()


def test_pixels_keep_their_row_column_and_channel(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (SIZE, SIZE, 3), dtype=np.uint8)
    for i in range(10):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    x = folder(tmp_path).examples(None, 0).x[0]
    assert np.array_equal((x * 255).round().permute(1, 2, 0).numpy(), pixels)


def test_an_oblong_is_cropped_in_the_middle_and_never_stretched(tmp_path):
    pixels = np.zeros((8, 24, 3), np.uint8)
    pixels[:, 4:20] = 255
    for i in range(10):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png")
    assert (folder(tmp_path).examples(None, 0).x == 1).all()


def test_a_photograph_is_turned_as_its_camera_was(tmp_path):
    pixels = np.zeros((SIZE, SIZE, 3), np.uint8)
    pixels[0] = 255  # the top row is to be seen on the right
    turned = Image.Exif()
    turned[0x0112] = 6
    for i in range(10):
        Image.fromarray(pixels).save(tmp_path / f"{i}.png", exif=turned)
    x = folder(tmp_path).examples(None, 0).x
    assert (x[..., -1] == 1).all() and (x[..., :-1] == 0).all()


def test_what_is_no_image_by_its_name_is_passed_over(labelled):
    (labelled / "notes.txt").write_text("not an image")
    (labelled / "ant" / "._0.png").write_bytes(b"a file system's own")
    (labelled / "empty").mkdir()
    picture(labelled / ".thumbnails" / "0.png", red=0)
    assert folder(labelled).class_names == ("ant", "bee", "cat")


def truncate(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


def deepen(path: Path) -> None:
    Image.fromarray(np.full((SIZE, SIZE), 40_000, np.uint16)).save(path)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (truncate, "cannot read the image"),
        (lambda path: path.write_text("text"), "cannot read the image"),
        (lambda path: path.write_bytes(b""), "cannot read the image"),
        (deepen, "8 bits a channel"),
    ],
    ids=["truncated", "text", "empty", "16 bits"],
)
def test_a_file_that_cannot_be_read_is_named(labelled, damage, said):
    damage(labelled / "bee" / "4.png")
    with pytest.raises(DataError, match=said) as caught:
        folder(labelled)
    assert str(labelled / "bee" / "4.png") in str(caught.value)


def test_no_images_says_what_was_expected(tmp_path):
    (tmp_path / "a.txt").touch()
    with pytest.raises(DataError, match=r"no images in .*\.jpg"):
        folder(tmp_path)


@pytest.mark.parametrize("missing", ["absent", "file"])
def test_a_folder_that_is_none_is_named(tmp_path, missing):
    (tmp_path / "file").touch()
    with pytest.raises(DataError, match=f"cannot read the folder .*{missing}"):
        folder(tmp_path / missing)


def test_images_beside_folders_of_images_are_ambiguous(labelled):
    picture(labelled / "stray.png", red=0)
    with pytest.raises(DataError, match="1 images beside 3 folders"):
        folder(labelled)


def test_too_few_images_for_the_splits(tmp_path):
    for i in range(2):
        picture(tmp_path / f"{i}.png", red=i)
    with pytest.raises(DataError, match="too few images"):
        folder(tmp_path)
    assert folder(tmp_path, validation=0, test=0).n_train == 2


@pytest.mark.parametrize("bad", [{"size": 0}, {"validation": -0.1}, {"test": 1}, {"test": float("nan")}])
def test_parameters_outside_their_domain(labelled, bad):
    with pytest.raises(ParameterError, match="must be"):
        folder(labelled, **bad)


def test_without_pillow_it_says_what_to_install(labelled, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DataError, match=r"mibounds\[representation\]"):
        folder(labelled)


def test_the_example_needs_no_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = ImageFolder.example()
    assert source.training_block(0, 16, 0).view_a.shape == (16, *source.shape)
    assert len(source.class_names) == source.factors["label"].n_classes

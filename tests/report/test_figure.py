"""Figures on the page: the same picture, smaller, and safe in an attribute."""

from __future__ import annotations

import base64
import gzip
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy
import pytest

from mibounds.report import figure

RESULTS = Path(__file__).parents[2] / "results"
FIGURES = sorted(RESULTS.glob("*/figure.svg"))


def numbers(tree: ET.Element) -> list[float]:
    """All coordinates of all paths, uses and texts."""
    found = [element.get(name, "") for element in tree.iter() for name in ("d", "x", "y", "transform")]
    return [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", " ".join(found))]


def texts(tree: ET.Element) -> list[str]:
    return [
        element.text
        for element in tree.iter()
        if element.text and element.text.strip() and "text" in element.tag
    ]


@pytest.mark.parametrize("path", FIGURES, ids=lambda path: path.parent.name)
def test_the_picture_is_the_same_to_a_hundredth_of_a_point(path):
    whole = path.read_text()
    small = figure.small_svg(whole)
    before, after = ET.fromstring(whole), ET.fromstring(small)
    assert len(small) < 0.9 * len(whole)
    assert texts(before) == texts(after)
    drawn = [element for element in before.iter() if "}" in element.tag and "svg}" in element.tag]
    kept = [element for element in after.iter() if "svg}" in element.tag]
    described = sum(element.tag.endswith("metadata") for element in drawn)
    assert len(kept) == len(drawn) - described
    assert numbers(after) == pytest.approx(numbers(before), abs=0.0051, rel=1e-5)


def test_what_is_packed_is_the_picture(small_run):
    _, folder = small_run
    packed = figure.picture(folder)
    assert packed.packed and not set(packed.content) & set('"<>& \n')
    tree = ET.fromstring(gzip.decompress(base64.b64decode(packed.content)))
    assert 'it\'s <here> & "there"' in texts(tree)
    assert packed.width / packed.height == pytest.approx(7 / 2.2, rel=0.01)


def test_the_smaller_of_two_is_taken(small_run, tmp_path):
    _, folder = small_run
    png = (folder / "figure.png").read_bytes()
    (tmp_path / "figure.png").write_bytes(png)
    alone = figure.picture(tmp_path)
    assert not alone.packed and alone.content.startswith("data:image/png;base64,")
    assert alone.width > alone.height > 100
    noise = "".join(map(str, numpy.random.default_rng(0).integers(0, 10, 10**6)))
    (tmp_path / "figure.svg").write_text(f"<svg xmlns='x' viewBox='0 0 4 3'><p/>{noise}</svg>")
    assert figure.picture(tmp_path) == alone


def test_no_figure(tmp_path):
    assert figure.picture(tmp_path) is None

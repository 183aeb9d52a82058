"""A figure as part of the page: its SVG without what no reader sees, compressed, or its PNG, whichever is smaller."""

from __future__ import annotations

import base64
import re
import struct
from pathlib import Path
from typing import NamedTuple

from mibounds.errors import StoreError
from mibounds.report.columns import compressed

DECIMALS = 2  # of a point: 1/100 is far below a pixel


class Picture(NamedTuple):
    """A picture, and its width and height, so that the page keeps room for it.

    Attributes:
        content: an address that holds it, or, where `packed`, an SVG that the page unpacks.
    """

    content: str
    packed: bool
    width: float
    height: float


def picture(folder: Path) -> Picture | None:
    """The figure of a results folder; None if the study draws none."""
    made = [
        of(_read(path))
        for path, of in ((folder / "figure.svg", _svg), (folder / "figure.png", _png))
        if path.is_file()
    ]
    return min(made, key=lambda one: len(one.content), default=None)


def small_svg(text: str) -> str:
    """The same picture: no prologue, metadata, comments or line breaks, coordinates to a hundredth of a point."""
    text = re.sub(
        r"<\?xml.*?\?>|<!DOCTYPE.*?>|<!--.*?-->|<metadata>.*?</metadata>", "", text, flags=re.DOTALL
    )
    text = re.sub(r'(?<=\s)(d|x|y|width|height)="([^"]*)"', _shorter, text)
    text = re.sub(r"translate\([^)]*\)", lambda found: _rounded(found[0]), text)
    return re.sub(r">\s+<", "><", text).replace("\n", " ").strip()


def _shorter(found: re.Match[str]) -> str:
    return f'{found[1]}="{" ".join(_rounded(found[2]).split())}"'


def _rounded(text: str) -> str:
    return re.sub(
        r"-?\d+\.\d+", lambda found: f"{float(found[0]):.{DECIMALS}f}".rstrip("0").rstrip("."), text
    )


def _svg(content: bytes) -> Picture:
    text = small_svg(content.decode())
    box = re.search(r'viewBox="[\d.]+ [\d.]+ ([\d.]+) ([\d.]+)"', text)
    width, height = (float(box[1]), float(box[2])) if box else (4.0, 3.0)
    return Picture(compressed(text), True, width, height)


def _png(content: bytes) -> Picture:
    width, height = struct.unpack(">II", content[16:24])
    return Picture(f"data:image/png;base64,{base64.b64encode(content).decode()}", False, width, height)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error

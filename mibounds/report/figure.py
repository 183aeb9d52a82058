"""A figure as part of the page: its SVG without what no reader sees, or its PNG, whichever is smaller."""

from __future__ import annotations

import base64
import re
import struct
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from mibounds.errors import StoreError

DECIMALS = 2  # of a point: 1/100 is far below a pixel
KEPT = (
    " !$'()*+,-./:;=?@[]^_`{|}~"  # these need no escape in a data URI, nor in an attribute in double quotes
)


class Picture(NamedTuple):
    """A picture as an address, and its width and height, so that the page keeps room for it."""

    uri: str
    width: float
    height: float


def picture(folder: Path) -> Picture | None:
    """The figure of a results folder; None if the study draws none."""
    made = [
        of(_read(path))
        for path, of in ((folder / "figure.svg", _svg), (folder / "figure.png", _png))
        if path.is_file()
    ]
    return min(made, key=lambda one: len(one.uri), default=None)


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
    text = small_svg(content.decode().replace("'", "&apos;"))
    box = re.search(r'viewBox="[\d.]+ [\d.]+ ([\d.]+) ([\d.]+)"', text)
    width, height = (float(box[1]), float(box[2])) if box else (4.0, 3.0)
    text = re.sub(r">[^<]*<", lambda found: found[0].replace('"', "&quot;"), text).replace('"', "'")
    return Picture(f"data:image/svg+xml,{quote(text, safe=KEPT)}", width, height)


def _png(content: bytes) -> Picture:
    width, height = struct.unpack(">II", content[16:24])
    return Picture(f"data:image/png;base64,{base64.b64encode(content).decode()}", width, height)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StoreError(f"cannot read {path}: {error.strerror or error}") from error

"""Tables for the page: column by column, with the digits that a reader uses, and compressed."""

from __future__ import annotations

import base64
import gzip
import json
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

DIGITS = 6


def compressed(text: str) -> str:
    """Gzip in base64, which the page undoes with DecompressionStream; the same text gives the same bytes."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def to_json(tables: dict[str, pd.DataFrame]) -> str:
    """Table name -> columns, each either `numbers`, or `codes` into its distinct `texts`.

    A number that is missing is null, one that is infinite 1e999, which JSON reads as such.
    """
    return "{" + ",".join(f"{json.dumps(name)}:{_table(table)}" for name, table in tables.items()) + "}"


def number(value: float) -> str:
    """With the page's digits, as JSON."""
    if np.isnan(value):
        return "null"
    if np.isinf(value):
        return "1e999" if value > 0 else "-1e999"
    return f"{value:.{DIGITS}g}"


def _table(table: pd.DataFrame) -> str:
    columns = ",".join(_column(str(name), table[name]) for name in table)
    return f'{{"rows":{len(table)},"columns":[{columns}]}}'


def _column(name: str, values: pd.Series) -> str:
    kind = values.dtype.kind
    if kind in "iu":
        return f'{{"name":{json.dumps(name)},"numbers":[{",".join(map(str, values.tolist()))}]}}'
    if kind == "f":
        return f'{{"name":{json.dumps(name)},"numbers":[{",".join(map(number, values.tolist()))}]}}'
    texts, codes = _texts(values.tolist())
    return f'{{"name":{json.dumps(name)},"texts":{json.dumps(texts)},"codes":[{",".join(map(str, codes))}]}}'


def _texts(values: list[Any]) -> tuple[list[str], list[int]]:
    words = ["" if value != value else str(value) for value in values]  # NaN alone differs from itself
    texts = list(dict.fromkeys(words))
    place = {text: i for i, text in enumerate(texts)}
    return texts, [place[word] for word in words]

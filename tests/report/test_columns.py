"""Tables for the page come back as they went in, to the digits that are kept."""

from __future__ import annotations

import base64
import gzip
import json
import math

import numpy as np
import pandas as pd
import pytest

from mibounds.report import columns

TABLE = pd.DataFrame(
    {
        "k": [1, 2, 1234567],
        "nats": [0.1 + 0.2, math.nan, -4.11e26],
        "end": [math.inf, -math.inf, 0.0],
        "law": ["a", 'quo"te', "a"],
        "flag": [True, False, True],
    }
)


def back(tables: dict[str, pd.DataFrame]) -> dict:
    return json.loads(columns.to_json(tables))


def test_columns_come_back():
    table = back({"table": TABLE})["table"]
    assert table["rows"] == 3
    assert table["columns"] == [
        {"name": "k", "numbers": [1, 2, 1234567]},
        {"name": "nats", "numbers": [0.3, None, -4.11e26]},
        {"name": "end", "numbers": [math.inf, -math.inf, 0]},
        {"name": "law", "texts": ["a", 'quo"te'], "codes": [0, 1, 0]},
        {"name": "flag", "texts": ["True", "False"], "codes": [0, 1, 0]},
    ]


def test_numbers_are_kept_to_their_digits():
    values = np.random.default_rng(0).lognormal(0, 5, 200)
    kept = back({"t": pd.DataFrame({"v": values})})["t"]["columns"][0]["numbers"]
    np.testing.assert_allclose(kept, values, rtol=0.5 * 10 ** (1 - columns.DIGITS))
    assert max(len(str(number)) for number in kept) <= 12


def test_an_empty_table():
    assert back({"t": TABLE.head(0)})["t"]["rows"] == 0


@pytest.mark.parametrize("text", ["", "nats", "é<&>" * 1000])
def test_what_is_packed_unpacks_and_is_the_same_each_time(text):
    packed = columns.compressed(text)
    assert gzip.decompress(base64.b64decode(packed)).decode() == text
    assert packed == columns.compressed(text)

"""The laws of Czyz et al. 2023 (arXiv:2306.11078) have the mutual information that its benchmark gives them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from mibounds import distributions
from mibounds.distributions import maps

KNOWN = [*map(distributions.load, distributions.names()), *map(maps.load, maps.names())]
NAMESPACE = {cls.__name__: cls for cls in KNOWN}
ROWS = list(csv.DictReader(Path(__file__).with_name("published_truths.csv").read_text().splitlines()))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["law"])
def test_the_truth_is_the_published_one(row):
    law = eval(row["law"], NAMESPACE)
    assert law.mutual_information == pytest.approx(float(row["nats"]), abs=1e-6)

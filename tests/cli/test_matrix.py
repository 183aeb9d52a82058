"""`mibounds matrix`: a table and two figures, written whole, and what to read first on the screen."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A file of two columns that share information, one that does not, a label and names that never repeat."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(0)
    x = random.normal(size=300)
    frame = pd.DataFrame({"x": x, "near": x + random.normal(size=300), "far": random.normal(size=300)})
    frame["label"] = np.where(x > 0, "high", "low")
    frame["name"] = [f"row {i}" for i in range(300)]
    frame.to_csv("data.csv", index=False)
    return "data.csv"


def test_the_table_the_figures_and_the_summary(data, mibounds):
    answer = mibounds("matrix", data, "--columns", "x,near,far,label")
    assert answer.code == 0 and "failed" not in answer.err
    written = Path("mi_matrix")
    assert {path.name for path in written.iterdir()} == {"table.csv", "matrix.png", "matrix.svg"}
    table = pd.read_csv(written / "table.csv")
    assert len(table) == 6 and (table["status"] == "ok").all()
    first, most, *_ = answer.out.splitlines()
    found = (table["p_holm"] < 0.05).sum()
    assert first.startswith(f"{found} of 6 pairs share information") and "in nats" in first and found >= 3
    assert most.split()[-4:] == ["x,", "label", "by", "ross"]
    assert (written / "matrix.svg").read_text().count(">near<") == 2, "text stays text"


def test_options_reach_the_method_and_are_refused_without_one(data, mibounds):
    chosen = ("--columns", "x,near", "--json")
    few, many = (
        json.loads(mibounds("matrix", data, *chosen, "--method", "ksg", "--set", f"neighbours={k}").out)
        for k in (1, 20)
    )
    assert few[0]["estimate_nats"] != many[0]["estimate_nats"]
    by_auto = mibounds("matrix", data, *chosen, "--method", "auto", "--set", "budget=fast")
    assert json.loads(by_auto.out)[0]["method"] == "auto"
    refused = mibounds("matrix", data, "--set", "neighbours=1")
    assert refused.code == 2 and "name it, such as --method auto" in refused.err


def test_bits_are_shown_and_the_table_stays_in_nats(data, mibounds):
    chosen = ("--columns", "x,near", "--method", "gaussian")
    nats, bits = (mibounds("matrix", data, *chosen, *unit).out.splitlines()[1] for unit in ((), ("--bits",)))
    assert float(nats.split()[0]) == pytest.approx(float(bits.split()[0]) * math.log(2), abs=1e-3)
    assert pd.read_csv("mi_matrix/table.csv")["estimate_nats"][0] == pytest.approx(
        float(nats.split()[0]), abs=1e-3
    )


def test_json_is_the_table_and_workers_change_nothing(data, mibounds):
    chosen = ("--columns", "x,near,label", "--json", "--out", "here/deep")
    one, two = (json.loads(mibounds("matrix", data, *chosen, "--workers", n).out) for n in ("1", "2"))
    assert one == two and len(one) == 3 and one[0]["column_x"] == "x"
    assert Path("here/deep/table.csv").is_file()


def test_a_pair_that_fails_is_said_and_is_null_in_json(data, mibounds):
    answer = mibounds("matrix", data, "--columns", "x,near,name", "--json")
    assert answer.code == 0 and "2 of 3 pairs failed" in answer.err and "hardly repeat" in answer.err
    assert [row["estimate_nats"] is None for row in json.loads(answer.out)] == [False, True, True]


def test_no_pair_that_can_be_estimated_is_an_error(data, mibounds):
    answer = mibounds("matrix", data, "--columns", "x,name")
    assert answer.code == 2 and answer.out == "" and not Path("mi_matrix").exists()
    assert "none of 1 pairs was estimated; x, name failed: y, column 'name', holds text" in answer.error


def test_json_keeps_small_p_values(data, mibounds):
    rows = json.loads(mibounds("matrix", data, "--columns", "x,near,far", "--json").out)
    table = pd.read_csv("mi_matrix/table.csv")
    assert [row["p_value"] for row in rows] == table["p_value"].tolist()
    assert 0 < rows[0]["p_value"] < 1e-9 and isinstance(rows[0]["n_samples"], int)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere.csv",), "there is no file nowhere.csv"),
        (("data.csv", "--columns", "x"), "two columns or more; got 1"),
        (("data.csv", "--columns", "y"), "unknown column 'y'"),
        (("data.csv", "--method", "kgs"), "did you mean 'ksg'?"),
        (("data.csv", "--workers", "0"), "workers must be at least 1"),
        (("data.csv", "--confidence", "1e-17"), "confidence is too near 0 or 1"),
        (("data.csv", "--confidence", "0.9999999999999999"), "confidence is too near 0 or 1"),
    ],
)
def test_a_mistake_is_one_line_and_nothing_is_written(data, mibounds, arguments, said):
    answer = mibounds("matrix", *arguments)
    assert answer.code == 2 and said in answer.error and not Path("mi_matrix").exists()

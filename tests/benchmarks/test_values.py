"""What the benchmark of values says where peers agree, differ, mean something else, or are missing; stand-ins here."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks import _environment, values
from benchmarks.values import PEERS, Case, cases, main, rows

RANDOM = np.random.default_rng(0)
TABLE = Case("table", "letters", (RANDOM.integers(3, size=90), RANDOM.integers(3, size=90)))
NEAR = Case("neighbours", "normals", tuple(RANDOM.normal(size=(2, 90))), repeats=True)


def answers(case: Case, nats: float, peer: str = "scikit-learn") -> dict:
    return {"versions": dict.fromkeys(PEERS, "1"), "nats": {f"{case.name}/{peer}": nats}}


@pytest.mark.parametrize(("apart", "status"), [(0.0, "agrees"), (2e-12, "differs"), (np.nan, "differs")])
def test_a_table_is_held_to_rounding(apart, status):
    (row,) = rows([TABLE], answers(TABLE, TABLE.ours() + apart))
    assert row["status"] == status and row["peer"] == "scikit-learn" and row["allowed_nats"] == 1e-12


def test_another_definition_is_said_and_not_judged():
    (row,) = rows([NEAR], answers(NEAR, 9.0))
    assert row["status"].startswith("another definition") and np.isnan(row["allowed_nats"])
    classes = Case("classes", "labels", (NEAR.sides[0], TABLE.sides[0]))
    (row,) = rows([classes], answers(classes, 9.0, "npeet-plus"))
    assert "difference of entropies" in row["status"]


def test_cases_have_names_of_their_own_and_cover_each_definition():
    every = list(cases())
    assert len({case.name for case in every}) == len(every)
    assert {case.definition for case in every} == set(values.METHODS)


def test_without_peers_nothing_is_written(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(_environment, "why_missing", lambda name, folder: "no such release")
    assert main(["--out", str(tmp_path / "values.csv")]) == 2
    assert "were skipped: no such release" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_exit_codes_tell_agreement(tmp_path, monkeypatch):
    monkeypatch.setattr(_environment, "why_missing", lambda name, folder: None)
    monkeypatch.setattr(values, "cases", lambda: iter([TABLE]))
    for apart, code in ((0.0, 0), (1.0, 1)):
        found = answers(TABLE, TABLE.ours() + apart)
        monkeypatch.setattr(values, "peers_answers", lambda every, folder, found=found: found)
        assert main(["--out", str(tmp_path / "values.csv")]) == code

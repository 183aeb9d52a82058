"""The study of learning and collapse: what it runs, and claims against tables with a known answer."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pandas as pd
import pytest

from mibounds import study
from mibounds.representation import methods
from mibounds.study.grid import make_grid

STUDY = study.load("learning")
here = SimpleNamespace(**STUDY.measure.__globals__)


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY, source=("vmf", "digits"), method=("simclr", "barlow_twins", "raw", "random"))


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert set(here.MEASURED) | {"score", "status"} <= set(table)
    assert (table["status"] == "ok").all()
    assert set(study.verdicts(STUDY, smoke)) == {claim.id for claim in STUDY.claims}
    assert len(STUDY.draw(smoke).axes) == 3 * 2


def test_every_method_is_tried_on_every_source_with_and_without_its_piece() -> None:
    points = {(c["method"], c["source"], c["piece"]) for c in make_grid(STUDY).cells}
    for method in here.METHODS:
        assert {(method, s, p) for s in here.SOURCES for p in ("intact", "removed")} <= points
    assert {method for method, _, piece in points if piece == "shuffled"} == {here.CONTROL}


def test_kinds_of_collapse_are_those_that_the_methods_files_state() -> None:
    for name, (kind, _, _) in here.COLLAPSES.items():
        assert methods.load(name).collapse == kind and methods.load(name).broken


def test_compared_cells_share_weights_data_and_evaluation() -> None:
    cells = make_grid(STUDY, "full", {"source": ("vmf",)}, 1).cells
    for purpose in STUDY.seeds:
        assert len({cell.seed(purpose) for cell in cells}) == 1


def table_of(
    gain: float = 0.1, shuffled: float = -0.1, removed: float = 0.01, rank: float = 1.2
) -> pd.DataFrame:
    """Intact methods gain so much over both baselines; without its piece a method keeps so much spread and rank."""
    rows = []
    for cell in make_grid(STUDY).cells:
        wobble = 1e-3 * ((cell["replicate"] * 3) % 10 - 4.5)
        over = {"intact": gain, "removed": 0.0, "shuffled": shuffled}[cell["piece"]]
        score = 0.7 + wobble + (0.0 if cell["method"] in here.BASELINES else over + wobble)
        gone = cell["piece"] == "removed"
        standardised = cell["method"] == "barlow_twins"
        spread = (removed if gone and not standardised else 0.8) * (1 + wobble)
        rows.append(
            {
                **cell.point,
                "score": score,
                "relative_spread": spread,
                "deviation": spread,
                "effective_rank": (rank if gone else 8.0) * (1 + wobble),
                "status": "ok",
            }
        )
    return pd.DataFrame(rows)


@pytest.mark.parametrize("claim", [claim.id for claim in STUDY.claims])
def test_a_table_that_agrees_supports(claim: str, outcome) -> None:
    assert outcome(STUDY, claim, table_of()) == "supported"


@pytest.mark.parametrize(
    ("claim", "table"),
    [
        ("learns.byol", table_of(gain=-0.05)),
        ("collapse.simsiam", table_of(removed=0.5)),
        ("collapse.barlow_twins", table_of(rank=6.0)),
        ("collapse.vicreg", table_of(removed=0.5)),
    ],
)
def test_a_table_that_contradicts_refutes(claim: str, table: pd.DataFrame, outcome) -> None:
    assert outcome(STUDY, claim, table) == "refuted"


def test_one_source_that_fails_is_named() -> None:
    table = table_of()
    table.loc[(table["source"] == "digits") & (table["method"] == "moco"), "score"] = 0.5
    (claim,) = [claim for claim in STUDY.claims if claim.id == "learns.moco"]
    found = claim.verdict({"table": table})
    assert found.outcome == "refuted" and "digits minus raw" in found.reason


def test_a_control_that_learns_decides_nothing(outcome) -> None:
    assert outcome(STUDY, "learns.swav", table_of(shuffled=0.1)) == "inconclusive"


def test_a_missing_source_or_baseline_decides_nothing(outcome) -> None:
    table = table_of()
    assert outcome(STUDY, "learns.vicreg", table[table["method"] != "raw"]) == "inconclusive"
    assert outcome(STUDY, "collapse.vicreg", table[table["source"] != "digits"]) == "inconclusive"


def test_scores_are_averages_of_what_the_source_knows() -> None:
    (cell,) = make_grid(
        STUDY, "full", {"source": ("images",), "method": ("raw",), "piece": ("intact",)}, 1
    ).cells
    found = {name: value for value, name in enumerate(here.SCORES["images"])}
    assert here.row_of(cell, found, "ok")["score"] == 1.5
    assert math.isnan(here.row_of(cell, found, "ok")["latent_r2"])

"""The leaderboard: what is run on what, how a user's estimator enters, and claims on tables with a known answer."""

from __future__ import annotations

import itertools
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from mibounds import study, suite
from mibounds.study.grid import make_grid

STUDY = study.load("leaderboard")
here = SimpleNamespace(**STUDY.measure.__globals__)
CLAIMS = [claim.id.removeprefix("leaderboard.") for claim in STUDY.claims]


@pytest.fixture(scope="module")
def smoke(tables_of):
    tables = tables_of(STUDY, estimator=("gaussian", "ksg"))
    tables["table"]["seconds"] = 1.0
    return tables


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert {"truth_nats", "truth_error_nats", "estimate_nats", "low_nats", "high_nats", "status"} <= set(
        table
    )
    of_numbers = table[table["task"] != "many_symbols-9-4-0.05"]
    assert (of_numbers["status"] == "ok").all() and of_numbers.notna().all(axis=None)
    assert {found.outcome for found in study.verdicts(STUDY, smoke).values()} == {"inconclusive"}
    assert len(STUDY.draw(smoke).axes) == 4


def test_estimators_of_a_task_share_its_pairs() -> None:
    cells = make_grid(STUDY, "quick").cells
    by = {(c["task"], c["estimator"], c["control"], c["replicate"]): c.seed("data") for c in cells}
    one = by["1v1-normal-0.75", "ksg", "none", 0]
    assert one == by["1v1-normal-0.75", "gaussian", "none", 0]
    assert one == by["1v1-normal-0.75", "gaussian", "shuffled_pairs", 0]
    assert one != by["1v1-normal-0.75", "ksg", "none", 1] and one != by["1v1-additive-0.1", "ksg", "none", 0]


N_OWN = 3 * len(suite.names("extended")) - 2 * 2  # the two widest have one seed


def test_each_estimator_is_run_on_what_its_group_says() -> None:
    """Cheap: 3 sizes x 10 seeds x 40 tasks. Trained: one size, 3 seeds. Our own tasks: the same, but for two."""
    found = Counter((cell["estimator"], cell["control"]) for cell in make_grid(STUDY, "full").cells)
    assert found["ksg", "none"] == 3 * 10 * 40 + N_OWN and found["ksg", "shuffled_pairs"] == 3 * 40
    assert found["info_nce", "none"] == 3 * 40 + N_OWN and ("info_nce", "shuffled_pairs") not in found
    of_slow = [here.SLOW.has({"task": task, "n_samples": 5000, "replicate": 0}) for task in suite.names()]
    assert sum(of_slow) == 8


def test_presets_are_as_small_as_they_say() -> None:
    smoke, quick = make_grid(STUDY, "smoke").cells, make_grid(STUDY, "quick").cells
    assert {cell["n_samples"] for cell in smoke} == {200} and len({cell["task"] for cell in smoke}) == 3
    assert {cell["n_samples"] for cell in quick} == {1000}
    assert {cell["task"] for cell in quick} == set(suite.names("published"))


def test_a_listed_method_that_is_there_enters_and_so_does_the_users() -> None:
    entered = here.installed(here.ESTIMATORS, ["ksg", "auto", "info_nce"], ["mine_own", "ksg"])
    assert list(entered) == ["auto-fast", "auto-standard", "ksg", "info_nce", "mine_own"]
    assert entered["ksg"] == here.ESTIMATORS["ksg"], "a name that is listed keeps its group"
    assert entered["auto-fast"][1:] == ("auto", {"budget": "fast"})


OF_THE_USER = '''
from dataclasses import dataclass
from mibounds.estimators import Estimate, Estimator

@dataclass(frozen=True)
class Zero(Estimator):
    """Nothing is shared."""

    name = "zero"

    def estimate(self, samples, seed, confidence):
        return Estimate(0.0, (0.0, 0.0), "zero", "none", "none", float("inf"), False, {}, confidence)
'''


def test_an_estimator_in_a_folder_of_the_users_is_on_the_leaderboard(tmp_path: Path, monkeypatch) -> None:
    from mibounds import estimators

    (tmp_path / "estimators").mkdir()
    (tmp_path / "estimators" / "zero.py").write_text(OF_THE_USER)
    monkeypatch.setenv("MIBOUNDS_PATH", str(tmp_path))
    monkeypatch.setattr(estimators, "__path__", [*estimators.__path__, str(tmp_path / "estimators")])
    loaded = study.load("leaderboard")
    grid = make_grid(loaded, "smoke", {"estimator": ("zero",)})
    rows = [dict(measured.tables["table"][0]) for pack in grid.packs for measured in loaded.measure(pack)]
    assert [row["estimate_nats"] for row in rows] == [0.0] * 3 and {row["status"] for row in rows} == {"ok"}
    full = [cell for cell in make_grid(loaded, "full").cells if cell["estimator"] == "zero"]
    assert len(full) == 3 * 3 * 40 + N_OWN


def test_what_an_estimator_refuses_is_a_row_that_says_why(monkeypatch) -> None:
    monkeypatch.setitem(STUDY.measure.__globals__["THERE"], "ksg", (here.CHEAP, "ksg", {"neighbours": 500}))
    grid = make_grid(STUDY, "smoke", {"estimator": ("ksg",), "task": ("1v1-normal-0.75",)})
    (row,) = STUDY.measure(grid.packs[0])[0].tables["table"]
    assert row["status"].split(":")[0] in ("ParameterError", "DataError")
    assert pd.isna(row["estimate_nats"]) and row["truth_nats"] == pytest.approx(0.413339, abs=1e-6)


def test_a_lower_bound_covers_from_below_alone() -> None:
    rows = pd.DataFrame(
        {
            "estimate_nats": 0.5,
            "low_nats": [0.4, 0.4, 1.1, 0.9],
            "high_nats": [0.6, 0.6, 1.2, 1.1],
            "direction": ["none", "lower", "lower", "none"],
            "truth_nats": 1.0,
        }
    )
    assert here.scored(rows)["covered"].tolist() == [0, 1, 0, 1]


# Claims


def table_of(**changes: float) -> pd.DataFrame:
    """A table in which every claim holds, or is changed as its name says."""
    change = {"auto": 0.02, "ksg": 0.2, "trained": 0.1, "shuffled": 0.4, "missed": 0, "seconds": 5.0}
    change |= {"shuffled_missed": 40, "spread": 1e-3}
    assert set(changes) <= set(change)
    change |= changes
    off = {"auto-fast": 1.5 * change["auto"], "auto-standard": change["auto"], "ksg": change["ksg"]}
    off |= {"info_nce": change["trained"]}
    points = [
        *itertools.product(off, here.PUBLISHED, here.SIZES, ("none",), range(3)),
        *itertools.product(("auto-fast",), here.PUBLISHED, (1000,), ("shuffled_pairs",), range(3)),
    ]
    rows = []
    for name, task, n_samples, control, replicate in points:
        broken = control != "none"
        missed = change["shuffled_missed" if broken else "missed"]
        error = (change["shuffled"] if broken else off[name]) + change["spread"] * (replicate - 1)
        covered = here.PUBLISHED.index(task) >= missed + (replicate == 0 and not broken)
        rows.append(
            {
                "estimator": name,
                "task": task,
                "n_samples": n_samples,
                "control": control,
                "replicate": replicate,
                "dim_x": 5 if "-5-5-" in task else 1,
                "truth_nats": 1.0,
                "estimate_nats": 1.0 + error,
                "low_nats": 0.9 if covered else 1.1,
                "high_nats": 1.2,
                "direction": "none",
                "seconds": change["seconds"] * (1 + 0.01 * replicate),
                "status": "ok",
            }
        )
    return pd.DataFrame(rows)


REFUTED_BY = {
    "error_1k": {"auto": 0.12},
    "error_5k": {"auto": 0.12},
    "error_10k": {"auto": 0.12},
    "fast": {"ksg": 0.01},
    "best": {"trained": 0.01},
    "coverage": {"missed": 20},
    "seconds": {"seconds": 200.0},
}
BROKEN_CONTROL = {claim: {"shuffled": 0.01} for claim in CLAIMS if claim not in ("coverage", "seconds")} | {
    "coverage": {"shuffled_missed": 0}
}


def test_every_claim_is_tried() -> None:
    assert set(REFUTED_BY) == set(CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS)
def test_each_claim_can_be_supported_and_refuted(claim: str, outcome) -> None:
    assert outcome(STUDY, f"leaderboard.{claim}", table_of()) == "supported"
    assert outcome(STUDY, f"leaderboard.{claim}", table_of(**REFUTED_BY[claim])) == "refuted"


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_broken_control_a_missing_task_or_no_row_decides_nothing(claim: str, outcome) -> None:
    claim_id = f"leaderboard.{claim}"
    if claim in BROKEN_CONTROL:
        assert outcome(STUDY, claim_id, table_of(**BROKEN_CONTROL[claim])) == "inconclusive"
        of_39 = table_of().query("task != '1v1-additive-0.1'")
        assert outcome(STUDY, claim_id, of_39) == "inconclusive", "a mean over 39 tasks is another number"
    for table in (table_of().iloc[:0], table_of().query("estimator == 'ksg'")):
        assert outcome(STUDY, claim_id, table) == "inconclusive"
    failed = table_of()
    of_auto = failed["estimator"].isin(here.AUTO) & (failed["dim_x"] == 5)
    failed.loc[of_auto, "status"] = "DivergedError: at step 3"
    assert outcome(STUDY, claim_id, failed) == "inconclusive"


@pytest.mark.parametrize(
    ("claim", "left"),
    [
        ("fast", "n_samples == 1000"),
        ("seconds", "estimator != 'auto-standard'"),
        ("seconds", "task != 'student-identity-5-5-2'"),
        ("coverage", "replicate > 0"),  # which are alike
    ],
)
def test_a_part_of_what_a_criterion_names_decides_nothing(claim: str, left: str, outcome) -> None:
    part = table_of().query(left)
    assert outcome(STUDY, f"leaderboard.{claim}", part) == "inconclusive"


def test_a_replicate_without_a_number_of_some_task_is_none_of_40(outcome) -> None:
    table = table_of()
    of_auto = (table["estimator"] == "auto-standard") & (table["task"] == here.PUBLISHED[0])
    table.loc[of_auto & (table["replicate"] > 0), "estimate_nats"] = float("nan")
    assert outcome(STUDY, "leaderboard.error_1k", table) == "inconclusive"


def test_the_other_budget_is_a_rival_too(outcome) -> None:
    table = table_of()
    fast = table["estimator"] == "auto-fast"
    nearer = fast & (table["control"] == "none")
    table.loc[nearer, "estimate_nats"] = 1.001 + 1e-4 * table.loc[nearer, "replicate"]
    assert outcome(STUDY, "leaderboard.best", table) == "refuted"


def test_an_estimator_that_failed_on_a_task_is_no_rival(outcome) -> None:
    table = table_of(trained=0.01)
    fails = (table["estimator"] == "info_nce") & (table["task"] == "1v1-additive-0.1")
    table.loc[fails, "status"] = "DataError: too few"
    assert outcome(STUDY, "leaderboard.best", table) == "supported"

"""The labels study: what its cells share, and claims against tables with a known answer."""

from __future__ import annotations

import itertools
from types import SimpleNamespace

import pandas as pd
import pytest

from mibounds import study
from mibounds.study.grid import make_grid

STUDY = study.load("labels")
here = SimpleNamespace(**STUDY.measure.__globals__)


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert (table["status"] == "ok").all() and table.notna().all(axis=None)
    assert table.groupby("method")["fraction"].apply(list).to_dict() == {
        "simclr": [0.001, 1.0],
        "shuffled": [0.001, 1.0],
        "views": [1.0],
    }
    assert set(table["n_labels"]) == {10, 100}, "one a class at least, and all there are"
    assert {found.outcome for found in study.verdicts(STUDY, smoke).values()} == {"inconclusive"}
    assert len(STUDY.draw(smoke).axes) == 2


def test_methods_are_paired(smoke) -> None:
    """They share images, labels, and the net before it is trained."""
    by_fraction = smoke["table"].groupby("fraction")
    for shared in ("raw_accuracy", "random_accuracy", "supervised_accuracy"):
        assert (by_fraction[shared].nunique() == 1).all()
    cells = make_grid(STUDY, "full").cells
    for purpose in STUDY.seeds:
        assert len({cell.seed(purpose) for cell in cells if cell["replicate"] == 3}) == 1
        assert len({cell.seed(purpose) for cell in cells}) == 20


def table_of(spread: float = 1e-3, n: int = 10, **changes: float) -> pd.DataFrame:
    """A table in which every claim holds; accuracies of a learner set otherwise."""
    level = {"simclr": 0.9, "raw": 0.8, "random": 0.75, "supervised": 0.85, "fine_tuned": 0.9}
    level |= {"shuffled": 0.7, "shuffled_fine_tuned": 0.85, "views": 0.95}
    assert set(changes) <= set(level)
    level |= changes
    rows = []
    for method, r in itertools.product(STUDY.axes["method"], range(n)):
        shuffled = method == "shuffled"
        for fraction in (1.0,) if method == "views" else here.FRACTIONS:
            wobble = spread * ((r * 7) % 10 - 4.5)
            rows.append(
                {
                    "method": method,
                    "replicate": r,
                    "fraction": fraction,
                    "accuracy": level[method] + wobble,
                    "raw_accuracy": level["raw"] + wobble / 2,
                    "random_accuracy": level["random"] - wobble,
                    "supervised_accuracy": level["supervised"] + wobble / 3,
                    "fine_tuned_accuracy": level["shuffled_fine_tuned" if shuffled else "fine_tuned"]
                    - wobble,
                    "status": "ok",
                }
            )
    return pd.DataFrame(rows)


REFUTED = {
    "labels.beats_raw": {"raw": 0.92},
    "labels.beats_random": {"random": 0.92},
    "labels.few": {"supervised": 0.92},
    "C20.labels": {"views": 0.91},
    "C20.initialisation": {"fine_tuned": 0.83, "shuffled_fine_tuned": 0.8},
}
CONTROLS = {claim: {"shuffled": 0.89} for claim in REFUTED if claim.startswith("labels")}
CONTROLS["C20.initialisation"] = {"shuffled_fine_tuned": 0.88}


@pytest.mark.parametrize("claim", REFUTED)
def test_each_claim_can_be_supported_and_refuted(claim: str, outcome) -> None:
    assert outcome(STUDY, claim, table_of()) == "supported"
    assert outcome(STUDY, claim, table_of(**REFUTED[claim])) == "refuted"


@pytest.mark.parametrize("claim", REFUTED)
def test_noise_missing_rows_or_a_failed_one_decide_nothing(claim: str, outcome) -> None:
    assert outcome(STUDY, claim, table_of(spread=1.0)) == "inconclusive"
    assert outcome(STUDY, claim, table_of(n=1)) == "inconclusive"
    assert outcome(STUDY, claim, table_of().iloc[:0]) == "inconclusive"
    failed = table_of()
    failed.loc[failed["method"] == "simclr", "status"] = "diverged at step 3"
    assert outcome(STUDY, claim, failed) == "inconclusive"


@pytest.mark.parametrize("claim", CONTROLS)
def test_shuffled_pairs_that_gain_as_well_decide_nothing(claim: str, outcome) -> None:
    assert outcome(STUDY, claim, table_of(**CONTROLS[claim])) == "inconclusive"


def test_one_fraction_is_enough_to_refute_and_few_means_few(outcome) -> None:
    table = table_of()
    table.loc[table["fraction"] == 0.3, "supervised_accuracy"] += 0.1
    table.loc[table["fraction"] == 0.3, "raw_accuracy"] += 0.15
    assert outcome(STUDY, "labels.beats_raw", table) == "refuted"
    assert outcome(STUDY, "labels.few", table) == "supported"


def test_the_supervised_net_is_the_one_that_is_better_for_the_others(outcome) -> None:
    assert outcome(STUDY, "C20.labels", table_of(supervised=0.95, views=0.5)) == "supported"
    assert outcome(STUDY, "C20.labels", table_of().query("method != 'views'")) == "inconclusive"

"""The temperature study: its range, its hot start, and claims against tables with a known answer."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mibounds import study
from mibounds.statistics import mean_interval
from mibounds.study.grid import make_grid

STUDY = study.load("temperature")
here = SimpleNamespace(**STUDY.measure.__globals__)


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY, kappa=(5.0,), arm=("exact", "images"))


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert set(here.MEASURED) | {"temperature", "start_temperature", "status"} <= set(table)
    assert (table["status"] == "ok").all()
    assert table["truth_nats"].isna().eq(table["arm"] == "images").all()
    assert set(study.verdicts(STUDY, smoke)) == {claim.id for claim in STUDY.claims}
    assert len(STUDY.draw(smoke).axes) == 6


def test_temperatures_span_an_eighth_to_eight_times_one_over_kappa() -> None:
    scale = [20 * here.temperature_of("exact", 20.0, step) for step in range(here.N_STEPS)]
    assert (scale[0], scale[-1]) == pytest.approx((1 / 8, 8))
    assert np.diff(np.log(scale)) == pytest.approx(math.log(1.46), abs=1e-3)
    ends = [here.temperature_of("images", math.nan, step) for step in (0, here.N_STEPS - 1)]
    assert ends == pytest.approx([0.02, 2.0])


def test_a_hot_start_leaves_each_run_its_own_temperature(smoke) -> None:
    exact = smoke["table"][smoke["table"]["arm"] == "exact"]
    assert exact["temperature"].tolist() == pytest.approx(exact["start_temperature"].tolist(), rel=1e-6)


def test_compared_temperatures_share_data_and_weights() -> None:
    cells = make_grid(STUDY, "full", {"kappa": (10.0,), "arm": ("exact", "wide")}, 1).cells
    for purpose in STUDY.seeds:
        assert len({cell.seed(purpose) for cell in cells}) == 1


def table_of(optimum: float = 0.0, learned: float = 0.0, spread: float = 0.01) -> pd.DataFrame:
    """InfoNCE a parabola in ln(kappa tau) with its vertex at `optimum`; ten replicates."""
    rows = []
    for cell in make_grid(STUDY).cells:
        arm, step = cell["arm"], cell["step"]
        x = math.log(8) * (2 * step / 11 - 1)
        wobble = spread * (cell["replicate"] - 4.5)
        if arm == "learned":
            x = learned + wobble
        value = (
            2.0 - 0.2 * (x - optimum - wobble) ** 2
            if arm != "wide"
            else 2.0 - 0.2 * max(x, 0.0) ** 2 + wobble
        )
        rows.append(
            {
                **cell.point,
                "log_kappa_temperature": x,
                "estimate_nats": value,
                "oracle_nats": 2.5,
                "truth_nats": 2.6,
                "ceiling_nats": 6.2,
                "temperature_ceiling_nats": 4.0,
                "shuffled_nats": -1.0 + wobble,
                "accuracy": 0.98 - 0.02 * (x + wobble) ** 2,
                "status": "ok",
            }
        )
    return pd.DataFrame(rows)


@pytest.mark.parametrize("claim", [claim.id for claim in STUDY.claims])
def test_theory_s_table_supports_each_claim(claim: str, outcome) -> None:
    assert outcome(STUDY, claim, table_of()) == "supported"


TILTED = table_of().assign(estimate_nats=lambda t: t["estimate_nats"] + 0.3 * t["log_kappa_temperature"])


@pytest.mark.parametrize(
    ("claim", "table"),
    [
        ("C16.optimum", table_of(optimum=0.8)),
        ("C16.learned", table_of(learned=-0.7)),
        ("C16.plateau", TILTED),
        (
            "C16.images",
            table_of().assign(accuracy=lambda t: 0.98 - 0.001 * t["step"] * (1 + t["replicate"] / 99)),
        ),
        ("C16.ceilings", table_of().assign(temperature_ceiling_nats=1.5)),
        ("C16.oracle", table_of().assign(oracle_nats=1.5)),
    ],
)
def test_a_table_that_contradicts_refutes(claim: str, table: pd.DataFrame, outcome) -> None:
    assert outcome(STUDY, claim, table) == "refuted"


def test_wide_intervals_decide_nothing(outcome) -> None:
    assert outcome(STUDY, "C16.optimum", table_of(spread=0.3)) == "inconclusive"


def test_shuffled_pairs_that_show_information_decide_nothing(outcome) -> None:
    table = table_of().assign(shuffled_nats=0.4)
    assert {outcome(STUDY, claim, table) for claim in ("C16.optimum", "C16.plateau", "C16.learned")} == {
        "inconclusive"
    }


def test_the_interval_of_the_vertex_is_that_of_the_replicates_own_where_all_curve_alike() -> None:
    rows = table_of(optimum=0.2, spread=0.02)
    of = rows[(rows["arm"] == "exact") & (rows["kappa"] == 20.0)]
    expected = [0.2 + 0.02 * (r - 4.5) for r in range(10)]
    assert here.best_log_kappa_temperature(of) == pytest.approx(mean_interval(expected), abs=1e-6)


def test_a_replicate_whose_curve_opens_upward_leaves_the_mean_s_vertex(outcome) -> None:
    table = table_of()
    bent = (table["arm"] == "exact") & (table["kappa"] == 20.0) & (table["replicate"] == 3)
    table.loc[bent, "estimate_nats"] = 1.8 + 0.01 * table.loc[bent, "log_kappa_temperature"] ** 2
    assert outcome(STUDY, "C16.optimum", table) == "supported"

"""The view_strength study: its dial, two lines against known curves, and claims against tables with a known answer."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mibounds import study
from mibounds.study.grid import make_grid

STUDY = study.load("view_strength")
here = SimpleNamespace(**STUDY.measure.__globals__)


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert {"accuracy", "embedding_accuracy", "random_accuracy", "shared_nats", "strength"} <= set(table)
    assert (table["status"] == "ok").all()
    assert {found.outcome for found in study.verdicts(STUDY, smoke).values()} == {"inconclusive"}
    assert len(STUDY.draw(smoke).axes) == 6


def test_what_is_shared_is_what_the_dial_says(smoke) -> None:
    table = smoke["table"]
    latents = table[table["arm"].isin(here.LATENTS)]
    assert latents["shared_nats"].tolist() == pytest.approx((12.0 - latents["level"]).tolist(), abs=1e-9)
    assert latents["truth_nats"].tolist() == pytest.approx(latents["shared_nats"].tolist())
    assert table.loc[table["arm"] == "digits", "shared_nats"].isna().all()
    assert table["strength"].between(0, 1).all()


@pytest.mark.parametrize("arm", ["nuisance first", "content first"])
def test_the_dial_takes_one_part_and_then_the_other(arm: str) -> None:
    parts = np.array([here.parts_nats(arm, level) for level in range(13)])
    assert parts.sum(1).tolist() == pytest.approx(list(range(12, -1, -1)))
    first, second = parts.T if arm == "content first" else parts.T[::-1]
    assert first[:7].tolist() == [6, 5, 4, 3, 2, 1, 0] and (second[:7] == 6).all()
    assert (first[6:] == 0).all() and second[-1] == 0


def test_all_levels_and_arms_of_a_replicate_are_paired(smoke) -> None:
    latents = smoke["table"][smoke["table"]["arm"].isin(here.LATENTS)]
    for same in ("raw_accuracy", "random_content_r2"):
        assert latents[same].nunique() == 1
    cells = make_grid(STUDY, "full").cells
    for purpose in STUDY.seeds:
        assert len({cell.seed(purpose) for cell in cells if cell["replicate"] == 3}) == 1
        assert len({cell.seed(purpose) for cell in cells}) == 10


def test_two_lines_are_the_slopes_of_a_tent_and_its_peak_the_tip() -> None:
    """Up 3 points a level to level 6, then down 1: over a dial of 12 levels 36 and -12."""
    x = np.arange(13)
    tent = np.where(x <= 6, 3.0 * x, 18.0 - (x - 6))
    points = pd.DataFrame([tent, tent + 1, tent - 2])
    lines = here.two_lines(points)
    assert lines.before == pytest.approx([36.0] * 3) and lines.after == pytest.approx([-12.0] * 3)
    assert here.peak(pd.Series(-((x - 6.3) ** 2))) == pytest.approx(6.3)
    assert here.peak(pd.Series(x)) == 12.0 and here.peak(pd.Series(-x)) == 0.0
    assert here.peak(pd.Series([0.0, 1.0, 1.0, 1.0])) == pytest.approx(1.5)
    effect, low, high = here.peak_interval(points)
    assert effect == pytest.approx(here.peak(pd.Series(tent))) and low == pytest.approx(high)


def test_a_peak_between_uneven_levels_is_where_it_is() -> None:
    levels = pd.Index([0, 2, 3, 5, 9])
    assert here.peak(pd.Series(-((levels - 3.4) ** 2), index=levels)) == pytest.approx(3.4)


def test_lines_meet_where_the_other_replicates_are_best() -> None:
    own, other = [0.0, 9.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 9.0, 0.0]
    lines = here.two_lines(pd.DataFrame([own, other]))
    assert lines.before[0] == pytest.approx(4 * np.polyfit([0, 1, 2, 3], own[:4], 1)[0])
    assert lines.after[1] == pytest.approx(4 * np.polyfit([1, 2, 3, 4], other[1:], 1)[0])


def test_a_curve_without_a_maximum_has_finite_slopes() -> None:
    falling = pd.DataFrame([-np.arange(5.0)] * 3)
    lines = here.two_lines(falling)
    assert lines.before == pytest.approx([-4.0] * 3) and lines.after == pytest.approx([-4.0] * 3)


SHAPES = {
    "tent": lambda x, tip: 0.9 - 0.3 * abs(x - tip),
    "rising": lambda x, tip: 0.5 + 0.3 * x,
    "falling": lambda x, tip: 0.8 - 0.3 * x,
}


def table_of(spread: float = 2e-3, n: int = 10, tip: float = 0.5, **changes: str | float) -> pd.DataFrame:
    """A table in which every claim holds, but for arms whose curve has another shape, and what is set otherwise."""
    shape = dict.fromkeys(here.LAST, "tent") | {"content first": "falling"}
    shape |= {name.replace("_", " "): kind for name, kind in changes.items() if isinstance(kind, str)}
    broken, lost = changes.get("broken", 0.85), changes.get("lost", 0.0)
    noise = np.random.default_rng(0)
    rows = []
    for cell in make_grid(STUDY, "full", replicates=n).cells:
        arm, strength = cell["arm"], cell["level"] / here.LAST[cell["arm"]]
        right = SHAPES[shape[arm]](strength, tip) + spread * noise.standard_normal()
        if arm == "digits, broken pairs":
            right = broken + spread * noise.standard_normal()
        if arm == "content first" and cell["level"] == 6:
            right += lost
        rows.append(dict(cell.point) | {"accuracy": right, "random_accuracy": 0.9, "status": "ok"})
    return pd.DataFrame(rows)


REFUTED = {
    "maximum": {"nuisance_first": "rising"},
    "needed": {"tip": 0.7},
    "choice": {"lost": 0.3},
    "digits": {"digits": "falling", "broken": 0.5},
}
CONTROLS = {
    "maximum": {"content_first": "rising"},
    "needed": {"content_first": "rising"},
    "digits": {"broken": 0.9},
}


@pytest.mark.parametrize("claim", REFUTED)
def test_each_claim_can_be_supported_and_refuted(claim: str, outcome) -> None:
    assert outcome(STUDY, f"C18.{claim}", table_of()) == "supported"
    assert outcome(STUDY, f"C18.{claim}", table_of(**REFUTED[claim])) == "refuted"


@pytest.mark.parametrize("claim", REFUTED)
def test_noise_one_replicate_or_a_failed_row_decides_nothing(claim: str, outcome) -> None:
    claim_id = f"C18.{claim}"
    assert outcome(STUDY, claim_id, table_of(spread=1.0)) == "inconclusive"
    assert outcome(STUDY, claim_id, table_of(n=1)) == "inconclusive"
    failed = table_of()
    failed.loc[failed["level"] == 3, "status"] = "diverged at step 3"
    assert outcome(STUDY, claim_id, failed) == "inconclusive"
    assert outcome(STUDY, claim_id, table_of().iloc[:0]) == "inconclusive"


@pytest.mark.parametrize("claim", CONTROLS)
def test_a_control_that_does_not_break_or_is_missing_decides_nothing(claim: str, outcome) -> None:
    claim_id = f"C18.{claim}"
    assert outcome(STUDY, claim_id, table_of(**CONTROLS[claim])) == "inconclusive"
    alone = table_of().query("arm in ('nuisance first', 'digits')")
    assert outcome(STUDY, claim_id, alone) == "inconclusive"


def test_a_peak_at_the_dial_s_edge_is_no_interior_maximum(outcome) -> None:
    assert outcome(STUDY, "C18.maximum", table_of(tip=0.93, spread=1e-4)) == "refuted"


@pytest.mark.parametrize("level", [0, 6, 12])
def test_without_a_level_the_peak_is_not_placed(level: int, outcome) -> None:
    table = table_of()
    part = table[(table["arm"] != "nuisance first") | (table["level"] != level)]
    assert outcome(STUDY, "C18.needed", part) == "inconclusive"


def test_a_replicate_that_lacks_a_level_is_left_out(outcome) -> None:
    table = table_of()
    part = table[(table["replicate"] != 4) | (table["level"] != 5)]
    assert outcome(STUDY, "C18.maximum", part) == "supported"
    assert here.curves(part[part["arm"] == "nuisance first"]).index.tolist() == [0, 1, 2, 3, 5, 6, 7, 8, 9]

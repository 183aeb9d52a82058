"""The sensitivity study: its design, its shares against slow oracles, and claims on tables with a known answer."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mibounds import study
from mibounds.study.grid import make_grid

STUDY = study.load("sensitivity")
here = SimpleNamespace(**STUDY.measure.__globals__)
SETTINGS = [dict(zip(here.FACTORS, setting, strict=True)) for setting in here.DESIGN]


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert {"accuracy", "content_r2", "style_r2", "random_accuracy", "oracle_nats"} <= set(table)
    assert (table["status"] == "ok").all() and table["accuracy"].between(0, 1).all()
    assert {found.outcome for found in study.verdicts(STUDY, smoke).values()} == {"inconclusive"}
    assert len(STUDY.draw(smoke).axes) == 9


def test_all_settings_of_a_replicate_are_paired(smoke) -> None:
    assert smoke["table"]["raw_accuracy"].nunique() == 1  # the strengths see the same clean inputs
    cells = make_grid(STUDY, "full").cells
    for purpose in STUDY.seeds:
        assert len({cell.seed(purpose) for cell in cells if cell["replicate"] == 3}) == 1
        assert len({cell.seed(purpose) for cell in cells}) == 10


def test_any_three_columns_take_all_levels_together_equally_often() -> None:
    levels = np.array(here.RUNS)
    assert levels.shape == (81, 8) and len(here.DESIGN) == 81
    for columns in itertools.combinations(range(8), 3):
        counts = Counter(map(tuple, levels[:, columns]))
        assert len(counts) == 27 and set(counts.values()) == {3}


def test_the_grid_is_the_design() -> None:
    grid = make_grid(STUDY, "full")
    settings = {tuple(cell[factor] for factor in here.FACTORS) for cell in grid.cells}
    assert settings == set(here.DESIGN) and len(grid.cells) == 810
    assert {len(pack.cells) for pack in grid.packs} == {30}
    for low, middle, high in here.LEVELS.values():
        assert low < middle < high
    assert max(here.LEVELS["n_negatives"]) < min(here.LEVELS["batch_size"])


def test_strong_views_lose_the_style_before_the_content() -> None:
    weak, middle, strong = map(here.source_of, here.LEVELS["view_strength"])
    assert weak.style_information > middle.style_information > strong.style_information == 0
    assert strong.content_information > weak.content_information / 3


def points(effect, sd: float = 1.0, n: int = 10, seed: int = 0) -> pd.DataFrame:
    """Settings down, replicates across: 60 + effect(setting) + noise."""
    rng = np.random.default_rng(seed)
    rows = [
        {**setting, "replicate": r, "accuracy": (60 + effect(setting) + sd * rng.standard_normal()) / 100}
        for r in range(n)
        for setting in SETTINGS
    ]
    return here.points_of(pd.DataFrame(rows))


def level(setting: dict, factor: str) -> int:
    return here.LEVELS[factor].index(setting[factor]) - 1


def mixed(setting: dict) -> float:
    """Variances: batch 6 (2/3 of 9), width 1.5, their interaction 4/9, all others none."""
    batch, width = level(setting, "batch_size"), level(setting, "width")
    return 3 * batch + 1.5 * width + batch * width


def test_shares_are_those_of_the_truth() -> None:
    """On average over many tables, and they sum to 1 in each."""
    found = [here.shares(points(mixed, sd=2.0, n=4, seed=seed)) for seed in range(40)]
    known = {"batch_size": 6.0, "width": 1.5, "interactions": 4 / 9, "replicates": 4.0}
    total = sum(known.values())
    mean = pd.DataFrame(found).mean()
    for name in mean.index:
        assert mean[name] == pytest.approx(known.get(name, 0.0) / total, abs=0.01)
    for one in found:
        assert sum(value for name, value in one.items() if name != here.NOTHING) == pytest.approx(1.0)


def test_shares_equal_a_slow_decomposition() -> None:
    """Sums of squares by loops, each less its expectation under noise alone."""
    table = points(mixed, sd=1.5, n=5)
    values = {setting: table.loc[setting].to_numpy() for setting in table.index}
    noise = float(np.mean([of.var(ddof=1) for of in values.values()]))
    grand = float(np.mean([of.mean() for of in values.values()]))
    at = here.FACTORS.index("width")
    own = 0.0
    for one in here.LEVELS["width"]:
        of_level = [of.mean() for setting, of in values.items() if setting[at] == one]
        assert len(of_level) == 27
        own += (np.mean(of_level) - grand) ** 2 / 3
    between = sum((of.mean() - grand) ** 2 for of in values.values()) / 81
    own, between = own - 2 * noise / (81 * 5), between - 80 * noise / (81 * 5)
    assert here.shares(table)["width"] == pytest.approx(own / (between + noise))
    assert here.shares(table)["replicates"] == pytest.approx(noise / (between + noise))


def test_slopes_are_points_a_doubling() -> None:
    table = points(lambda setting: 2 * math.log2(setting["batch_size"]) - math.log2(setting["width"]), sd=0.0)
    found = here.slopes(table)
    assert found["batch_size"] == pytest.approx(2.0) and found["width"] == pytest.approx(-1.0)
    assert found["temperature"] == pytest.approx(0.0, abs=1e-9)


def test_the_interval_covers_the_truth() -> None:
    """Batch has 6 of 6 + 4 parts, replicates 4, of which a quarter is common to all settings: excess 0.2."""

    def one(seed: int) -> bool:
        rng = np.random.default_rng(seed)
        table = points(lambda setting: 3 * level(setting, "batch_size"), sd=math.sqrt(3), seed=seed)
        table = table + rng.standard_normal(table.shape[1])
        found = here.over_replicates(table, lambda some: here.excess_of(some, "batch_size"))
        return found.low < 0.2 < found.high

    assert sum(map(one, range(24))) >= 20


def table_of(n: int = 10, sd: float = 1.0, **slope: float) -> pd.DataFrame:
    """Points a level: 3 of batch, width and view strength, unless `slope` says otherwise."""
    by_factor = {"batch_size": 3.0, "width": 3.0, "view_strength": 3.0} | slope
    rng = np.random.default_rng(1)
    rows = []
    for r, (setting, nothing) in itertools.product(
        range(n), zip(SETTINGS, here.DESIGN.values(), strict=True)
    ):
        true = sum(by * level(setting, factor) for factor, by in by_factor.items() if factor in here.FACTORS)
        true += by_factor.get("nothing", 0.0) * nothing + sd * rng.standard_normal()
        rows.append({**setting, "replicate": r, "accuracy": 0.6 + true / 100, "status": "ok"})
    return pd.DataFrame(rows)


FACTOR_OF = {"C17.batch": "batch_size", "C17.projection": "width", "C17.augmentation": "view_strength"}


@pytest.mark.parametrize(("claim", "factor"), FACTOR_OF.items())
def test_each_claim_can_be_supported_and_refuted(claim: str, factor: str, outcome) -> None:
    assert outcome(STUDY, claim, table_of()) == "supported"
    assert outcome(STUDY, claim, table_of(**{factor: 0.3})) == "refuted"


@pytest.mark.parametrize(("claim", "factor"), FACTOR_OF.items())
def test_an_optimum_inside_counts_too(claim: str, factor: str, outcome) -> None:
    table = table_of(**{factor: 0.0})
    table["accuracy"] -= 0.05 * (table[factor] != here.LEVELS[factor][1])
    assert outcome(STUDY, claim, table) == "supported"


@pytest.mark.parametrize(("claim", "factor"), FACTOR_OF.items())
def test_what_decides_nothing(claim: str, factor: str, outcome) -> None:
    equal = math.sqrt(3 / 2)  # a factor's variance 2/3 slope^2 is then the replicates'
    assert outcome(STUDY, claim, table_of(**{factor: equal})) == "inconclusive"
    assert outcome(STUDY, claim, table_of(nothing=3.0)) == "inconclusive"
    assert outcome(STUDY, claim, table_of(n=1)) == "inconclusive"
    assert outcome(STUDY, claim, table_of(n=2)) == "inconclusive"
    assert outcome(STUDY, claim, table_of().query("batch_size != 32")) == "inconclusive"
    assert outcome(STUDY, claim, table_of().iloc[:-1]) == "inconclusive"
    assert outcome(STUDY, claim, table_of().iloc[:0]) == "inconclusive"
    failed = table_of()
    failed.loc[5, "status"] = "diverged at step 3"
    assert outcome(STUDY, claim, failed) == "inconclusive"


def test_a_verdict_says_share_and_points_a_doubling() -> None:
    (claim,) = [one for one in STUDY.claims if one.id == "C17.batch"]
    found = claim.verdict({"table": table_of()})
    assert "1.5" in found.reason and "points a doubling" in found.reason  # 3 points a level, a factor of 4
    assert found.effect == pytest.approx((6 - 1) / (3 * 6 + 1), abs=0.02)


def test_the_figure_shows_shares_and_slopes_of_a_whole_table() -> None:
    table = table_of(n=3).assign(random_accuracy=0.5, raw_accuracy=0.4)
    shares, slopes, *levels = STUDY.draw({"table": table}).axes
    assert [text.get_text() for text in shares.get_yticklabels()][-2:] == ["nothing (control)", "replicates"]
    assert len(slopes.get_yticklabels()) == len(here.FACTORS) == len(levels)
    assert len(STUDY.draw({"table": table.query("batch_size == 32")}).axes[0].lines) == 0

"""The certificates' study: its laws' truths, its comparison, and its claims against tables with a known answer."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from mibounds import study
from mibounds.distributions.gaussian import Gaussian
from mibounds.study.grid import make_grid

STUDY = study.load("certified_bound")
here = SimpleNamespace(**STUDY.measure.__globals__)


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke):
    table = smoke["table"]
    assert {"truth_nats", "estimate_nats", "limit_nats", "status"} <= set(table)
    assert (table["status"] == "ok").all() and (table["estimate_nats"] >= 0).all()
    assert (table["limit_nats"] <= table["ceiling_nats"]).all()
    assert set(study.verdicts(STUDY, smoke)) == {claim.id for claim in STUDY.claims}
    assert len(STUDY.draw(smoke).axes) == 2


def test_the_full_grid_asks_a_hundred_of_each_of_twenty_laws():
    cells = make_grid(STUDY, "full").cells
    valid = [cell for cell in cells if cell["arm"] == "certified" and cell["law"] in here.LAWS]
    assert len(here.LAWS) == 20 and len(valid) == 2000 and len(here.INDEPENDENT) == 4
    assert sum(cell["arm"] == "oracle" for cell in cells) == 50


@pytest.mark.parametrize("name", here.LAWS)
def test_a_law_gives_pairs_by_its_seed(name):
    law = here.LAWS[name]()
    (x, y), again, (other, _) = law.sample(50, 0), law.sample(50, 0), law.sample(50, 1)
    assert len(x) == len(y) == 50 and torch.equal(x, again[0]) and torch.equal(y, again[1])
    assert (law.truth_nats == 0) == (name in here.INDEPENDENT) and 0 <= law.truth_nats < 9
    assert not torch.equal(x, other) or name in ("rare_event", "independent_rare")


def test_truths_that_are_made_here():
    entropy = -(0.01 * math.log(0.01) + 0.99 * math.log(0.99))
    assert here.LAWS["rare_event"]().truth_nats == pytest.approx(entropy, rel=1e-6)
    many = -(0.05 * math.log(0.05 / 50) + 0.95 * math.log(0.95))
    assert here.LAWS["rare_symbols"]().truth_nats == pytest.approx(many, rel=1e-6)


def test_the_mixtures_truth_by_its_density_ratio():
    """ln r is ln 2 more than that of the part, which shows in x and in y."""
    law = here.mixture()
    x, y = law.sample(200_000, 0)
    is_second = x[:, 0] > here.OFFSET / 2
    assert torch.equal(is_second, y[:, 0] > here.OFFSET / 2)
    parts = [(here.uniform(0.1), x[~is_second], y[~is_second])]
    parts += [(here.uniform(1.0), x[is_second] - here.OFFSET, y[is_second] - here.OFFSET)]
    ratios = torch.cat([part.log_density_ratio(a.double(), b.double()) for part, a, b in parts])
    ratios = ratios[ratios.isfinite()] + math.log(2)  # the offset's rounding may put a pair over the edge
    assert ratios.mean().item() == pytest.approx(law.truth_nats, abs=0.01)


def test_both_terms_lie_under_the_population_value():
    law = Gaussian.from_mutual_information(20, 1.0)
    x, y = law.sample(4000, 0, dtype=torch.float64)
    assert 0.3 < here.both_terms(law, x, y, 2.5, 0.05) < 1.0
    assert here.both_terms(law, x, y, 2.5, 0.5) > here.both_terms(law, x, y, 2.5, 0.05)


def table_of(share_above: float = 0.02, control: float = 0.5, gain: float = 0.1) -> pd.DataFrame:
    """A table in which all holds."""
    rows = []
    for law in here.LAWS:
        for arm in ("certified", "same_pairs"):
            if arm == "same_pairs" and law not in here.INDEPENDENT:
                continue
            share = share_above if arm == "certified" else control
            rows += [
                {
                    "law": law,
                    "arm": arm,
                    "replicate": r,
                    "truth_nats": 0.0,
                    "limit_nats": 0.1 if r < 100 * share else -0.1,
                }
                for r in range(100)
            ]
    for law, nats in here.LEVELS.items():
        for r in range(10):
            limit = here.TRIAL_NATS[law] + gain + 0.001 * (r % 3)
            of_level = {"law": law, "replicate": r, "truth_nats": nats}
            rows.append(of_level | {"arm": "oracle", "limit_nats": limit, "bernstein_nats": limit - gain})
            rows.append(of_level | {"arm": "certified", "limit_nats": (0.8 + gain) * limit})
    return pd.DataFrame(rows).assign(status="ok")


CASES = [
    ("validity", {}, "supported"),
    ("validity", {"share_above": 0.06}, "supported"),
    ("validity", {"share_above": 0.08}, "refuted"),
    ("validity", {"control": 0.05}, "inconclusive"),
    ("above_the_trial", {}, "supported"),
    ("above_the_trial", {"gain": -0.1}, "refuted"),
    ("above_bernstein", {}, "supported"),
    ("above_bernstein", {"gain": -0.1}, "refuted"),
    ("near_the_oracle", {}, "supported"),
    ("near_the_oracle", {"gain": -0.1}, "refuted"),
]


@pytest.mark.parametrize(("claim", "change", "expected"), CASES)
def test_claims_follow_the_table(outcome, claim, change, expected):
    assert outcome(STUDY, claim, table_of(**change)) == expected


def test_one_law_far_off_refutes_what_the_pool_would_pass(outcome):
    table = table_of(share_above=0.0)
    table.loc[(table["law"] == "cauchy") & (table["replicate"] < 12), "limit_nats"] = 0.1
    assert outcome(STUDY, "validity", table) == "refuted"


def test_a_failed_row_decides_nothing(outcome):
    table = table_of()
    table.loc[0, "status"] = "ParameterError"
    assert outcome(STUDY, "validity", table) == "inconclusive"

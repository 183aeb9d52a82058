"""The dimension study: what its cells share, and claims against tables with a known answer."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import pandas as pd
import pytest

from mibounds import study, theory
from mibounds.study.grid import make_grid

STUDY = study.load("dimension")
here = SimpleNamespace(**STUDY.measure.__globals__)


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert {"truth_nats", "sampled_truth_nats", "raw_latent_r2", "random_accuracy", "status"} <= set(table)
    assert (table["status"] == "ok").all() and table.notna().all(axis=None)
    assert {found.outcome for found in study.verdicts(STUDY, smoke).values()} == {"inconclusive"}
    assert len(STUDY.draw(smoke).axes) == 10


def test_widths_of_an_embedding_are_paired(smoke) -> None:
    """They share what is drawn for them: raw inputs, pairs, and the untrained encoder behind them."""
    by = smoke["table"].groupby(["arm", "dim"])
    for shared in ("raw_latent_r2", "random_latent_r2", "oracle_nats", "sampled_truth_nats"):
        assert (by[shared].nunique() == 1).all()
    cells = make_grid(STUDY, "full").cells
    for purpose in STUDY.seeds:
        seeds = {(c["arm"], c["dim"], c["embedding"], c["replicate"]): c.seed(purpose) for c in cells}
        assert len({seeds["constant_nats", 8, width, 3] for width in here.EMBEDDINGS}) == 1
        assert seeds["constant_nats", 8, 8, 3] != seeds["constant_nats", 8, 8, 4]


def test_a_pack_is_one_width_and_all_its_replicates() -> None:
    packs = make_grid(STUDY, "full").packs
    assert len(packs) == 60 and {len(pack.cells) for pack in packs} == {10}


@pytest.mark.parametrize("dim", here.DIMS)
def test_the_arms_have_the_information_that_their_names_say(dim: int) -> None:
    nats = [theory.vmf_mutual_information(dim, here.kappa_of(arm, dim)) for arm in here.ARMS]
    assert nats == pytest.approx([0.375 * dim, 4.0])


def test_many_latents_take_more_steps() -> None:
    assert [here.steps_of(dim, 600) for dim in here.DIMS] == [600, 600, 600, 1200, 2400]


def table_of(**changes: float) -> pd.DataFrame:
    """A table in which every claim holds, or is `changed` as its name says."""
    change = {
        "h_of_64": 0.0,
        "z_of_64": 0.0,
        "half_nats": 0.5,
        "rank": 1.0,
        "over_truth": -0.1,
        "shuffled": -1.0,
    } | {
        "untrained": 0.5,
        "z_of_2": 0.05,
        "random_rank": 3.0,
        "spread": 1e-3,
    }
    assert set(changes) <= set(change)
    change |= changes
    rows = []
    for arm, dim, width, replicate in itertools.product(here.ARMS, here.DIMS, here.EMBEDDINGS, range(10)):
        wobble = change["spread"] * (replicate - 4.5) * (1 + 0.1 * math.log2(width))
        bound = 3.0 - change["half_nats"] * (width < dim) + wobble
        row = {
            "latent_r2": 0.95 + change["h_of_64"] * (width == 64) + wobble,
            "random_latent_r2": change["untrained"] + wobble,
            "embedding_latent_r2": 0.9
            + change["z_of_64"] * (width == 64)
            - change["z_of_2"] * (width == 2 < dim)
            + wobble,
            "estimate_nats": bound,
            "best_temperature_estimate_nats": bound,
            "sampled_truth_nats": 3.0 - change["over_truth"],
            "shuffled_nats": change["shuffled"] + wobble,
            "effective_rank": change["rank"] * dim * math.exp(wobble),
            "random_effective_rank": change["random_rank"] * dim * math.exp(wobble),
        }
        point = {"arm": arm, "dim": dim, "embedding": width, "replicate": replicate, "status": "ok"}
        rows.append(point | row)
    return pd.DataFrame(rows)


CHANGES = {
    "enough": {"h_of_64": 0.05},
    "linear": {"z_of_64": 0.05},
    "narrow": {"half_nats": 0.02},
    "rank": {"rank": 2.0},
    "validity": {"over_truth": 0.1},
}
BROKEN_CONTROLS = {
    "enough": {"untrained": 0.94},
    "linear": {"z_of_2": 0.0},
    "narrow": {"shuffled": 0.5},
    "rank": {"random_rank": 1.0},
    "validity": {"shuffled": 0.5},
}


@pytest.mark.parametrize("claim", CHANGES)
def test_each_claim_can_be_supported_and_refuted(claim: str, outcome) -> None:
    assert outcome(STUDY, f"dimension.{claim}", table_of()) == "supported"
    assert outcome(STUDY, f"dimension.{claim}", table_of(**CHANGES[claim])) == "refuted"


@pytest.mark.parametrize("claim", CHANGES)
def test_noise_a_broken_control_or_a_failed_row_decides_nothing(claim: str, outcome) -> None:
    claim_id = f"dimension.{claim}"
    assert outcome(STUDY, claim_id, table_of(**BROKEN_CONTROLS[claim])) == "inconclusive"
    assert outcome(STUDY, claim_id, table_of(spread=1.0)) == "inconclusive"
    failed = table_of()
    failed.loc[failed.index[-1], "status"] = "diverged at step 3"
    assert outcome(STUDY, claim_id, failed) == "inconclusive"
    assert outcome(STUDY, claim_id, table_of().query("replicate == 0")) == "inconclusive"
    assert outcome(STUDY, claim_id, table_of().iloc[:0]) == "inconclusive"


def test_one_group_is_enough_to_refute(outcome) -> None:
    table = table_of()
    one = (table["arm"] == "constant_nats") & (table["dim"] == 8)
    table.loc[one & (table["embedding"] == 64), ["latent_r2", "embedding_latent_r2"]] += 0.05
    table.loc[one & (table["embedding"] == 64), "effective_rank"] *= 2
    table.loc[one & (table["embedding"] == 4), "best_temperature_estimate_nats"] += 0.5
    table.loc[one & (table["embedding"] == 2), "estimate_nats"] += 1.0
    assert {outcome(STUDY, f"dimension.{claim}", table) for claim in CHANGES} == {"refuted"}

"""The method family study: what its cells share, and claims against tables with a known answer."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from mibounds import study
from mibounds.study.grid import make_grid

STUDY = study.load("method_family")
here = SimpleNamespace(**STUDY.measure.__globals__)
CELLS = make_grid(STUDY, "full").cells


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert {"latent_r2", "accuracy", "relative_spread", "oracle_nats", "truth_nats"} <= set(table)
    assert (table["status"] == "ok").all() and table["latent_r2"].notna().all()
    assert {found.outcome for found in study.verdicts(STUDY, smoke).values()} == {"inconclusive"}
    assert len(STUDY.draw(smoke).axes) == 6


def test_each_first_start_stands_beside_every_second_one(smoke) -> None:
    similarity = smoke["similarity"]
    every = (*here.METHODS, here.UNTRAINED)
    assert set(zip(similarity["method"], similarity["other"], strict=True)) == set(
        itertools.product(every, every)
    )
    assert similarity["cka"].between(-0.1, 1.0).all() and (similarity["status"] == "ok").all()
    untrained = similarity.query("method == 'untrained' and other == 'untrained'")["cka"].item()
    assert 0 < untrained < 0.999  # two draws, not one beside itself


def test_cka_is_a_number_or_missing() -> None:
    rows = torch.randn(50, 4, generator=torch.Generator().manual_seed(0))
    assert here.cka(rows, 3 * rows.flip(1)) == pytest.approx(1.0)
    assert math.isnan(here.cka(rows, torch.ones(50, 4)))
    assert math.isnan(here.cka(rows, torch.full((50, 4), math.nan)))


def test_the_grid_is_what_the_study_says() -> None:
    family = [cell for cell in CELLS if cell["arm"] == "family" and cell["replicate"] == 0]
    assert {cell["batch_size"] for cell in family} == {128}
    assert Counter(cell["method"] for cell in family) == Counter(
        dict.fromkeys((*here.METHODS, here.UNTRAINED), 2) | {"swav": 3}
    )
    arms = [cell for cell in CELLS if cell["arm"] == "equal_steps" and cell["replicate"] == 0]
    assert {(cell["method"], cell["batch_size"]) for cell in arms} == set(
        itertools.product(("simclr", "swav"), here.BATCHES)
    )
    packs = make_grid(STUDY, "full").packs
    assert all(len({cell["replicate"] for cell in pack.cells}) == 1 for pack in packs)
    assert {len(pack.cells) for pack in packs} == {2, 21}


def test_methods_and_batches_of_a_replicate_are_paired_and_starts_are_not() -> None:
    of_replicate = [cell for cell in CELLS if cell["replicate"] == 3]
    for purpose in ("data", "weights"):
        seeds = {start: {c.seed(purpose) for c in of_replicate if c["start"] == start} for start in (0, 1)}
        assert [len(found) for found in seeds.values()] == [1, 1] and seeds[0] != seeds[1]
    assert len({cell.seed("evaluation") for cell in of_replicate}) == 1
    assert len({cell.seed("evaluation") for cell in CELLS}) == 10


def test_steps_are_what_the_arms_say() -> None:
    steps = {
        (c["arm"], c["method"], c["piece"], c["batch_size"]): here.steps_of(c)
        for c in CELLS
        if c["method"] != here.UNTRAINED
    }
    assert steps["family", "simsiam", "intact", 128] == 2000 and steps["family", "dcl", "intact", 128] == 1000
    assert steps["family", "swav", "removed", 128] == 3000
    for method, batch in itertools.product(("simclr", "swav"), here.BATCHES):
        assert steps["equal_steps", method, "intact", batch] == 300
        assert abs(steps["equal_samples", method, "intact", batch] * batch - 600 * 128) <= batch / 2


def test_slopes_are_points_a_doubling() -> None:
    rows = [
        {"replicate": r, "batch_size": batch, "accuracy": 0.5 + (0.01 + 0.02 * r) * math.log2(batch)}
        for r, batch in itertools.product((0, 1), here.BATCHES)
    ]
    assert here.slopes(pd.DataFrame(rows)).tolist() == pytest.approx([1.0, 3.0])
    assert here.slopes(pd.DataFrame(rows[:-1])) is None
    assert here.slopes(pd.DataFrame(rows).query("batch_size != 64")) is None


def tables(spread: float = 1e-4, n: int = 10, **changed: float) -> dict[str, pd.DataFrame]:
    """Tables in which every claim holds, but for what is `changed`."""
    level = {"simclr_slope": 1.0, "swav_slope": 0.2, "removed": 0.05, "intact": 0.9}
    level |= {"dimension": 0.93, "sample": 0.94, "untrained": 0.8, "vicreg": 0.93}
    level |= {"own": 0.95, "pair": 0.93, "with_untrained": 0.7, "byol_swav": 0.93} | changed
    rows = []
    for cell in make_grid(STUDY, "full", replicates=n).cells:
        arm, method, piece, start = (cell[axis] for axis in ("arm", "method", "piece", "start"))
        kind = "sample" if method in here.SAMPLES else "dimension"
        r2 = level.get(method, level[kind])
        wobble = spread * (cell["replicate"] - 4.5) * (1 + len(method) + start)
        slope = level.get(f"{method}_slope", 0.0) / 100 * math.log2(cell["batch_size"])
        row = {"latent_r2": r2 + wobble, "accuracy": 0.5 + slope + wobble, "status": "ok"}
        rows.append({**cell.point, **row, "relative_spread": level[piece] + wobble, "arm": arm})
    similarity = []
    every = (*here.METHODS, here.UNTRAINED)
    for r, a, b in itertools.product(range(n), every, every):
        kind = "own" if a == b else "with_untrained" if here.UNTRAINED in (a, b) else "pair"
        value = level["byol_swav"] if {a, b} == {"byol", "swav"} else level[kind]
        noise = spread * (r - 4.5) * (1 + every.index(a) * every.index(b) % 7)
        similarity.append({"replicate": r, "method": a, "other": b, "cka": value + noise, "status": "ok"})
    return {"table": pd.DataFrame(rows), "similarity": pd.DataFrame(similarity)}


def outcome(claim: str, found: dict[str, pd.DataFrame]) -> str:
    (one,) = [one for one in STUDY.claims if one.id == claim]
    return one.verdict(found).outcome


REFUTED = {
    "C11.equal_steps": {"swav_slope": 1.5},
    "C11.equal_samples": {"swav_slope": 1.5},
    "C14.accuracy": {"vicreg": 0.87},
    "C14.direction": {"byol_swav": 0.6},
    "C14.solutions": {"byol_swav": 0.8},
}
UNDECIDED = {
    "C11.equal_steps": [{"removed": 0.2}, {"intact": 0.05}],
    "C11.equal_samples": [{"removed": 0.2}, {"intact": 0.05}],
    "C14.accuracy": [{"untrained": 0.92}],
    "C14.direction": [],
    "C14.solutions": [],
}


@pytest.mark.parametrize("claim", REFUTED)
def test_each_claim_can_be_supported_and_refuted(claim: str) -> None:
    assert outcome(claim, tables()) == "supported"
    assert outcome(claim, tables(**REFUTED[claim])) == "refuted"


@pytest.mark.parametrize("claim", REFUTED)
def test_noise_a_broken_control_or_a_failed_row_decides_nothing(claim: str) -> None:
    for changed in UNDECIDED[claim]:
        assert outcome(claim, tables(**changed)) == "inconclusive"
    assert outcome(claim, tables(spread=0.05)) == "inconclusive"
    assert outcome(claim, tables(n=1)) == "inconclusive"
    failed = tables()
    failed["table"].loc[failed["table"]["method"] == "swav", "status"] = "diverged at step 3"
    failed["table"].loc[failed["table"]["method"] == "vicreg", "status"] = "diverged at step 3"
    failed["similarity"].loc[3, ["status", "cka"]] = ["a representation is constant or not finite", math.nan]
    assert outcome(claim, failed) == "inconclusive"
    assert outcome(claim, {name: of.iloc[:0] for name, of in tables().items()}) == "inconclusive"


@pytest.mark.parametrize("claim", REFUTED)
def test_without_what_it_compares_a_claim_says_so(claim: str) -> None:
    whole = tables()
    lacking = {
        "table": whole["table"].query("method != 'vicreg' and batch_size != 1024"),
        "similarity": whole["similarity"].query("method != 'dcl'"),
    }
    assert outcome(claim, lacking) == "inconclusive"
    if claim.startswith("C11"):
        without_control = whole["table"].query("piece == 'intact'")
        assert outcome(claim, {"table": without_control}) == "inconclusive"
    if claim in ("C14.direction", "C14.solutions"):
        assert outcome(claim, {"table": whole["table"]}) == "inconclusive"


def test_a_batch_arm_decides_for_itself() -> None:
    table = tables()["table"]
    other = table.copy()
    flat = (other["arm"] == "equal_steps") & (other["method"] == "simclr")
    other.loc[flat, "accuracy"] = 0.5 - other.loc[flat, "accuracy"] / 10
    assert outcome("C11.equal_steps", {"table": other}) == "refuted"
    assert outcome("C11.equal_samples", {"table": other}) == "supported"


def test_the_two_orders_of_a_pair_are_averaged() -> None:
    rows = pd.DataFrame(
        [
            {"replicate": 0, "method": a, "other": b, "cka": value}
            for a, b, value in (
                ("byol", "byol", 0.9),
                ("byol", "swav", 0.6),
                ("swav", "byol", 0.8),
                ("swav", "swav", 1.0),
            )
        ]
    )
    alike = here.likeness(rows)
    assert alike["byol", "swav"].item() == alike["swav", "byol"].item() == pytest.approx(0.7)
    assert alike["byol", "byol"].item() == pytest.approx(0.9)

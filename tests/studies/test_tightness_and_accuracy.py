"""The tightness and accuracy study: what its cells share, its ranks, and claims against tables with a known answer."""

from __future__ import annotations

import math
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mibounds import study
from mibounds.representation.network import Network
from mibounds.study.grid import make_grid

STUDY = study.load("tightness_and_accuracy")
here = SimpleNamespace(**STUDY.measure.__globals__)


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table, training, information = (smoke[name] for name in ("table", "training", "information"))
    assert {"accuracy", "estimate_nats", here.BOUND, "truth_nats", "alignment", "uniformity"} <= set(table)
    assert all((of["status"] == "ok").all() for of in smoke.values())
    assert table["accuracy"].notna().all() and table.query("arm == 'grid'")["shuffled_nats"].notna().all()
    assert (table.query("arm == 'invertible'")["inverse_error"] < here.INVERTIBLE).all()
    assert set(training["step"]) == {0, 1, 2} and len(information) == 2 * 2 * 2
    assert {found.outcome for found in study.verdicts(STUDY, smoke).values()} == {"inconclusive"}
    assert len(STUDY.draw(smoke).axes) == 6


def test_the_last_look_is_the_tidy_row_and_the_first_the_untrained_one(smoke) -> None:
    axes = [*STUDY.axes, "replicate"]
    table = smoke["table"].query("arm == 'invertible'").set_index(axes)
    by_step = {step: of.set_index(axes) for step, of in smoke["training"].groupby("step")}
    assert by_step[2]["accuracy"].equals(table["accuracy"])
    assert by_step[0]["accuracy"].equals(table["untrained_accuracy"].rename("accuracy"))


def test_the_grid_is_what_the_study_says() -> None:
    points = {tuple(cell[axis] for axis in STUDY.axes) for cell in make_grid(STUDY, "full").cells}
    assert Counter(point[0] for point in points) == {"invertible": 2 * 5, "grid": 2 * 2 * 20, "negatives": 2}
    shuffled = {point for point in points if point[4] == "shuffled"}
    assert {(point[0], point[3]) for point in shuffled} == {("invertible", "2 layers")}
    assert {(p[5], p[6]) for p in points if p[0] != "grid"} == {(0.2, 126)}
    assert all(len(pack.cells) <= 20 for pack in make_grid(STUDY, "full").packs)


def test_all_cells_of_a_source_and_replicate_are_paired(smoke) -> None:
    invertible = smoke["table"].query("arm == 'invertible'")
    assert (invertible.groupby("source")["untrained_accuracy"].nunique() == 1).all()
    cells = make_grid(STUDY, "full").cells
    for purpose in STUDY.seeds:
        assert len({cell.seed(purpose) for cell in cells}) == 2 * 10


def test_an_encoder_that_does_not_invert_is_seen() -> None:
    source = here.source_of("content_style")
    network = Network.build(source.shape, [0, 1], encoder="invertible", embedding=4)
    assert max(here.inverse_errors(network, source)) < 1e-4
    whole = network.encoder.forward
    network.encoder.forward = lambda x: whole(x).round(decimals=1)
    assert min(here.inverse_errors(network, source)) > 1e-3


def models(n: int = 40, seed: int = 0) -> pd.DataFrame:
    source = np.random.default_rng(seed)
    alignment, uniformity, own = source.normal(size=(3, n))
    bound = np.exp(alignment + 0.5 * uniformity + 0.5 * own)
    accuracy = alignment - uniformity + 0.7 * own + 0.3 * source.normal(size=n)
    columns = {"alignment": alignment, "uniformity": uniformity, here.BOUND: bound, "accuracy": accuracy}
    return pd.DataFrame(columns)


def recursive(r: pd.DataFrame, a: str, b: str, given: list[str]) -> float:
    """Partial correlation by the textbook's recursion over what is given."""
    if not given:
        return float(r.loc[a, b])
    *rest, last = given
    ab, al, bl = (recursive(r, *pair, rest) for pair in ((a, b), (a, last), (b, last)))
    return (ab - al * bl) / math.sqrt((1 - al**2) * (1 - bl**2))


@pytest.mark.parametrize("given", [[], ["alignment"], ["alignment", "uniformity"]])
def test_rank_correlation_is_spearman_s_and_its_partial(given: list[str]) -> None:
    table = models()
    expected = recursive(table.corr("spearman"), here.BOUND, "accuracy", given)
    assert here.rank_correlation(table, here.BOUND, given) == pytest.approx(expected, abs=1e-12)
    squeezed = table.assign(accuracy=np.tanh(table["accuracy"] / 10))
    assert here.rank_correlation(squeezed, here.BOUND, given) == pytest.approx(expected, abs=1e-12)


def test_too_few_models_have_no_partial_correlation() -> None:
    assert math.isnan(here.rank_correlation(models(5), here.BOUND, ["alignment", "uniformity"]))


def test_the_information_of_negatives_is_nothing_and_that_of_positives_is_seen() -> None:
    options = {"n_pairs": 2000, "critic_steps": 200}
    pack = make_grid(STUDY, "smoke", {"arm": ("negatives",), "source": ("content_style",)}).packs[0]
    for cell in pack.cells:
        cell.settings.update(options)
    (rows,) = here.information_rows(pack, here.trainer_of(pack), "before")
    by_kind = {row["pairs_of"]: row for row in rows}
    assert abs(by_kind["negatives"]["estimate_nats"]) < 0.05 and by_kind["negatives"]["truth_nats"] == 0
    assert 0.2 < by_kind["positives"]["estimate_nats"] < by_kind["positives"]["truth_nats"]


def test_an_encoder_that_diverged_has_rows_without_numbers() -> None:
    pack = make_grid(STUDY, "smoke", {"arm": ("negatives",), "source": ("digits",)}).packs[0]
    trainer = here.trainer_of(pack)
    trainer.status = ["diverged at step 3"]
    (rows,) = here.information_rows(pack, trainer, "after")
    assert [row["status"] for row in rows] == ["diverged at step 3"] * 2
    assert all(math.isnan(row["estimate_nats"]) for row in rows)


def test_rows_of_a_finite_source_come_in_draws_with_views_of_their_own() -> None:
    source = here.source_of("digits")
    network = Network.build(source.shape, [0, 1], embedding=4)
    (z, other), _ = here.embedded_pairs(network, source, [5, 6], 1000)
    assert z.shape == other.shape == (2 * 899, 4)
    assert len(z.unique(dim=0)) == 2 * 899
    (again, _), _ = here.embedded_pairs(network, source, [5, 7], 1000)
    (others, _), _ = here.embedded_pairs(network, source, [7, 6], 1000)
    assert again.equal(z) and not others.equal(z)


def tables_with(spread: float = 1e-3, n: int = 10, **level: float) -> dict[str, pd.DataFrame]:
    """Tables in which every claim holds, but for what `level` sets otherwise."""
    level = {"gain": 0.0, "critics": 0.02, "shuffled_gain": -0.1, "inverse_error": 1e-5} | level
    level = {"rank_noise": 0.0, "given": 0.0, "shuffled_nats": 0.0, "positives": 2.0} | level
    level = {"before": 0.0, "after": 0.0} | level
    noise = np.random.default_rng(0)
    rows, information = [], []
    for cell in make_grid(STUDY, "full", replicates=n).cells:
        arm, wobble = cell["arm"], spread * noise.normal()
        row = {"accuracy": 0.7 + wobble, here.BOUND: 4.0, "alignment": 0.3, "uniformity": -3.0}
        if arm == "invertible":
            tight = list(here.CRITICS).index(cell["critic"]) / 3
            gain = level["shuffled_gain"] if cell["pairs"] == "shuffled" else level["gain"]
            untrained = 0.7 + level["critics"] * tight
            row |= {"accuracy": untrained + gain + wobble, "untrained_accuracy": untrained}
            row |= {here.BOUND: 4 + tight, "inverse_error": level["inverse_error"]}
        if arm == "grid":
            bound, alignment, uniformity, other = noise.normal(size=4)
            row |= {"alignment": alignment, "uniformity": uniformity, "shuffled_nats": level["shuffled_nats"]}
            row[here.BOUND] = bound + level["given"] * (alignment + uniformity)
            by_geometry = level["given"] * (alignment + uniformity - 0.5 * bound)
            row["accuracy"] = (0.0 if level["given"] else bound) + by_geometry + level["rank_noise"] * other
            row["accuracy"] += 1000 * wobble * (spread > 0.1)
        if arm == "negatives":
            for when in ("before", "after"):
                for kind, nats in (("negatives", level[when]), ("positives", level["positives"])):
                    nats += spread * noise.normal()
                    known = {"when": when, "pairs_of": kind, "estimate_nats": nats, "status": "ok"}
                    information.append(dict(cell.point) | known)
        rows.append(dict(cell.point) | row | {"status": "ok"})
    return {"table": pd.DataFrame(rows), "information": pd.DataFrame(information)}


def outcome(claim: str, tables: dict[str, pd.DataFrame]) -> str:
    return study.verdicts(STUDY, tables)[claim].outcome


SUPPORTED = {"C4.minimised": {"before": 0.2}}
REFUTED = {
    "C3.constant": {"gain": 0.1},
    "C3.critics": {"critics": 0.005},
    "C3.rank": {"rank_noise": 3.0},
    "C4.zero": {"after": 0.2},
    "C4.minimised": {},
}
BROKEN = {
    "C3.constant": {"gain": 0.1, "shuffled_gain": 0.1},
    "C3.critics": {"inverse_error": 0.1},
    "C3.rank": {"shuffled_nats": 0.1},
    "C4.zero": {"positives": 0.1},
    "C4.minimised": {"positives": 0.1},
}


@pytest.mark.parametrize("claim", REFUTED)
def test_each_claim_can_be_supported_and_refuted(claim: str) -> None:
    assert outcome(claim, tables_with(**SUPPORTED.get(claim, {}))) == "supported"
    assert outcome(claim, tables_with(**REFUTED[claim])) == "refuted"


@pytest.mark.parametrize("claim", REFUTED)
def test_noise_a_broken_control_or_a_failed_row_decides_nothing(claim: str) -> None:
    held = SUPPORTED.get(claim, {})
    assert outcome(claim, tables_with(**held | BROKEN[claim])) == "inconclusive"
    assert outcome(claim, tables_with(n=1, **held)) == "inconclusive"
    if claim != "C3.rank":  # noise is no correlation, which is an answer
        assert outcome(claim, tables_with(spread=1.0, **held)) == "inconclusive"
    failed = tables_with(**held)
    for table in failed.values():
        table.loc[table["replicate"] == 2, "status"] = "diverged at step 3"
    assert outcome(claim, failed) == "inconclusive"
    empty = {name: table.iloc[:0] for name, table in tables_with().items()}
    assert outcome(claim, empty) == outcome(claim, {"table": empty["table"]}) == "inconclusive"


@pytest.mark.parametrize("claim", ["C3.constant", "C3.critics"])
def test_encoders_that_do_not_invert_or_lack_the_control_decide_nothing(claim: str) -> None:
    assert outcome(claim, tables_with(inverse_error=0.1)) == "inconclusive"
    assert outcome(claim, tables_with(inverse_error=math.nan)) == "inconclusive"
    tables = tables_with()
    tables["table"] = tables["table"].query("pairs == 'intact'")
    assert outcome(claim, tables) == "inconclusive"


def test_a_correlation_that_alignment_and_uniformity_explain_does_not_survive() -> None:
    explained = tables_with(given=2.0)
    alone = here.correlations(explained["table"].query("arm == 'grid'"), here.BOUND)
    assert min(map(np.mean, alone.values())) > 0.7
    found = study.verdicts(STUDY, explained)["C3.rank"]
    assert (found.outcome, found.unit) == ("refuted", "partial rank correlation")


def test_a_mean_under_the_threshold_is_not_supported() -> None:
    fair = {"a": list(np.linspace(0.6, 0.76, 10))}
    assert here.strong(fair, 0.05).outcome == "inconclusive"
    assert here.strong({"a": list(np.linspace(0.64, 0.8, 10))}, 0.05).outcome == "supported"
    assert here.strong({"a": list(np.linspace(0.55, 0.65, 10))}, 0.05).outcome == "refuted"


def test_no_replicate_chooses_its_critics_by_its_own_luck() -> None:
    values = pd.DataFrame({"a": [1.0, 0.0, 1.0, 0.0], "b": [0.0, 1.0, 0.0, 1.0]})
    assert here.ends(values, values).mean() <= 0.0
    assert here.ends(values, pd.DataFrame({"a": [1.0] * 4, "b": [2.0] * 4})).tolist() == [-1, 1, -1, 1]

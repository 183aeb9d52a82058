"""The projector study: what its cells share, and claims against tables with a known answer."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace

import pandas as pd
import pytest

from mibounds import study
from mibounds.study.grid import make_grid

STUDY = study.load("projector")
here = SimpleNamespace(**STUDY.measure.__globals__)
ACCURACY_CLAIMS = ("size", "projector", "tuned", "layers")


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert {"accuracy", "embedding_accuracy", "style_r2", "raw_accuracy", "random_accuracy"} <= set(table)
    assert (table["status"] == "ok").all()
    assert {found.outcome for found in study.verdicts(STUDY, smoke).values()} == {"inconclusive"}
    assert len(STUDY.draw(smoke).axes) == 6


def test_every_model_has_a_row_a_layer(smoke) -> None:
    layers, table = smoke["layers"], smoke["table"]
    assert len(layers) == len(here.PLACES) * len(table)
    of_h = layers[layers["layer"] == "h"].reset_index(drop=True)
    assert of_h["accuracy"].tolist() == pytest.approx(table["accuracy"].tolist(), abs=0.01)
    assert of_h["style_r2"].tolist() == pytest.approx(table["style_r2"].tolist(), abs=1e-6)
    rank = layers.pivot(index=[*STUDY.axes, "replicate"], columns="layer", values="effective_rank")
    assert rank["input"].isna().all() and rank.drop(columns="input").notna().all(axis=None)
    without = rank.loc[rank.index.get_level_values("layers") == 0]
    assert without["z"].tolist() == pytest.approx(without["h"].tolist())


def test_a_model_that_failed_has_rows_without_numbers() -> None:
    rows = here.layer_rows({"status": "diverged at step 3", "raw_accuracy": 0.5})
    assert [row["layer"] for row in rows] == list(here.PLACES)
    assert rows[0]["accuracy"] == 0.5 and rows[-1]["accuracy"] != rows[-1]["accuracy"]


def test_all_models_of_a_replicate_are_paired(smoke) -> None:
    for shared in ("raw_accuracy", "raw_style_r2", "random_accuracy", "oracle_nats"):
        assert smoke["table"][shared].nunique() == 1
    cells = make_grid(STUDY, "full").cells
    for purpose in STUDY.seeds:
        assert len({cell.seed(purpose) for cell in cells if cell["replicate"] == 3}) == 1
        assert len({cell.seed(purpose) for cell in cells}) == 10


def test_the_grid_is_what_the_study_says() -> None:
    grid = make_grid(STUDY, "full")
    models = {tuple(cell[axis] for axis in STUDY.axes) for cell in grid.cells}
    intact = [one[1:] for one in models if one[0] == "intact"]
    assert Counter(layers for layers, _, tau in intact if tau == 0.2) == {0: 1, 1: 7, 2: 7, 3: 7}
    assert {one[:2] for one in intact if one[2] != 0.2} == {(0, 128), (2, 8), (2, 128)}
    assert {one[1:] for one in models if one[0] == "shuffled"} == {(0, 128, 0.2), (2, 8, 0.2), (2, 128, 0.2)}
    assert {len(pack.cells) for pack in grid.packs} == {10, 40}


def table_of(spread: float = 1e-3, n: int = 10, **accuracy: float) -> pd.DataFrame:
    """A table in which every claim holds; `accuracy` of a kind of model, or its style R^2, set otherwise."""
    level = {"none": 0.60, "narrow": 0.62, "wide": 0.68, "z": 0.64, "hot": 0.5, "shuffled": 0.45}
    level |= {"style": 0.4, "style_z": 0.1, "shuffled_style_z": 0.4} | accuracy
    rows = []
    for cell in make_grid(STUDY, "full", replicates=n).cells:
        layers, width, replicate = cell["layers"], cell["width"], cell["replicate"]
        kind = "none" if layers == 0 else "narrow" if width == 8 else "wide"
        right = level["hot"] if cell["temperature"] != 0.2 and kind != "none" else level[kind]
        right = level.get(f"{kind}_{cell['temperature']}", right)
        if cell["pairs"] == "shuffled":
            right = level["shuffled"]
        wobble = spread * (replicate - 4.5) * (1 + layers + width / 128)
        style_z = level["shuffled_style_z" if cell["pairs"] == "shuffled" else "style_z"]
        row = {
            "accuracy": right + wobble,
            "embedding_accuracy": level["z"] + wobble / 2,
            "random_accuracy": 0.45,
            "style_r2": level["style"] + wobble,
            "embedding_style_r2": style_z + wobble / 2,
        }
        rows.append(dict(cell.point) | row | {"status": "ok"})
    return pd.DataFrame(rows)


REFUTED = {
    "size": {"wide": 0.622},
    "projector": {"none": 0.70},
    "tuned": {"none_0.05": 0.70},
    "layers": {"z": 0.70},
    "style": {"style_z": 0.35},
}
CONTROLS = {claim: {"shuffled": 0.55} for claim in ACCURACY_CLAIMS} | {"style": {"shuffled_style_z": 0.1}}


@pytest.mark.parametrize("claim", REFUTED)
def test_each_claim_can_be_supported_and_refuted(claim: str, outcome) -> None:
    assert outcome(STUDY, f"C15.{claim}", table_of()) == "supported"
    assert outcome(STUDY, f"C15.{claim}", table_of(**REFUTED[claim])) == "refuted"


@pytest.mark.parametrize("claim", REFUTED)
def test_noise_a_broken_control_or_a_failed_row_decides_nothing(claim: str, outcome) -> None:
    claim_id = f"C15.{claim}"
    assert outcome(STUDY, claim_id, table_of(**CONTROLS[claim])) == "inconclusive"
    assert outcome(STUDY, claim_id, table_of(spread=1.0)) == "inconclusive"
    assert outcome(STUDY, claim_id, table_of(n=1)) == "inconclusive"
    assert outcome(STUDY, claim_id, table_of().query("pairs == 'intact'")) == "inconclusive"
    failed = table_of()
    failed.loc[(failed["layers"] == 2) & (failed["width"] == 128), "status"] = "diverged at step 3"
    assert outcome(STUDY, claim_id, failed) == "inconclusive"
    assert outcome(STUDY, claim_id, table_of().iloc[:0]) == "inconclusive"


@pytest.mark.parametrize("claim", REFUTED)
def test_without_a_model_that_it_compares_a_claim_says_so(claim: str, outcome) -> None:
    table = table_of()
    needed = {"size": "layers == 2 and width == 8 and pairs == 'intact'"}.get(
        claim, "layers == 2 and width == 128 and pairs == 'intact'"
    )
    assert outcome(STUDY, f"C15.{claim}", table.drop(table.query(needed).index)) == "inconclusive"


def test_no_replicate_chooses_by_its_own_luck() -> None:
    """Two models that are equal on average: each replicate's own best would gain, the others' best does not."""
    lucky = pd.DataFrame({"a": [1.0, 0.0, 1.0, 0.0], "b": [0.0, 1.0, 0.0, 1.0]})
    points = lucky.set_axis(pd.MultiIndex.from_tuples([(2, 8, 0.2), (2, 16, 0.2)]), axis=1)
    assert here.best_by_others(points[list(points)]).mean() == 0.0
    better = points + pd.Series({(2, 8, 0.2): 0.0, (2, 16, 0.2): 3.0})
    assert here.best_by_others(better[list(better)]).equals(better[2, 16, 0.2].rename(None))

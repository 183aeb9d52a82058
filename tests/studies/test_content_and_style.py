"""The content_and_style study: what it reads against slow oracles, and claims against tables with a known answer."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from mibounds import study
from mibounds.study.grid import make_grid

STUDY = study.load("content_and_style")
here = SimpleNamespace(**STUDY.measure.__globals__)
USUAL = here.USUAL


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    of_style = table[~table["arm"].isin(here.OF_BITS)]
    needed = {
        "embedding_content_r2",
        "embedding_style_label_accuracy",
        "style_chance_accuracy",
        *here.PROBES.values(),
    }
    assert of_style[list(needed)].notna().all(axis=None)
    of_bits = table[table["arm"].isin(here.OF_BITS)]
    assert of_bits[["embedding_bits_r2", "embedding_hard_r2"]].notna().all(axis=None)
    assert (table["status"] == "ok").all()
    assert {found.outcome for found in study.verdicts(STUDY, smoke).values()} == {"inconclusive"}
    assert len(STUDY.draw(smoke).axes) == 6


def test_the_plane_is_read_at_each_layer_and_over_training(smoke) -> None:
    plane = smoke["plane"]
    usual = plane[(plane["width"] == USUAL) & (plane["arm"] == "independent")]
    assert set(usual["step"]) == {0, 1, 3} and set(plane.loc[plane["width"] == 4, "step"]) == {3}
    assert set(usual["layer"]) == {"input", "layer 1", "layer 2", "h", "z"}
    assert usual.groupby(["change", "step"])["layer"].nunique().eq(5).all()
    still = usual[usual["layer"] == "input"]
    assert still.groupby("change")["content_nats"].nunique().eq(1).all()


def test_the_plane_agrees_with_the_library_s_probe(smoke) -> None:
    """The R^2 of content on z, there the mean over dimensions and here that of sums: near each other."""
    last = smoke["plane"][(smoke["plane"]["step"] == 3) & (smoke["plane"]["layer"] == "z")]
    rows = smoke["table"][~smoke["table"]["arm"].isin(here.OF_BITS)]
    assert last["content_r2"].tolist() == pytest.approx(rows["embedding_content_r2"].tolist(), abs=0.02)
    assert last["style_r2"].tolist() == pytest.approx(rows["style_given_content_r2"].tolist())


def test_what_is_told_is_the_gaussian_information_of_a_channel() -> None:
    """y = x + noise in two dimensions of unlike noise: I = sum 1/2 ln(1 + 1/s^2), R^2 its share of the variance."""
    source = torch.Generator().manual_seed(0)
    x = torch.randn(1, 200_000, 2, generator=source, dtype=torch.float64)
    noise = torch.tensor([0.5, 2.0], dtype=torch.float64)
    y = x + noise * torch.randn(x.shape, generator=source, dtype=torch.float64)
    share, nats = here.told(x, x - y / (1 + noise**2))
    left = (noise**2 / (1 + noise**2)).tolist()
    assert nats.item() == pytest.approx(-sum(math.log(part) for part in left) / 2, abs=0.01)
    assert share.item() == pytest.approx(1 - sum(left) / 2, abs=0.01)


def test_what_is_told_matches_numpy_one_run_at_a_time() -> None:
    source = torch.Generator().manual_seed(1)
    before, noise = torch.randn(3, 50, 4, generator=source), torch.randn(3, 50, 4, generator=source)
    after = 0.3 * before + noise / 5
    for r, (share, nats) in enumerate(zip(*here.told(before, after), strict=True)):
        was, left = before[r].numpy(), after[r].numpy()
        determinants = [np.linalg.det(np.cov(rows.T)) for rows in (was, left)]
        assert nats.item() == pytest.approx(np.log(determinants[0] / determinants[1]) / 2, rel=1e-4)
        squares = [((rows - rows.mean(0)) ** 2).sum() for rows in (was, left)]
        assert share.item() == pytest.approx(1 - squares[1] / squares[0], rel=1e-4)


class Layers:
    """In place of a network's layers: functions of the inputs."""

    def __init__(self, monkeypatch, z) -> None:
        from mibounds.representation import reading

        monkeypatch.setattr(reading, "layers", lambda network, x: {name: z(x) for name in here.PLACES})


def known_of(dependence: float):
    from mibounds.representation.network import Network
    from mibounds.representation.sources import load

    source = load("content_style")(2, 2, dependence=dependence, depth=0, n_classes=4)
    return here.Known(Network.build((4,), [0]), [source], [0], 2000)


@pytest.mark.parametrize("dependence", [0.0, 0.9])
def test_style_that_content_explains_is_not_style_that_is_kept(dependence: float, monkeypatch) -> None:
    """z is content alone: nothing of style is told beyond it, however much content explains."""
    known = known_of(dependence)
    Layers(monkeypatch, lambda x: x[..., :2])
    row = known.plane(None)[0][-1]
    assert row["layer"] == "z" and row["content_r2"] > 0.999
    assert row["style_r2"] == pytest.approx(0, abs=0.01) and row["style_nats"] == pytest.approx(0, abs=0.01)
    found = known.perceptron(None, 200)[0]
    assert found["style_given_content_r2_perceptron"] < 0.05 and found["content_r2_perceptron"] > 0.95


@pytest.mark.parametrize("dependence", [0.0, 0.9])
def test_half_of_style_s_own_variance_in_z_is_half_of_it_kept(dependence: float, monkeypatch) -> None:
    """z is one of the two dimensions of style: half of what content leaves open."""
    known = known_of(dependence)
    Layers(monkeypatch, lambda x: x[..., 2:3])
    assert known.plane(None)[0][-1]["style_r2"] == pytest.approx(0.5, abs=0.05)
    found = known.perceptron(None, 400)[0]
    assert found["style_given_content_r2_perceptron"] == pytest.approx(0.5, abs=0.08)


def test_all_cells_of_a_replicate_are_paired(smoke) -> None:
    table = smoke["table"]
    independent = table[table["arm"].isin(("independent", "shuffled"))]
    for same in ("raw_accuracy", "raw_style_r2", "random_accuracy"):
        assert independent[same].nunique() == 1
    cells = make_grid(STUDY, "full").cells
    for purpose in STUDY.seeds:
        assert len({cell.seed(purpose) for cell in cells if cell["replicate"] == 3}) == 1
        assert len({cell.seed(purpose) for cell in cells}) == 10
    worlds = here.sources_of(
        [cell for cell in cells if cell["arm"] == "independent" and cell["width"] == USUAL]
    )
    assert len(set(map(id, worlds))) == 10 * len(here.CHANGES)


def test_the_grid_is_what_the_study_says() -> None:
    cells = [cell.point for cell in make_grid(STUDY, "full", replicates=1).cells]
    plain = [cell for cell in cells if cell["arm"] == "independent"]
    assert {cell["change"] for cell in plain if cell["width"] == USUAL} == set(here.CHANGES)
    assert {cell["width"] for cell in plain if cell["change"] == 1} == set(here.WIDTHS)
    assert len(plain) == len(here.CHANGES) + len(here.WIDTHS) - 1
    assert [cell["bits"] for cell in cells if cell["arm"] == "competing"] == list(here.BITS)
    assert [cell["bits"] for cell in cells if cell["arm"] == "private bits"] == [here.PRIVATE_BITS]
    assert min(here.WIDTHS) == here.CONTENT / 2 and max(here.WIDTHS) == 10 * here.CONTENT


LEVEL = {
    "kept": 0.97,
    "dropped": 0.02,
    "bent": 0.05,
    "shared": 0.8,
    "competing": 0.95,
    "hard": 0.93,
    "private": 0.5,
}
LEVEL |= {
    "shuffled": 0.7,
    "shuffled_label": 0.5,
    "z_first": 0.6,
    "z_last": 0.14,
    "h_first": 0.62,
    "h_last": 0.45,
}
LEVEL |= {"content_first": 0.7, "content_last": 0.72}


def table_of(spread: float = 1e-3, n: int = 10, **changes: float) -> pd.DataFrame:
    """A table in which every claim holds, but for what is set otherwise; widths up to 8 keep and drop little."""
    level = LEVEL | {"at_8": 0.5, "at_80": changes.get("dropped", 0.02)} | changes
    noise = np.random.default_rng(0)
    rows = []
    for cell in make_grid(STUDY, "full", replicates=n).cells:
        shuffled, p, width = cell["arm"] == "shuffled", cell["change"], cell["width"]
        between = {
            name: (1 - p) * level[f"{name}_first"] + p * level[f"{name}_last"]
            for name in ("z", "h", "content")
        }
        private = level["at_80"] if width == 80 else level["dropped"]
        values = {
            "embedding_content_r2": level["shuffled"] if shuffled else level["kept" if width > 8 else "at_8"],
            "style_given_content_r2": (1 - p) * level["shared"] + p * private,
            "style_given_content_r2_perceptron": (1 - p) * level["shared"] + p * level["bent"],
            "embedding_style_label_accuracy": level["shuffled_label"] if shuffled else between["z"],
            "style_label_accuracy": between["h"],
            "embedding_accuracy": between["content"],
            "embedding_bits_r2": level["private" if cell["arm"] == "private bits" else "competing"],
            "embedding_hard_r2": level["hard"],
        }
        noisy = {name: value + spread * noise.standard_normal() for name, value in values.items()}
        rows.append(dict(cell.point) | noisy | {"style_chance_accuracy": 0.14, "status": "ok"})
    return pd.DataFrame(rows)


REFUTED = {
    "C6.keeps": [{"kept": 0.93}],
    "C6.competing": [{"hard": 0.6}, {"competing": 0.8}],
    "C6.discards": [{"dropped": 0.2}, {"bent": 0.2}, {"at_80": 0.2}],
    "C19.label": [{"z_last": 0.2}, {"z_first": 0.2, "z_last": 0.14}, {"content_last": 0.66}],
    "C19.layers": [{"h_last": 0.2}],
}
CONTROLS = {
    "C6.keeps": {"shuffled": 0.97},
    "C6.competing": {"private": 0.95},
    "C6.discards": {"shared": 0.05},
    "C19.label": {"shuffled_label": 0.14},
    "C19.layers": {"h_first": 0.8},
}


@pytest.mark.parametrize("claim", REFUTED)
def test_each_claim_can_be_supported_and_refuted(claim: str, outcome) -> None:
    assert outcome(STUDY, claim, table_of()) == "supported"
    for changes in REFUTED[claim]:
        assert outcome(STUDY, claim, table_of(**changes)) == "refuted"


@pytest.mark.parametrize("claim", REFUTED)
def test_noise_a_broken_control_or_a_failed_row_decides_nothing(claim: str, outcome) -> None:
    assert outcome(STUDY, claim, table_of(**CONTROLS[claim])) == "inconclusive"
    assert outcome(STUDY, claim, table_of(spread=3.0)) == "inconclusive"
    assert outcome(STUDY, claim, table_of(n=1)) == "inconclusive"
    assert outcome(STUDY, claim, table_of().query("arm == 'dependent'")) == "inconclusive"
    failed = table_of()
    failed.loc[failed["change"] == 1.0, "status"] = "diverged at step 3"
    assert outcome(STUDY, claim, failed) == "inconclusive"
    assert outcome(STUDY, claim, table_of().iloc[:0]) == "inconclusive"


@pytest.mark.parametrize("claim", REFUTED)
def test_without_its_control_s_rows_a_claim_decides_nothing(claim: str, outcome) -> None:
    there = "change > 0 and arm in ('independent', 'competing')"
    assert outcome(STUDY, claim, table_of().query(there)) == "inconclusive"


def test_widths_that_cannot_hold_the_content_are_not_asked_to(outcome) -> None:
    assert outcome(STUDY, "C6.keeps", table_of(at_8=0.3)) == "supported"
    assert outcome(STUDY, "C6.keeps", table_of().query("width <= 8 or arm == 'shuffled'")) == "inconclusive"

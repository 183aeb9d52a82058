"""The NCE study: its fit and its readings against slow oracles, and claims against tables with a known answer."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.optimize import minimize

from mibounds import bounds, distributions, study
from mibounds.study.grid import make_grid

STUDY = study.load("nce")
here = SimpleNamespace(**STUDY.measure.__globals__)
CLAIMS = ("rate", "efficiency", "ratio", "offset")


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def draw(law: str, n: int, ratio: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    family, source = here.FAMILIES[law], torch.Generator().manual_seed(seed)
    return family.draw(n, family.theta, source), family.draw(ratio * n, family.noise_theta, source)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert (table["status"] == "ok").all()
    binary, softmax = (table[table["arm"] == arm] for arm in ("binary", "softmax"))
    assert np.isfinite(binary[["parameter_error", "log_normaliser_error_nats", "log_efficiency"]]).all(
        axis=None
    )
    assert np.isfinite(softmax[["slope", "offset_variance", "estimate_nats", "oracle_nats"]]).all(axis=None)
    assert {found.outcome for found in study.verdicts(STUDY, smoke).values()} == {"inconclusive"}
    assert len(STUDY.draw(smoke).axes) == 6


def test_cells_share_data_noise_weights_and_pairs(smoke) -> None:
    binary = smoke["table"].query("arm == 'binary'")
    shared = binary.groupby(["law", "n_samples"])["likelihood_parameter_error"].nunique()
    assert (shared == 1).all()
    for purpose in STUDY.seeds:
        cells = [cell for cell in make_grid(STUDY, "full").cells if cell["replicate"] == 3]
        same = [cell for cell in cells if cell["law"] == "gaussian" and cell["n_samples"] == 250]
        assert len({cell.seed(purpose) for cell in same}) == 1
        assert len({cell.seed(purpose) for cell in cells}) == {"data": 10, "noise": 10, "weights": 1}.get(
            purpose, 2
        )


def test_a_larger_ratio_has_the_noise_of_a_smaller_one_in_it() -> None:
    cells = [c for c in make_grid(STUDY, "smoke").cells if c["arm"] == "binary" and c["n_samples"] == 250]
    one, four = (
        torch.cat([noise for _, noise in here.data_sets(cell, here.FAMILIES[cell["law"]])])
        for cell in (next(c for c in cells if c["ratio"] == ratio) for ratio in (1, 4))
    )
    assert one.shape == (4, 250) and four.shape == (4, 1000)
    assert torch.equal(four[:, :250], one)


@pytest.mark.parametrize("law", here.LAWS)
def test_the_fit_maximises_nce_s_objective_with_the_densities_written_out(law: str) -> None:
    family, ratio = here.FAMILIES[law], 4
    data, noise = draw(law, 300, ratio)

    def loss(point: np.ndarray) -> float:
        def log_odds(u: np.ndarray) -> np.ndarray:
            log_model = point[0] * u + point[1]
            log_noise = family.noise_theta * u + family.log_normaliser(family.noise_theta)
            return log_model - log_noise - math.log(ratio)

        of_data, of_noise = log_odds(data.numpy()), log_odds(noise.numpy())
        return (np.logaddexp(0, -of_data).sum() + np.logaddexp(0, of_noise).sum()) / len(data)

    slow = minimize(
        loss, [family.theta, family.log_normaliser(family.theta)], method="Nelder-Mead", tol=1e-10
    ).x
    a, b, settled = here.logistic(data.unsqueeze(0), noise.unsqueeze(0))
    theta = family.noise_theta + a.item()
    log_normaliser = family.log_normaliser(family.noise_theta) + math.log(ratio) + b.item()
    assert settled.all()
    assert [theta, log_normaliser] == pytest.approx(slow.tolist(), abs=1e-4)


def test_fits_of_a_stack_do_not_meet_and_one_that_is_not_done_says_so() -> None:
    stack = [
        torch.stack(one) for one in zip(*(draw("gaussian", 200, 1, seed) for seed in range(3)), strict=True)
    ]
    apart = [here.logistic(*(one[r : r + 1] for one in stack))[0].item() for r in range(3)]
    assert here.logistic(*stack)[0].tolist() == pytest.approx(apart, abs=1e-9)
    assert here.logistic(*stack)[2].all() and not here.logistic(*stack, steps=2)[2].any()


@pytest.mark.parametrize("law", here.LAWS)
def test_the_families_densities_their_likelihood_and_their_samples_agree(law: str) -> None:
    family = here.FAMILIES[law]
    u, log_base = family.nodes()

    def log_mass(theta: float) -> float:
        return float(np.logaddexp.reduce(log_base + theta * u))

    assert log_mass(4.5) - log_mass(4.0) == pytest.approx(
        family.log_normaliser(4.0) - family.log_normaliser(4.5), abs=1e-4
    )
    weights = np.exp(log_base + family.theta * u - log_mass(family.theta))
    assert family.most_likely(float(weights @ u)) == pytest.approx(family.theta, rel=1e-3)
    drawn = family.draw(200_000, family.theta, torch.Generator().manual_seed(0))
    assert drawn.mean().item() == pytest.approx(
        float(weights @ u), abs=4 * float(drawn.std()) / math.sqrt(2e5)
    )


@pytest.mark.parametrize(("law", "ratio"), [("gaussian", 1), ("von_mises_fisher", 4)])
def test_the_asymptotic_efficiency_is_that_of_many_fits(law: str, ratio: int) -> None:
    family, n, sets = here.FAMILIES[law], 400, 1000
    data, noise = draw(law, n * sets, ratio)
    theta = family.noise_theta + here.logistic(data.view(sets, n), noise.view(sets, -1))[0]
    spread = u_variance(family) ** -1 / n / theta.var().item()
    assert here.asymptotic_efficiency(law, ratio) == pytest.approx(spread, rel=0.15)
    assert here.asymptotic_efficiency(law, 1e7) == pytest.approx(1, abs=1e-3)


def u_variance(family) -> float:
    return float(family.draw(100_000, family.theta, torch.Generator().manual_seed(1)).var())


def test_candidates_are_cut_from_the_batch_in_groups() -> None:
    scores = torch.randn(2, 12, 12, generator=torch.Generator().manual_seed(0))
    for name in ("info_nce", "info_nce_anchor"):
        bound = bounds.load(name)()
        cut = here.AmongCandidates(bound, 4)
        groups = [scores[:, i : i + 4, i : i + 4] for i in (0, 4, 8)]
        for call in ("__call__", "objective"):
            slow = torch.stack([getattr(bound, call)(group) for group in groups]).mean(0)
            assert getattr(cut, call)(scores).tolist() == pytest.approx(slow.tolist(), abs=1e-6)


@pytest.mark.parametrize("law", here.LAWS)
def test_slope_and_offset_of_a_known_critic_are_read_back(law: str) -> None:
    joint = distributions.load(law).from_mutual_information(5, 2.0)
    (x, _), (_, y) = joint.sample(300, 0), joint.sample(400, 1)
    truth = joint.log_density_ratio_matrix(x, y).double()
    c = 3 * x[:, :1].double()
    assert here.slope_on(0.8 * truth + c, truth).item() == pytest.approx(0.8)
    assert (
        here.slope_on(
            torch.randn(truth.shape, generator=torch.Generator().manual_seed(2)).double(), truth
        ).abs()
        < 0.1
    )
    assert here.row_offset(truth + c, truth).tolist() == pytest.approx(c.squeeze(1).tolist())
    assert here.row_offset(truth, truth).var().item() == 0


def table_of(spread: float = 1e-3, n: int = 10, **changes: float) -> pd.DataFrame:
    """A table in which every claim holds; a rate, an efficiency's step, a slope or a variance set otherwise."""
    known = {
        "rate": -0.5,
        "mistaken": 0.0,
        "step": 0.4,
        "slope": 0.97,
        "broken": 0.0,
        "free": 5.0,
        "fixed": 0.2,
    }
    known |= changes
    rows = []
    for cell in make_grid(STUDY, "full", replicates=n).cells:
        wobble = spread * (cell["replicate"] - 4.5) * (1 + cell["ratio"] / 64 + cell["n_candidates"] / 64)
        if cell["arm"] == "binary":
            rate = known["rate" if cell["objective"] == "nce" else "mistaken"] + wobble
            error = 3 * cell["n_samples"] ** rate
            row = {
                "parameter_error": error,
                "log_normaliser_error_nats": error / 2,
                "log_efficiency": (known["step"] + wobble) * math.log(cell["ratio"] / 256),
            }
        else:
            broken, anchored = cell["objective"] == "broken", cell["objective"] == "info_nce_anchor"
            row = {
                "slope": known["broken" if broken else "slope"] + wobble,
                "offset_variance": known["fixed" if anchored else "free"] * math.exp(wobble * (1 + anchored)),
            }
        rows.append(dict(cell.point) | row | {"status": "ok"})
    return pd.DataFrame(rows)


REFUTED = {
    "rate": {"rate": -0.3},
    "efficiency": {"step": -0.1},
    "ratio": {"slope": 0.8},
    "offset": {"fixed": 2.0},
}
CONTROLS = {
    "rate": {"mistaken": -0.4},
    "efficiency": {"mistaken": -0.4},
    "ratio": {"broken": 0.5},
    "offset": {"broken": 0.5},
}


@pytest.mark.parametrize("claim", CLAIMS)
def test_each_claim_can_be_supported_and_refuted(claim: str, outcome) -> None:
    assert outcome(STUDY, f"C1.{claim}", table_of()) == "supported"
    assert outcome(STUDY, f"C1.{claim}", table_of(**REFUTED[claim])) == "refuted"


@pytest.mark.parametrize("claim", CLAIMS)
def test_noise_a_broken_control_or_a_failed_row_decides_nothing(claim: str, outcome) -> None:
    claim_id, arm = f"C1.{claim}", "binary" if claim in CLAIMS[:2] else "softmax"
    assert outcome(STUDY, claim_id, table_of(**CONTROLS[claim])) == "inconclusive"
    assert outcome(STUDY, claim_id, table_of(spread=2.0)) == "inconclusive"
    assert outcome(STUDY, claim_id, table_of(n=1)) == "inconclusive"
    assert (
        outcome(STUDY, claim_id, table_of().query("objective not in ('mistaken', 'broken')"))
        == "inconclusive"
    )
    trained = "nce" if arm == "binary" else "info_nce"
    assert outcome(STUDY, claim_id, table_of().query(f"objective != '{trained}'")) == "inconclusive"
    failed = table_of()
    failed.loc[failed.index[failed["arm"] == arm][3], "status"] = "diverged at step 3"
    assert outcome(STUDY, claim_id, failed) == "inconclusive"
    assert outcome(STUDY, claim_id, table_of().iloc[:0]) == "inconclusive"


def test_one_law_or_one_ratio_that_fails_refutes(outcome) -> None:
    table = table_of()
    row = (table["objective"] == "nce") & (table["ratio"] == 64) & (table["law"] == "von_mises_fisher")
    table.loc[row, "log_normaliser_error_nats"] = 0.1 + 1e-4 * table.loc[row, "replicate"]
    assert outcome(STUDY, "C1.rate", table) == "refuted"
    table = table_of()
    table.loc[(table["n_candidates"] == 64) & (table["law"] == "gaussian"), "slope"] += 0.2
    assert outcome(STUDY, "C1.ratio", table) == "refuted"


def test_broken_pairs_share_nothing_and_their_truth_is_zero(smoke) -> None:
    broken = smoke["table"].query("objective == 'broken'")
    assert (broken["truth_nats"] == 0).all() and broken["oracle_nats"].abs().max() < 1e-6
    intact = smoke["table"].query("objective == 'info_nce'")
    assert intact["truth_nats"].tolist() == pytest.approx([2] * len(intact))
    assert (intact["oracle_nats"] > 0.5).all()
    assert (intact["oracle_nats"] <= intact["ceiling_nats"]).all()

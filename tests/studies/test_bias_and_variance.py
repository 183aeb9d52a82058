"""The perfect critic's study: closed forms against simulation, claims against tables with a known answer."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from mibounds import study, theory
from mibounds.bounds.nwj import NWJ
from mibounds.distributions.gaussian import Gaussian
from mibounds.study.grid import make_grid

STUDY = study.load("bias_and_variance")
here = SimpleNamespace(**STUDY.measure.__globals__)


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert {"truth_nats", "estimate_nats", "batch_std_nats", "status"} <= set(table)
    assert (table["status"] == "ok").all()
    assert set(table["bound"]) == set(STUDY.axes["bound"])
    assert set(study.verdicts(STUDY, smoke)) == {claim.id for claim in STUDY.claims}
    assert len(STUDY.draw(smoke).axes) == 4


@pytest.mark.parametrize("clip", [1.0, 5.0])
def test_smiles_population_value_matches_samples(clip: float) -> None:
    """E_q[e^clip(ln r)] over independent pairs where r < e^clip, beyond by E_q[.] = E_p[. / r]."""
    law = Gaussian.from_mutual_information(20, 10.0)
    x, y = law.sample(200_000, seed=1, dtype=torch.float64)
    paired, independent = law.log_density_ratio(x, y), law.log_density_ratio(x, y.roll(1, 0))
    terms = (paired.clamp(max=clip) - paired).exp() * (paired >= 0)
    terms = terms + independent.clamp(min=-clip).exp() * (independent < 0)
    error = (terms.std() / terms.mean()).item() / math.sqrt(len(terms))
    correlation = theory.gaussian_correlation(20, 10.0)
    assert abs(10 - terms.mean().log().item() - here.smile_population_nats(20, correlation, clip)) < 4 * error
    assert error < 0.005


def test_smiles_population_value_at_clip_1_is_the_published_one() -> None:
    assert here.smile_population_nats(20, theory.gaussian_correlation(20, 10.0), 1.0) == pytest.approx(
        10.97, abs=0.005
    )


def test_smiles_population_value_is_the_mi_where_nothing_is_clipped() -> None:
    correlation = theory.gaussian_correlation(20, 1.0)
    assert here.smile_population_nats(20, correlation, clip=60.0) == pytest.approx(1.0, abs=1e-7)


def test_the_difference_of_chi_squared_variables_matches_samples() -> None:
    source = torch.Generator().manual_seed(0)
    a, b = (torch.randn(200_000, 3, generator=source).square().sum(-1) for _ in range(2))
    below = (0.4 * a - 0.7 * b <= -0.5).double()
    error = below.std().item() / math.sqrt(len(below))
    assert abs(below.mean().item() - here.difference_below(-0.5, 0.4, 0.7, 3)) < 4 * error
    assert here.difference_below(0.0, 0.3, 0.3, 7) == pytest.approx(0.5)


def test_the_control_counts_the_positives_in_the_partition() -> None:
    scores = torch.tensor([[2.0, 0.0], [1.0, 3.0]])
    partition = (math.e**2 + 1 + math.e + math.e**3) / 4
    for bound, term in (("nwj", partition / math.e), ("donsker_varadhan", math.log(partition))):
        assert here.with_positives_in_partition(bound, scores).item() == pytest.approx(2.5 - term, rel=1e-6)
    assert here.with_positives_in_partition("nwj", scores) < NWJ()(scores)


@pytest.fixture(scope="module")
def at_one_nat() -> dict[tuple[str, str], dict]:
    """Rows by (bound, control) of a pack at 1 nat, K = 64."""
    grid = make_grid(STUDY, "full", {"truth_nats": (1.0,), "batch_size": (64,)}, 1)
    (pack,) = grid.packs
    pack.settings["n_pairs"] = 64 * 1000
    rows = [measured.tables["table"][0] for measured in STUDY.measure(pack)]
    return {(cell["bound"], cell["control"]): row for cell, row in zip(pack.cells, rows, strict=True)}


def test_nwj_meets_its_closed_forms(at_one_nat) -> None:
    row = at_one_nat["nwj", "none"]
    assert abs(row["bias_nats"]) < 4 * row["batch_std_nats"] / math.sqrt(row["n_batches"])
    assert row["batch_std_nats"] / row["closed_form_std_nats"] == pytest.approx(1, abs=0.15)
    assert row["closed_form_std_nats"] ** 2 == pytest.approx(0.031, abs=5e-4)


def test_the_controls_break_what_they_name(at_one_nat) -> None:
    nwj, shuffled = at_one_nat["nwj", "none"], at_one_nat["nwj", "shuffled_pairs"]
    assert shuffled["bias_nats"] < -1.5
    assert shuffled["batch_std_nats"] > 1.1 * nwj["batch_std_nats"]
    assert at_one_nat["nwj", "positives_in_partition"]["bias_nats"] < -0.05


def test_strangers_are_independent_of_the_anchors() -> None:
    """The shuffled control sees pairs of the product law: its mean is E_q[ln r]."""
    law = Gaussian.from_mutual_information(20, 1.0)
    x, y = law.sample(20_000, 0)[0], law.sample(20_000, 1)[1]
    values = law.log_density_ratio(x, y)
    squared = theory.gaussian_correlation(20, 1.0) ** 2
    exact = 1.0 - 20 * squared / (1 - squared)
    assert abs(values.mean().item() - exact) < 4 * values.std().item() / math.sqrt(len(values))


def table_of(spread: float = 1e-3) -> pd.DataFrame:
    """A table in which all holds; `spread` separates the replicates."""
    means = {  # bias and standard deviation, in nats, as functions of the truth
        ("nwj", "none"): lambda nats, closed: (0.0, closed if nats < 3 else 0.1 * closed),
        ("nwj", "shuffled_pairs"): lambda nats, closed: (-nats - 1, 1.3 * closed),
        ("nwj", "positives_in_partition"): lambda nats, closed: (-0.2, closed),
        ("donsker_varadhan", "none"): lambda nats, closed: (0.013 * nats**2, 0.6),
        ("donsker_varadhan", "positives_in_partition"): lambda nats, closed: (-1.0, 0.2),
        ("info_nce", "none"): lambda nats, closed: (-0.58 * nats, 0.02),
    }
    rows = []
    for nats in (0.5, 1.0, 3.0, 6.0, 8.0, 10.0):
        closed = here.closed_form_std_nats("nwj", nats, 64)
        for (bound, control), numbers in means.items():
            bias, spread_over_batches = numbers(nats, closed)
            rows += [
                {
                    "truth_nats": nats,
                    "batch_size": 64,
                    "bound": bound,
                    "control": control,
                    "replicate": replicate,
                    "correlation": theory.gaussian_correlation(20, nats),
                    "bias_nats": bias + spread * (replicate - 4.5),
                    "batch_std_nats": spread_over_batches * (1 + spread * (replicate - 4.5)),
                    "closed_form_std_nats": closed if bound == "nwj" else math.nan,
                    "status": "ok",
                }
                for replicate in range(10)
            ]
    return pd.DataFrame(rows)


def changed(bound: str, column: str, value: float, at_least: float = 0.0) -> pd.DataFrame:
    table = table_of()
    chosen = (table["bound"] == bound) & (table["control"] == "none") & (table["truth_nats"] >= at_least)
    table.loc[chosen, column] = value + 1e-4 * table.loc[chosen, "replicate"]
    return table


CLAIMS = [claim.id for claim in STUDY.claims]


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_table_in_which_all_holds_supports(claim: str, outcome) -> None:
    assert outcome(STUDY, claim, table_of()) == "supported"


@pytest.mark.parametrize(
    ("claim", "table"),
    [
        ("nwj_is_unbiased", changed("nwj", "bias_nats", 0.1)),
        ("nwj_variance", changed("nwj", "batch_std_nats", 1.0)),
        ("sampled_variance_understates", changed("nwj", "batch_std_nats", 1e3, at_least=8.0)),
        ("variance_grows_exponentially", changed("nwj", "closed_form_std_nats", 2.0, at_least=3.0)),
        ("donsker_varadhan_overestimates", changed("donsker_varadhan", "bias_nats", 0.2)),
        ("info_nce_low_variance_high_bias", changed("info_nce", "bias_nats", -0.5)),
        ("info_nce_low_variance_high_bias", changed("info_nce", "batch_std_nats", 0.3)),
    ],
)
def test_a_number_on_the_wrong_side_refutes(claim: str, table: pd.DataFrame, outcome) -> None:
    assert outcome(STUDY, claim, table) == "refuted"


@pytest.mark.parametrize("claim", [claim for claim in CLAIMS if claim != "variance_grows_exponentially"])
def test_a_wide_interval_decides_nothing(claim: str, outcome) -> None:
    table = table_of()
    intact = table["control"] == "none"
    # the claims' controls among the intact rows are kept: low correlation, and Donsker-Varadhan for InfoNCE
    if claim == "sampled_variance_understates":
        intact &= table["truth_nats"] >= 8
    if claim == "info_nce_low_variance_high_bias":
        intact &= table["bound"] == "info_nce"
    off = (table.loc[intact, "replicate"] - 4.5) / 4.5
    table.loc[intact, "bias_nats"] += 9 * off
    table.loc[intact, "batch_std_nats"] *= 10 ** (3 * off)
    assert outcome(STUDY, claim, table) == "inconclusive"


def test_growth_rests_on_the_closed_form(outcome) -> None:
    assert (
        outcome(STUDY, "variance_grows_exponentially", changed("nwj", "batch_std_nats", 1.0))
        == "inconclusive"
    )


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_control_that_breaks_nothing_makes_the_claim_inconclusive(claim: str, outcome) -> None:
    table = table_of()
    columns = ["bias_nats", "batch_std_nats"]
    for bound, control in (
        ("nwj", "shuffled_pairs"),
        ("nwj", "positives_in_partition"),
        ("donsker_varadhan", "positives_in_partition"),
    ):
        intact = table[(table["bound"] == bound) & (table["control"] == "none")]
        table.loc[(table["bound"] == bound) & (table["control"] == control), columns] = intact[
            columns
        ].to_numpy()
    if claim == "sampled_variance_understates":
        table.loc[table["truth_nats"] < 3, "batch_std_nats"] *= 0.1
    if claim == "info_nce_low_variance_high_bias":
        like = table[table["bound"] == "info_nce"]
        chosen = (table["bound"] == "donsker_varadhan") & (table["control"] == "none")
        table.loc[chosen, columns] = like[columns].to_numpy()
    assert outcome(STUDY, claim, table) == "inconclusive"

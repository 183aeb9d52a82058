"""Bias and variance of every bound with a perfect critic: what a batch does to them, training aside.

Batches of K pairs of a 20-dimensional Gaussian, scored by the true density ratio, positives on the diagonal
and all other pairs as negatives. NWJ's mean and variance have closed forms, InfoNCE's mean and SMILE's
population value are integrals; the rest is measured. A sampled variance of NWJ can be trusted only where its
own variance is finite, which takes a correlation under 1/3 (1.18 nats here): beyond, rare pairs carry it, and
no sample shows them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from mibounds import registry, statistics, theory
from mibounds.study import Cell, Claim, Measurement, Pack, Study, Verdict, if_all_ok

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

Tables = Mapping[str, "pd.DataFrame"]

DIM = 20
LEVELS_NATS = (0.25, 0.5, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)
BATCH_SIZES = (16, 64, 256)
MAIN = 64  # at this batch size, every bound; at the others, these:
CLASSIC = ("info_nce", "nwj", "donsker_varadhan", "smile")
CONTROLS = {"shuffled_pairs": ("nwj",), "positives_in_partition": ("nwj", "donsker_varadhan")}
# The sampled variance of NWJ has a finite variance below this correlation.
CORRELATION_LIMIT = 1 / 3
SCORES_AT_ONCE = 2**20


def keep(point: dict) -> bool:
    if point["control"] != "none":
        return point["batch_size"] == MAIN and point["bound"] in CONTROLS[point["control"]]
    return point["batch_size"] == MAIN or point["bound"] in CLASSIC


def measure(pack: Pack) -> list[Measurement]:
    """Every bound on the same batches."""
    import torch

    from mibounds.distributions import load
    from mibounds.seeding import generator

    first = pack.cells[0]
    law = load("gaussian").from_mutual_information(DIM, first["truth_nats"])
    source = generator(first.seed("evaluation"), pack.device)
    batch_size = first["batch_size"]
    left = max(pack.settings["n_pairs"] // batch_size, 2)  # as many pairs at every batch size
    shuffled = any(cell["control"] == "shuffled_pairs" for cell in pack.cells)
    values = []
    while left > 0:
        n = min(left, SCORES_AT_ONCE // batch_size**2)
        x, y = (side.unflatten(0, (n, batch_size)) for side in law.sample(n * batch_size, source))
        stranger = law.sample(n * batch_size, source)[1].unflatten(0, (n, batch_size))
        paired = law.log_density_ratio_matrix(x, y)
        unpaired = law.log_density_ratio_matrix(x, stranger) if shuffled else paired
        values.append(torch.stack([read(cell, paired, unpaired) for cell in pack.cells]))
        left -= n
    every = torch.cat(values, 1).double()
    return [Measurement(row(cell, every[c])) for c, cell in enumerate(pack.cells)]


def read(cell: Cell, paired: Tensor, unpaired: Tensor) -> Tensor:
    """The cell's bound at its optimal scores, from log density ratios; one value a batch."""
    from mibounds.bounds import load

    bound = load(cell["bound"])()
    scores = bound.optimal_scores(unpaired if cell["control"] == "shuffled_pairs" else paired)
    if cell["control"] == "positives_in_partition":
        return with_positives_in_partition(cell["bound"], scores)
    return bound(scores) if bound.baseline is None else bound(scores, scores.new_zeros(scores.shape[:-1]))


def with_positives_in_partition(bound: str, scores: Tensor) -> Tensor:
    """The control: the partition is a mean over all pairs of the batch, the positives among them."""
    from mibounds.numerics import log_mean_exp, positives

    log_partition = log_mean_exp(scores, (-2, -1))
    term = (log_partition - 1).exp() if bound == "nwj" else log_partition
    return positives(scores).mean(-1) - term


def row(cell: Cell, values: Tensor) -> dict:
    truth_nats, variance = cell["truth_nats"], values.var().item()
    mean = values.mean().item()
    return {
        "correlation": theory.gaussian_correlation(DIM, truth_nats),
        "estimate_nats": mean,
        "bias_nats": mean - truth_nats,
        "batch_std_nats": math.sqrt(variance),
        "expectation_nats": expectation_nats(cell["bound"], truth_nats, cell["batch_size"]),
        "closed_form_std_nats": closed_form_std_nats(cell["bound"], truth_nats, cell["batch_size"]),
        "n_batches": len(values),
        "status": "ok" if math.isfinite(variance) else "a batch's value is not finite",
    }


# What is known without sampling


@cache
def expectation_nats(bound: str, truth_nats: float, batch_size: int) -> float:
    """Exact mean over batches; for SMILE the population value, which it comes close to; nan if unknown."""
    correlation = theory.gaussian_correlation(DIM, truth_nats)
    if bound == "nwj":
        return truth_nats
    if bound == "info_nce":
        return theory.info_nce_oracle_gaussian(DIM, correlation, batch_size)
    return smile_population_nats(DIM, correlation) if bound == "smile" else math.nan


def closed_form_std_nats(bound: str, truth_nats: float, batch_size: int) -> float:
    if bound != "nwj":
        return math.nan
    correlation = theory.gaussian_correlation(DIM, truth_nats)
    return math.sqrt(theory.nwj_oracle_variance(DIM, correlation, batch_size))


def smile_population_nats(dim: int, correlation: float, clip: float = 5.0) -> float:
    """I - ln E_q[ e^clip(ln r, -clip, clip) ], q = p(x) p(y).

    Since E_q[r; A] = P_p(A), the expectation is

        e^-clip Q(ln r < -clip) + P(|ln r| <= clip) + e^clip Q(ln r > clip).

    With a, b independent chi-squared of dim degrees, ln r - I is rho/2 (a - b) under p, and
    rho/2 ( a/(1 + rho) - b/(1 - rho) ) under q.
    """
    nats = theory.gaussian_mutual_information(dim, correlation)
    half, low, high = correlation / 2, -clip - nats, clip - nats
    joint, product = (half, half, dim), (half / (1 + correlation), half / (1 - correlation), dim)
    within = difference_below(high, *joint) - difference_below(low, *joint)
    under, over = difference_below(low, *product), 1 - difference_below(high, *product)
    return nats - math.log(math.exp(-clip) * under + within + math.exp(clip) * over)


def difference_below(limit: float, weight_a: float, weight_b: float, dim: int) -> float:
    """P( weight_a a - weight_b b <= limit ), a and b independent chi-squared of `dim` degrees."""
    from scipy.integrate import quad
    from scipy.stats import chi2

    def integrand(quantile: float) -> float:
        return float(chi2.cdf((limit + weight_b * chi2.ppf(quantile, dim)) / weight_a, dim))

    return float(quad(integrand, 0, 1, epsabs=1e-13, epsrel=1e-10, limit=400)[0])


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 6
# A claim's share of the study's error rate; Holm's steps divide it further over the claim's cells.
ALPHA = 0.05 / N_CLAIMS
UNBIASED_MARGIN = 0.02
VARIANCE_MARGIN = 0.15
UNDERSTATED = 0.5
TOP = max(LEVELS_NATS)
GROWTH_LEVELS = tuple(nats for nats in LEVELS_NATS if nats >= 3)


def of(rows: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """The rows with these values, one or a tuple of them, in these columns."""
    for column, value in wanted.items():
        rows = rows[rows[column].isin(value if isinstance(value, tuple) else (value,))]
    return rows


Decide = Callable[["pd.DataFrame"], Verdict]


def guarded(rows: pd.DataFrame, control: pd.DataFrame, name: str, decide: Decide) -> Verdict:
    """What `decide` makes of `rows`, provided that it refutes the control, which breaks what it looks at."""
    of_control = if_all_ok(control, decide)
    if of_control.outcome != "refuted":
        return Verdict.inconclusive(f"the control {name} was to be refuted; it is {of_control.outcome}")
    return if_all_ok(rows, decide)


def checkable(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[rows["correlation"] < CORRELATION_LIMIT]


def has_no_bias(rows: pd.DataFrame) -> Verdict:
    rows = checkable(rows)
    return is_zero_in_each_cell(rows, rows["bias_nats"], UNBIASED_MARGIN, "nats")


def variance_ratio(rows: pd.DataFrame) -> pd.Series:
    return (rows["batch_std_nats"] / rows["closed_form_std_nats"]) ** 2


def has_the_closed_forms_variance(rows: pd.DataFrame) -> Verdict:
    rows = checkable(rows)
    return is_zero_in_each_cell(rows, variance_ratio(rows) - 1, VARIANCE_MARGIN, "ratio - 1")


def is_zero_in_each_cell(rows: pd.DataFrame, effect: pd.Series, margin: float, unit: str) -> Verdict:
    def p_value(values: pd.Series) -> float:
        return min(1.0, 2 * statistics.equivalence(values, margin).p_value)

    def judge(interval: statistics.Interval, reason: str) -> Verdict:
        return Verdict.equivalent(*interval, margin, unit, reason)

    return in_each_cell(rows, effect, p_value, judge)


def understates_the_variance(rows: pd.DataFrame) -> Verdict:
    """Sampled over closed-form variance, below one half."""

    def p_value(values: pd.Series) -> float:
        return statistics.p_value(values, UNDERSTATED)

    def judge(interval: statistics.Interval, reason: str) -> Verdict:
        return Verdict.below(*interval, UNDERSTATED, "ratio", reason)

    return in_each_cell(rows, variance_ratio(rows), p_value, judge)


def in_each_cell(
    rows: pd.DataFrame,
    effect: pd.Series,
    p_value: Callable[[pd.Series], float],
    judge: Callable[[statistics.Interval, str], Verdict],
) -> Verdict:
    """The verdicts of all levels and batch sizes joined, by intervals Holm-adjusted over them."""
    cells = dict(list(effect.groupby([rows["truth_nats"], rows["batch_size"]])))
    if not cells:
        return Verdict.inconclusive("the grid has no level that this claim is about")
    confidence = statistics.holm_confidence([p_value(values) for values in cells.values()], ALPHA)
    parts = [
        judge(statistics.mean_interval(values, level), f"{len(cells)} cells; worst: {nats:g} nats, K = {k}")
        for ((nats, k), values), level in zip(cells.items(), confidence, strict=True)
    ]
    return Verdict.all_of(*sorted(parts, key=lambda part: -abs(part.effect)))


def grows(rows: pd.DataFrame, column: str) -> Verdict:
    """Slope of ln variance on the MI, per nat; one slope a replicate."""
    slopes = [
        statistics.slope_interval(of_one["truth_nats"], 2 * of_one[column].map(math.log)).effect
        for _, of_one in of(rows, truth_nats=GROWTH_LEVELS, batch_size=MAIN).groupby("replicate")
        if len(of_one) >= 3
    ]
    if not slopes:
        return Verdict.inconclusive("a slope needs three levels or more", "1/nat")
    reason = f"{min(GROWTH_LEVELS):g} to {max(GROWTH_LEVELS):g} nats, K = {MAIN}"
    return Verdict.above(*statistics.mean_interval(slopes, 1 - ALPHA), 1.0, "1/nat", reason)


def variance_grows(tables: Tables) -> Verdict:
    """The closed form's growth, provided that the closed form is confirmed where it can be."""
    of_formula = nwj_variance(tables)
    if of_formula.outcome != "supported":
        return Verdict.inconclusive(f"the closed form it rests on is {of_formula.outcome}", "1/nat")
    return guarded(
        rows_of(tables, "nwj").assign(of_ln=lambda rows: rows["closed_form_std_nats"]),
        rows_of(tables, "info_nce").assign(of_ln=lambda rows: rows["batch_std_nats"]),
        "InfoNCE",
        lambda rows: grows(rows, "of_ln"),
    )


def nwj_variance(tables: Tables) -> Verdict:
    return guarded(
        rows_of(tables, "nwj"),
        rows_of(tables, "nwj", "shuffled_pairs"),
        "shuffled_pairs",
        has_the_closed_forms_variance,
    )


def overshoots(rows: pd.DataFrame) -> Verdict:
    """Bias at the top level, above half a nat."""
    interval = statistics.mean_interval(rows["bias_nats"], 1 - ALPHA)
    return Verdict.above(*interval, 0.5, "nats", f"at {TOP:g} nats, K = {MAIN}")


def is_low_and_steady(rows: pd.DataFrame) -> Verdict:
    """Bias under -1 nat and standard deviation under 0.1 nats, at the top level."""
    confidence = 1 - ALPHA / 2
    return Verdict.all_of(
        Verdict.below(*statistics.mean_interval(rows["bias_nats"], confidence), -1.0, "nats", "bias"),
        Verdict.below(
            *statistics.mean_interval(rows["batch_std_nats"], confidence), 0.1, "nats", "std over batches"
        ),
    )


def rows_of(tables: Tables, bound: str, control: str = "none", **wanted: object) -> pd.DataFrame:
    return of(tables["table"], bound=bound, control=control, **wanted)


CLAIMS = (
    Claim(
        id="nwj_is_unbiased",
        text="NWJ is unbiased: at its optimal critic its expectation is the MI.",
        source="Poole et al. 2019, section 2.2",
        criterion="At every level with correlation under 1/3 and every K, the interval of the mean bias, "
        "Holm-adjusted, within 0.02 nats of zero; refuted if one lies wholly outside. The control with the "
        "positives in the partition must be refuted.",
        verdict=lambda tables: guarded(
            rows_of(tables, "nwj"),
            rows_of(tables, "nwj", "positives_in_partition"),
            "positives_in_partition",
            has_no_bias,
        ),
    ),
    Claim(
        id="nwj_variance",
        text="In-batch NWJ has variance d rho^2/K + [((1-rho^2)^-d - 1) + ((1-rho^4)^-d - 1)] / (K(K-1)).",
        source="derived here; compare Song and Ermon 2020, theorem 2",
        criterion="At every level with correlation under 1/3 and every K, the interval of sampled over "
        "closed-form variance, Holm-adjusted, within 1 -+ 0.15; refuted if one lies wholly outside. The "
        "control of shuffled pairs must be refuted.",
        verdict=nwj_variance,
    ),
    Claim(
        id="sampled_variance_understates",
        text="At high MI the variance seen over batches is far below the true one, so that failure looks "
        "like success.",
        source="here; the reason is McAllester and Stratos 2020, theorem 1",
        criterion="At 8 and 10 nats and every K, the interval of sampled over closed-form variance, "
        "Holm-adjusted, below 0.5; refuted if one lies above. The control, the levels with correlation "
        "under 1/3, must be refuted.",
        verdict=lambda tables: guarded(
            rows_of(tables, "nwj", truth_nats=(8.0, 10.0)),
            checkable(rows_of(tables, "nwj")),
            "of low correlation",
            understates_the_variance,
        ),
    ),
    Claim(
        id="variance_grows_exponentially",
        text="The variance of certain estimators, such as MINE, could grow exponentially with the ground "
        "truth amount of MI.",
        source="Song and Ermon 2020, abstract and theorem 2",
        criterion="The slope of NWJ's ln variance on the MI, 3 to 10 nats at K = 64, above 1 per nat, the "
        "growth of their bound e^I; refuted if below. The variance is the closed form's, since no sample "
        "shows it; it must be supported where it can be checked (nwj_variance). The control, InfoNCE's "
        "sampled variance, must be refuted.",
        verdict=variance_grows,
    ),
    Claim(
        id="donsker_varadhan_overestimates",
        text="On a batch, Donsker-Varadhan with a perfect critic over-estimates a high MI.",
        source="McAllester and Stratos 2020, section 3; Song and Ermon 2020, section 4",
        criterion="The 95% interval of the bias at 10 nats and K = 64 above 0.5 nats; refuted if below. The "
        "control with the positives in the partition must be refuted.",
        verdict=lambda tables: guarded(
            rows_of(tables, "donsker_varadhan", truth_nats=TOP, batch_size=MAIN),
            rows_of(tables, "donsker_varadhan", "positives_in_partition", truth_nats=TOP),
            "positives_in_partition",
            overshoots,
        ),
    ),
    Claim(
        id="info_nce_low_variance_high_bias",
        text="InfoNCE has low variance but high bias.",
        source="Poole et al. 2019, section 2.3; Song and Ermon 2020, section 4",
        criterion="At 10 nats and K = 64, the bias below -1 nat and the standard deviation over batches "
        "below 0.1 nats, both by intervals at half the claim's level; refuted if one lies wholly above. The "
        "control, Donsker-Varadhan, must be refuted.",
        verdict=lambda tables: guarded(
            rows_of(tables, "info_nce", truth_nats=TOP, batch_size=MAIN),
            rows_of(tables, "donsker_varadhan", truth_nats=TOP, batch_size=MAIN),
            "Donsker-Varadhan",
            is_low_and_steady,
        ),
    ),
)


# Figure

THEORY = "exact expectation, closed form"


def draw(tables: Tables) -> Figure:
    """Bias and spread against the MI; every bound at one level; how much of NWJ's variance a sample shows."""
    from mibounds.plots.style import draw_legend, new_figure

    table = of(tables["table"], control="none")
    with new_figure(2, 2, height=2.7) as (figure, axes):
        draw_bias(axes[0, 0], of(table, batch_size=MAIN, bound=CLASSIC))
        draw_spread(axes[0, 1], of(table, batch_size=MAIN, bound=CLASSIC))
        draw_every_bound(axes[1, 0], of(table, batch_size=MAIN))
        draw_ratio(axes[1, 1], of(table, bound="nwj"))
        draw_legend(figure, columns=3)
    return figure


def draw_bias(ax: Axes, rows: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, draw_theory, draw_truth

    draw_truth(ax, 0.0, label="no bias")
    for bound, color in zip(CLASSIC, COLORS, strict=False):
        of_bound = of(rows, bound=bound)
        known = of_bound.groupby("truth_nats")["expectation_nats"].mean().dropna()
        if len(known) and bound != "nwj":
            draw_theory(ax, list(known - known.index), list(known.index), label=THEORY)
        draw_means(ax, of_bound, "bias_nats", color, bound)
    ax.set(xlabel="true MI (nats)", ylabel="mean minus true MI (nats)", ylim=(-6.5, 2.5))
    ax.set_title(f"bias, true density ratio, K = {MAIN}")


def draw_spread(ax: Axes, rows: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, draw_theory

    closed = of(rows, bound="nwj").groupby("truth_nats")["closed_form_std_nats"].mean()
    draw_theory(ax, list(closed), list(closed.index), label=THEORY)
    for bound, color in zip(CLASSIC, COLORS, strict=False):
        draw_means(ax, of(rows, bound=bound), "batch_std_nats", color, bound)
    ax.set(yscale="log", xlabel="true MI (nats)", ylabel="std over batches (nats)")
    ax.set_title(f"spread, true density ratio, K = {MAIN}")


def draw_every_bound(ax: Axes, rows: pd.DataFrame) -> None:
    """Mean and standard deviation over batches of all bounds at one level, from lowest to highest."""
    from mibounds.plots.style import COLORS

    if rows.empty:
        return
    nats = min(rows["truth_nats"].unique(), key=lambda level: abs(level - 6))
    by_bound = of(rows, truth_nats=nats).groupby("bound")[["batch_std_nats", "bias_nats"]].mean()
    by_bound = by_bound.sort_values("bias_nats")
    bias, spread = by_bound["bias_nats"], by_bound["batch_std_nats"]
    ax.errorbar(bias, list(by_bound.index), xerr=spread, fmt="o", color=COLORS[4], markersize=3)
    ax.axvline(0, color="black")
    ax.tick_params(axis="y", labelsize=5.5)
    ax.set(xlabel="mean minus true MI (nats), bar: std over batches")
    ax.set_title(f"every bound at {nats:g} nats, K = {MAIN}")


def draw_ratio(ax: Axes, rows: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, draw_truth

    draw_truth(ax, 1.0, label="_all of the variance")
    colors = (COLORS[4], COLORS[5], COLORS[9])
    for (k, of_size), color in zip(rows.groupby("batch_size"), colors, strict=False):
        draw_means(ax, of_size.assign(ratio=variance_ratio(of_size)), "ratio", color, f"nwj, K = {k}")
    limit = theory.gaussian_mutual_information(DIM, CORRELATION_LIMIT)
    ax.axvline(limit, color="black", linewidth=0.8, linestyle="-.")
    ax.annotate("correlation 1/3", (limit, 0.02), (3, 0), textcoords="offset points", fontsize=6)
    ax.set(yscale="log", xlabel="true MI (nats)", ylabel="sampled / closed-form variance")
    ax.set_title("NWJ's variance, as batches show it")


def draw_means(ax: Axes, rows: pd.DataFrame, column: str, color: Any, label: str) -> None:
    """Means over replicates with the range of all of them."""
    from mibounds.plots.style import draw_measurement

    if len(rows):
        draw_measurement(
            ax, rows, x="truth_nats", y=column, color=color, label=label, marker="o", markersize=3
        )


STUDY = Study(
    slug="bias_and_variance",
    question="With a perfect critic, what bias and what variance do batches give to each bound?",
    axes={
        "truth_nats": LEVELS_NATS,
        "batch_size": BATCH_SIZES,
        "bound": tuple(registry.names("mibounds.bounds")),
        "control": ("none", *CONTROLS),
    },
    stacked=("bound", "control"),
    seeds={"evaluation": ()},
    keep=keep,
    width=64,
    settings={"n_pairs": 192_000},
    presets={
        "smoke": {"replicates": 2, "truth_nats": (1.0, 10.0), "batch_size": (16, 64), "n_pairs": 640},
        "quick": {"replicates": 5, "n_pairs": 12_800},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

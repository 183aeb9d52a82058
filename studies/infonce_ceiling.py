"""The ceiling of InfoNCE: how much it shows of a known mutual information, given the number of candidates.

K counts an anchor's candidates, positive included; the axis is n_negatives = K - 1. The critic is the true
density ratio ("optimal"), the cosine of the latents over a temperature ("cosine_0.5"), or a trained one.
Trained critics see batches of one size for every K, each anchor with its positive and K - 1 of the batch's
other y; the arm "separable_batch_k" trains on batches of K instead, as published ablations do.

Two laws: the correlated Gaussian in 20 dimensions, and von Mises-Fisher pairs on the sphere of R^10, which
trained critics see through a frozen invertible network. The density ratio does not change under such maps.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from mibounds import statistics, theory
from mibounds.errors import ParameterError
from mibounds.study import Cell, Claim, Measurement, Pack, Study, Verdict, if_all_ok

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

    from mibounds.critics import Critic
    from mibounds.distributions import Distribution

Tables = Mapping[str, "pd.DataFrame"]

DIM = {"gaussian": 20, "von_mises_fisher": 10}
LEVELS_NATS = tuple(float(nats) for nats in range(1, 13))
N_NEGATIVES = tuple(2**power - 1 for power in range(1, 15))
TEMPERATURE = {"cosine_0.5": 0.5, "cosine_0.1": 0.1, "trained_cosine_0.5": 0.5, "trained_cosine_0.1": 0.1}
TRAINED = ("separable", "separable_batch_k", "trained_cosine_0.5", "trained_cosine_0.1")
TRAINED_LEVELS, TRAINED_NEGATIVES = (2.0, 6.0), (3, 15, 63, 127)
COSINE_LEVELS = (2.0, 6.0, 12.0)
CONTROL_LEVELS = (2.0, 6.0)
# One block's negatives serve this many groups at most, each another draw of an anchor's K - 1.
GROUPS = 16


def keep(point: dict) -> bool:
    """The oracle everywhere; cosines on the sphere; they, controls and training at some levels and K."""
    critic, level, n_negatives = point["critic"], point["truth_nats"], point["n_negatives"]
    if critic in TEMPERATURE and point["law"] != "von_mises_fisher":
        return False
    if critic == "separable_batch_k" and (
        point["law"] != "gaussian" or n_negatives == max(TRAINED_NEGATIVES)
    ):
        return False  # its largest batch is that of "separable"
    if critic in TRAINED:
        return point["control"] == "none" and level in TRAINED_LEVELS and n_negatives in TRAINED_NEGATIVES
    if point["control"] != "none":
        return critic == "optimal" and level in CONTROL_LEVELS and is_power_of_four(n_negatives + 1)
    return critic == "optimal" or (level in COSINE_LEVELS and is_power_of_four(n_negatives + 1))


def is_power_of_four(number: int) -> bool:
    return number & (number - 1) == 0 and number.bit_length() % 2 == 1


def measure(pack: Pack) -> list[Measurement]:
    return measure_trained(pack) if pack.cells[0]["critic"] in TRAINED else measure_known(pack)


# The critics that need no training


def measure_known(pack: Pack) -> list[Measurement]:
    """Every K and control from the same anchors and the same negatives, block by block."""
    import torch

    from mibounds.seeding import generator

    cells, settings = pack.cells, pack.settings
    law, sharpness = known_critic(cells[0]["law"], cells[0]["truth_nats"], cells[0]["critic"])
    source = generator(cells[0].seed("evaluation"), pack.device)
    controls = dict.fromkeys(cell["control"] for cell in cells)
    n_pool = settings["n_pool"]  # not the largest K asked for, on which no cell's numbers may depend
    if n_pool < max(cell["n_negatives"] for cell in cells):
        raise ParameterError(
            f"n_negatives must be at most {n_pool}, which are drawn for each block of anchors"
        )

    x, y = law.sample(settings["n_pairs"], source)
    more = {control: sharpness * law.log_density_ratio(x, partners(y, control)) for control in controls}
    positives = {control: [] for control in controls}
    values, largest = [[] for _ in cells], [-math.inf for _ in cells]
    for _ in range(settings["n_blocks"]):
        x, y = law.sample(settings["n_anchors"], source)
        scores = sharpness * law.log_density_ratio_matrix(x, law.sample(n_pool, source)[1])
        for control in controls:
            positive = sharpness * law.log_density_ratio(x, partners(y, control))
            odds = (scores - positive.unsqueeze(1)).exp()
            positives[control].append(positive)
            for c, cell in enumerate(cells):
                if cell["control"] == control:
                    terms = anchor_terms(odds, cell["n_negatives"], control)
                    values[c].append(terms.mean(1))
                    largest[c] = max(largest[c], terms.mean(0).max().item())

    rows = []
    for c, cell in enumerate(cells):
        control = cell["control"]
        estimate, error = mean_with_more_positives(
            torch.stack(values[c]), torch.stack(positives[control]), more[control]
        )
        n_batches = settings["n_blocks"] * n_groups(n_pool, cell["n_negatives"])
        rows.append(row(cell, estimate, error, largest[c], settings["n_anchors"], n_batches))
    return [Measurement(one) for one in rows]


def known_critic(law_name: str, truth_nats: float, critic: str) -> tuple[Distribution, float]:
    """The law, and the factor from its log density ratio to the critic's scores, constants aside."""
    law = law_of(law_name, truth_nats)
    return law, 1.0 if critic == "optimal" else 1 / (law.kappa * TEMPERATURE[critic])


def law_of(name: str, truth_nats: float) -> Distribution:
    from mibounds.distributions import load

    return load(name).from_mutual_information(DIM[name], truth_nats)


def partners(y: Tensor, control: str) -> Tensor:
    """What stands as each anchor's positive: its own y, or under "shuffled_pairs" another's."""
    return y.roll(1, 0) if control == "shuffled_pairs" else y


def n_groups(n_pool: int, n_negatives: int) -> int:
    return min(GROUPS, n_pool // n_negatives)


def anchor_terms(odds: Tensor, n_negatives: int, control: str) -> Tensor:
    """ln K - ln( 1 + sum_j e^(f_ij - f_ii) ), the terms whose mean is InfoNCE, `anchors x groups` nats.

    odds[i, j] = e^(f_ij - f_ii) for negatives j; each group of columns is K - 1 of them. The control
    "without_positive" leaves the 1 out of the denominator.
    """
    groups = n_groups(odds.shape[1], n_negatives)
    of_negatives = odds[:, : groups * n_negatives].unflatten(1, (groups, n_negatives)).sum(-1)
    all_odds = of_negatives if control == "without_positive" else 1 + of_negatives
    return math.log(n_negatives + 1) - all_odds.log()


def mean_with_more_positives(values: Tensor, positives: Tensor, more: Tensor) -> tuple[float, float]:
    """Mean of `values`, `blocks x anchors`, and its standard error over blocks.

    The negatives cost nearly all the time, and most of the variance is that of the positives' scores. So
    their mean is taken over `more` pairs: a control variate, by least squares.
    """
    values, positives, more = values.double(), positives.double(), more.double()
    centred = positives - positives.mean()
    slope = (centred * values).mean() / (centred**2).mean()
    rest = (values - slope * positives).mean(1)
    error = (rest.var() / len(rest) + slope**2 * more.var() / len(more)).sqrt()
    return (rest.mean() + slope * more.mean()).item(), error.item()


# The trained critics


def measure_trained(pack: Pack) -> list[Measurement]:
    """One stack for all K: the same weights at first, the same pairs at each step and held out."""
    from mibounds.bounds import load
    from mibounds.training import Batch, Trainer, fresh_batches

    cells, settings = pack.cells, pack.settings
    n_candidates = [cell["n_negatives"] + 1 for cell in cells]
    law = observed_law(cells[0]["law"], cells[0]["truth_nats"])
    seeds = [cell.seed("weights") for cell in cells]
    critic = untrained(cells[0]["critic"], law.dim_x, seeds).to(pack.device)
    critic.register_forward_hook(lambda _, batch, scores: without_surplus(scores, n_candidates))

    def batches(purpose: str, batch_size: int) -> Iterator[Batch]:
        of_runs = [cell.seed(purpose) for cell in cells]
        return fresh_batches([law] * len(cells), of_runs, batch_size, pack.device)

    trainer = Trainer(critic, load("info_nce")(), seeds, learning_rate=settings["learning_rate"])
    batch_size = n_candidates[0] if cells[0]["critic"] == "separable_batch_k" else settings["batch_size"]
    trainer.fit(batches("data", batch_size), settings["steps"])
    values = trainer.evaluate(batches("evaluation", settings["batch_size"]), settings["evaluation_batches"])
    measured = []
    for c, cell in enumerate(cells):
        # the bound divides by the batch; the candidates that are left are K
        nats = values[:, c].double() - math.log(settings["batch_size"] / n_candidates[c])
        error = (nats.var() / len(nats)).sqrt().item()
        numbers = (nats.mean().item(), error, nats.max().item(), settings["batch_size"], len(nats))
        measured.append(Measurement(row(cell, *numbers, trainer.status[c])))
    return measured


def observed_law(name: str, truth_nats: float) -> Distribution:
    """Latent directions are seen through a frozen network; Gaussians as they are."""
    from mibounds.distributions import load
    from mibounds.distributions.maps import load as load_map

    law = law_of(name, truth_nats)
    if name == "gaussian":
        return law
    network = load_map("random_network")(law.dim_x)
    return load("transformed")(law, network, network)


def untrained(critic: str, dim: int, seeds: list[int]) -> Critic:
    """A cosine critic embeds into the latents' own dimension, so that one temperature has one ceiling."""
    from mibounds.critics import load

    if critic in TEMPERATURE:
        return load("cosine")(
            dim, dim, seeds, temperature=TEMPERATURE[critic], hidden=(128, 128), embedding=dim
        )
    return load("separable")(dim, dim, seeds, hidden=(128, 128))


def without_surplus(scores: Tensor, n_candidates: list[int]) -> Tensor:
    """Run r's anchor i keeps y_i and the next K_r - 1 of the batch, around its end; others score -inf."""
    import torch

    n = scores.shape[-1]
    index = torch.arange(n, device=scores.device)
    distance = (index - index.unsqueeze(1)) % n
    kept = torch.tensor(n_candidates, device=scores.device).view(-1, 1, 1)
    return scores.masked_fill(distance >= kept, -math.inf)


# A row of the table


def row(
    cell: Cell,
    estimate: float,
    error: float,
    largest: float,
    batch_size: int,
    n_batches: int,
    status: str = "ok",
) -> dict:
    n_candidates, critic = cell["n_negatives"] + 1, cell["critic"]
    has_exact = critic == "optimal"
    return {
        "n_candidates": n_candidates,
        "temperature": TEMPERATURE.get(critic, math.nan),
        "estimate_nats": estimate,
        "standard_error_nats": error,
        "exact_nats": exact_nats(cell["law"], cell["truth_nats"], n_candidates) if has_exact else math.nan,
        "ceiling_nats": ceiling_nats(critic, n_candidates),
        "largest_batch_nats": largest,
        "batch_size": batch_size,
        "n_batches": n_batches,
        "status": status,
    }


def ceiling_nats(critic: str, n_candidates: int) -> float:
    of_candidates = theory.info_nce_ceiling(n_candidates)
    if critic not in TEMPERATURE:
        return of_candidates
    return min(of_candidates, theory.temperature_ceiling(DIM["von_mises_fisher"], TEMPERATURE[critic]))


@cache
def exact_nats(law_name: str, truth_nats: float, n_candidates: int) -> float:
    """E[InfoNCE] with the true density ratio, by numerical integration."""
    dim = DIM[law_name]
    if law_name == "gaussian":
        correlation = theory.gaussian_correlation(dim, truth_nats)
        return theory.info_nce_oracle_gaussian(dim, correlation, n_candidates)
    return theory.info_nce_oracle_vmf(dim, theory.vmf_concentration(dim, truth_nats), n_candidates)


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 5
# A claim's share of the study's error rate; Holm's steps divide it further over the claim's cells.
ALPHA = 0.05 / N_CLAIMS
VALIDITY_MARGIN = 0.02
SHARE = 0.95
EXPECTATION_MARGIN = 0.05
ROUNDING = 1e-5
CELL = ["law", "critic", "truth_nats", "n_candidates"]


def of(rows: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """The rows with these values in these columns."""
    for column, value in wanted.items():
        rows = rows[rows[column] == value]
    return rows


def guarded(
    tables: Tables, rows: pd.DataFrame, control: str, decide: Callable[[pd.DataFrame], Verdict]
) -> Verdict:
    """What `decide` makes of `rows`, provided that it refutes the control, which breaks what it looks at."""
    of_control = if_all_ok(of(tables["table"], control=control), decide)
    if of_control.outcome != "refuted":
        return Verdict.inconclusive(f"the control {control} was to be refuted; it is {of_control.outcome}")
    return if_all_ok(rows, decide)


def stays_below_the_truth(rows: pd.DataFrame) -> Verdict:
    """Simultaneous one-sided intervals of the mean minus the truth, a cell each."""
    bias = (rows["estimate_nats"] - rows["truth_nats"]).groupby([rows[name] for name in CELL])
    cells = [values for _, values in bias]
    for_low = statistics.holm_confidence([p_below(-values, 0.0) for values in cells], ALPHA)
    for_high = statistics.holm_confidence([p_below(values, VALIDITY_MARGIN) for values in cells], ALPHA)
    low = max(statistics.one_sided_lower(*of_cell).low for of_cell in zip(cells, for_low, strict=True))
    worst = max(
        (statistics.one_sided_upper(*of_cell) for of_cell in zip(cells, for_high, strict=True)),
        key=lambda interval: interval.high,
    )
    outcome = "refuted" if low > 0 else "supported" if worst.high <= VALIDITY_MARGIN else "inconclusive"
    reason = f"mean minus truth over {len(cells)} cells: largest lower end {low:.4f}, upper {worst.high:.4f}"
    return Verdict(outcome, worst.effect, low, worst.high, "nats", reason)


def p_below(values: pd.Series, null: float) -> float:
    """One-sided p-value of the hypothesis that the mean is not below `null`."""
    two_sided = statistics.p_value(values, null)
    return two_sided / 2 if values.mean() < null else 1 - two_sided / 2


def stays_below_the_ceiling(rows: pd.DataFrame) -> Verdict:
    """The largest excess of any batch, rounding of float32 allowed."""
    excess = rows["largest_batch_nats"] - rows["ceiling_nats"]
    where = name_of(rows.loc[excess.idxmax(), CELL])
    return Verdict.below(*[excess.max()] * 3, ROUNDING, "nats", f"{rows['n_batches'].sum()} batches; {where}")


def reaches_the_truth(rows: pd.DataFrame) -> Verdict:
    """Share of the truth, where the candidates are many for it."""
    rows = rows[rows["n_candidates"].map(math.log) >= 2 * rows["truth_nats"] + 1]
    return share_is_large(rows, rows["estimate_nats"] / rows["truth_nats"])


def reaches_the_ceiling(rows: pd.DataFrame) -> Verdict:
    """Share of ln K, where the truth is far above it."""
    rows = rows[rows["truth_nats"] >= 2 * rows["n_candidates"].map(math.log) + 1]
    return share_is_large(rows, rows["estimate_nats"] / rows["ceiling_nats"])


def share_is_large(rows: pd.DataFrame, share: pd.Series) -> Verdict:
    def p_value(values: pd.Series) -> float:
        return statistics.p_value(values, SHARE)

    def judge(interval: statistics.Interval, reason: str) -> Verdict:
        return Verdict.above(*interval, SHARE, "share", reason)

    return in_each_cell(rows, share, p_value, judge, distance=lambda effect: -effect)


def meets_its_expectation(rows: pd.DataFrame) -> Verdict:
    """Mean minus the exact expectation, equivalent to zero."""

    def p_value(values: pd.Series) -> float:
        return min(1.0, 2 * statistics.equivalence(values, EXPECTATION_MARGIN).p_value)

    def judge(interval: statistics.Interval, reason: str) -> Verdict:
        return Verdict.equivalent(*interval, EXPECTATION_MARGIN, "nats", reason)

    return in_each_cell(rows, rows["estimate_nats"] - rows["exact_nats"], p_value, judge, distance=abs)


def in_each_cell(
    rows: pd.DataFrame,
    effect: pd.Series,
    p_value: Callable[[pd.Series], float],
    judge: Callable[[statistics.Interval, str], Verdict],
    distance: Callable[[float], float],
) -> Verdict:
    """The cells' verdicts joined, by intervals Holm-adjusted over them; of equal ones the worst speaks."""
    cells = dict(list(effect.groupby([rows[name] for name in CELL])))
    if not cells:
        return Verdict.inconclusive("the grid has no cell that this claim is about")
    confidence = statistics.holm_confidence([p_value(values) for values in cells.values()], ALPHA)
    parts = [
        judge(statistics.mean_interval(values, level), f"{len(cells)} cells; {name_of(cell)}")
        for (cell, values), level in zip(cells.items(), confidence, strict=True)
    ]
    return Verdict.all_of(*sorted(parts, key=lambda part: -distance(part.effect)))


def name_of(cell: Sequence) -> str:
    law, critic, truth_nats, n_candidates = cell
    return f"worst: {law}, {critic}, {truth_nats:g} nats, K = {n_candidates}"


def intact(tables: Tables) -> pd.DataFrame:
    return of(tables["table"], control="none")


def oracle(tables: Tables) -> pd.DataFrame:
    return of(intact(tables), critic="optimal")


CLAIMS = (
    Claim(
        id="C2.validity",
        text="Minimising the loss maximises a lower bound on I(z; z+).",
        source="Contrastive Learning Theory; van den Oord et al. 2018, section 2.3",
        criterion="Refuted if in any cell, trained or not, the lower end of the one-sided interval of the "
        "held-out mean, Holm-adjusted over cells, exceeds the truth; supported if every upper end is at "
        "most the truth + 0.02 nats. The control without the positive in the denominator must be refuted.",
        verdict=lambda tables: guarded(tables, intact(tables), "without_positive", stays_below_the_truth),
    ),
    Claim(
        id="C2.ceiling",
        text="InfoNCE never says more than ln K, nor a cosine critic more than 1/tau - ln E e^(s/tau).",
        source="van den Oord et al. 2018; Poole et al. 2019; Wang and Isola 2020, theorem 1",
        criterion="Supported if no held-out batch exceeds the lower of the two by 1e-5 nats. The control "
        "without the positive in the denominator must exceed ln K.",
        verdict=lambda tables: guarded(tables, intact(tables), "without_positive", stays_below_the_ceiling),
    ),
    Claim(
        id="C2.tight",
        text="The bound is tight with many negatives.",
        source="Contrastive Learning Theory",
        criterion="Supported if, with the true density ratio, the mean is above 0.95 of the truth in every "
        "cell with ln K >= 2 I + 1, by intervals Holm-adjusted over those cells; refuted if it is below in "
        "one. The control of shuffled pairs must be refuted.",
        verdict=lambda tables: guarded(tables, oracle(tables), "shuffled_pairs", reaches_the_truth),
    ),
    Claim(
        id="C2.saturation",
        text="Where the MI is far above ln K, the bound with the true density ratio shows ln K.",
        source="Poole et al. 2019, section 2.3",
        criterion="Supported if the mean is above 0.95 ln K in every cell with I >= 2 ln K + 1, by "
        "intervals Holm-adjusted over those cells; refuted if it is below in one. The control of shuffled "
        "pairs must be refuted.",
        verdict=lambda tables: guarded(tables, oracle(tables), "shuffled_pairs", reaches_the_ceiling),
    ),
    Claim(
        id="C2.expectation",
        text="Between the two, the density ratio's law rules the shortfall: the exact expectation is what "
        "is measured.",
        source="Poole et al. 2019, section 2.3; here by numerical integration",
        criterion="Supported if in every cell with the true density ratio the interval of mean minus exact "
        "expectation, Holm-adjusted over cells, lies within 0.05 nats of zero; refuted if one lies wholly "
        "outside. The control of shuffled pairs must be refuted.",
        verdict=lambda tables: guarded(tables, oracle(tables), "shuffled_pairs", meets_its_expectation),
    ),
)


# Figure


def draw(tables: Tables) -> Figure:
    """Top: the oracle against K, a law each. Bottom: where its gap lies, and what other critics reach."""
    from mibounds.plots.style import draw_legend, new_figure

    table = intact(tables)
    with new_figure(2, 2, height=2.6) as (figure, axes):
        for ax, law in zip(axes[0], DIM, strict=True):
            draw_oracle(ax, of(table, law=law, critic="optimal"))
            ax.set_title(f"true density ratio, {law}")
        draw_shortfall(axes[1, 0], of(table, critic="optimal"))
        draw_critics(axes[1, 1], table)
        for ax in (*axes[0], axes[1, 1]):
            ax.set_xscale("log", base=2)
            ax.set(xlabel="candidates K, positive included", ylabel="InfoNCE (nats)")
        draw_legend(figure, columns=2)
    return figure


def draw_oracle(ax: Axes, rows: pd.DataFrame) -> None:
    """One curve a level: the exact expectation, the replicates' means on it, the truth at the right."""
    import matplotlib as mpl

    from mibounds.plots.style import draw_ceiling, draw_theory

    if rows.empty:
        return
    sizes = sorted(rows["n_candidates"].unique())
    shade = mpl.colormaps["viridis"]
    draw_ceiling(ax, [math.log(k) for k in sizes], sizes, label="ceiling: ln K, temperature")
    levels = [nats for nats in sorted(rows["truth_nats"].unique()) if nats % 2 == 0 or nats == 1]
    for nats in levels:
        of_level = of(rows, truth_nats=nats)
        exact = of_level.groupby("n_candidates")["exact_nats"].mean()
        draw_theory(
            ax, list(exact), list(exact.index), label="its exact expectation, by integration", linewidth=0.9
        )
        draw_replicates(
            ax,
            of_level,
            color=shade(0.9 * (1 - nats / 12)),
            label="measured, true density ratio",
            line="none",
        )
        ax.annotate(
            f"{nats:g}", (exact.index[-1], exact.iloc[-1]), (4, -2), textcoords="offset points", fontsize=6
        )
        ax.plot([sizes[-1] * 2.2, sizes[-1] * 3.2], [nats, nats], color="black", label="true MI")


def draw_shortfall(ax: Axes, rows: pd.DataFrame) -> None:
    """min(I, ln K) minus the mean, against ln K - I."""
    from mibounds.plots.style import COLORS

    for law, color in zip(DIM, COLORS, strict=False):
        cells = (
            of(rows, law=law).groupby(["truth_nats", "n_candidates"])["estimate_nats"].mean().reset_index()
        )
        log_k = cells["n_candidates"].map(math.log)
        shortfall = cells["truth_nats"].clip(upper=log_k) - cells["estimate_nats"]
        ax.plot(
            log_k - cells["truth_nats"], shortfall, ".", markersize=3, color=color, label=f"{law}, measured"
        )
    ax.axhline(0, color="black", linewidth=0.8)
    ax.set_title("what the true density ratio still misses")
    ax.set(xlabel="ln K - true MI (nats)", ylabel="min(true MI, ln K) - InfoNCE (nats)")


def draw_critics(ax: Axes, table: pd.DataFrame) -> None:
    """One level: temperature's ceilings on the sphere, and trained critics on both laws."""
    from mibounds.plots.style import COLORS, draw_ceiling, draw_truth

    trained = table[table["critic"].isin(TRAINED)]
    if trained.empty:
        return
    nats = trained["truth_nats"].max()
    rows = of(table, truth_nats=nats)
    draw_truth(ax, nats)
    for law, critic, color, marker, label in (
        ("von_mises_fisher", "cosine_0.1", COLORS[2], "", "latent cosine, temperature 0.1"),
        ("von_mises_fisher", "cosine_0.5", COLORS[3], "", "latent cosine, temperature 0.5"),
        ("von_mises_fisher", "trained_cosine_0.1", COLORS[2], "s", "trained cosine, temperature 0.1"),
        ("von_mises_fisher", "trained_cosine_0.5", COLORS[3], "s", "trained cosine, temperature 0.5"),
        ("gaussian", "separable", COLORS[0], "o", "trained separable, gaussian"),
        ("gaussian", "separable_batch_k", COLORS[0], "x", "the same, trained on batches of K"),
    ):
        draw_replicates(ax, of(rows, law=law, critic=critic), color=color, label=label, marker=marker)
    for temperature in (0.1, 0.5):
        draw_ceiling(
            ax,
            theory.temperature_ceiling(DIM["von_mises_fisher"], temperature),
            label="ceiling: ln K, temperature",
        )
    sizes = sorted(rows["n_candidates"].unique())
    draw_ceiling(ax, [math.log(k) for k in sizes], sizes, label="ceiling: ln K, temperature")
    ax.set_title(f"other critics at {nats:g} nats")
    ax.set_ylim(0, nats + 1)


def draw_replicates(
    ax: Axes, rows: pd.DataFrame, *, color: Any, label: str, marker: str = ".", line: str = "-"
) -> None:
    """The mean over replicates and, as a bar, its 95% interval."""
    if rows.empty:
        return
    by_size = rows.groupby("n_candidates")["estimate_nats"]
    intervals = [statistics.mean_interval(values) for _, values in by_size]
    reach = [i.high - i.effect if math.isfinite(i.high) else 0.0 for i in intervals]
    ax.errorbar(
        list(by_size.groups),
        [i.effect for i in intervals],
        reach,
        color=color,
        marker=marker,
        markersize=3.5,
        linestyle=line,
        linewidth=1.0,
        elinewidth=1.0,
        label=label,
    )


STUDY = Study(
    slug="infonce_ceiling",
    question="How much of a known mutual information does InfoNCE show, given its number of candidates?",
    axes={
        "law": tuple(DIM),
        "critic": ("optimal", "cosine_0.5", "cosine_0.1", *TRAINED),
        "truth_nats": LEVELS_NATS,
        "control": ("none", "without_positive", "shuffled_pairs"),
        "n_negatives": N_NEGATIVES,
    },
    stacked=("control", "n_negatives"),
    # nothing but the replicate: levels, laws, critics and K see the same stream
    seeds={"data": (), "weights": (), "evaluation": ()},
    keep=keep,
    width=lambda point: 1 if point["critic"] == "separable_batch_k" else 3 * len(N_NEGATIVES),
    settings={
        "batch_size": 128,
        "n_anchors": 256,
        "n_blocks": 16,
        "n_pool": max(N_NEGATIVES),
        "n_pairs": 100_000,
        "steps": 600,
        "evaluation_batches": 64,
        "learning_rate": 1e-3,
    },
    presets={
        "smoke": {
            "replicates": 1,
            "truth_nats": (2.0, 6.0),
            "n_negatives": (3, 127),
            "n_blocks": 2,
            "n_pairs": 1000,
            "steps": 5,
            "evaluation_batches": 2,
        },
        "quick": {
            "replicates": 3,
            "truth_nats": (1.0, 2.0, 4.0, 6.0, 10.0),
            "n_negatives": (3, 15, 63, 127, 1023, 16383),
            "n_blocks": 2,
            "n_pairs": 20_000,
            "steps": 150,
            "evaluation_batches": 16,
        },
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

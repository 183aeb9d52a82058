"""The staircase: how close each bound comes to a known mutual information as that rises.

Protocol of Poole et al. 2019 (figure 2) and Song and Ermon 2020 (figure 1): a 20-dimensional Gaussian with correlated
pairs, and its cubic map; batches of 64 new pairs each step; Adam at 5e-4; two hidden layers of 256; embedding 32; 4,000
steps on each of 2, 4, 6, 8, 10 nats, one after another. What the table holds is read on new batches after each level.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mibounds import registry, statistics
from mibounds.study import Claim, Measurement, Pack, Study, Verdict, if_all_ok

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from mibounds.bounds import Bound
    from mibounds.distributions import Distribution

Tables = Mapping[str, "pd.DataFrame"]
Levels = Iterator[tuple[list[dict], list[list[dict]]]]  # rows and curve rows, a cell each, level by level

LEVELS_NATS = (2.0, 4.0, 6.0, 8.0, 10.0)
DIM = 20
UPPER = ("club", "leave_one_out")
CLASSIC = ("info_nce", "nwj", "donsker_varadhan", "mine", "jensen_shannon", "smile")
JOINT = ("info_nce", "nwj", "donsker_varadhan", "jensen_shannon")
JOINT_REPLICATES = 4
TRAINABLE = tuple(name for name in registry.names("mibounds.bounds") if name not in UPPER)


def keep(point: dict) -> bool:
    """The concatenated critic costs twenty times more: four bounds, four replicates, on the Gaussian."""
    if point["critic"] == "concatenated":
        return (
            point["task"] == "gaussian" and point["bound"] in JOINT and point["replicate"] < JOINT_REPLICATES
        )
    return point["task"] == "gaussian" or point["bound"] in CLASSIC


def law_of(task: str, truth_nats: float) -> Distribution:
    from mibounds.distributions import load

    gaussian = load("gaussian").from_mutual_information(DIM, truth_nats)
    if task == "gaussian":
        return gaussian
    from mibounds.distributions.maps import load as load_map

    return load("transformed")(gaussian, map_y=load_map("cubic")())


def measure(pack: Pack) -> list[Measurement]:
    levels = measure_optimal(pack) if pack.cells[0]["critic"] == "optimal" else measure_trained(pack)
    rows, curves = zip(*levels, strict=True)
    return [
        Measurement([level[c] for level in rows], curve=[row for level in curves for row in level[c]])
        for c in range(len(pack.cells))
    ]


def measure_optimal(pack: Pack) -> Levels:
    """Each bound with the true density ratio, on the batches that the trained critics are read on."""
    import itertools

    import torch

    from mibounds import bounds
    from mibounds.training import fresh_batches

    for truth_nats in LEVELS_NATS:
        law = law_of(pack.cells[0]["task"], truth_nats)
        batches = fresh_batches(
            [law], [level_seed(pack, "evaluation", truth_nats)], pack.settings["batch_size"]
        )
        values = []
        for x, y in itertools.islice(batches, pack.settings["evaluation_batches"]):
            log_ratio = law.log_density_ratio_matrix(x[0], y[0])
            values.append(
                torch.stack([at_optimum(bounds.load(cell["bound"])(), log_ratio) for cell in pack.cells])
            )
        yield (
            held_out_rows(torch.stack(values), truth_nats, ["ok"] * len(pack.cells), pack),
            [[] for _ in pack.cells],
        )


def at_optimum(bound: Bound, log_ratio: Tensor) -> Tensor:
    scores = bound.optimal_scores(log_ratio)
    return (
        bound(scores) if bound.baseline is None else bound(scores, log_ratio.new_zeros(log_ratio.shape[:-1]))
    )


def measure_trained(pack: Pack) -> Levels:
    """One stack for the pack; bounds that share an objective share a training and are read apart."""
    from mibounds import bounds, critics
    from mibounds.training import Trainer, fresh_batches

    settings = pack.settings
    read = [bounds.load(cell["bound"])() for cell in pack.cells]
    trained = list(dict.fromkeys(bound.trained_as for bound in read))
    seeds = [pack.cells[0].seed("weights")] * len(trained)
    critic = critics.load(pack.cells[0]["critic"])(DIM, DIM, seeds).to(pack.device)
    readings = [(trained.index(bound.trained_as), bound) for bound in read]
    trainer = Trainer(critic, trained, seeds, readings=readings, learning_rate=settings["learning_rate"])

    for truth_nats in LEVELS_NATS:
        law = law_of(pack.cells[0]["task"], truth_nats)

        def batches(purpose, law=law, truth_nats=truth_nats):
            seed = level_seed(pack, purpose, truth_nats)
            return fresh_batches(
                [law] * len(trained), [seed] * len(trained), settings["batch_size"], pack.device
            )

        first_step = trainer.steps_done
        history = trainer.fit(batches("data"), settings["steps"])
        values = trainer.evaluate(batches("evaluation"), settings["evaluation_batches"])
        status = [trainer.status[run] for run, _ in readings]
        yield (
            held_out_rows(values, truth_nats, status, pack),
            curve_rows(history, truth_nats, first_step, pack),
        )


def level_seed(pack: Pack, purpose: str, truth_nats: float) -> int:
    from mibounds.seeding import seed_of

    return seed_of(pack.cells[0].seed(purpose), truth_nats)


def held_out_rows(values: Tensor, truth_nats: float, status: list[str], pack: Pack) -> list[dict]:
    """A row a cell from `values`, `batches x cells` nats."""
    from mibounds.bounds import load

    batch_size = pack.settings["batch_size"]
    mean, spread, largest = values.mean(0).tolist(), values.std(0).tolist(), values.amax(0).tolist()
    return [
        {
            "truth_nats": truth_nats,
            "estimate_nats": mean[c],
            "bias_nats": mean[c] - truth_nats,
            "batch_std_nats": spread[c],
            "largest_batch_nats": largest[c],
            "ceiling_nats": load(cell["bound"])().ceiling(batch_size),
            "batch_size": batch_size,
            "n_batches": len(values),
            "status": status[c],
        }
        for c, cell in enumerate(pack.cells)
    ]


def curve_rows(history: Tensor, truth_nats: float, first_step: int, pack: Pack) -> list[list[dict]]:
    """Means over blocks of steps of the values on new batches before each step, `steps x cells` nats."""
    block = pack.settings["curve_block"]
    means = history.unflatten(0, (-1, block)).mean(1)
    return [
        [
            {"step": first_step + (b + 1) * block, "truth_nats": truth_nats, "estimate_nats": value}
            for b, value in enumerate(means[:, c].tolist())
        ]
        for c in range(len(pack.cells))
    ]


# Claims: effect, threshold and interval were written before the full run.

WITHIN_EXPECTATION = ("info_nce", "nwj", "tuba", "jensen_shannon", "flo", "interpolated")
VALIDITY_MARGIN = 0.02
JOINT_MARGIN = 0.07


def of(rows: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """The rows with these values, one or a tuple of them, in these columns."""
    for column, value in wanted.items():
        rows = rows[rows[column].isin(value if isinstance(value, tuple) else (value,))]
    return rows


def stays_below_the_truth(tables: Tables, bounds: tuple[str, ...]) -> Verdict:
    """Simultaneous one-sided intervals of the mean bias over replicates, a cell each."""

    def decide(rows: pd.DataFrame) -> Verdict:
        cells = [cell["bias_nats"] for _, cell in rows.groupby(["task", "critic", "bound", "truth_nats"])]
        confidence = 1 - 0.05 / len(cells)
        lows = [statistics.one_sided_lower(bias, confidence) for bias in cells]
        highs = [statistics.one_sided_upper(bias, confidence) for bias in cells]
        worst = max(highs, key=lambda interval: interval.high)
        highest_low = max(interval.low for interval in lows)
        reason = (
            f"{len(cells)} cells; largest upper end {worst.high:.3f}, largest lower end {highest_low:.3f}"
        )
        if highest_low > 0:
            return Verdict("refuted", worst.effect, highest_low, worst.high, "nats", reason)
        outcome = "supported" if worst.high <= VALIDITY_MARGIN else "inconclusive"
        return Verdict(outcome, worst.effect, highest_low, worst.high, "nats", reason)

    return if_all_ok(of(tables["table"], bound=bounds), decide)


def stays_below_the_ceiling(tables: Tables) -> Verdict:
    """No single held-out batch may pass the ceiling: the largest excess, rounding of float32 allowed."""

    def decide(rows: pd.DataFrame) -> Verdict:
        excess = (rows["largest_batch_nats"] - rows["ceiling_nats"]).max()
        return Verdict.below(excess, excess, excess, 1e-5, "nats", f"{rows['n_batches'].sum()} batches")

    table = tables["table"]
    return if_all_ok(table[table["ceiling_nats"] < math.inf], decide)


def joint_critic_reaches_the_oracle(tables: Tables) -> Verdict:
    """Oracle minus concatenated critic, InfoNCE, paired by replicate, each level at 1 - 0.05/levels."""
    rows = of(tables["table"], task="gaussian", bound="info_nce", critic=("optimal", "concatenated"))

    def decide(rows: pd.DataFrame) -> Verdict:
        wide = rows.pivot(index=["truth_nats", "replicate"], columns="critic", values="estimate_nats")
        if "concatenated" not in wide or "optimal" not in wide:
            return Verdict.inconclusive("the table has no concatenated or no optimal critic", "nats")
        gap = (wide["optimal"] - wide["concatenated"]).dropna()
        levels = [level for _, level in gap.groupby("truth_nats")]
        intervals = [statistics.mean_interval(level, 1 - 0.05 / len(levels)) for level in levels]
        return Verdict.all_of(
            *(
                Verdict.below(*i, JOINT_MARGIN, "nats", "largest shortfall over the levels")
                for i in intervals
            ),
            *(Verdict.above(*i, -JOINT_MARGIN, "nats", "never above the oracle by more") for i in intervals),
        )

    return if_all_ok(rows, decide)


def oracle_overshoots(tables: Tables, bound: str, threshold: float) -> Verdict:
    """Bias at the top level with the true density ratio."""
    rows = of(tables["table"], task="gaussian", bound=bound, critic="optimal", truth_nats=max(LEVELS_NATS))

    def decide(rows: pd.DataFrame) -> Verdict:
        return Verdict.above(
            *statistics.mean_interval(rows["bias_nats"]), threshold, "nats", "at 10 nats, K = 64"
        )

    return if_all_ok(rows, decide)


def cubic_map_costs(tables: Tables) -> Verdict:
    """InfoNCE of the separable critic, Gaussian minus cubic, paired by replicate, averaged over levels."""
    rows = of(tables["table"], bound="info_nce", critic="separable")

    def decide(rows: pd.DataFrame) -> Verdict:
        by_task = rows.groupby(["task", "replicate"])["estimate_nats"].mean()
        if set(by_task.index.unique("task")) != {"gaussian", "cubic"}:
            return Verdict.inconclusive("the table lacks a task", "nats")
        interval = statistics.paired_interval(by_task["gaussian"], by_task["cubic"])
        return Verdict.above(*interval, 0.0, "nats", "mean over the five levels")

    return if_all_ok(rows, decide)


CLAIMS = (
    Claim(
        id="C2.validity",
        text="Minimising the InfoNCE loss maximises a lower bound on the mutual information.",
        source="Contrastive Learning Theory; van den Oord et al. 2018",
        criterion="Refuted if in any cell (task, critic, level) the lower end of the simultaneous one-sided 95% "
        "interval of InfoNCE's held-out mean exceeds the truth; supported if every upper end is at most the truth "
        "+ 0.02 nats.",
        verdict=lambda tables: stays_below_the_truth(tables, ("info_nce",)),
    ),
    Claim(
        id="validity_of_unbiased_bounds",
        text="NWJ, TUBA, Jensen-Shannon, FLO and the interpolated bound lie below the truth in expectation.",
        source="Poole et al. 2019",
        criterion="As C2.validity, over the bounds that are valid in expectation.",
        verdict=lambda tables: stays_below_the_truth(tables, WITHIN_EXPECTATION),
    ),
    Claim(
        id="C2.ceiling",
        text="No batch of K pairs shows more than the bound's ceiling, ln K for InfoNCE.",
        source="van den Oord et al. 2018; Poole et al. 2019",
        criterion="Supported if the largest held-out batch value exceeds its ceiling by less than 1e-5 nats.",
        verdict=stays_below_the_ceiling,
    ),
    Claim(
        id="joint_critic_reaches_oracle",
        text="A trained joint critic reaches what InfoNCE can show at all.",
        source="Poole et al. 2019, figure 2",
        criterion="Supported if at each level the oracle's InfoNCE minus the concatenated critic's lies within 0.07 "
        "nats (paired intervals, simultaneous over levels); refuted if one lies wholly outside.",
        verdict=joint_critic_reaches_the_oracle,
    ),
    Claim(
        id="donsker_varadhan_overestimates",
        text="On batches of 64, Donsker-Varadhan over-estimates a high MI even with a perfect critic.",
        source="McAllester and Stratos 2020; Song and Ermon 2020",
        criterion="Supported if the 95% interval of the oracle's bias at 10 nats lies above 0.5 nats.",
        verdict=lambda tables: oracle_overshoots(tables, "donsker_varadhan", 0.5),
    ),
    Claim(
        id="smile_is_no_bound",
        text="SMILE is not a lower bound: with the true density ratio it reads more than the MI.",
        source="Song and Ermon 2020, section 4",
        criterion="Supported if the 95% interval of the oracle's bias at 10 nats (clip 5) lies above 0.5 nats.",
        verdict=lambda tables: oracle_overshoots(tables, "smile", 0.5),
    ),
    Claim(
        id="cubic_map_costs",
        text="A map that leaves the MI as it is, the cube of y, still costs a trained estimate some of it.",
        source="Poole et al. 2019, figure 2; Song and Ermon 2020, figure 1",
        criterion="Supported if the paired 95% interval of separable InfoNCE, Gaussian minus cubic, lies above 0.",
        verdict=cubic_map_costs,
    ),
)


# Figure


def draw(tables: Tables) -> Figure:
    """A panel a bound: the staircase over training steps; below, the same on the cubic map, then further bounds."""
    from mibounds.plots.style import draw_legend, new_figure

    curve, table = tables["curve"], tables["table"]
    present = table["bound"].unique()
    classic = [bound for bound in CLASSIC if bound in present]
    panels = [(task, bound) for task in table["task"].unique() for bound in classic]
    panels += [("gaussian", bound) for bound in present if bound not in CLASSIC]
    columns = len(classic) or 1
    rows = math.ceil(len(panels) / columns)
    with new_figure(rows, columns, height=1.55, width=1.5 * columns + 0.6, sharex=True, sharey=True) as (
        figure,
        axes,
    ):
        for ax, (task, bound) in zip(axes.flat, panels, strict=False):
            draw_staircase(ax, of(curve, task=task, bound=bound), of(table, task=task, bound=bound))
            ax.set_title(f"{bound}\n{task}" if bound in classic else bound)
        for ax in axes.flat[len(panels) :]:
            ax.set_visible(False)
        figure.supxlabel("training step (batches of 64 new pairs)", fontsize=8)
        figure.supylabel("mutual information (nats)", fontsize=8)
        draw_legend(figure)
    return figure


def draw_staircase(ax, curve: pd.DataFrame, table: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, draw_ceiling, draw_measurement, draw_theory, draw_truth

    levels = sorted(table["truth_nats"].unique())
    last_step = curve["step"].max() if len(curve) else len(levels)
    edges = [last_step * k / len(levels) for k in range(len(levels) + 1)]
    stairs = [x for k in range(len(levels)) for x in edges[k : k + 2]]
    oracle = of(table, critic="optimal").groupby("truth_nats")["estimate_nats"].mean()
    draw_truth(ax, [level for level in levels for _ in (0, 1)], stairs)
    if len(oracle) == len(levels):
        draw_theory(
            ax,
            [oracle[level] for level in levels for _ in (0, 1)],
            stairs,
            label="true density ratio, no training",
        )
    if table["ceiling_nats"].max() < math.inf:
        draw_ceiling(ax, table["ceiling_nats"].max(), label="ceiling (ln 64 for InfoNCE)")
    for critic, color in (("separable", COLORS[0]), ("concatenated", COLORS[1])):
        rows = of(curve, critic=critic)
        if len(rows):
            draw_measurement(
                ax, rows, x="step", y="estimate_nats", color=color, label=f"{critic} critic", linewidth=1.0
            )
    ax.set(xlabel="", ylabel="", ylim=(0, 14))


STUDY = Study(
    slug="bound_tightness",
    question="How close does each bound come to a known mutual information as that rises?",
    axes={
        "task": ("gaussian", "cubic"),
        "critic": ("optimal", "separable", "concatenated"),
        "bound": TRAINABLE,
    },
    stacked=("bound",),
    seeds={"data": (), "weights": ("critic",), "evaluation": ()},
    keep=keep,
    width=lambda point: 1 if point["critic"] == "concatenated" else 32,
    settings={
        "batch_size": 64,
        "steps": 4000,
        "evaluation_batches": 256,
        "curve_block": 100,
        "learning_rate": 5e-4,
    },
    presets={
        "smoke": {"replicates": 1, "steps": 20, "curve_block": 10, "evaluation_batches": 8},
        "quick": {
            "replicates": 1,
            "bound": CLASSIC,
            "steps": 500,
            "curve_block": 25,
            "evaluation_batches": 64,
        },
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

"""Sensitivity: which of seven settings moves the accuracy most, over the ranges that are in use?

InfoNCE trains an encoder (three layers of 128, 128 and 64 units, batch norm) on views that share 4 dimensions of
content. 4 of style are the nuisance: at view strength s they are drawn anew with chance s, while content keeps a
correlation of 1 - s/5, so that strong views lose the nuisance before the content. Both are seen through a frozen
network of four hidden layers. The label, from content, is read by a ridge probe on h.

Each setting has three levels, evenly spaced by ratio, over a published range: temperature 0.05..1 (Chen et al. 2020,
table 5), view strength 1/8..1 (table 1), learning rate by a factor of 3 and batch of 16 (appendix B.9), width of the
embedding of 64 (figure 8), negatives of 31 (32 in figure 9) and affine maps in the projector 1..3 (figure 8; three in
Chen et al. 2020, arXiv:2006.10029). Ranges whose ends are out of reach here keep their ratio. The negatives are a
choice of those that the smallest batch holds, so that batch and negatives move apart; steps are the same for all.

81 of the 2,187 combinations are run, the same for all replicates: an orthogonal array in which any three settings take
all their levels together equally often. Main effects are then clear of each other and of the interactions of two. An
eighth column that nothing follows is the control. Replicates change first weights, pairs and the probe's rows, and
their share is the variance that is left at one setting.

A share belongs to its range: a range twice as wide can have four times the variance. Steps are few, and rates and
batches that learn fast gain by it. An optimum inside the range shows in the share, and not in points per doubling.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mibounds import statistics
from mibounds.study import (
    Claim,
    Measurement,
    Pack,
    Study,
    Verdict,
    first_failure,
    if_all_ok,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mibounds.representation.sources import Source

Tables = Mapping[str, "pd.DataFrame"]

CONTENT, STYLE, MIXING = 4, 4, 4
LEVELS: dict[str, tuple[Any, ...]] = {
    "temperature": (0.05, 0.22, 1.0),
    "n_negatives": (1, 6, 31),
    "batch_size": (32, 128, 512),
    "width": (8, 64, 512),
    "depth": (1, 2, 3),
    "view_strength": (0.125, 0.35, 1.0),
    "learning_rate": (1e-3, 1.7e-3, 3e-3),
}
FACTORS = tuple(LEVELS)
NOTHING = "nothing"
# A column a factor, the last for nothing: level = sum of its entries times the run's four digits, modulo 3.
COLUMNS = (
    (1, 0, 0, 0),
    (0, 1, 0, 0),
    (0, 0, 1, 0),
    (0, 0, 0, 1),
    (0, 1, 1, 1),
    (1, 0, 1, 1),
    (1, 1, 0, 1),
    (1, 1, 1, 0),
)
RUNS = [
    tuple(sum(a * b for a, b in zip(digits, column, strict=True)) % 3 for column in COLUMNS)
    for digits in itertools.product(range(3), repeat=4)
]
DESIGN = {tuple(LEVELS[f][at] for f, at in zip(FACTORS, run, strict=False)): run[-1] for run in RUNS}


def keep(point: dict) -> bool:
    return tuple(point[factor] for factor in FACTORS) in DESIGN


def source_of(strength: float) -> Source:
    from mibounds.representation.sources import load

    correlation = 1 - strength / 5
    return load("content_style")(
        CONTENT, STYLE, shared_correlation=correlation, style_change=strength, depth=MIXING
    )


def measure(pack: Pack) -> list[Measurement]:
    """One stack of settings and replicates that share batch, width and depth."""
    from mibounds.representation import methods
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.measuring import Sizes, baselines
    from mibounds.representation.measuring import measure as measure_models
    from mibounds.representation.network import Network

    cells, settings = pack.cells, pack.settings
    by_strength = {s: source_of(s) for s in dict.fromkeys(cell["view_strength"] for cell in cells)}
    sources = [by_strength[cell["view_strength"]] for cell in cells]
    weights, data, evaluation = (
        [cell.seed(purpose) for cell in cells] for purpose in ("weights", "data", "evaluation")
    )
    temperature, n_negatives, rates = (
        [cell[axis] for cell in cells] for axis in ("temperature", "n_negatives", "learning_rate")
    )
    network = Network.build(
        sources[0].shape,
        weights,
        encoder_options={"norm": "batch"},
        embedding=cells[0]["width"],
        projector_options={"layers": cells[0]["depth"]},
    ).to(pack.device)
    n = settings["n_examples"]
    read = {"seeds": evaluation, "sizes": Sizes(n, n // 2, 2 * n, anchors=n // 8, pool=n // 8)}
    untrained = baselines(network, sources, **read)
    method = methods.load("info_nce")(network, weights, temperature=temperature, n_negatives=n_negatives)
    trainer = Pretrainer(
        network,
        method.to(pack.device),
        sources,
        data,
        batch_size=cells[0]["batch_size"],
        steps=settings["steps"],
        learning_rate=rates,
    )
    trainer.fit()
    found = measure_models(network, sources, temperature=temperature, **read)
    return [
        Measurement(row_of(row | before, status))
        for row, before, status in zip(found, untrained, trainer.status, strict=True)
    ]


MEASURED = (
    "accuracy",
    "knn_accuracy",
    "content_r2",
    "style_r2",
    "random_accuracy",
    "raw_accuracy",
    "estimate_nats",
    "best_temperature_estimate_nats",
    "oracle_nats",
    "truth_nats",
    "alignment",
    "uniformity",
    "effective_rank",
)


def row_of(found: Mapping[str, Any], status: str) -> dict[str, Any]:
    own = {name: found.get(name, math.nan) for name in MEASURED}
    return own | {"status": first_failure(status, found["status"])}


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 3
CONFIDENCE = 1 - 0.05 / N_CLAIMS


def points_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Accuracy in points: settings down, by levels and that of nothing; replicates across."""
    points = 100 * rows.pivot(index=list(FACTORS), columns="replicate", values="accuracy")
    nothing = [DESIGN[setting] for setting in points.index]
    return points.set_index(np.array(nothing), append=True).rename_axis([*FACTORS, NOTHING])


def incomplete(points: pd.DataFrame) -> str | None:
    """What is missing for the shares, if anything is: they need the whole array, and replicates to compare."""
    if len(points) < len(DESIGN) or points.isna().any(axis=None):
        return f"the shares need all {len(DESIGN)} settings in every replicate; the table has {len(points)}"
    return "one replicate says nothing of what replicates vary by" if points.shape[1] < 2 else None


def shares(points: pd.DataFrame) -> dict[str, float]:
    """Of the variance of accuracy: each factor's own, their interactions', and the replicates' at one setting.

    total = sum_f V_f + V_interactions + V_replicates, V_f that of the level means, less what noise adds to them.
    """
    n_settings, n_replicates = points.shape
    of_setting = points.mean(axis=1)
    noise = float(points.var(axis=1).mean())
    of_mean = noise / n_settings / n_replicates
    own = {f: of_setting.groupby(level=f).mean().var(ddof=0) - 2 * of_mean for f in (*FACTORS, NOTHING)}
    between = of_setting.var(ddof=0) - (n_settings - 1) * of_mean
    rest = {"interactions": between - sum(own[f] for f in FACTORS), "replicates": noise}
    return {name: float(part / (between + noise)) for name, part in (own | rest).items()}


def slopes(points: pd.DataFrame) -> dict[str, float]:
    """Points per doubling: least squares through the three levels' means over log2 of the level."""
    of_setting = points.mean(axis=1)
    means = {factor: of_setting.groupby(level=factor).mean() for factor in FACTORS}
    return {f: float(np.polyfit(np.log2(of.index.astype(float)), of, 1)[0]) for f, of in means.items()}


def over_replicates(
    points: pd.DataFrame,
    statistic: Callable[[pd.DataFrame], float],
    confidence: float = 0.95,
) -> statistics.Interval:
    """The statistic's interval from leaving out one replicate at a time; a bootstrap of ten is too narrow."""
    left_out = [statistic(points.drop(columns=replicate)) for replicate in points]
    return statistics.jackknife_interval(statistic(points), left_out, confidence)


def is_sensitive(factor: str, tables: Tables) -> Verdict:
    """The factor's share minus the replicates', provided that the column that nothing follows has the smaller one."""

    def decide(rows: pd.DataFrame) -> Verdict:
        points = points_of(rows)
        why = incomplete(points) or control_fails(points)
        if why is not None:
            return Verdict.inconclusive(why)
        excess = over_replicates(points, lambda some: excess_of(some, factor), CONFIDENCE)
        share, slope = shares(points), over_replicates(points, lambda some: slopes(some)[factor])
        said = (
            f"its share {share[factor]:.3f}, the replicates' {share['replicates']:.3f}; "
            f"{slope.effect:.2f} points a doubling, 95% interval {slope.low:.2f} to {slope.high:.2f}"
        )
        return Verdict.above(*excess, 0.0, "of the variance", said)

    return if_all_ok(tables["table"], decide)


def excess_of(points: pd.DataFrame, factor: str) -> float:
    found = shares(points)
    return found[factor] - found["replicates"]


def control_fails(points: pd.DataFrame) -> str | None:
    """The share of what changes nothing must be under the replicates'."""
    if points.shape[1] < 3:
        return "two replicates give shares no interval: leaving out one leaves one"
    found = over_replicates(points, lambda some: excess_of(some, NOTHING), CONFIDENCE)
    if found.high < 0:
        return None
    return f"what changes nothing was to have a smaller share than replicates; less theirs it is {found.effect:.3f}"


TEXT = "Contrastive Learning Theory"
NAMES = {
    "temperature": "temperature",
    "n_negatives": "negatives",
    "batch_size": "batch (pairs)",
    "width": "embedding's width",
    "depth": "projector's layers",
    "view_strength": "view strength",
    "learning_rate": "learning rate",
}
CLAIMED = {
    "batch": ("batch_size", "the batch", "figure 9"),
    "projection": ("width", "the projection's dimension", "figure 8 (by little)"),
    "augmentation": ("view_strength", "the augmentation's strength", "table 1"),
}


def claim_of(name: str) -> Claim:
    factor, called, where = CLAIMED[name]
    low, _, high = LEVELS[factor]
    return Claim(
        id=f"C17.{name}",
        text=f"Sensitive to {called}.",
        source=f"{TEXT}; Chen et al. 2020, arXiv:2002.05709, {where}",
        criterion=f"Supported if the share of the variance of accuracy that is {NAMES[factor]}'s, over {low:g} to "
        f"{high:g}, lies above the share of the replicates at one setting, as an interval from leaving out each "
        "replicate in turn; refuted if below. Control: the share of a column that nothing follows must lie below it.",
        verdict=lambda tables: is_sensitive(factor, tables),
    )


CLAIMS = tuple(map(claim_of, CLAIMED))


# Figure


def draw(tables: Tables) -> Figure:
    """Shares and slopes, then accuracy over each factor's levels, averaged over all others."""
    from mibounds.plots.style import draw_legend, new_figure

    rows = tables["table"].query("status == 'ok'")
    points = points_of(rows)
    with new_figure(3, 3, height=2.3) as (figure, axes):
        if incomplete(points) is None and points.shape[1] > 2:
            draw_shares(axes[0, 0], points)
            draw_slopes(axes[0, 1], points)
        for ax, factor in zip(axes.flat[2:], FACTORS, strict=True):
            draw_levels(ax, points, rows, factor)
        low = min(ax.get_ylim()[0] for ax in axes.flat[2:])
        high = max(ax.get_ylim()[1] for ax in axes.flat[2:])
        for ax in axes.flat[2:]:
            ax.set_ylim(low, high)
        for ax in axes[:, 0][1:]:
            ax.set_ylabel("accuracy (%)")
        axes[0, 2].set_ylabel("accuracy (%)")
        draw_legend(figure)
    return figure


def draw_shares(ax: Any, points: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, GREY

    named = {
        **NAMES,
        "interactions": "interactions",
        NOTHING: "nothing (control)",
        "replicates": "replicates",
    }
    for place, name in enumerate(named):
        found = over_replicates(points, lambda some: 100 * shares(some)[name])  # noqa: B023
        color = COLORS[0] if name in FACTORS else COLORS[7]
        bar(ax, found, place, color)
    ax.axvline(100 * shares(points)["replicates"], color=GREY, linestyle=":", label="replicates' share")
    ax.set_yticks(range(len(named)), named.values())
    ax.invert_yaxis()
    ax.set(xlabel="share of variance (%)", title="what moves the accuracy")


def draw_slopes(ax: Any, points: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, GREY

    for place, factor in enumerate(FACTORS):
        bar(ax, over_replicates(points, lambda some: slopes(some)[factor]), place, COLORS[0])  # noqa: B023
    ax.axvline(0.0, color=GREY, linewidth=0.8)
    ax.set_yticks(range(len(FACTORS)), NAMES.values())
    ax.invert_yaxis()
    ax.set(xlabel="points per doubling", title="slope over the range")


def bar(ax: Any, interval: statistics.Interval, place: int, color: Any) -> None:
    effect, _, high = interval
    ax.errorbar(
        [effect], [place], xerr=[high - effect], color=color, marker="o", markersize=3, linestyle="none"
    )


def draw_levels(ax: Any, points: pd.DataFrame, rows: pd.DataFrame, factor: str) -> None:
    from mibounds.plots.style import COLORS, DARK, GREY, draw_intervals

    means = points.groupby(level=factor).mean().stack().rename("percent").reset_index()
    draw_intervals(ax, means, x=factor, y="percent", color=COLORS[0], label="mean over the other settings")
    for name, color, label in (("random", DARK, "untrained encoder"), ("raw", GREY, "raw inputs")):
        ax.axhline(100 * rows[f"{name}_accuracy"].mean(), color=color, linestyle="--", label=label)
    shown = sorted(means[factor].unique())
    ax.set_xscale("log")
    ax.set_xticks(shown, [f"{level:g}" for level in shown])
    ax.minorticks_off()
    ax.set_xlabel(NAMES[factor])


STUDY = Study(
    slug="sensitivity",
    question="Which settings of a contrastive training move the accuracy most, over the ranges in use?",
    axes=LEVELS,
    stacked=("temperature", "n_negatives", "view_strength", "learning_rate", "replicate"),
    seeds={"data": (), "weights": (), "evaluation": ()},
    keep=keep,
    width=30,
    settings={"steps": 250, "n_examples": 2000},
    presets={
        "smoke": {
            "replicates": 1,
            "batch_size": (32,),
            "width": (8, 64),
            "depth": (1, 2),
            "steps": 3,
            "n_examples": 400,
        },
        "quick": {"replicates": 3, "steps": 60, "n_examples": 1000},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

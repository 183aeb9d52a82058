"""View strength: is there a best amount of information for the views to share, and is it what the task needs?

A view shows 8 dimensions of content, which the label is read from, and 8 of nuisance; both views share both, and a dial
takes the shared information from 12 nats to none, a nat a level: first the nuisance's 6, then the content's 6
("nuisance first"), or the other way round ("content first", the control). So 6 nats are the smallest that preserve the
task. Marginal laws never change: probes see clean inputs, the same at every level. SimCLR with K = 127 (64 pairs) at
temperature 0.2 trains an encoder of three layers of 128 units and a projector to 32 dimensions; h is probed.

"digits" are real images, and their dial is how far Shift moves, turns, zooms and blurs them, 0 to 8 times its usual
strength. There the information is unknown; the control breaks the pairs.

A maximum is told by two lines: one up to the level that is best on average over the OTHER replicates and one from it
on, fitted to each replicate. Known to fall short: the nuisance is of the content's own kind and size, and with more
negatives or steps both may fit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from mibounds import statistics, theory
from mibounds.study import (
    Cell,
    Claim,
    Measurement,
    Pack,
    Study,
    Verdict,
    all_above,
    all_below,
    first_failure,
    if_all_ok,
    provided,
    rows_with,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mibounds.representation.sources import Source

Tables = Mapping[str, "pd.DataFrame"]

DIM = 8
PART_NATS = 6.0  # of content, and of nuisance
TEMPERATURE = 0.2
SHIFTS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
LAST = {
    "nuisance first": 12,
    "content first": 12,
    "digits": len(SHIFTS) - 1,
    "digits, broken pairs": len(SHIFTS) - 1,
}
LATENTS, DIGITS = ("nuisance first", "content first"), ("digits", "digits, broken pairs")
USUAL_SHIFT = SHIFTS.index(1.0)


def keep(point: dict) -> bool:
    """Each arm has its own levels; broken pairs take the usual shift alone."""
    if point["arm"] == DIGITS[1]:
        return point["level"] == USUAL_SHIFT
    return point["level"] <= LAST[point["arm"]]


def parts_nats(arm: str, level: int) -> tuple[float, float]:
    """What the views share of content and of nuisance, in nats, when `level` of the 12 are gone."""
    first, second = max(PART_NATS - level, 0.0), min(2 * PART_NATS - level, PART_NATS)
    return (second, first) if arm == "nuisance first" else (first, second)


def source_of(cell: Cell) -> Source:
    from mibounds.representation.sources import Shuffled, load

    arm, level = cell["arm"], cell["level"]
    if arm in LATENTS:
        content, nuisance = (theory.gaussian_correlation(DIM, nats) for nats in parts_nats(arm, level))
        return load("content_style")(
            DIM,
            DIM,
            shared_correlation=content,
            style_change=0.0,
            style_correlation=nuisance,
            depth=1,
            seed=cell.seed("world"),
        )
    s = SHIFTS[level]
    digits = load("digits")(pixels=s, degrees=15 * s, zoom=0.1 * s, noise=0.1 * s, seed=cell.seed("world"))
    return digits if arm == "digits" else Shuffled(digits)


def measure(pack: Pack) -> list[Measurement]:
    """One stack of replicates and levels of an arm."""
    from mibounds.representation import methods
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.measuring import Sizes, baselines
    from mibounds.representation.measuring import measure as measure_models
    from mibounds.representation.network import Network

    cells, settings, arm = pack.cells, pack.settings, pack.cells[0]["arm"]
    sources = [source_of(cell) for cell in cells]
    weights, data, evaluation = (
        [cell.seed(of) for cell in cells] for of in ("weights", "data", "evaluation")
    )
    network = Network.build(
        sources[0].shape, weights, encoder_options={"hidden": (128, 128), "dim": 128}, embedding=32
    ).to(pack.device)
    n, k = settings["n_examples"], settings["n_candidates"] - 1
    sizes = Sizes(n, n // 2, n, settings["n_anchors"], k)
    untrained = baselines(network, sources, seeds=evaluation, sizes=sizes)
    trainer = Pretrainer(
        network,
        methods.load("simclr")(network, weights, temperature=TEMPERATURE).to(pack.device),
        sources,
        data,
        batch_size=settings["batch_size"],
        steps=settings["steps" if arm in LATENTS else "digit_steps"],
        learning_rate=settings["learning_rate"],
    )
    trainer.fit()
    found = measure_models(
        network,
        sources,
        temperature=TEMPERATURE,
        seeds=evaluation,
        sizes=sizes,
        per_layer=("embedding",),
        held_out=arm in LATENTS,
    )
    measured = []
    for cell, source, row, before, status in zip(
        cells, sources, found, untrained, trainer.status, strict=True
    ):
        shared = math.nan if source.mutual_information is None else source.mutual_information
        dial = {"strength": cell["level"] / LAST[arm], "shared_nats": shared}
        measured.append(Measurement(dial | row | before | {"status": first_failure(status, row["status"])}))
    return measured


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 4
ALPHA = 0.05 / N_CLAIMS
MIDDLE = 0.4  # either side of the dial's middle: the middle 80%
WITHIN_NATS = 1.0
CHOICE_POINTS = 5.0
LOST_POINTS = 1.0


class TwoLines(NamedTuple):
    """Of each replicate the slopes up to and from the best level, in points over the whole dial."""

    before: list[float]
    after: list[float]


def curves(rows: pd.DataFrame) -> pd.DataFrame:
    """Replicates down, levels across, in points; a replicate that lacks a level is left out."""
    return 100 * rows.pivot(index="replicate", columns="level", values="accuracy").dropna()


def two_lines(points: pd.DataFrame) -> TwoLines:
    """A replicate's lines meet at the level that is best on average over the OTHERS, or at the last but one.

    References: Simonsohn 2018, Advances in Methods and Practices in Psychological Science 1, 538-555.
    """
    x = points.columns.to_numpy(float) / points.columns.max()
    lines = []
    for replicate, own in points.iterrows():
        best = int(np.argmax(points.drop(index=replicate).mean().to_numpy()))
        best = min(max(best, 1), len(x) - 2)
        sides = (slice(None, best + 1), slice(best, None))
        lines.append([np.polyfit(x[side], own.to_numpy()[side], 1)[0] for side in sides])
    return TwoLines(*(list(map(float, side)) for side in zip(*lines, strict=True)))


def peak(means: pd.Series) -> float:
    """The level of the maximum: the vertex of the parabola through the best level and its neighbours."""
    x, best = means.index.to_numpy(float), int(np.argmax(means.to_numpy()))
    if best in (0, len(x) - 1):
        return float(x[best])
    around = slice(best - 1, best + 2)
    a, b, _ = np.polyfit(x[around], means.to_numpy()[around], 2)
    return float(-b / (2 * a))  # a < 0: argmax takes the first of equals


def peak_interval(points: pd.DataFrame) -> statistics.Interval:
    """Of the mean curve's peak, in levels, from the curves without one replicate each."""
    without = [peak(points.drop(index=r).mean()) for r in points.index]
    return statistics.jackknife_interval(peak(points.mean()), without, 1 - ALPHA)


def reverse_u(rows: pd.DataFrame) -> Verdict:
    """Rising before, falling after, and the peak inside the middle 80% of the dial."""
    points = curves(rows)
    if len(points) < 2 or points.shape[1] < 3:
        return Verdict.inconclusive("two lines need three levels and two replicates or more", "points")
    before, after = two_lines(points)
    last = points.columns.max()
    place = [(end - last / 2) / last for end in peak_interval(points)]
    return Verdict.all_of(
        all_above({"slope before the best": before}, 0.0, "points", ALPHA),
        all_below({"slope after the best": after}, 0.0, "points", ALPHA),
        Verdict.equivalent(*place, MIDDLE, "of the dial", "peak minus the dial's middle"),
    )


Judge = Callable[["pd.DataFrame"], Verdict]


def controlled(tables: Tables, arms: tuple[str, str], judge: Judge, words: str, control: Judge) -> Verdict:
    """What `judge` makes of the first arm, provided that the second, the control, breaks its statistic."""

    def with_control(rows: pd.DataFrame) -> Verdict:
        return provided(control(rows), words, lambda: judge(rows_with(rows, arm=arms[0])))

    return if_all_ok(rows_with(tables["table"], arm=arms), with_control)


def on_latents(tables: Tables, judge: Judge) -> Verdict:
    """The statistic that both claims rest on is the rise over the first half of the dial."""

    def falls(rows: pd.DataFrame) -> Verdict:
        points = curves(rows_with(rows, arm="content first"))
        points = points[[level for level in points if level <= PART_NATS]]
        if len(points) < 2 or points.shape[1] < 2:
            return Verdict.inconclusive("a slope needs two levels and two replicates or more")
        slopes = [np.polyfit(points.columns.to_numpy(float), own, 1)[0] for own in points.to_numpy()]
        return all_below({"slope over the first half": slopes}, 0.0, "points", ALPHA)

    words = "where content goes first, accuracy was to fall over the first half of the dial"
    return controlled(tables, LATENTS, judge, words, falls)


def interior_maximum(tables: Tables) -> Verdict:
    return on_latents(tables, reverse_u)


def at_what_the_task_needs(tables: Tables) -> Verdict:
    def judge(rows: pd.DataFrame) -> Verdict:
        points = curves(rows)
        if len(points) < 2 or points.shape[1] != LAST["nuisance first"] + 1:
            return Verdict.inconclusive("a peak needs all levels and two replicates or more", "nats")
        effect, low, high = peak_interval(points)
        found = (PART_NATS - end for end in (effect, high, low))  # shared minus needed: a level is a nat
        return Verdict.equivalent(*found, WITHIN_NATS, "nats", "at the peak, shared minus needed")

    return on_latents(tables, judge)


def which_information_matters(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        half = rows_with(rows, level=int(PART_NATS))
        points = 100 * half.pivot(index="replicate", columns="arm", values="accuracy")
        if set(points) != set(LATENTS):
            return Verdict.inconclusive("both arms are needed at 6 nats", "points")
        better = points["nuisance first"] - points["content first"]
        return all_above({"content minus nuisance, 6 nats shared": better}, CHOICE_POINTS, "points", ALPHA)

    return if_all_ok(rows_with(tables["table"], arm=LATENTS), decide)


def digits_have_one(tables: Tables) -> Verdict:
    def loses(rows: pd.DataFrame) -> Verdict:
        usual = rows_with(rows, level=USUAL_SHIFT)
        points = 100 * usual.pivot(index="replicate", columns="arm", values="accuracy")
        if set(points) != set(DIGITS):
            return Verdict.inconclusive("intact and broken pairs are both needed")
        lost = points[DIGITS[0]] - points[DIGITS[1]]
        return all_above({"intact minus broken pairs": lost}, LOST_POINTS, "points", ALPHA)

    words = "broken pairs were to lose more than a point at the usual strength"
    return controlled(tables, DIGITS, reverse_u, words, loses)


TEXT = "Contrastive Learning Theory"
LINES = (
    "Supported if accuracy on h, on clean inputs, rises to the best level and falls from it (each slope's interval "
    "without 0), with the peak's interval inside the middle 80% of the dial; refuted if one of the three is. "
)
CLAIMS = (
    Claim(
        id="C18.maximum",
        text="The choice of augmentation matters: views may share too much and too little.",
        source=f"{TEXT}; Tian et al. 2020, arXiv:2005.10243 (the reverse U)",
        criterion=LINES + "Where content goes first, accuracy must fall over the first half of the dial.",
        verdict=interior_maximum,
    ),
    Claim(
        id="C18.needed",
        text="The best views share what the task needs, and no more.",
        source="Tian et al. 2020, proposition 4.1",
        criterion="Supported if the interval of the shared information at the peak lies within a nat of the smallest "
        "that preserves the task, 6 nats; refuted if wholly further off. Control as above.",
        verdict=at_what_the_task_needs,
    ),
    Claim(
        id="C18.choice",
        text="The choice of augmentation matters: which information the views share, at the same amount of it.",
        source=TEXT,
        criterion="Supported if, with 6 nats shared, accuracy is more than 5 points higher where they are the "
        "content's than where they are the nuisance's (paired); refuted if less.",
        verdict=which_information_matters,
    ),
    Claim(
        id="C18.digits",
        text="The choice of augmentation matters: on digits its strength has an interior optimum.",
        source=f"{TEXT}; Tian et al. 2020, figure 4; Chen et al. 2020, table 1",
        criterion=LINES
        + "At the usual strength broken pairs must lose more than a point against intact ones.",
        verdict=digits_have_one,
    ),
)


# Figure


def draw(tables: Tables) -> Figure:
    """Over the dial: the label on h and z, what h tells, what the bound reads, and geometry; and digits."""
    from mibounds.plots.style import COLORS, draw_ceiling, draw_legend, new_figure

    table = tables["table"].assign(
        percent=lambda rows: 100 * rows["accuracy"], z_percent=lambda rows: 100 * rows["embedding_accuracy"]
    )
    nuisance, content = (rows_with(table, arm=arm) for arm in LATENTS)
    first, on_z, other = (
        {"color": COLORS[0], "label": "nuisance first, h"},
        {"color": COLORS[0], "label": "nuisance first, z", "linestyle": "--", "marker": "s"},
        {"color": COLORS[3], "label": "content first, h"},
    )
    with new_figure(2, 3, height=2.5) as (figure, axes):
        over_nats(axes[0, 0], [(nuisance, "percent", first), (content, "percent", other)])
        chance = 100 * rows_with(table, arm=LATENTS)["random_accuracy"].mean()
        draw_ceiling(axes[0, 0], chance, label="untrained encoder")
        axes[0, 0].set(ylabel="accuracy on h (%)", title="label, from the content")
        over_nats(axes[0, 1], [(nuisance, "percent", first), (nuisance, "z_percent", on_z)])
        axes[0, 1].set(ylabel="accuracy (%)", title="h beside z")
        draw_bound(axes[0, 2], nuisance)
        told = {"content_r2": {"color": COLORS[2], "label": "content, on h"}}
        told |= {"style_r2": {"color": COLORS[1], "label": "nuisance, on h"}}
        over_nats(axes[1, 0], [(nuisance, column, line) for column, line in told.items()])
        axes[1, 0].set(ylabel="R^2", title="what h tells, nuisance first")
        ranks = (("representation_effective_rank", first), ("effective_rank", on_z))
        over_nats(axes[1, 1], [(nuisance, column, line) for column, line in ranks])
        axes[1, 1].set(ylabel="effective rank", title="geometry")
        draw_digits(axes[1, 2], table)
        draw_legend(figure, columns=4)
    return figure


def over_nats(ax: Any, curves: list[tuple[pd.DataFrame, str, dict[str, Any]]]) -> None:
    """From all to none, left to right; what the task needs stands across."""
    from mibounds.plots.style import DARK, draw_intervals

    for rows, column, line in curves:
        draw_intervals(ax, rows, x="shared_nats", y=column, **line)
    ax.axvline(PART_NATS, color=DARK, linestyle="-.", linewidth=0.8, label="what the task needs")
    ax.invert_xaxis()
    ax.set_xticks(range(0, 13, 3))
    ax.set_xlabel("shared by the views (nats)")


def draw_bound(ax: Any, rows: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, draw_ceiling, draw_theory, draw_truth

    limits = ["oracle_nats", "ceiling_nats", "temperature_ceiling_nats"]
    known = rows.groupby("shared_nats")[limits].mean()
    nats = known.index.tolist()
    draw_truth(ax, nats, nats)
    draw_theory(ax, known["oracle_nats"].tolist(), nats)
    draw_ceiling(ax, known[limits[1:]].min(axis=1).tolist(), nats)
    over_nats(ax, [(rows, "estimate_nats", {"color": COLORS[4], "label": "InfoNCE"})])
    ax.set(ylabel="InfoNCE, held out (nats)", title="the bound, nuisance first", ylim=(-0.3, 8))


def draw_digits(ax: Any, table: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, draw_ceiling, draw_intervals

    digits, broken = (rows_with(table, arm=arm) for arm in DIGITS)
    draw_intervals(ax, digits, x="level", y="percent", color=COLORS[5], label="digits, h")
    draw_intervals(ax, broken, x="level", y="percent", color=COLORS[7], label="broken pairs, h", marker="x")
    draw_ceiling(ax, 100 * digits["random_accuracy"].mean(), label="untrained encoder")
    ax.set_xticks(range(len(SHIFTS)), [f"{shift:g}" for shift in SHIFTS])
    ax.set(xlabel="strength of the views (usual: 1)", ylabel="accuracy on h (%)", title="digits")


STUDY = Study(
    slug="view_strength",
    question="Is there a best amount of information for two views to share, and is it what the task needs?",
    axes={"arm": tuple(LAST), "level": tuple(range(max(LAST.values()) + 1))},
    stacked=("level", "replicate"),
    seeds={"world": (), "data": (), "weights": (), "evaluation": ()},
    keep=keep,
    width=35,
    settings={
        "batch_size": 64,
        "steps": 1500,
        "digit_steps": 600,
        "learning_rate": 2e-3,
        "n_candidates": 1024,
        "n_anchors": 256,
        "n_examples": 2000,
    },
    presets={
        "smoke": {
            "replicates": 1,
            "level": (0, 3, 12),
            "steps": 3,
            "digit_steps": 2,
            "n_candidates": 32,
            "n_anchors": 16,
            "n_examples": 200,
        },
        "quick": {"replicates": 2, "level": (0, 2, 3, 4, 6, 9, 12), "steps": 400, "digit_steps": 200},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

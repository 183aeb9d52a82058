"""Denominators: what may stand in NT-Xent's, what is then bounded by ln K, and what does the representation care?

The text writes the loss with a denominator over negatives. Four choices are made there: the positive counted in it
("in", NT-Xent) or not ("out", DCL); the anchor's own score masked ("two_view") or left in ("self_in", the control);
candidates of both views or of the other view alone ("cross_view"). Batches hold 257 pairs at every K: an anchor is set
against n_negatives of the views that are there, all else being equal.

A batch reads ln(terms in the denominator) - loss, which is InfoNCE where the positive is in. Each training batch is
checked against ln K, K counting the positive, and the anchor too where it is left in. Accuracy is a ridge probe's on
the representation: of content that views share (8 dimensions, correlation 0.9, beside 8 of private style; their MI is
known) and of digits. Encoders start alike and see the same pairs.

The temperature is 0.1, SimCLR's, at every K; at K = 16 it goes over 0.05 to 0.5 too, and one claim compares each
denominator at its own best. With K = 2 and the positive out one term is left, so that the loss is s_negative -
s_positive and no softmax. Falls short: the networks and the batch are small, the learning rate is one for all, and half
a point is close to the least that ten replicates can tell.

Version 2: in a first full run the control set shuffled pairs against an untrained encoder, and accuracies were read on
half as many pairs.
"""

from __future__ import annotations

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
    all_above,
    all_below,
    all_equivalent,
    best_by_others,
    first_failure,
    if_all_ok,
    provided,
    rows_with,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from mibounds.representation.contrast import Contrast
    from mibounds.representation.methods import Contrastive
    from mibounds.representation.sources import Source

Tables = Mapping[str, "pd.DataFrame"]

SOURCES = {"content_style": "content", "digits": "digits"}
N_NEGATIVES = (1, 3, 15, 63, 256, 512)
OF_LAYOUT = {"self_in": (1, 15, 512), "cross_view": (1, 15, 256)}  # another view holds 256
TEMPERATURES, TEMPERATURE = (0.05, 0.1, 0.2, 0.5), 0.1
MIDDLE = 15
TOLERANCE_NATS = 1e-4  # of float32 sums


def keep(point: dict) -> bool:
    """Other layouts on content alone; other temperatures and the control at K = 16."""
    layout, k, intact = point["layout"], point["n_negatives"], point["pairs"] == "intact"
    usual = point["temperature"] == TEMPERATURE
    if layout != "two_view":
        return k in OF_LAYOUT[layout] and point["source"] == "content_style" and usual and intact
    return k == MIDDLE if intact != usual else intact


def source_of(name: str) -> Source:
    from mibounds.representation.sources import load

    options: dict[str, Any] = {"style_change": 1.0, "depth": 1} if name == "content_style" else {}
    return load(name)(8, 8, **options) if options else load(name)()


def method_of(layout: str, positive: str) -> type[Contrastive]:
    """NT-Xent or DCL, among other candidates."""
    from mibounds.representation.methods.dcl import DCL
    from mibounds.representation.methods.simclr import SimCLR

    base: Any = SimCLR if positive == "in" else DCL

    class Denominator(base):
        arrangement = "symmetric" if layout == "cross_view" else "two-view"

        def arranged(self, z_a: Tensor, z_b: Tensor) -> Contrast:
            masked = super().arranged(z_a, z_b)
            return with_self(masked, 1 / self.temperature()) if layout == "self_in" else masked

    return Denominator


def with_self(masked: Contrast, score: Tensor) -> Contrast:
    """An anchor's cosine to itself, 1, over the temperature (`R x 1 x 1`), among its negatives."""
    import torch

    from mibounds.representation.contrast import Contrast

    own = torch.eye(masked.positives.shape[1], dtype=torch.bool, device=score.device)
    return Contrast(masked.positives, torch.where(own, score, masked.negatives), masked.n_negatives + 1)


def measure(pack: Pack) -> list[Measurement]:
    """One stack of numbers of negatives, temperatures and replicates."""
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.measuring import Sizes, baselines
    from mibounds.representation.measuring import measure as measure_models
    from mibounds.representation.network import Network
    from mibounds.representation.sources import Shuffled

    cells, settings = pack.cells, pack.settings
    name, layout, positive = (cells[0][axis] for axis in ("source", "layout", "positive"))
    source = source_of(name)
    weights, data, evaluation = (
        [cell.seed(purpose) for cell in cells] for purpose in ("weights", "data", "evaluation")
    )
    temperatures, counts = ([cell[axis] for cell in cells] for axis in ("temperature", "n_negatives"))
    network = Network.build(source.shape, weights, embedding=32).to(pack.device)
    n = settings["n_examples"]
    sizes = Sizes(n, n // 2, 4 * n, anchors=settings["n_anchors"], pool=max(N_NEGATIVES))
    raw = baselines(None, source, n_runs=len(cells), seeds=evaluation, sizes=sizes)
    method = method_of(layout, positive)(network, weights, temperature=temperatures, n_negatives=counts)
    trainer = Pretrainer(
        network,
        method.to(pack.device),
        Shuffled(source) if cells[0]["pairs"] == "shuffled" else source,
        data,
        batch_size=settings["batch_size"],
        steps=settings["steps"],
        learning_rate=settings["learning_rate"],
    )
    losses = trainer.fit().double().cpu().numpy()
    known = {"temperature": temperatures, "n_negatives": counts, "held_out": name == "content_style"}
    found = measure_models(network, source, seeds=evaluation, sizes=sizes, **known)
    return [
        Measurement(
            {column: (row | of_raw).get(column, math.nan) for column in MEASURED}
            | readings(losses[:, r], counts[r], layout, positive)
            | {"status": first_failure(status, row["status"])}
        )
        for r, (row, of_raw, status) in enumerate(zip(found, raw, trainer.status, strict=True))
    ]


MEASURED = (
    "accuracy",
    "knn_accuracy",
    "raw_accuracy",
    "estimate_nats",
    "oracle_nats",
    "temperature_ceiling_nats",
    "truth_nats",
    "alignment",
    "uniformity",
    "effective_rank",
)


def readings(losses: np.ndarray, n_negatives: int, layout: str, positive: str) -> dict[str, float]:
    """What each training batch read, against ln K; the mean is of the last tenth."""
    n_candidates = n_negatives + 1 + (layout == "self_in")
    nats = math.log(n_candidates - (positive == "out")) - losses
    ceiling = math.log(n_candidates)
    return {
        "n_candidates": n_candidates,
        "n_batches": len(nats),
        "n_batches_over": int((nats > ceiling + TOLERANCE_NATS).sum()),
        "reading_nats": float(nats[-max(1, len(nats) // 10) :].mean()),
        "largest_reading_nats": float(nats.max()),
        "ceiling_nats": ceiling,
    }


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 6
ALPHA = 0.05 / N_CLAIMS
MOST_OVER = 1e-3
SELF_NATS = math.log(2) - 0.05
FEW, MANY = 16, 512  # candidates
GAIN_POINTS, MARGIN_POINTS, TAUGHT_POINTS = 1.0, 0.5, 2.0
Gains = Mapping[str, "pd.DataFrame"]


def bounded_with_the_positive(tables: Tables) -> Verdict:
    """Of all batches; the control takes ln 2 off what a batch can read, where masking leaves less than that."""

    def decide(rows: pd.DataFrame) -> Verdict:
        short = (rows["ceiling_nats"] - rows["largest_reading_nats"]).groupby(
            [rows["layout"], rows["n_negatives"]]
        )
        missing = {key: values for key, values in short if key[0] == "self_in"}
        pairs = {key: values for key, values in short if key == ("two_view", 1)}
        left_in = all_above(missing, SELF_NATS, "nats", ALPHA)
        masked = all_below(pairs, SELF_NATS, "nats", ALPHA)
        wanted = "the anchor left in was to take ln 2 off the ceiling, and masking not"
        return provided(left_in, wanted, lambda: provided(masked, wanted, lambda: none_over(rows)))

    def none_over(rows: pd.DataFrame) -> Verdict:
        over, n = int(rows["n_batches_over"].sum()), int(rows["n_batches"].sum())
        share = statistics.clopper_pearson(over, n, 1 - ALPHA)
        found = Verdict.below(*share, MOST_OVER, "share of batches", f"{over} of {n:,} batches over ln K")
        return Verdict("refuted", *share, found.unit, found.reason) if over else found

    return if_all_ok(rows_with(tables["table"], positive="in"), decide)


def unbounded_without_it(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        rows = rows[rows["n_negatives"] < FEW]
        over = rows["largest_reading_nats"] - rows["ceiling_nats"]
        return all_above(dict(list(over.groupby([rows["source"], rows["n_negatives"]]))), 0.0, "nats", ALPHA)

    usual = {"layout": "two_view", "pairs": "intact", "temperature": TEMPERATURE}
    return if_all_ok(rows_with(tables["table"], positive="out", **usual), decide)


def accuracy_claim(tables: Tables, decide: Callable[[Gains, Gains], Verdict]) -> Verdict:
    """`decide` on accuracies in points, provided that what is compared is taught: shuffled pairs must cost accuracy.

    Args:
        decide: function of the positive-in and the positive-out accuracies of each source, replicates down and
            (n_negatives, temperature) across.
    """

    def with_control(rows: pd.DataFrame) -> Verdict:
        same = rows_with(rows, n_negatives=MIDDLE, temperature=TEMPERATURE)
        wide = same.pivot(index=["source", "positive", "replicate"], columns="pairs", values="accuracy")
        if set(wide) != {"intact", "shuffled"}:
            return Verdict.inconclusive("the table lacks intact or shuffled pairs at K = 16")
        taught = (100 * (wide["intact"] - wide["shuffled"])).groupby(level=["source", "positive"])
        control = all_above(dict(list(taught)), TAUGHT_POINTS, "points")
        return provided(control, "shuffled pairs were to cost accuracy", lambda: on_intact(rows))

    def on_intact(rows: pd.DataFrame) -> Verdict:
        intact = rows_with(rows, pairs="intact")
        found = [points(rows_with(intact, positive=positive)) for positive in ("in", "out")]
        if not all(set(of) == set(SOURCES) for of in found):
            return Verdict.inconclusive("the table lacks a source, or one of the two denominators")
        return decide(*found)

    return if_all_ok(rows_with(tables["table"], layout="two_view"), with_control)


def points(rows: pd.DataFrame) -> Gains:
    return {
        source: 100 * of.pivot(index="replicate", columns=["n_negatives", "temperature"], values="accuracy")
        for source, of in rows.groupby("source")
    }


def gains(with_it: Gains, without: Gains) -> dict[str, pd.DataFrame]:
    """Positive out minus positive in at the usual temperature, K across."""
    found = {}
    for source in SOURCES:
        gain = (without[source] - with_it[source]).xs(TEMPERATURE, axis=1, level="temperature")
        found[source] = gain.rename(columns=lambda n_negatives: n_negatives + 1)
    return found


def gain_falls(tables: Tables) -> Verdict:
    """A replicate's least-squares slope, points a doubling of K."""

    def decide(with_it: Gains, without: Gains) -> Verdict:
        slopes = {
            source: np.polyfit(np.log2(of.columns.to_numpy(dtype=float)), of.to_numpy().T, 1)[0]
            for source, of in gains(with_it, without).items()
            if of.shape[1] > 1
        }
        return all_below(slopes, 0.0, "points a doubling", ALPHA)

    return accuracy_claim(tables, decide)


def by_k(found: dict[str, pd.DataFrame], wanted: Callable[[int], bool]) -> dict[str, pd.Series]:
    return {f"{source}, K = {k}": of[k] for source, of in found.items() for k in of if wanted(k)}


def gain_at_few(tables: Tables) -> Verdict:
    def decide(with_it: Gains, without: Gains) -> Verdict:
        few = by_k(gains(with_it, without), lambda k: k <= FEW)
        return all_above(few, GAIN_POINTS, "points", ALPHA)

    return accuracy_claim(tables, decide)


def none_at_many(tables: Tables) -> Verdict:
    def decide(with_it: Gains, without: Gains) -> Verdict:
        many = by_k(gains(with_it, without), lambda k: k >= MANY)
        return all_equivalent(many, MARGIN_POINTS, "points", ALPHA)

    return accuracy_claim(tables, decide)


def gain_where_each_is_tuned(tables: Tables) -> Verdict:
    """At K = 16, each at the temperature that is best on average over the OTHER replicates."""

    def best(of: pd.DataFrame) -> pd.Series:
        return best_by_others(of.xs(MIDDLE, axis=1, level="n_negatives"))

    def decide(with_it: Gains, without: Gains) -> Verdict:
        parts = [of[source] for of in (with_it, without) for source in SOURCES]
        if any(len(of) < 2 or MIDDLE not in of for of in parts):
            return Verdict.inconclusive("other replicates choose a temperature; at K = 16 there are none")
        tuned = {source: best(without[source]) - best(with_it[source]) for source in SOURCES}
        return all_above(tuned, GAIN_POINTS, "points", ALPHA)

    return accuracy_claim(tables, decide)


TEXT = "Contrastive Learning Theory"
DCL = "Yeh et al. 2022 (DCL)"
CONTROL = "At K = 16 shuffled pairs must cost each of the four encoders 2 points or more."
CLAIMS = (
    Claim(
        id="C5.bounded",
        text="With the positive in the denominator, what a batch reads is bounded by ln K.",
        source=f"{TEXT}; van den Oord et al. 2018",
        criterion="Supported if no batch of any training, masked or not, two-view or cross-view, reads over ln K "
        "(exact upper limit of the share below 1/1,000); refuted if one does. The anchor left in must keep readings "
        "0.64 nats (ln 2 - 0.05) or more below the ceiling, and masking at K = 2 must not.",
        verdict=bounded_with_the_positive,
    ),
    Claim(
        id="C5.unbounded",
        text="Without the positive in the denominator it is not.",
        source=f"{DCL}, equation 5",
        criterion="Supported if at every K <= 16, on both sources, the largest reading of a training lies above ln K; "
        "refuted if it lies below at one.",
        verdict=unbounded_without_it,
    ),
    Claim(
        id="C5.falls",
        text="What taking the positive out gains in accuracy falls with K.",
        source=DCL,
        criterion="Supported if on both sources the least-squares slope of accuracy without minus accuracy with the "
        "positive on log2 K, K = 2 to 513, lies below 0 (paired); refuted if it lies above on one. "
        + CONTROL,
        verdict=gain_falls,
    ),
    Claim(
        id="C5.few",
        text="With few negatives it gains a point.",
        source=DCL,
        criterion="Supported if on both sources and at every K <= 16 accuracy without minus accuracy with the positive "
        "is more than a point (paired); refuted if less at one. " + CONTROL,
        verdict=gain_at_few,
    ),
    Claim(
        id="C5.many",
        text="With many negatives it gains nothing.",
        source=DCL,
        criterion="Supported if on both sources at K = 513 the interval of that difference lies within half a point of "
        "0; refuted if it lies wholly outside on one. " + CONTROL,
        verdict=none_at_many,
    ),
    Claim(
        id="C5.tuned",
        text="With few negatives it gains a point where each denominator has the temperature that suits it.",
        source="none: what one temperature for both leaves open",
        criterion="As C5.few at K = 16, each at its best temperature of 0.05 to 0.5, chosen by the other replicates. "
        + CONTROL,
        verdict=gain_where_each_is_tuned,
    ),
)


# Figure


LAYOUTS = {
    "two_view": "two views, self masked",
    "self_in": "self left in",
    "cross_view": "other view alone",
}


def draw(tables: Tables) -> Figure:
    """Above, readings and accuracy over K; below, what taking the positive out gains, and temperatures."""
    from mibounds.plots.style import GREY, draw_legend, new_figure

    table = tables["table"].assign(percent=lambda rows: 100 * rows["accuracy"])
    intact = rows_with(table, pairs="intact")
    usual = rows_with(intact, temperature=TEMPERATURE)
    with new_figure(2, 3, height=2.6) as (figure, axes):
        draw_readings(axes[0, 0], rows_with(usual, source="content_style"))
        axes[0, 0].set(title="a batch's reading (content)", ylabel="nats")
        for column, (source, name) in enumerate(SOURCES.items(), start=1):
            draw_lines(axes[0, column], rows_with(usual, source=source), "n_negatives", "percent")
            axes[0, column].axhline(100 * usual.loc[usual["source"] == source, "raw_accuracy"].mean(), **RAW)
            axes[0, column].set(title=f"{name} over K", ylabel="accuracy (%)")
            middle = rows_with(intact, source=source, layout="two_view", n_negatives=MIDDLE)
            draw_lines(axes[1, column], middle, "temperature", "percent")
            axes[1, column].set(title=f"{name} at K = 16", xlabel="temperature", ylabel="accuracy (%)")
            axes[1, column].set_xscale("log")
            axes[1, column].set_xticks(TEMPERATURES, map(str, TEMPERATURES))
        draw_gains(axes[1, 0], rows_with(usual, layout="two_view"))
        axes[1, 0].axhspan(-MARGIN_POINTS, MARGIN_POINTS, color=GREY, alpha=0.25, label="margin at K = 513")
        axes[1, 0].set(title="positive out minus in", ylabel="points of accuracy")
        for ax in (*axes[0], axes[1, 0]):
            ax.set_xscale("log", base=2)
            ax.set_xticks(N_NEGATIVES, ["2", "4", "16", "64", "", "513"])
            ax.set_xlabel("candidates K")
        for ax in axes.flat:
            ax.minorticks_off()
        draw_legend(figure, columns=3)
    return figure


RAW: dict[str, Any] = {"color": "#333333", "linestyle": ":", "label": "raw input"}


def draw_lines(ax: Any, rows: pd.DataFrame, x: str, y: str) -> None:
    """A colour a layout; full lines with the positive in, broken ones without."""
    from mibounds.plots.style import COLORS, draw_intervals

    for color, (layout, name) in zip(COLORS, LAYOUTS.items(), strict=False):
        for positive, style in (("in", {}), ("out", {"linestyle": "--", "marker": "s"})):
            of = rows_with(rows, layout=layout, positive=positive)
            draw_intervals(ax, of, x=x, y=y, color=color, label=f"{name}, positive {positive}", **style)


def draw_readings(ax: Any, rows: pd.DataFrame) -> None:
    from mibounds.plots.style import draw_ceiling, draw_theory, draw_truth

    draw_lines(ax, rows, "n_negatives", "reading_nats")
    places = sorted(rows["n_negatives"].unique())
    draw_ceiling(ax, [math.log(n + 1) for n in places], places, label="ln K")
    oracle = rows.groupby("n_negatives")["oracle_nats"].mean()
    draw_theory(ax, oracle, oracle.index, label="true density ratio, positive in")
    if len(rows):
        draw_truth(ax, rows["truth_nats"].iloc[0])
        draw_ceiling(
            ax, rows["temperature_ceiling_nats"].iloc[0], label="temperature's ceiling", linestyle="-."
        )


def draw_gains(ax: Any, rows: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, draw_intervals, draw_theory

    for color, (source, name) in zip(COLORS[3:], SOURCES.items(), strict=False):
        of = rows_with(rows, source=source)
        if set(of["positive"]) == {"in", "out"}:
            wide = of.pivot(index=["n_negatives", "replicate"], columns="positive", values="percent")
            gain = (wide["out"] - wide["in"]).rename("points").reset_index()
            draw_intervals(ax, gain, x="n_negatives", y="points", color=color, label=f"gain, {name}")
    draw_theory(ax, GAIN_POINTS, label="the point claimed at K <= 16")


STUDY = Study(
    slug="denominators",
    version=2,
    question="What may stand in NT-Xent's denominator, and does the representation care?",
    axes={
        "source": tuple(SOURCES),
        "pairs": ("intact", "shuffled"),
        "layout": tuple(LAYOUTS),
        "positive": ("in", "out"),
        "n_negatives": N_NEGATIVES,
        "temperature": TEMPERATURES,
    },
    stacked=("n_negatives", "temperature", "replicate"),
    seeds={"data": (), "weights": (), "evaluation": ()},
    keep=keep,
    width=30,
    settings={
        "batch_size": 257,
        "steps": 400,
        "learning_rate": 2e-3,
        "n_examples": 2000,
        "n_anchors": 256,
    },
    presets={
        "smoke": {
            "replicates": 1,
            "n_negatives": (1, 15),
            "temperature": (0.1, 0.2),
            "batch_size": 16,
            "steps": 3,
            "n_examples": 400,
            "n_anchors": 16,
        },
        "quick": {"replicates": 2, "n_negatives": (1, 15, 512), "steps": 200},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

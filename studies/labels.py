"""Labels: how many does a contrastive encoder save on real images, and is it a good place to start from?

Handwritten digits, 719 to train, divided anew in each replicate. SimCLR trains two layers of 256 units on views without
labels. Then 0.1 to 100% of the labels are given, at least one a class (so that of 719 a tenth of a percent and one
percent are both ten labels): to a linear probe on the frozen h, on the raw pixels, and on the encoder as it was drawn;
to the encoder, trained on from where it stands ("fine-tuned"); and to the same net trained from scratch ("supervised").
The last two see images as they are, with the same steps at most and early stopping. "views" is the same net trained
with all labels on SimCLR's views, steps and batches, and probed like it: what labels add where the rest is equal.

Probes are logistic. All of them are tuned, or stopped, on 179 labelled images at every fraction: real few-label work
has fewer. Rates, temperature, steps and views were set on other seeds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mibounds.study import (
    Claim,
    Measurement,
    Pack,
    Study,
    Verdict,
    all_above,
    all_below,
    best_by_others,
    if_all_ok,
    provided,
    rows_with,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mibounds.representation.methods import Method
    from mibounds.representation.network import Network

Tables = Mapping[str, "pd.DataFrame"]

FRACTIONS = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0)
ENCODER = {"hidden": (256,), "dim": 256}
VIEW = {"pixels": 0.5, "degrees": 10.0, "zoom": 0.05, "noise": 0.1}
TEMPERATURE = 0.2
LEARNERS = ("", "raw_", "random_", "fine_tuned_", "supervised_")


def measure(pack: Pack) -> list[Measurement]:
    """One stack of replicates, a row a fraction of the labels."""
    from mibounds.representation.few_labels import few_labels
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.measuring import Sizes
    from mibounds.representation.network import Network
    from mibounds.representation.sources import Shuffled, load

    cells, settings, method = pack.cells, pack.settings, pack.cells[0]["method"]
    sources = [load("digits")(seed=cell.seed("split"), **VIEW) for cell in cells]
    weights = [cell.seed("weights") for cell in cells]
    network, untrained = (
        Network.build(sources[0].shape, weights, encoder_options=ENCODER, embedding=32).to(pack.device)
        for _ in range(2)
    )
    trainer = Pretrainer(
        network,
        method_of(method, network, weights).to(pack.device),
        [Shuffled(source) for source in sources] if method == "shuffled" else sources,
        [cell.seed("data") for cell in cells],
        batch_size=settings["batch_size"],
        steps=settings["steps"],
        learning_rate=settings["learning_rate"],
    )
    trainer.fit()
    found = few_labels(
        network,
        sources,
        (1.0,) if method == "views" else settings_fractions(settings),
        seeds=[cell.seed("labels") for cell in cells],
        sizes=Sizes(*(settings["n_examples"],) * 3),
        untrained=untrained,
        probe="logistic",
        max_steps=settings["label_steps"],
    )
    return [Measurement(rows_of(row, status)) for row, status in zip(found, trainer.status, strict=True)]


def settings_fractions(settings: Mapping[str, Any]) -> tuple[float, ...]:
    """All of them, or in a quick look the least and all."""
    return FRACTIONS if settings["all_fractions"] else (FRACTIONS[0], FRACTIONS[-1])


def method_of(name: str, network: Network, weights: Sequence[int]) -> Method:
    from mibounds.representation import methods

    if name == "views":
        return methods.load("supervised")(network, weights, n_classes=10)
    return methods.load("simclr")(network, weights, temperature=TEMPERATURE)


def rows_of(found: Mapping[str, Any], status: str) -> list[dict[str, Any]]:
    """A row a fraction, from one flat row."""
    return [
        {
            "fraction": fraction,
            "n_labels": found[f"n_labels_at_{fraction:g}"],
            **{f"{learner}accuracy": found[f"{learner}accuracy_at_{fraction:g}"] for learner in LEARNERS},
            "status": status,
        }
        for fraction in FRACTIONS
        if f"n_labels_at_{fraction:g}" in found
    ]


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 5
ALPHA = 0.05 / N_CLAIMS
FEW = 0.1
LEAD_POINTS = 2.0
BEHIND_POINTS = -0.5


def gains(rows: pd.DataFrame, over: str, of: str = "") -> dict[str, pd.Series]:
    """Points by which one learner's accuracy passes another's, paired by replicate, a group a fraction."""
    points = 100 * (rows[f"{of}accuracy"] - rows[f"{over}accuracy"])
    return {f"{100 * f:g}% of labels": values for f, values in points.groupby(rows["fraction"])}


def guarded(tables: Tables, over: str, of: str, threshold: float, most: float = 1.0) -> Verdict:
    """`of` minus `over` above the threshold at each fraction up to `most`, if pairs are what it comes from.

    That is, averaged over these fractions, shuffled pairs must gain less than half of what intact ones do.
    """

    def decide(rows: pd.DataFrame) -> Verdict:
        rows = rows[rows["fraction"] <= most]
        intact, shuffled = (rows_with(rows, method=method) for method in ("simclr", "shuffled"))
        if {*intact["fraction"]} != {f for f in FRACTIONS if f <= most} or shuffled.empty:
            return Verdict.inconclusive("the table lacks fractions of the labels, or the control")
        excess = mean_gain(shuffled, over, of) - mean_gain(intact, over, of) / 2
        control = all_below({"all fractions": excess}, 0.0, "points", ALPHA)
        return provided(
            control,
            "shuffled pairs were to gain less than half as much",
            lambda: all_above(gains(intact, over, of), threshold, "points", ALPHA),
        )

    return if_all_ok(rows_with(tables["table"], method=("simclr", "shuffled")), decide)


def mean_gain(rows: pd.DataFrame, over: str, of: str) -> pd.Series:
    """The gain averaged over fractions, a value a replicate."""
    points = 100 * (rows[f"{of}accuracy"] - rows[f"{over}accuracy"])
    return points.groupby(rows["replicate"]).mean()


def supervised_leads(tables: Tables) -> Verdict:
    """With all labels, on plain images and on SimCLR's views: the better of the two must lead the frozen probe."""

    def decide(rows: pd.DataFrame) -> Verdict:
        rows = rows_with(rows, fraction=1.0)
        simclr, views = (
            rows_with(rows, method=method).set_index("replicate") for method in ("simclr", "views")
        )
        if len(simclr) < 2 or len(views) < 2:
            return Verdict.inconclusive("a net that learns from labels is missing, or replicates are")
        supervised = simclr[["supervised_accuracy"]].assign(views=views["accuracy"])
        lead = 100 * (best_by_others(supervised) - simclr["accuracy"])
        return all_above({"100% of labels": lead}, LEAD_POINTS, "points", ALPHA)

    return if_all_ok(rows_with(tables["table"], method=("simclr", "views")), decide)


TEXT = "Contrastive Learning Theory"
CONTROL = (
    "Control: with shuffled pairs the same difference, averaged over these fractions, must be less than half of what "
    "it is with intact ones (paired)."
)
CLAIMS = (
    Claim(
        id="labels.beats_raw",
        text="A linear probe on a contrastive encoder beats one on raw pixels, at every fraction of the labels.",
        source="Chen et al. 2020, table 7 (label fractions)",
        criterion="Supported if at each of 0.1, 1, 3, 10, 30 and 100% of the labels the interval of the difference in "
        "accuracy (paired) lies above 0; refuted if one lies below. " + CONTROL,
        verdict=lambda tables: guarded(tables, "raw_", "", 0.0),
    ),
    Claim(
        id="labels.beats_random",
        text="It also beats one on the same encoder untrained.",
        source="none: what a comparison with raw pixels leaves open",
        criterion="As labels.beats_raw, against the encoder as it was drawn. " + CONTROL,
        verdict=lambda tables: guarded(tables, "random_", "", 0.0),
    ),
    Claim(
        id="labels.few",
        text="With few labels the frozen encoder beats the same net trained from scratch on them.",
        source="Chen et al. 2020, table 7",
        criterion="Supported if at each of 0.1, 1, 3 and 10% of the labels the interval of probe minus supervised net "
        "(paired) lies above 0; refuted if one lies below. " + CONTROL,
        verdict=lambda tables: guarded(tables, "supervised_", "", 0.0, FEW),
    ),
    Claim(
        id="C20.labels",
        text="Supervised learning with all labels is better than a probe on a contrastive encoder of the same size.",
        source=TEXT,
        criterion="Supported if with all labels the supervised net (from scratch on plain images, or on SimCLR's views "
        "with SimCLR's steps, whichever is better for the other replicates) leads the frozen probe by more than 2 "
        "points (paired); refuted if by less.",
        verdict=supervised_leads,
    ),
    Claim(
        id="C20.initialisation",
        text="Used as an initialisation it competes with supervised learning.",
        source=TEXT,
        criterion="Supported if at every fraction of the labels the interval of fine-tuned minus supervised (paired) "
        "lies above -0.5 points; refuted if one lies below. " + CONTROL,
        verdict=lambda tables: guarded(tables, "supervised_", "fine_tuned_", BEHIND_POINTS),
    ),
)


# Figure

LINES = {
    "": "contrastive, frozen",
    "fine_tuned_": "contrastive, fine-tuned",
    "supervised_": "supervised, from scratch",
    "raw_": "raw pixels",
    "random_": "untrained, frozen",
}


def draw(tables: Tables) -> Figure:
    """Left: accuracy over labels. Right: what each gains over the net from scratch, shuffled pairs beside it."""
    from mibounds.plots.style import COLORS, DARK, GREY, draw_intervals, draw_legend, new_figure

    table = tables["table"]
    fractions = sorted(table["fraction"].unique())
    simclr, shuffled, views = (
        rows_with(table, method=name).assign(percent_labels=lambda rows: 100 * rows["fraction"])
        for name in ("simclr", "shuffled", "views")
    )
    with new_figure(1, 2, height=3.0) as (figure, axes):
        left, right = axes[0]
        for color, (learner, label) in zip(COLORS, LINES.items(), strict=False):
            rows = simclr.assign(points=100 * simclr[f"{learner}accuracy"])
            draw_intervals(left, rows, x="percent_labels", y="points", color=color, label=label)
            if learner != "supervised_":
                rows = simclr.assign(
                    points=100 * (simclr[f"{learner}accuracy"] - simclr["supervised_accuracy"])
                )
                draw_intervals(right, rows, x="percent_labels", y="points", color=color, label=label)
        for color, learner, label in (
            (GREY, "", "shuffled pairs, frozen"),
            (DARK, "fine_tuned_", "shuffled pairs, fine-tuned"),
        ):
            rows = shuffled.assign(
                points=100 * (shuffled[f"{learner}accuracy"] - shuffled["supervised_accuracy"])
            )
            draw_intervals(
                right, rows, x="percent_labels", y="points", color=color, label=label, linestyle="--"
            )
        rows = views.assign(points=100 * views["accuracy"])
        style = {"color": COLORS[5], "label": "supervised on the same views", "marker": "D"}
        draw_intervals(left, rows, x="percent_labels", y="points", **style)
        right.axhline(0.0, color=GREY, linewidth=0.8)
        left.set(ylabel="accuracy (%)", title="digits")
        right.set(ylabel="points", title="over the supervised net from scratch")
        for ax in (left, right):
            ax.set(xscale="log", xlabel="labels (% of 719, one a class at least)")
            ax.set_xticks([100 * f for f in fractions], [f"{100 * f:g}" for f in fractions])
            ax.minorticks_off()
        draw_legend(figure, columns=3)
    return figure


STUDY = Study(
    slug="labels",
    question="How many labels does a contrastive encoder save on digits, and is it a good place to start from?",
    axes={"method": ("simclr", "shuffled", "views")},
    stacked=("replicate",),
    seeds={"split": (), "data": (), "weights": (), "labels": ()},
    settings={
        "batch_size": 128,
        "steps": 1000,
        "learning_rate": 2e-3,
        "label_steps": 1000,
        "n_examples": 1000,
        "all_fractions": True,
    },
    presets={
        "smoke": {
            "replicates": 1,
            "steps": 3,
            "label_steps": 20,
            "n_examples": 100,
            "all_fractions": False,
        },
        "quick": {"replicates": 2, "steps": 200},
        "full": {"replicates": 20},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

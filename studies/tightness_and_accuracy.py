"""Tightness and accuracy: is it the mutual information that makes a representation good?

Content and style: views share 8 dimensions of content (6.64 nats) and have 8 of private style, seen through a frozen
network. Digits: shifted, turned and noisy. Three arms.

"invertible": the encoder is a bijection, so that I(h; h') is the views' own at each step of the training, whatever its
weights. Behind it stands a critic: the cosine of h, or of an affine map or a perceptron of 2 or 3 layers. If it were
the information that makes h good, the accuracy on h could not move over training, nor from one critic to another.

"grid": an ordinary encoder over temperature and n_negatives, trained by NT-Xent and by DCL. The held-out bound on the
MI (InfoNCE at the temperature that fits best on other pairs), alignment, uniformity and effective rank are correlated
in ranks with the accuracy within a source, method and replicate; then the bound's is taken given alignment and
uniformity. On digits the bound has K = 120 candidates, all that the validation rows allow, else 2,048. Accuracies of
one model differ there by half a point from run to run, those of the models by a few: that lowers every correlation.

"negatives": a critic trained on pairs (z, z-), selected and read on others, before and after the encoder's training;
beside it the same on positives, which it has to see. It reads a lower bound, so that a zero needs that control.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mibounds.study import (
    Claim,
    Measurement,
    Pack,
    Study,
    Verdict,
    all_above,
    all_below,
    all_equivalent,
    first_failure,
    if_all_ok,
    provided,
    rows_with,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.network import Network
    from mibounds.representation.sources import Source

Tables = Mapping[str, "pd.DataFrame"]
Row = dict[str, Any]

SOURCES = {"content_style": "content", "digits": "digits"}
METHODS = {"simclr": "NT-Xent", "dcl": "DCL"}
CRITICS = {"cosine": 0, "bilinear": 1, "2 layers": 2, "3 layers": 3}  # the projector's
TEMPERATURES = (0.05, 0.1, 0.2, 0.5)  # SimCLR was tuned over 0.05 to 1, MoCo takes 0.07 and 0.2
N_NEGATIVES = (1, 3, 7, 31, 126)
USUAL = {"method": "simclr", "critic": "2 layers", "pairs": "intact", "temperature": 0.2, "n_negatives": 126}
VARIED = {"invertible": ("critic",), "grid": ("method", "temperature", "n_negatives"), "negatives": ()}
EMBEDDING = 32
LOOKS = (0.0, 0.03, 0.1, 0.3, 1.0)  # shares of the training


def keep(point: dict) -> bool:
    """An arm varies its own axes; pairs are shuffled for the usual critic alone."""
    shuffled = (point["arm"], point["pairs"]) == ("invertible", "shuffled")
    varied = ("pairs",) if shuffled else VARIED[point["arm"]]
    return all(point[axis] == usual for axis, usual in USUAL.items() if axis not in varied)


def source_of(name: str) -> Source:
    from mibounds.representation.sources import load

    return load("content_style")(8, 8, style_change=1.0, depth=1) if name == "content_style" else load(name)()


def measure(pack: Pack) -> list[Measurement]:
    arm = {"invertible": measure_invertible, "grid": measure_grid, "negatives": measure_negatives}
    return arm[str(pack.cells[0]["arm"])](pack)


def trainer_of(pack: Pack) -> Pretrainer:
    """A stack of untrained networks, its method and its pairs."""
    from mibounds.representation import methods
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.network import Network
    from mibounds.representation.sources import Shuffled

    cells, settings, first = pack.cells, pack.settings, pack.cells[0]
    source, weights = source_of(first["source"]), [cell.seed("weights") for cell in cells]
    n_layers = CRITICS[first["critic"]]
    network = Network.build(
        source.shape,
        weights,
        encoder="invertible" if first["arm"] == "invertible" else "mlp",
        embedding=EMBEDDING if n_layers else None,
        projector_options={"layers": n_layers},
    ).to(pack.device)
    method = methods.load(first["method"])(
        network,
        weights,
        temperature=[cell["temperature"] for cell in cells],
        n_negatives=[cell["n_negatives"] for cell in cells],
    )
    return Pretrainer(
        network,
        method.to(pack.device),
        Shuffled(source) if first["pairs"] == "shuffled" else source,
        [cell.seed("data") for cell in cells],
        batch_size=settings["batch_size"],
        steps=settings["steps"],
        learning_rate=settings["learning_rate"],
    )


def look(pack: Pack, trainer: Pretrainer) -> list[Row]:
    """What `measure` finds now, with the training's status."""
    from mibounds.representation.measuring import Sizes
    from mibounds.representation.measuring import measure as measure_models

    n = pack.settings["n_examples"]
    found = measure_models(
        trainer.network,
        source_of(pack.cells[0]["source"]),
        temperature=[cell["temperature"] for cell in pack.cells],
        seeds=[cell.seed("evaluation") for cell in pack.cells],
        sizes=Sizes(n, n // 2, n, pack.settings["n_anchors"], pack.settings["n_candidates"] - 1),
    )
    return [
        {name: row[name] for name in MEASURED} | {"status": first_failure(status, row["status"])}
        for row, status in zip(found, trainer.status, strict=True)
    ]


MEASURED = (
    "accuracy",
    "estimate_nats",
    "best_temperature_estimate_nats",
    "oracle_nats",
    "ceiling_nats",
    "temperature_ceiling_nats",
    "truth_nats",
    "alignment",
    "uniformity",
    "effective_rank",
)


def measure_invertible(pack: Pack) -> list[Measurement]:
    """Looks over the training; the tidy row is the last, beside the first's accuracy."""
    trainer = trainer_of(pack)
    looks: dict[int, list[Row]] = {}
    for step in sorted({round(share * trainer.steps) for share in LOOKS}):
        trainer.fit(step - trainer.steps_done)
        looks[step] = look(pack, trainer)
    errors = inverse_errors(trainer.network, source_of(pack.cells[0]["source"]))
    first, last = looks[0], looks[trainer.steps]
    return [
        Measurement(
            last[r] | {"untrained_accuracy": first[r]["accuracy"], "inverse_error": errors[r]},
            training=[{"step": step, **rows[r]} for step, rows in looks.items()],
        )
        for r in range(len(pack.cells))
    ]


def inverse_errors(network: Network, source: Source, n: int = 500) -> list[float]:
    """The largest |f^-1(f(x)) - x| over `n` inputs, one a run."""
    from mibounds.representation.reading import device_of, embed, stacked

    x = stacked([source.examples(n, 0, device=device_of(network)).x] * network.n_runs)
    h = embed(network, x).representation
    return (network.encoder.inverse(h) - x).abs().flatten(1).amax(1).tolist()


def measure_grid(pack: Pack) -> list[Measurement]:
    """Models after training, with the bound on shuffled test pairs, which must be nothing."""
    from mibounds.representation.measuring import held_out_bound
    from mibounds.representation.sources import Shuffled

    trainer = trainer_of(pack)
    trainer.fit()
    shuffled = held_out_bound(
        trainer.network,
        Shuffled(source_of(pack.cells[0]["source"])),
        seeds=[cell.seed("evaluation") for cell in pack.cells],
        n_anchors=256,
        n_pool=100,
        n_validation=64,
    ).best_temperature_estimate_nats.tolist()
    found = zip(look(pack, trainer), shuffled, strict=True)
    return [Measurement(row | {"shuffled_nats": nats}) for row, nats in found]


def measure_negatives(pack: Pack) -> list[Measurement]:
    """MI of z with negatives and with positives, before and after training."""
    trainer = trainer_of(pack)
    before = information_rows(pack, trainer, "before")
    trainer.fit()
    after = information_rows(pack, trainer, "after")
    return [
        Measurement(row, information=[*of_before, *of_after])
        for row, of_before, of_after in zip(look(pack, trainer), before, after, strict=True)
    ]


def information_rows(pack: Pack, trainer: Pretrainer, when: str) -> list[list[Row]]:
    """Two rows a run, by a critic trained on some pairs of test embeddings, selected and read on others.

    Scores are cosines, so that a critic that overfits where there is nothing to find is not far off. The law of a
    finite source is that of views of its test rows, which come several times with views of their own.
    """
    from mibounds.data.samples import paired_samples
    from mibounds.estimators.variational import Variational
    from mibounds.representation.sources import Shuffled

    source = source_of(pack.cells[0]["source"])
    critic = {"critic": "cosine", "critic_options": {"temperature": 0.5, "hidden": (128,)}}
    estimator = Variational(
        **critic, learning_rate=1e-3, max_steps=pack.settings["critic_steps"], device=pack.device
    )
    seeds = [cell.seed("evaluation") for cell in pack.cells]
    rows: list[list[Row]] = [[] for _ in seeds]
    for kind, of in (("negatives", Shuffled(source)), ("positives", source)):
        known = {"when": when, "pairs_of": kind, "truth_nats": known_information(of)}
        for r, (z, other) in enumerate(embedded_pairs(trainer.network, of, seeds, pack.settings["n_pairs"])):
            status, nats = trainer.status[r], math.nan
            if status == "ok":
                nats = estimator.estimate(paired_samples(z, other), seeds[r], 0.95).nats
            rows[r].append({**known, "estimate_nats": nats, "status": status})
    return rows


def known_information(source: Source) -> float:
    return math.nan if source.mutual_information is None else source.mutual_information


def embedded_pairs(
    network: Network, source: Source, seeds: list[int], n: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Each run's unit embeddings of both sides of `n` test pairs or a few more, in draws of distinct things."""
    import torch
    from torch.nn.functional import normalize

    from mibounds.representation.reading import device_of, embed, n_rows, pairs_of, runs_of, stacked

    a_draw = min(n, n_rows(source, "test") or n)
    runs, device = runs_of(network.n_runs, source, seeds), device_of(network)
    drawn = [pairs_of(runs, a_draw, "test", ("information", i), device) for i in range(-(-n // a_draw))]
    sides = (
        torch.cat([stacked([getattr(of_run, view) for of_run in pairs]) for pairs in drawn], dim=1)
        for view in ("view_a", "view_b")
    )
    return zip(*(normalize(embed(network, x).embedding, dim=-1) for x in sides), strict=True)


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 5
ALPHA = 0.05 / N_CLAIMS
POINTS = 1.0
INVERTIBLE = 1e-3
LEAST, SURE = 0.7, 0.5
ZERO_NATS, SEEN_NATS, NOTHING_NATS = 0.05, 0.2, 0.02
BOUND, GEOMETRY = "best_temperature_estimate_nats", ("alignment", "uniformity")


def across(rows: pd.DataFrame, by: str, value: str) -> dict[str, pd.DataFrame]:
    """By source: replicates down, values of `by` across, which pairs them."""
    wide = rows.pivot(index=["source", "replicate"], columns=by, values=value)
    return {source: of.droplevel("source") for source, of in wide.groupby("source")}


def at_constant_information(tables: Tables, decide: Callable[[pd.DataFrame], Verdict]) -> Verdict:
    """What `decide` makes of intact pairs' rows, provided that encoders invert and that pairs are what teaches."""

    def checked(rows: pd.DataFrame) -> Verdict:
        worst = rows["inverse_error"].max()
        if not worst < INVERTIBLE:
            return Verdict.inconclusive(f"encoders were to be invertible; one errs by {worst:.1e}")
        rows = rows.assign(gain=100 * (rows["accuracy"] - rows["untrained_accuracy"]))
        more = {
            source: of["intact"] - of["shuffled"]
            for source, of in across(rows_with(rows, critic=USUAL["critic"]), "pairs", "gain").items()
            if {"intact", "shuffled"} <= set(of)
        }
        control = all_above(more, 0.0, "points", ALPHA)
        intact = rows_with(rows, pairs="intact")
        return provided(control, "shuffled pairs were to teach less", lambda: decide(intact))

    return if_all_ok(rows_with(tables["table"], arm="invertible"), checked)


def equal_information_is_equally_good(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        by_source = across(rows, "critic", "gain")
        gains = {f"{critic}, {source}": of[critic] for source, of in by_source.items() for critic in of}
        return all_equivalent(gains, POINTS, "points", ALPHA)

    return at_constant_information(tables, decide)


def ends(values: pd.DataFrame, bounds: pd.DataFrame) -> pd.Series:
    """Value of the column with the largest bound less that of the least, by the OTHER replicates' mean bounds."""
    import pandas as pd

    means = {r: bounds.drop(index=r).mean() for r in bounds.index}
    return pd.Series({r: values.loc[r, of.idxmax()] - values.loc[r, of.idxmin()] for r, of in means.items()})


def tighter_is_better(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        if rows["replicate"].nunique() < 2:
            return Verdict.inconclusive("one replicate chooses no critic for another")
        accuracy, bounds = (across(rows, "critic", value) for value in ("accuracy", BOUND))
        gained = {source: 100 * ends(accuracy[source], bounds[source]) for source in accuracy}
        return all_above(gained, POINTS, "points", ALPHA)

    return at_constant_information(tables, decide)


def correlations(rows: pd.DataFrame, value: str, given: Sequence[str] = ()) -> dict[str, list[float]]:
    """Rank correlation with accuracy over the models of a source, method and replicate: a value a replicate."""
    groups: dict[str, list[float]] = {}
    for (source, method, _), of in rows.groupby(["source", "method", "replicate"]):
        groups.setdefault(f"{METHODS[method]}, {SOURCES[source]}", []).append(
            rank_correlation(of, value, given)
        )
    return groups


def rank_correlation(models: pd.DataFrame, value: str, given: Sequence[str] = ()) -> float:
    """Pearson's correlation of what is left of two rankings after least squares on the ranks of `given`."""
    ranks = models[[value, "accuracy", *given]].rank().to_numpy()
    if len(ranks) < len(given) + 4:
        return math.nan
    known = np.column_stack([np.ones(len(ranks)), ranks[:, 2:]])
    left = ranks[:, :2] - known @ np.linalg.lstsq(known, ranks[:, :2], rcond=None)[0]
    return float(left[:, 0] @ left[:, 1] / np.sqrt((left**2).sum(0).prod()))


def strong(groups: dict[str, list[float]], alpha: float) -> Verdict:
    """Mean of at least 0.7 with its interval above 0.5 in all groups; refuted where an interval lies below 0.7."""
    least, sure = (all_above(groups, one, "rank correlation", alpha) for one in (LEAST, SURE))
    if least.outcome == "refuted" or min(map(np.mean, groups.values())) >= LEAST:
        return least if least.outcome == "refuted" else sure
    return Verdict("inconclusive", sure.effect, sure.low, sure.high, sure.unit, sure.reason)


def bound_ranks_models(tables: Tables) -> Verdict:
    def checked(rows: pd.DataFrame) -> Verdict:
        shuffled = rows.groupby(["source", "method", "replicate"])["shuffled_nats"].mean()
        groups = dict(list(shuffled.groupby(["source", "method"])))
        control = all_below(groups, NOTHING_NATS, "nats", ALPHA)
        return provided(control, "shuffled pairs were to show nothing", lambda: decide(rows))

    def decide(rows: pd.DataFrame) -> Verdict:
        given = correlations(rows, BOUND, GEOMETRY)
        partial = all_above(given, 0.0, "partial rank correlation", ALPHA / 2)
        return Verdict.all_of(strong(correlations(rows, BOUND), ALPHA / 2), partial)

    return if_all_ok(rows_with(tables["table"], arm="grid"), checked)


def of_negatives(tables: Tables, decide: Callable[[dict[str, pd.DataFrame]], Verdict]) -> Verdict:
    """What `decide` makes of I(z; z-), before and after across, provided that positives are seen."""

    def checked(rows: pd.DataFrame) -> Verdict:
        seen, negatives = (
            across(rows_with(rows, pairs_of=kind), "when", "estimate_nats")
            for kind in ("positives", "negatives")
        )
        groups = {(source, when): of[when] for source, of in seen.items() for when in of}
        control = all_above(groups, SEEN_NATS, "nats", ALPHA)
        return provided(control, "the critic was to see the positives", lambda: decide(negatives))

    return if_all_ok(tables.get("information", tables["table"].iloc[:0]), checked)


def negatives_share_nothing(tables: Tables) -> Verdict:
    def decide(nats: dict[str, pd.DataFrame]) -> Verdict:
        groups = {f"{when} on {source}": of[when] for source, of in nats.items() for when in of}
        return all_equivalent(groups, ZERO_NATS, "nats", ALPHA)

    return of_negatives(tables, decide)


def training_minimises_it(tables: Tables) -> Verdict:
    def decide(nats: dict[str, pd.DataFrame]) -> Verdict:
        falls = {source: of["before"] - of["after"] for source, of in nats.items()}
        return all_above(falls, ZERO_NATS, "nats", ALPHA)

    return of_negatives(tables, decide)


TEXT = "Contrastive Learning Theory"
CONSTANT = (
    "Every encoder must invert to 1e-3; shuffled pairs must teach less than intact ones (2 layers, paired)."
)
SEEN = "The same estimator must read more than 0.2 nats between positives."
CLAIMS = (
    Claim(
        id="C3.constant",
        text="Maximising MI is what makes good representations: where it cannot change, they are equally good.",
        source=f"{TEXT}; Tschannen et al. 2020, section 3.1 (invertible encoders)",
        criterion="Supported if the accuracy on h of invertible encoders changes over training by less than a point, "
        "as an interval, behind every critic and on both sources; refuted if one lies wholly outside. "
        + CONSTANT,
        verdict=equal_information_is_equally_good,
    ),
    Claim(
        id="C3.critics",
        text="Maximising MI is what makes good representations: the critic that reads more gives the better one.",
        source=f"{TEXT}; Tschannen et al. 2020, section 3.2 (tighter bounds may be worse)",
        criterion="Supported if on both sources the accuracy on h behind the critic with the highest held-out bound is "
        "more than a point above that behind the critic with the lowest (paired, both chosen by the other replicates); "
        "refuted if on one it is less. " + CONSTANT,
        verdict=tighter_is_better,
    ),
    Claim(
        id="C3.rank",
        text="Maximising MI is what makes good representations: the higher the bound, the better the model.",
        source=TEXT,
        criterion="Supported if within each source and method, over temperature and n_negatives, Spearman's "
        "correlation of held-out bound and accuracy is 0.7 or more with its interval above 0.5, and the partial one "
        "given alignment and uniformity has its interval above 0; refuted if one of the first lies below 0.7 or one of "
        "the second below 0. Shuffled test pairs must read below 0.02 nats.",
        verdict=bound_ranks_models,
    ),
    Claim(
        id="C4.zero",
        text="... while minimising MI with negative pairs: it is at its least, zero.",
        source=TEXT,
        criterion="Supported if I(z; z-), by a trained critic on held-out pairs, lies within 0.05 nats of 0, as an "
        "interval, before and after training, on both sources; refuted if one lies wholly outside. " + SEEN,
        verdict=negatives_share_nothing,
    ),
    Claim(
        id="C4.minimised",
        text="... while minimising MI with negative pairs: training brings it down.",
        source=f"{TEXT}, taken at its word; negatives are independent draws, so that there is nothing to minimise",
        criterion="Supported if I(z; z-) falls by more than 0.05 nats from before to after training, on both sources "
        "(paired); refuted if on one it falls by less. " + SEEN,
        verdict=training_minimises_it,
    ),
)


# Figure

RANKED = {
    "bound": (BOUND, ()),
    "alignment": ("alignment", ()),
    "uniformity": ("uniformity", ()),
    "effective rank": ("effective_rank", ()),
    "bound, both given": (BOUND, GEOMETRY),
}


def draw(tables: Tables) -> Figure:
    """Invertible encoders above; the grid's models, their correlations and the negatives below."""
    from mibounds.plots.style import draw_legend, draw_truth, new_figure

    table = tables["table"]
    training = tables["training"].assign(percent=lambda rows: 100 * rows["accuracy"])
    with new_figure(2, 3, height=2.5) as (figure, axes):
        for ax, source in zip(axes[0], SOURCES, strict=False):
            of = rows_with(training, source=source)
            draw_training(ax, of, "percent", "accuracy on h (%)", f"invertible, {SOURCES[source]}")
        known = rows_with(training, source="content_style")
        draw_truth(axes[0, 2], known["truth_nats"].iloc[0])
        draw_training(axes[0, 2], known, BOUND, "held-out bound (nats)", "invertible, content")
        grid = rows_with(table, arm="grid")
        draw_models(axes[1, 0], rows_with(grid, source="content_style"))
        draw_correlations(axes[1, 1], grid)
        draw_information(axes[1, 2], tables["information"])
        draw_legend(figure, columns=5)
    return figure


def draw_training(ax: Any, rows: pd.DataFrame, value: str, name: str, title: str) -> None:
    """Over steps, a curve a critic; step 0 stands left of the first."""
    from mibounds.plots.style import COLORS, GREY, draw_intervals

    steps = sorted(rows["step"].unique())
    rows = rows.assign(place=rows["step"].map(steps.index))
    for color, critic in zip(COLORS, CRITICS, strict=False):
        of = rows_with(rows, critic=critic, pairs="intact")
        draw_intervals(ax, of, x="place", y=value, color=color, label=f"critic: {critic}")
    broken = rows_with(rows, pairs="shuffled")
    draw_intervals(
        ax, broken, x="place", y=value, color=GREY, label="2 layers, shuffled", marker="x", linestyle=":"
    )
    ax.set_xticks(range(len(steps)), map(str, steps))
    ax.set(xlabel="training steps", ylabel=name, title=title)


def draw_models(ax: Any, rows: pd.DataFrame) -> None:
    """The grid's models, each the mean of its replicates; a colour a temperature."""
    from mibounds.plots.style import COLORS

    by = ["method", "temperature", "n_negatives"]
    means = rows.groupby(by)[[BOUND, "accuracy"]].mean().reset_index()
    for (method, temperature), of in means.groupby(["method", "temperature"]):
        ax.plot(
            of[BOUND],
            100 * of["accuracy"],
            linestyle="none",
            marker="o" if method == "simclr" else "^",
            markersize=4,
            markerfacecolor="none" if method == "dcl" else None,
            color=COLORS[4 + TEMPERATURES.index(temperature)],
            label=f"temperature {temperature:g}" if method == "simclr" else "_",
        )
    ax.set(xlabel="held-out bound (nats)", ylabel="accuracy (%)", title="grid, content; hollow: DCL")


def draw_correlations(ax: Any, grid: pd.DataFrame) -> None:
    """What goes with accuracy: a place a measurement, a marker a source and method."""
    from mibounds.plots.style import DARK, draw_mean, draw_theory

    for place, (value, given) in enumerate(RANKED.values()):
        for i, (name, values) in enumerate(correlations(grid, value, given).items()):
            draw_mean(ax, place + 0.17 * i - 0.25, values, label=name, color=DARK, marker="o^sv"[i])
    draw_theory(ax, LEAST, label="claimed, 0.7")
    ax.axhline(0, color="black", linewidth=0.6)
    ax.set_xticks(range(len(RANKED)), list(RANKED), rotation=30, ha="right")
    ax.set(ylabel="Spearman with accuracy", ylim=(-1.05, 1.05), title="over the grid's models")


def draw_information(ax: Any, rows: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, DARK, draw_intervals

    names = [f"{when}\n{SOURCES[source]}" for source in SOURCES for when in ("before", "after")]
    place = [
        names.index(f"{when}\n{SOURCES[source]}") for when, source in rows[["when", "source"]].to_numpy()
    ]
    style = {"linestyle": "none", "marker": "D"}
    for color, (kind, of) in zip(
        (DARK, COLORS[9]), rows.assign(place=place).groupby("pairs_of"), strict=True
    ):
        draw_intervals(ax, of, x="place", y="estimate_nats", color=color, label=f"z with {kind}", **style)
    ax.axhspan(-ZERO_NATS, ZERO_NATS, color="black", alpha=0.15, linewidth=0)
    ax.set_xticks(range(len(names)), names)
    ax.set(ylabel="held-out bound (nats)", title="z and z-, by a trained critic")


STUDY = Study(
    slug="tightness_and_accuracy",
    question="Is it the mutual information that makes a representation good?",
    axes={
        "arm": tuple(VARIED),
        "source": tuple(SOURCES),
        "method": tuple(METHODS),
        "critic": tuple(CRITICS),
        "pairs": ("intact", "shuffled"),
        "temperature": TEMPERATURES,
        "n_negatives": N_NEGATIVES,
    },
    stacked=("temperature", "n_negatives", "replicate"),
    seeds={"data": ("source",), "weights": ("source",), "evaluation": ("source",)},
    keep=keep,
    width=20,
    settings={
        "batch_size": 64,
        "steps": 1000,
        "learning_rate": 1e-3,
        "n_examples": 2000,
        "n_anchors": 512,
        "n_candidates": 2048,
        "n_pairs": 4000,
        "critic_steps": 600,
    },
    presets={
        "smoke": {
            "replicates": 1,
            "method": ("simclr",),
            "critic": ("bilinear", "2 layers"),
            "temperature": (0.05, 0.2),
            "n_negatives": (1, 126),
            "steps": 2,
            "n_examples": 200,
            "n_anchors": 64,
            "n_candidates": 128,
            "n_pairs": 200,
            "critic_steps": 2,
        },
        "quick": {"replicates": 2, "temperature": (0.1, 0.2, 0.5), "n_negatives": (1, 7, 126), "steps": 400},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

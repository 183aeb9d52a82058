"""Alignment and uniformity: does the loss pull positives together and push negatives apart, and is that all it does?

Content and style: views share 8 dimensions of content (correlation 0.9), 8 of style are private, both seen through a
frozen network. Digits: shifted, turned and noisy. Batches of 128 pairs; NT-Xent (InfoNCE with both views for anchors,
as uniformity has them) at five temperatures, over which SimCLR was tuned; alignment + weight x uniformity (t = 2) at
five weights; attraction alone. All encoders of a replicate start alike and see the same pairs; there are 20 replicates,
since accuracies of equal models differ by a point. Distances of positives and negatives are read before and after.

In the limit of many negatives the loss is alignment plus uniformity, each over the temperature tau:

    loss - ln M  ->  -E s+ / tau + E_x ln E_y e^(s(x, y) / tau),      M = K - 1 negatives.

How fast is read from frozen encoders, untrained and trained with NT-Xent. A pool of second views that trained nothing
is the law of y, so that the limit is exact; negatives are drawn from it with replacement, up to 65,536 of them (MoCo's
queue). Theory has c / M, c = E odds+ - E Var(odds) / 2, odds = e^(s/tau) / E_y e^(s/tau), for large M, which is
steeper than the M^(-1/2) that is proved. In the control a tenth of the negatives are copies of the positive.

A small pool has lighter tails than an endless law: where odds are wilder than its size, the approach starts later.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
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

    from mibounds.representation.network import Network
    from mibounds.representation.sources import Source

Tables = Mapping[str, "pd.DataFrame"]
Row = dict[str, Any]

SOURCES = {"content_style": "content", "digits": "digits"}
OBJECTIVES = ("simclr", "alignment_uniformity", "attraction")
TEMPERATURES = (0.05, 0.1, 0.2, 0.5, 1.0)
WEIGHTS = (0.25, 0.5, 1.0, 2.0, 4.0)
USUAL_TEMPERATURE, USUAL_WEIGHT = 0.2, 1.0
N_NEGATIVES = tuple(2**power for power in range(4, 17))
MANY = 1024  # from here on the slope is fitted
INDEPENDENT, COPIED = "independent", "a tenth copies"


def keep(point: dict) -> bool:
    """NT-Xent has temperatures, its two parts a weight, attraction alone neither."""
    usual = point["temperature"] == USUAL_TEMPERATURE, point["weight"] == USUAL_WEIGHT
    needed = dict(zip(OBJECTIVES, (usual[1], usual[0], all(usual)), strict=True))
    return needed[point["objective"]]


def source_of(name: str) -> Source:
    from mibounds.representation.sources import load

    return load("content_style")(8, 8, style_change=1.0, depth=1) if name == "content_style" else load(name)()


def measure(pack: Pack) -> list[Measurement]:
    """One stack of replicates, looked at before and after its training."""
    from mibounds.representation import methods
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.network import Network

    cells, settings, first = pack.cells, pack.settings, pack.cells[0]
    source, weights = source_of(first["source"]), [cell.seed("weights") for cell in cells]
    network = Network.build(source.shape, weights, embedding=32).to(pack.device)
    if first["objective"] == "alignment_uniformity":
        method = methods.load("alignment_uniformity")(network, weights, weight=first["weight"])
    else:
        options = {"temperature": first["temperature"], "repulsion": first["objective"] == "simclr"}
        method = methods.load("simclr")(network, weights, **options)
    trainer = Pretrainer(
        network,
        method.to(pack.device),
        source,
        [cell.seed("data") for cell in cells],
        batch_size=settings["batch_size"],
        steps=settings["image_steps" if first["source"] == "digits" else "steps"],
        learning_rate=settings["learning_rate"],
    )
    before, untrained = look(pack, network, source)
    trainer.fit()
    after, trained = look(pack, network, source)
    measured = []
    for r, status in enumerate(trainer.status):
        status = first_failure(status, after[r]["status"])
        of_untrained = {f"untrained_{name}": before[r][name] for name in MEASURED}
        row = {name: after[r][name] for name in (*MEASURED, *NATS)} | of_untrained | {"status": status}
        looks = {"untrained": untrained[r], "trained": trained[r]} if first["objective"] == "simclr" else {}
        losses = [{"encoder": name, **one, "status": status} for name, rows in looks.items() for one in rows]
        measured.append(Measurement(row, losses=losses))
    return measured


MEASURED = ("accuracy", "alignment", "negative_distance", "uniformity", "effective_rank", "spread")
NATS = ("estimate_nats", "best_temperature_estimate_nats", "oracle_nats", "ceiling_nats", "truth_nats")


def look(pack: Pack, network: Network, source: Source) -> tuple[list[Row], list[list[Row]]]:
    """What `measure` finds now with the negatives' distance, and the losses by M; a run each."""
    from mibounds.representation.measuring import Sizes
    from mibounds.representation.measuring import measure as measure_models

    settings, seeds = pack.settings, [cell.seed("evaluation") for cell in pack.cells]
    temperature = pack.cells[0]["temperature"]
    n, n_anchors, n_pool = (settings[name] for name in ("n_examples", "n_anchors", "n_pool"))
    sizes = Sizes(n, n // 2, n, n_anchors, n_pool // 2 - 1)
    found = measure_models(network, source, temperature=temperature, seeds=seeds, sizes=sizes)
    embedded = list(zip(*embedded_pairs(network, source, seeds, n_anchors, n_pool), strict=True))
    for row, (anchors, _, pool) in zip(found, embedded, strict=True):
        row["negative_distance"] = (2 - 2 * anchors.mean(0) @ pool.mean(0)).item()
    return found, [list(loss_rows(*of_run, temperature, settings["n_groups"])) for of_run in embedded]


def embedded_pairs(
    network: Network, source: Source, seeds: Sequence[int], n_anchors: int, n_pool: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Unit embeddings of anchors and positives, `R x m x d`, and of other things for a pool, `R x N x d`.

    A finite source gives what it has, a third of it for anchors where there is too little.
    """
    from torch.nn.functional import normalize

    from mibounds.representation.reading import device_of, embed, n_rows, pairs_of, runs_of, stacked

    n = n_rows(source, "test") or n_anchors + n_pool
    n_anchors, n = min(n_anchors, n // 3), min(n, n_anchors + n_pool)
    drawn = pairs_of(runs_of(network.n_runs, source, seeds), n, "test", ("approach",), device_of(network))
    views = (stacked([of.view_a for of in drawn]), stacked([of.view_b for of in drawn]))
    z_a, z_b = (normalize(embed(network, view).embedding.double(), dim=-1) for view in views)
    return z_a[:, :n_anchors], z_b[:, :n_anchors], z_b[:, n_anchors:]


def loss_rows(
    anchors: Tensor, positives: Tensor, pool: Tensor, temperature: float, n_groups: int
) -> Iterator[Row]:
    """The loss less ln M beside its limit, over M, for independent negatives and with copies of the positive."""
    scores, own_score = anchors @ pool.T / temperature, (anchors * positives).sum(-1) / temperature
    log_partition = scores.logsumexp(-1) - math.log(pool.shape[0])
    limit = (log_partition - own_score).mean().item()
    odds, own = (scores - log_partition.unsqueeze(-1)).exp(), (own_score - log_partition).exp()
    constant = (own.mean() - odds.var(-1, correction=0).mean() / 2).item()
    for n_negatives in N_NEGATIVES:
        means = mean_odds(odds, n_negatives, n_groups)
        for kind, share in ((INDEPENDENT, 0.0), (COPIED, 0.1)):
            away = deviation(means, own.unsqueeze(-1), n_negatives, share).mean().item()
            yield {
                "negatives": kind,
                "n_negatives": n_negatives,
                "loss_less_ln_m_nats": limit + away,
                "limit_nats": limit,
                "deviation_nats": away,
                "theory_deviation_nats": constant / n_negatives,
            }


def mean_odds(odds: Tensor, n_negatives: int, n_groups: int) -> Tensor:
    """Means over groups of negatives, drawn with replacement and common to the anchors: `m x N` -> `m x groups`."""
    import torch

    from mibounds.seeding import generator, seed_of

    n_pool, source = odds.shape[1], generator(seed_of("negatives", n_negatives))
    drawn = torch.randint(n_pool, (n_groups, n_negatives), generator=source)
    of_group = drawn + n_pool * torch.arange(n_groups).unsqueeze(1)
    counts = torch.bincount(of_group.flatten(), minlength=n_groups * n_pool).view(n_groups, n_pool)
    return odds @ counts.T.to(odds) / n_negatives


def deviation(means: Tensor, own: Tensor, n_negatives: int, share: float) -> Tensor:
    """ln of the denominator over M E_y e^(s/tau), the positive in it: its mean is loss - ln M - limit.

    Less (mean odds - 1), which is 0 in expectation and carries nearly all the noise of the draw. `share` of the
    negatives are copies of the positive.
    """
    return ((1 - share) * means + (share + 1 / n_negatives) * own).log() - (means - 1)


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 4
ALPHA = 0.05 / N_CLAIMS
SLOPE = -0.5 + 0.15
POINTS = 1.0


def slopes(losses: pd.DataFrame) -> dict[str, list[float]]:
    """Least-squares slope of ln |deviation| on ln K over many negatives: a group a model, a value a replicate."""
    groups: dict[str, list[float]] = {}
    by = ["source", "encoder", "temperature", "replicate"]
    for (source, encoder, temperature, _), of in losses[losses["n_negatives"] >= MANY].groupby(by):
        slope = np.polyfit(np.log(of["n_negatives"] + 1), np.log(of["deviation_nats"].abs()), 1)[0]
        groups.setdefault(f"{encoder} on {source} at {temperature:g}", []).append(float(slope))
    return groups


def loss_goes_to_its_limit(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        control = all_above(slopes(rows_with(rows, negatives=COPIED)), SLOPE, "slope", ALPHA)
        wanted = f"copies were to hold the slope above {SLOPE}"
        independent = rows_with(rows, negatives=INDEPENDENT)
        return provided(control, wanted, lambda: all_below(slopes(independent), SLOPE, "slope", ALPHA))

    return if_all_ok(tables.get("losses", tables["table"].iloc[:0]), decide)


def accuracies(rows: pd.DataFrame, objective: str) -> dict[str, pd.DataFrame]:
    """In points, by source: replicates down, settings of the objective across."""
    wide = 100 * rows_with(rows, objective=objective).pivot(
        index=["source", "replicate"], columns=["temperature", "weight"], values="accuracy"
    )
    return {source: of.droplevel("source") for source, of in wide.groupby("source")}


def two_parts_are_enough(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        whole, parts, attraction = (accuracies(rows, objective) for objective in OBJECTIVES)
        if not whole or not set(whole) == set(parts) == set(attraction):
            return Verdict.inconclusive("rows of an objective are missing", "points")
        if min(len(of) for of in whole.values()) < 2:
            return Verdict.inconclusive("one replicate chooses no setting for another", "points")
        best = {source: best_by_others(of) for source, of in whole.items()}
        lost = {source: of - attraction[source].iloc[:, 0] for source, of in best.items()}
        gained = {source: best_by_others(parts[source]) - of for source, of in best.items()}
        return provided(
            all_above(lost, POINTS, "points", ALPHA),
            "without uniformity more than a point was to be lost",
            lambda: all_equivalent(gained, POINTS, "points", ALPHA),
        )

    return if_all_ok(tables["table"], decide)


def changes(rows: pd.DataFrame, value: str) -> dict[str, pd.Series]:
    """Trained minus untrained: a group a source and temperature, a value a replicate."""
    change = (rows[value] - rows[f"untrained_{value}"]).groupby([rows["source"], rows["temperature"]])
    return {f"{source} at {temperature:g}": of for (source, temperature), of in change}


def moved(tables: Tables, value: str, decided: Any) -> Verdict:
    """Whether a distance's change is below or above 0 at every temperature; attraction alone must make it fall."""

    def decide(rows: pd.DataFrame) -> Verdict:
        attraction, whole = (
            changes(rows_with(rows, objective=objective), value) for objective in ("attraction", "simclr")
        )
        control = all_below(attraction, 0.0, "squared distance", ALPHA)
        return provided(
            control,
            "attraction alone was to draw all together",
            lambda: decided(whole, 0.0, "squared distance", ALPHA),
        )

    return if_all_ok(rows_with(tables["table"], objective=("simclr", "attraction")), decide)


def positives_come_together(tables: Tables) -> Verdict:
    return moved(tables, "alignment", all_below)


def negatives_go_apart(tables: Tables) -> Verdict:
    return moved(tables, "negative_distance", all_above)


TEXT = "Contrastive Learning Theory"
CLAIMS = (
    Claim(
        id="C21.limit",
        text="Pulls positives together and pushes negatives apart: the loss tends to alignment plus uniformity.",
        source=f"{TEXT}; Wang and Isola 2020, theorem 1 (the error is O(M^(-1/2)))",
        criterion="Supported if for untrained and trained encoders, at every temperature and on both sources, the "
        "interval of the slope of ln |loss - ln M - limit| on ln K, over 1,024 to 65,536 negatives, lies below -0.35 "
        "(-0.5 + 0.15, or steeper); refuted if one lies above. With a tenth of the negatives copies of the positive "
        "every slope must lie above -0.35.",
        verdict=loss_goes_to_its_limit,
    ),
    Claim(
        id="C21.parts",
        text="Pulls positives together and pushes negatives apart: that is all that it takes.",
        source=f"{TEXT}; Wang and Isola 2020, section 5 (training on the two alone does as well or better)",
        criterion="Supported if on both sources the accuracy after training on alignment and uniformity alone lies "
        "within a point of NT-Xent's, as an interval (paired), each at its best weight or temperature, chosen by the "
        "other replicates; refuted if one lies wholly outside. Attraction alone must lose more than a point.",
        verdict=two_parts_are_enough,
    ),
    Claim(
        id="C21.pull",
        text="Pulls positives together.",
        source=f"{TEXT}, taken at its word",
        criterion="Supported if at every temperature, on both sources, the mean squared distance of positives falls "
        "from the untrained to the trained encoder (paired intervals below 0); refuted if at one it rises. Attraction "
        "alone must make it fall.",
        verdict=positives_come_together,
    ),
    Claim(
        id="C21.push",
        text="Pushes negatives apart.",
        source=f"{TEXT}, taken at its word",
        criterion="Supported if at every temperature, on both sources, the mean squared distance of independent views "
        "rises from the untrained to the trained encoder (paired intervals above 0); refuted if at one it falls. "
        "Attraction alone must make it fall.",
        verdict=negatives_go_apart,
    ),
)


# Figure


def draw(tables: Tables) -> Figure:
    """A row a source: how the loss nears its limit, the accuracies, the distances before and after training."""
    from mibounds.plots.style import draw_legend, new_figure

    table = tables["table"].assign(percent=lambda rows: 100 * rows["accuracy"])
    sources = [source for source in SOURCES if source in set(table["source"])]
    with new_figure(len(sources), 3, height=2.4) as (figure, axes):
        for (approach, accuracy, distance), source in zip(axes, sources, strict=True):
            of = rows_with(table, source=source)
            draw_approach(approach, rows_with(tables["losses"], source=source, encoder="trained"))
            draw_accuracy(accuracy, of)
            draw_distances(distance, rows_with(of, objective="simclr"))
            for ax, what in ((approach, "to the limit"), (accuracy, "label"), (distance, "distances")):
                ax.set_title(f"{SOURCES[source]}: {what}")
        draw_legend(figure, columns=4)
    return figure


def draw_approach(ax: Any, rows: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, GREY, draw_intervals, draw_theory

    rows = rows.assign(size=rows["deviation_nats"].abs())
    for color, (temperature, of) in zip(COLORS, rows.groupby("temperature"), strict=False):
        independent = rows_with(of, negatives=INDEPENDENT)
        label = f"temperature {temperature:g}"
        draw_intervals(ax, independent, x="n_negatives", y="size", color=color, label=label)
        theory = independent.groupby("n_negatives")["theory_deviation_nats"].mean().abs()
        draw_theory(ax, list(theory), list(theory.index), label="theory, c / M", linewidth=0.9)
    copies = rows_with(rows, negatives=COPIED, temperature=USUAL_TEMPERATURE)
    label = f"{COPIED}, {USUAL_TEMPERATURE:g}"
    draw_intervals(ax, copies, x="n_negatives", y="size", color=GREY, label=label, marker="x")
    ax.set(xscale="log", yscale="log", ylim=(None, 2 * rows["size"].max()))
    ax.set(xlabel="negatives M = K - 1", ylabel="|loss - ln M - limit| (nats)")
    ax.minorticks_off()


def draw_accuracy(ax: Any, rows: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, DARK, GREY, draw_intervals

    whole, parts, attraction = (rows_with(rows, objective=objective) for objective in OBJECTIVES)
    draw_intervals(ax, whole, x="temperature", y="percent", color=COLORS[5], label="NT-Xent")
    style = {"label": "alignment, uniformity", "marker": "s"}
    draw_intervals(ax, parts, x="weight", y="percent", color=COLORS[7], **style)
    ax.axhline(attraction["percent"].mean(), color=GREY, linestyle="-.", label="attraction alone")
    ax.axhline(100 * rows["untrained_accuracy"].mean(), color=DARK, linestyle=":", label="untrained")
    set_log_ticks(ax, (0.05, 0.2, 1, 4))
    ax.set(xlabel="temperature, or weight of uniformity", ylabel="accuracy (%)")


def draw_distances(ax: Any, rows: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, draw_intervals

    for name, value, color in (
        ("positives", "alignment", COLORS[6]),
        ("negatives", "negative_distance", COLORS[9]),
    ):
        draw_intervals(ax, rows, x="temperature", y=value, color=color, label=name)
        before = rows[f"untrained_{value}"].mean()
        ax.axhline(before, color=color, linestyle=":", label=f"{name}, untrained")
    set_log_ticks(ax, TEMPERATURES)
    ax.set(xlabel="temperature", ylabel="mean squared distance", ylim=(0, None))


def set_log_ticks(ax: Any, ticks: Sequence[float]) -> None:
    ax.set_xscale("log")
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()


STUDY = Study(
    slug="alignment_and_uniformity",
    question="Does the loss pull positives together and push negatives apart, and is that all it does?",
    axes={
        "source": tuple(SOURCES),
        "objective": OBJECTIVES,
        "temperature": TEMPERATURES,
        "weight": WEIGHTS,
    },
    stacked=("replicate",),
    seeds={"data": ("source",), "weights": ("source",), "evaluation": ("source",)},
    keep=keep,
    width=10,
    settings={
        "batch_size": 128,
        "steps": 1000,
        "image_steps": 1500,
        "learning_rate": 3e-3,
        "n_examples": 2000,
        "n_anchors": 256,
        "n_pool": 2048,
        "n_groups": 64,
    },
    presets={
        "smoke": {
            "replicates": 1,
            "temperature": (0.05, 0.2),
            "weight": (1.0,),
            "steps": 2,
            "image_steps": 2,
            "n_examples": 200,
            "n_anchors": 64,
            "n_pool": 256,
            "n_groups": 2,
        },
        "quick": {
            "replicates": 2,
            "temperature": (0.1, 0.2, 0.5),
            "weight": (0.5, 1.0),
            "steps": 400,
            "image_steps": 300,
        },
        "full": {"replicates": 20},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

"""Learning: does every method learn from pairs of views, and does it collapse without the piece that prevents it?

Seven methods on four sources, the same data and first weights for all. "removed" takes away what the method's file says
prevents collapse: negatives (SimCLR, MoCo), Sinkhorn's equal shares (SwAV), the predictor (BYOL), the stop-gradient
(SimSiam), the off-diagonal term (Barlow Twins), the variance term (VICReg). "shuffled" is the control: SimCLR on pairs
of different things. "raw" and "random" are what is to be beaten: the same linear probe on the inputs, and on the
encoder as it was drawn.

What is read, on the representation h of inputs that trained nothing, is one score a source, a ridge probe's: on `vmf`
and `content_style` R^2 of what the views share, on `images` the accuracy on shape, position, colour and scale,
averaged, all of which the views share, and on `digits` the accuracy. Where latents are mixed by two layers only, as the
sources do by default, their inputs are nearly linear in them, and there is little to learn: here it is six on vmf, four
on content_style. On images the average stands for the content: with this few steps all methods read position and scale,
but few of them shape.

Complete collapse is judged by the spread of z: under a tenth of 1/sqrt(d), for VICReg a standard deviation under a
tenth of the 1 it is held at. Barlow Twins standardises each dimension, so that it can collapse in effective rank alone:
to half of what it is with the off-diagonal term, or less. In a pilot neither five times the steps nor weight decay made
MoCo and BYOL collapse on images, whose views share the content to the last bit: an encoder that reads only that has
nothing to gain from collapsing. In the full run BYOL gains 0.05 on vmf over the untrained encoder after 2,000 steps,
within its error; SimSiam, with 4,000, gains 0.14.

Batch norm stands in the encoders, without which BYOL and SimSiam collapse at this size even when intact. Digits are
divided anew in each replicate. Published defaults were the start; rates, temperatures, widths and steps were then set
on other seeds.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mibounds.study import (
    Cell,
    Claim,
    Measurement,
    Pack,
    Study,
    Verdict,
    all_above,
    all_below,
    if_all_ok,
    rows_with,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mibounds.representation.network import Network
    from mibounds.representation.sources import Source

Tables = Mapping[str, "pd.DataFrame"]

METHODS = ("simclr", "moco", "swav", "byol", "simsiam", "barlow_twins", "vicreg")
BASELINES = ("raw", "random")
SOURCES = ("vmf", "content_style", "images", "digits")
PIECES = ("intact", "removed", "shuffled")
CONTROL = "simclr"

EMBEDDING = 32


@dataclass(frozen=True)
class Recipe:
    """How a method is trained on a source; `options` are the method's own."""

    learning_rate: float
    steps: int
    options: dict[str, Any] = field(default_factory=dict)
    weight_decay: float = 0.0


PERCEPTRON = {"hidden": (128, 128), "dim": 64, "norm": "batch"}
ENCODERS: dict[str, tuple[str, dict[str, Any]]] = {
    "vmf": ("mlp", PERCEPTRON),
    "content_style": ("mlp", PERCEPTRON),
    "images": ("convnet", {"channels": (8, 16, 32), "dim": 64, "norm": "batch"}),
    "digits": ("mlp", PERCEPTRON),
}
BATCH = {"vmf": 128, "content_style": 128, "images": 64, "digits": 128}
COOL = {"temperature": 0.1}
QUEUE = COOL | {"queue": 512, "momentum": 0.9}
SLOW = {"momentum": 0.9}  # 0.99 follows too slowly for hundreds of steps
DECORRELATED, COVARIANCE = {"off_diagonal": 0.05}, {"covariance": 10.0}
RECIPES: dict[str, dict[str, Recipe]] = {
    "vmf": {
        "simclr": Recipe(2e-3, 500, COOL),
        "moco": Recipe(2e-3, 500, QUEUE),
        "swav": Recipe(2e-3, 2000, {"temperature": 0.15}),
        "byol": Recipe(2e-3, 2000, SLOW),
        "simsiam": Recipe(2e-3, 4000),
        "barlow_twins": Recipe(1e-2, 700, DECORRELATED, 1e-3),
        "vicreg": Recipe(2e-3, 500, COVARIANCE),
    },
    "content_style": {
        "simclr": Recipe(2e-3, 500, COOL),
        "moco": Recipe(2e-3, 500, QUEUE),
        "swav": Recipe(2e-3, 600, {"temperature": 0.2}),
        "byol": Recipe(2e-3, 600, SLOW),
        "simsiam": Recipe(2e-3, 600),
        "barlow_twins": Recipe(1e-2, 700, DECORRELATED, 1e-2),
        "vicreg": Recipe(2e-3, 500, COVARIANCE),
    },
    "images": {
        "simclr": Recipe(5e-3, 300, COOL),
        "moco": Recipe(5e-3, 300, QUEUE),
        "swav": Recipe(5e-3, 300, {"temperature": 0.5}),
        "byol": Recipe(5e-3, 300, SLOW),
        "simsiam": Recipe(5e-3, 300),
        "barlow_twins": Recipe(1e-2, 300, DECORRELATED, 1e-2),
        "vicreg": Recipe(5e-3, 300, COVARIANCE),
    },
    "digits": {
        "simclr": Recipe(5e-3, 500, COOL),
        "moco": Recipe(5e-3, 500, QUEUE),
        "swav": Recipe(5e-3, 500, {"temperature": 0.5}),
        "byol": Recipe(5e-3, 1000, SLOW),
        "simsiam": Recipe(5e-3, 1200),
        "barlow_twins": Recipe(1e-2, 700, DECORRELATED, 3e-2),
        "vicreg": Recipe(5e-3, 500, COVARIANCE),
    },
}
# What a ridge probe reads of each source; several are averaged.
SCORES = {
    "vmf": ("latent_r2",),
    "content_style": ("content_r2",),
    "images": ("shape_accuracy", "position_accuracy", "colour_accuracy", "scale_accuracy"),
    "digits": ("accuracy",),
}


def keep(point: dict) -> bool:
    if point["piece"] == "shuffled":
        return point["method"] == CONTROL
    return point["piece"] == "intact" or point["method"] in METHODS


def sources_of(cells: Sequence[Cell]) -> list[Source]:
    """One a run; all but the digits, which are divided anew in each replicate, are the same one."""
    from mibounds.representation.sources import load

    name = cells[0]["source"]
    if name == "digits":
        return [load(name)(seed=cell.seed("split")) for cell in cells]
    options: dict[str, Any] = {
        "vmf": {"dim": 6, "kappa": 20.0, "depth": 6},
        "content_style": {"content_dim": 4, "style_dim": 4, "depth": 4},
        "images": {"size": 24},
    }[name]
    return [load(name)(**options)] * len(cells)


def measure(pack: Pack) -> list[Measurement]:
    """One stack of replicates of one method, or what is to be beaten, on one source."""
    from mibounds.representation import measuring

    cells, settings = pack.cells, pack.settings
    sources, evaluation = sources_of(cells), [cell.seed("evaluation") for cell in cells]
    n = settings["n_examples"]
    sizes = measuring.Sizes(train=n, validation=n // 2, test=n, anchors=64)
    if cells[0]["method"] == "raw":
        found = measuring.baselines(None, sources, n_runs=len(cells), seeds=evaluation, sizes=sizes)
        rows = [{name.removeprefix("raw_"): value for name, value in row.items()} for row in found]
        return [Measurement(row_of(cell, row, "ok")) for cell, row in zip(cells, rows, strict=True)]
    network, status = trained(pack, sources)
    found = measuring.measure(network, sources, seeds=evaluation, sizes=sizes, held_out=False)
    embedded, _ = measuring.features(network, sources, sizes.test, seeds=evaluation)
    deviation = embedded.embedding.std(1).mean(-1).tolist()
    for row, of_run in zip(found, deviation, strict=True):
        row |= {"relative_spread": row["spread"] * math.sqrt(network.dim_embedding), "deviation": of_run}
    return [Measurement(row_of(*one)) for one in zip(cells, found, status, strict=True)]


def trained(pack: Pack, sources: Sequence[Source]) -> tuple[Network, Sequence[str]]:
    """The pack's networks and how their training went; untrained ones for "random"."""
    from mibounds.representation import methods
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.network import Network
    from mibounds.representation.sources import Shuffled

    cells, settings = pack.cells, pack.settings
    source, name, piece = (cells[0][axis] for axis in ("source", "method", "piece"))
    recipe = RECIPES[source].get(name, Recipe(1.0, 0))
    encoder, options = ENCODERS[source]
    weights = [cell.seed("weights") for cell in cells]
    network = Network.build(
        sources[0].shape,
        weights,
        encoder=encoder,
        encoder_options=options,
        embedding=EMBEDDING,
        projector_options={"layers": 1},
    ).to(pack.device)
    if name == "random":
        return network, ["ok"] * len(cells)
    cls = methods.load(name)
    method = cls(network, weights, **(recipe.options | (cls.broken if piece == "removed" else {})))
    trainer = Pretrainer(
        network,
        method.to(pack.device),
        [Shuffled(one) for one in sources] if piece == "shuffled" else sources,
        [cell.seed("data") for cell in cells],
        batch_size=BATCH[source],
        steps=max(2, round(settings["share_of_steps"] * recipe.steps)),
        learning_rate=recipe.learning_rate,
        weight_decay=recipe.weight_decay,
    )
    trainer.fit()
    return network, trainer.status


MEASURED = (
    "accuracy",
    "knn_accuracy",
    "latent_r2",
    "content_r2",
    "style_r2",
    *SCORES["images"],
    "relative_spread",
    "deviation",
    "effective_rank",
    "representation_spread",
    "representation_effective_rank",
    "alignment",
    "uniformity",
)


def row_of(cell: Cell, found: Mapping[str, Any], status: str) -> dict[str, Any]:
    """A row of the table; what a source or a baseline does not have is missing."""
    scores = [found[name] for name in SCORES[cell["source"]]]
    measured = {name: found.get(name, math.nan) for name in MEASURED}
    if status == "ok":
        status = found.get("status", "ok")
    return {"score": sum(scores) / len(scores), **measured, "status": status}


# Claims: effect, threshold and interval were written before the full run.

ALPHA = 0.05 / (2 * len(METHODS))
LEAST_SPREAD, LEAST_RANK, SHARE_OF_RANK = 0.1, 2.0, 0.5
TITLES = {
    "simclr": "SimCLR",
    "moco": "MoCo",
    "swav": "SwAV",
    "byol": "BYOL",
    "simsiam": "SimSiam",
    "barlow_twins": "Barlow Twins",
    "vicreg": "VICReg",
}
# Kind of collapse, what shows it, and what is removed: as the methods' files state them.
COLLAPSES = {
    "simclr": ("complete", "relative_spread", "the negatives"),
    "moco": ("complete", "relative_spread", "the negatives"),
    "swav": ("complete", "relative_spread", "Sinkhorn's equal shares"),
    "byol": ("complete", "relative_spread", "the predictor"),
    "simsiam": ("complete", "relative_spread", "the stop-gradient"),
    "barlow_twins": ("dimensional", "effective_rank", "the off-diagonal term"),
    "vicreg": ("complete", "deviation", "the variance term"),  # it puts nothing on a sphere
}


def gains(table: pd.DataFrame, method: str, piece: str = "intact") -> dict[str, pd.Series]:
    """Score minus each baseline's, paired by replicate, a group for each source and baseline."""
    groups = {}
    for source in SOURCES:
        of_source = rows_with(table, source=source)
        score = of_source.set_index("replicate")["score"]
        own = score[((of_source["method"] == method) & (of_source["piece"] == piece)).to_numpy()]
        for baseline in BASELINES:
            difference = own - score[(of_source["method"] == baseline).to_numpy()]
            if len(difference.dropna()):
                groups[f"{source} minus {baseline}"] = difference.dropna()
    return groups


def needed(table: pd.DataFrame, *methods: str) -> pd.DataFrame:
    return table[table["method"].isin(methods) | (table["piece"] == "shuffled")]


def control_breaks(table: pd.DataFrame) -> str | None:
    """Why the control says nothing, if so: on shuffled pairs the score must not pass both baselines on any source."""
    groups = gains(table, CONTROL, "shuffled")
    if len(groups) < 2 * len(SOURCES):
        return "the table lacks the control, SimCLR on shuffled pairs, or a source"
    for source in SOURCES:
        of_source = {name: values for name, values in groups.items() if name.startswith(f"{source} ")}
        if all_above(of_source, 0.0, "score", ALPHA).outcome == "supported":
            return f"SimCLR on shuffled pairs was to learn nothing; on {source} it beats raw and random"
    return None


def learns(method: str, tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        groups = gains(rows, method)
        if len(groups) < 2 * len(SOURCES):
            return Verdict.inconclusive("the table lacks a source or a baseline that this claim needs")
        if (why := control_breaks(rows)) is not None:
            return Verdict.inconclusive(why)
        found = all_above(groups, 0.0, "score", ALPHA)
        return found if found.outcome == "supported" else naming(found, groups)

    return if_all_ok(needed(tables["table"], method, *BASELINES), decide)


def naming(found: Verdict, groups: Mapping[str, Sequence[float]]) -> Verdict:
    """The verdict, its reason naming each comparison that does not hold by itself."""
    from dataclasses import replace

    level = ALPHA / len(groups)
    failed = [name for name, values in groups.items() if not _holds(values, level)]
    return replace(found, reason=f"{found.reason}; not above: {', '.join(failed) or 'none by itself'}")


def _holds(values: Sequence[float], level: float) -> bool:
    return all_above({"": values}, 0.0, "score", level).outcome == "supported"


def collapses(method: str, tables: Tables) -> Verdict:
    """Without the piece in the range of its collapse on every source, and with it outside."""
    kind, column, _ = COLLAPSES[method]

    def decide(rows: pd.DataFrame) -> Verdict:
        if set(rows["source"]) < set(SOURCES) or set(rows["piece"]) != {"intact", "removed"}:
            return Verdict.inconclusive("the table lacks a source, or the method with or without its piece")
        if kind == "complete":
            removed, intact = pieces(rows, column)
            unit = "of a uniform spread"
            return Verdict.all_of(
                all_below(removed, LEAST_SPREAD, unit, ALPHA / 2),
                all_above(intact, LEAST_SPREAD, unit, ALPHA / 2),
            )
        removed, intact = pieces(rows, column)
        spread, _ = pieces(rows, "relative_spread")
        over_share = {
            source: removed[source].to_numpy() - SHARE_OF_RANK * intact[source].to_numpy()
            for source in removed
        }
        return Verdict.all_of(
            all_below(over_share, 0.0, "effective rank", ALPHA / 3),
            all_above(intact, LEAST_RANK, "effective rank", ALPHA / 3),
            all_above(spread, LEAST_SPREAD, "of a uniform spread", ALPHA / 3),
        )

    rows = rows_with(tables["table"], method=method, piece=("intact", "removed"))
    return if_all_ok(rows, decide)


def pieces(rows: pd.DataFrame, column: str) -> list[dict[str, pd.Series]]:
    """Values without the piece and with it, by source, replicates in order."""
    return [
        {
            source: of.sort_values("replicate")[column]
            for source, of in rows_with(rows, piece=piece).groupby("source")
        }
        for piece in ("removed", "intact")
    ]


def learns_claim(method: str) -> Claim:
    return Claim(
        id=f"learns.{method}",
        text=f"{TITLES[method]} learns what the views share.",
        source="the method's paper",
        criterion="Supported if on every source the interval of the score minus the raw inputs', and minus the random "
        "encoder's, paired by replicate, lies above 0; refuted if one lies below. The score is a ridge probe's on h: "
        "R^2 of latents (vmf) and content (content_style), accuracy of shape, position, colour and scale, averaged "
        "(images), accuracy (digits). Control: SimCLR on shuffled pairs must not pass both baselines in this score on "
        "any source.",
        verdict=lambda tables: learns(method, tables),
    )


def collapse_claim(method: str) -> Claim:
    kind, column, piece = COLLAPSES[method]
    shows = {
        "relative_spread": "spread of z on the sphere under a tenth of 1/sqrt(d)",
        "deviation": "standard deviation of z under a tenth of the 1 that the variance term holds it at",
        "effective_rank": "effective rank of z at most half of the intact one's, its spread not collapsed",
    }[column]
    return Claim(
        id=f"collapse.{method}",
        text=f"Without {piece} {TITLES[method]} collapses ({kind}), and with it not.",
        source="the method's paper; Jing et al. 2022, arXiv:2110.09348 (dimensional collapse)",
        criterion=f"Supported if on every source the interval without it lies in the collapse's range, {shows}, and "
        "with it outside; refuted if one lies wholly on the other side. The method with its piece is the control.",
        verdict=lambda tables: collapses(method, tables),
    )


CLAIMS = tuple(make(method) for make in (learns_claim, collapse_claim) for method in METHODS)


# Figure


def draw(tables: Tables) -> Figure:
    """A column a source: what each method gains over both baselines, and its space with and without its piece."""
    from mibounds.plots.style import COLORS, GREY, draw_legend, draw_mean, new_figure

    table = tables["table"]
    shown = [source for source in SOURCES if source in set(table["source"])]
    spread = table["relative_spread"].where(table["method"] != "vicreg", table["deviation"])
    table = table.assign(shown_spread=spread)
    with new_figure(3, len(shown), height=1.9, sharex=True) as (figure, axes):
        for column, source in enumerate(shown):
            top, *below = axes[:, column]
            rows = rows_with(table, source=source)
            for place, method in enumerate((*METHODS, "shuffled")):
                asked = (CONTROL, "shuffled") if method == "shuffled" else (method, "intact")
                found = gains(rows, *asked)
                for shift, baseline, color in zip((-0.15, 0.15), BASELINES, COLORS, strict=False):
                    values = found.get(f"{source} minus {baseline}", [])
                    draw_mean(top, place + shift, values, color=color, label=f"minus {baseline}")
                if method != "shuffled":
                    of_method = rows_with(rows, method=method)
                    for ax, value in zip(below, ("shown_spread", "effective_rank"), strict=True):
                        for piece, color in (("intact", COLORS[2]), ("removed", COLORS[3])):
                            values = rows_with(of_method, piece=piece)[value]
                            draw_mean(ax, place, values, color=color, label=f"{piece}: spread, rank of z")
            top.axhline(0.0, color=GREY, linewidth=0.8)
            for ax, limit in zip(below, (LEAST_SPREAD, LEAST_RANK), strict=True):
                ax.axhline(limit, color=GREY, linestyle=":", label="collapse")
                ax.set_yscale("log")
                ax.minorticks_off()
            score = "R^2" if source in ("vmf", "content_style") else "accuracy"
            top.set_title(f"{source}: {score}")
            below[-1].set_xticks(range(len(METHODS) + 1), [*TITLES.values(), "shuffled pairs"], rotation=90)
        for line, name in enumerate(
            ("gain of the probe on h", "relative spread of z", "effective rank of z")
        ):
            axes[line, 0].set_ylabel(name)
        draw_legend(figure, columns=3)
    return figure


STUDY = Study(
    slug="learning",
    version=2,
    question="Does every method learn, and does it collapse without the piece that prevents it?",
    axes={"source": SOURCES, "method": (*METHODS, *BASELINES), "piece": PIECES},
    stacked=("replicate",),
    seeds={"data": ("source",), "weights": ("source",), "evaluation": ("source",), "split": ("source",)},
    keep=keep,
    width=10,
    settings={"share_of_steps": 1.0, "n_examples": 2000},
    presets={
        "smoke": {"replicates": 1, "share_of_steps": 0.005, "n_examples": 100},
        "quick": {"replicates": 2, "n_examples": 1000},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

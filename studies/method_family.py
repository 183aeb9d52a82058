"""Method family: do methods that look unlike each other find the same, and does clustering need less of a batch?

Latents on the sphere of 6 dimensions, their second view near the first (von Mises-Fisher, kappa = 20), both seen
through a frozen network of six hidden layers. Nine methods train one encoder (three layers of 128, 128 and 64 units,
batch norm) by settings that were tuned on other seeds: four contrast samples (NT-Xent, DCL, spectral, sigmoid), two
contrast dimensions (Barlow Twins, VICReg), BYOL and SimSiam predict, SwAV compares assignments to clusters. Each starts
twice, sharing neither first weights nor pairs. What is read of h, also untrained: R^2 of the latents by a ridge probe,
and linear CKA, debiased, of the first start of one method with the second of each, on the same inputs.

The batch arms set NT-Xent against SwAV over 32 to 1,024 pairs at equal steps, and at equal samples as published
comparisons do. Rates stay: following the square root of the batch did no better on other seeds, nor did the queue that
SwAV's authors give small batches. The control, SwAV without Sinkhorn's equal shares, trained for longer, must collapse.

Known to fall short: one law of latents, one encoder, few steps; CKA sees the directions of largest variance most.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mibounds.study import (
    Cell,
    Claim,
    Measurement,
    Pack,
    Study,
    Verdict,
    all_above,
    all_below,
    all_equivalent,
    if_all_ok,
    rows_with,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from mibounds.representation.network import Network
    from mibounds.representation.sources import Source

Tables = Mapping[str, "pd.DataFrame"]

SAMPLES = {"simclr": "NT-Xent", "dcl": "DCL", "spectral": "spectral", "sigmoid": "sigmoid"}
DIMENSIONS = {"barlow_twins": "Barlow Twins", "vicreg": "VICReg"}
METHODS = SAMPLES | DIMENSIONS | {"byol": "BYOL", "simsiam": "SimSiam", "swav": "SwAV"}
UNTRAINED = "untrained"
COMPARED = ("simclr", "swav")
BATCHES = (32, 64, 128, 256, 512, 1024)
USUAL, EMBEDDING = 128, 32
ENCODER = {"hidden": (128, 128), "dim": 64, "norm": "batch"}
COOL = {"temperature": 0.1}
# Learning rate, weight decay, thousands of steps, and the method's own options.
RECIPES: dict[str, tuple[float, float, int, dict[str, Any]]] = {
    "simclr": (5e-3, 1e-3, 1, COOL),
    "dcl": (5e-3, 1e-3, 1, COOL),
    "spectral": (5e-3, 1e-3, 1, {"radius": 2.0}),
    "sigmoid": (5e-3, 1e-3, 1, COOL),
    "barlow_twins": (5e-3, 1e-3, 1, {"off_diagonal": 0.05}),
    "vicreg": (5e-3, 1e-3, 1, {"covariance": 5.0}),
    "byol": (2e-3, 3e-3, 1, {"momentum": 0.9, "predictor_hidden": 512}),
    "simsiam": (2e-3, 1e-4, 2, {"predictor_hidden": 512}),
    "swav": (2e-3, 1e-3, 1, {"temperature": 0.15, "prototypes": 256}),
}
CONTROL_LENGTH = 3


def keep(point: dict) -> bool:
    arm, method, piece = (point[axis] for axis in ("arm", "method", "piece"))
    if arm == "family":
        return point["batch_size"] == USUAL and (piece == "intact" or (method, point["start"]) == ("swav", 0))
    return method in COMPARED and piece == "intact" and point["start"] == 0


def steps_of(cell: Cell) -> int:
    if cell["arm"] == "family":
        longer = CONTROL_LENGTH if cell["piece"] == "removed" else RECIPES[cell["method"]][2]
        return longer * cell.settings["family_steps"]
    if cell["arm"] == "equal_steps":
        return cell.settings["steps"]
    return max(2, round(cell.settings["samples"] / cell["batch_size"]))


def measure(pack: Pack) -> list[Measurement]:
    """One replicate: method by method, its starts in a stack, then each first start beside all second ones."""
    from mibounds.representation.sources import load

    source = load("vmf")(6, kappa=20.0, depth=6)
    rows: dict[Cell, dict[str, Any]] = {}
    intact: dict[Any, Tensor] = {}
    for method, piece in dict.fromkeys((cell["method"], cell["piece"]) for cell in pack.cells):
        cells = [cell for cell in pack.cells if (cell["method"], cell["piece"]) == (method, piece)]
        network, status = trained(pack, source, cells)
        found, h = read(network, source, cells)
        for cell, row, how in zip(cells, found, status, strict=True):
            rows[cell] = row | ({} if how == "ok" else {"status": how})
        if piece == "intact":
            intact[method] = h
    return [Measurement(rows[cell], similarity=similarities(cell, intact)) for cell in pack.cells]


def trained(pack: Pack, source: Source, cells: Sequence[Cell]) -> tuple[Network, Sequence[str]]:
    """One method from its starts, and how its training went."""
    from mibounds.representation import methods
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.network import Network

    first, weights = cells[0], [cell.seed("weights") for cell in cells]
    layers = {"encoder_options": ENCODER, "projector_options": {"layers": 1}}
    network = Network.build(source.shape, weights, embedding=EMBEDDING, **layers).to(pack.device)
    if first["method"] == UNTRAINED:
        return network, ["ok"] * len(cells)
    cls, (rate, decay, _, options) = methods.load(first["method"]), RECIPES[first["method"]]
    broken = cls.broken if first["piece"] == "removed" else {}
    method = cls(network, weights, **options, **broken).to(pack.device)
    how = {"steps": steps_of(first), "learning_rate": rate, "weight_decay": decay}
    data, batch = [cell.seed("data") for cell in cells], first["batch_size"]
    trainer = Pretrainer(network, method, source, data, batch_size=batch, **how)
    trainer.fit()
    return network, trainer.status


def read(network: Network, source: Source, cells: Sequence[Cell]) -> tuple[list[dict[str, Any]], Tensor]:
    """A row a start, and h of clean inputs that all methods and both starts share, `R x n x d`."""
    from mibounds.representation import measuring

    n, seeds = cells[0].settings["n_examples"], [cell.seed("evaluation") for cell in cells]
    sizes = measuring.Sizes(n, n // 2, n, anchors=n // 8, pool=n // 4)
    rows = measuring.measure(network, source, seeds=seeds, sizes=sizes)
    for row in rows:
        row["relative_spread"] = row["spread"] * math.sqrt(network.dim_embedding)
    return rows, measuring.features(network, source, n // 2, seeds=seeds)[0].representation


def similarities(cell: Cell, seen: Mapping[str, Tensor]) -> list[dict[str, Any]]:
    """A row a method: CKA of this one's first start with that one's second."""
    if (cell["arm"], cell["piece"], cell["start"]) != ("family", "intact", 0):
        return []
    found = {other: cka(seen[cell["method"]][0], h[1]) for other, h in seen.items()}
    says = ("a representation is constant or not finite", "ok")
    return [{"other": o, "cka": value, "status": says[math.isfinite(value)]} for o, value in found.items()]


def cka(a: Tensor, b: Tensor) -> float:
    from mibounds.errors import DataError
    from mibounds.representation.geometry import linear_cka

    try:
        return float(linear_cka(a, b, debiased=True))
    except DataError:
        return math.nan


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 5
ALPHA = 0.05 / N_CLAIMS
LEAST_SPREAD, MARGIN_R2, MARGIN_CKA = 0.1, 0.03, 0.05


def slopes(rows: pd.DataFrame) -> pd.Series | None:
    """Of each replicate: accuracy's least-squares slope in points a doubling of the batch. None without all batches."""
    points = 100 * rows.pivot(index="replicate", columns="batch_size", values="accuracy")
    if not set(BATCHES) <= set(points) or points.isna().any(axis=None):
        return None
    doublings = np.log2(points.columns.to_numpy(dtype=float))
    return points.apply(lambda of: np.polyfit(doublings, of, 1)[0], axis=1)


def needs_less_of_a_batch(arm: str, tables: Tables) -> Verdict:
    """NT-Xent's slope minus SwAV's above 0, provided that SwAV collapses without equal shares, and not with them."""

    def decide(rows: pd.DataFrame) -> Verdict:
        spread = by_method(rows_with(rows, arm="family"), "piece", "relative_spread")
        if not {"intact", "removed"} <= set(spread):
            return Verdict.inconclusive("the table lacks the control, SwAV with and without equal shares")
        control = Verdict.all_of(
            all_below({"without equal shares": spread["removed"]}, LEAST_SPREAD, "of a uniform one", ALPHA),
            all_above({"with equal shares": spread["intact"]}, LEAST_SPREAD, "of a uniform one", ALPHA),
        )
        if control.outcome != "supported":
            why = f"{control.reason} it is {control.effect:.3f} of a uniform one, {control.outcome}"
            return Verdict.inconclusive(f"the spread was to be gone without equal shares alone; {why}")
        gained, by_swav = (slopes(rows_with(rows, arm=arm, method=method)) for method in COMPARED)
        if gained is None or by_swav is None:
            return Verdict.inconclusive("the table lacks a batch that the slopes need")
        return all_above({"NT-Xent minus SwAV": gained - by_swav}, 0.0, "points a doubling", ALPHA)

    table = tables["table"]
    control = (table["arm"] == "family") & (table["method"] == "swav")
    return if_all_ok(table[control | (table["arm"] == arm)], decide)


def by_method(rows: pd.DataFrame, axis: str = "method", value: str = "latent_r2") -> pd.DataFrame:
    """Replicates down, methods or pieces across, the mean of the two starts."""
    return rows.pivot_table(index="replicate", columns=axis, values=value)


def families_agree(tables: Tables) -> Verdict:
    """R^2 of each that contrasts samples minus each that contrasts dimensions, if the margin can tell an untrained."""
    needed = (*SAMPLES, *DIMENSIONS, UNTRAINED)

    def decide(rows: pd.DataFrame) -> Verdict:
        r2 = by_method(rows)
        if not set(needed) <= set(r2):
            return Verdict.inconclusive("the table lacks a method, or the untrained encoder")
        over = {METHODS[m]: r2[m] - r2[UNTRAINED] for m in (*SAMPLES, *DIMENSIONS)}
        control = all_above(over, MARGIN_R2, "R^2", ALPHA)
        if control.outcome != "supported":
            why = f"{control.reason}: {control.effect:.3f}"
            return Verdict.inconclusive(f"an untrained encoder was to lie over 0.03 lower; {why}")
        pairs = itertools.product(SAMPLES, DIMENSIONS)
        groups = {f"{METHODS[a]} minus {METHODS[b]}": r2[a] - r2[b] for a, b in pairs}
        return all_equivalent(groups, MARGIN_R2, "R^2", ALPHA)

    return if_all_ok(rows_with(tables["table"], arm="family", piece="intact", method=needed), decide)


Alike = dict[tuple[str, str], "pd.Series"]


def likeness(rows: pd.DataFrame) -> Alike:
    """CKA of each two methods, and of one's two starts, by replicate: the mean of both orders."""
    by_pair = rows.pivot(index="replicate", columns=["method", "other"], values="cka")
    return {(a, b): (by_pair[a, b] + by_pair[b, a]) / 2 for a, b in by_pair if (b, a) in by_pair}


def all_pairs(tables: Tables, excess: Callable[[Alike, str, str], pd.Series], threshold: float) -> Verdict:
    """The excess above the threshold for each two of the nine methods."""

    def decide(rows: pd.DataFrame) -> Verdict:
        alike = likeness(rows)
        if len(alike) < (len(METHODS) + 1) ** 2:
            return Verdict.inconclusive("the table lacks a method, or the untrained encoder")
        pairs = itertools.combinations(METHODS, 2)
        groups = {f"{METHODS[a]} and {METHODS[b]}": excess(alike, a, b) for a, b in pairs}
        return all_above(groups, threshold, "CKA", ALPHA)

    return if_all_ok(tables.get("similarity", tables["table"].iloc[:0]), decide)


def training_makes_alike(tables: Tables) -> Verdict:
    return all_pairs(tables, lambda c, a, b: c[a, b] - np.maximum(c[a, UNTRAINED], c[b, UNTRAINED]), 0.0)


def one_solution(tables: Tables) -> Verdict:
    return all_pairs(tables, lambda c, a, b: c[a, b] - (c[a, a] + c[b, b]) / 2, -MARGIN_CKA)


TEXT = "Contrastive Learning Theory"


def batch_claim(arm: str) -> Claim:
    return Claim(
        id=f"C11.{arm}",
        text="SwAV clusters instead of discriminating instances: it needs less of a batch.",
        source=f"{TEXT}; Caron et al. 2020, arXiv:2006.09882",
        criterion=f"Supported if, over batches of 32 to 1,024 at {arm.replace('_', ' ')}, NT-Xent's slope of accuracy "
        "minus SwAV's, in points a doubling, lies above 0 as an interval (paired); refuted if below. Control: without "
        "Sinkhorn the spread of SwAV's z must fall under a tenth of 1/sqrt(d), and with it not.",
        verdict=lambda tables: needs_less_of_a_batch(arm, tables),
    )


CLAIMS = (
    batch_claim("equal_steps"),
    batch_claim("equal_samples"),
    Claim(
        id="C14.accuracy",
        text="All variants keep the core principle: contrasting samples or dimensions comes to the same.",
        source=f"{TEXT}; Garrido et al. 2023, arXiv:2206.02574",
        criterion="Supported if R^2 of the latents of each of NT-Xent, DCL, spectral and sigmoid is within 0.03 of "
        "Barlow Twins' and of VICReg's, as intervals (paired); refuted if one lies wholly outside. Control: each must "
        "be more than 0.03 above an untrained encoder.",
        verdict=families_agree,
    ),
    Claim(
        id="C14.direction",
        text="All variants keep the core principle: training makes them alike.",
        source=TEXT,
        criterion="Supported if for each two of the nine methods the CKA of their solutions lies above the larger of "
        "theirs with an untrained encoder, as intervals (paired); refuted if one lies below.",
        verdict=training_makes_alike,
    ),
    Claim(
        id="C14.solutions",
        text="All variants keep the core principle: two of them end as alike as one of them from two starts.",
        source=TEXT,
        criterion="Supported if for each two of the nine methods the CKA of their solutions is at most 0.05 below the "
        "mean of their own, of two starts, as intervals (paired); refuted if one lies wholly lower.",
        verdict=one_solution,
    ),
)


# Figure


def draw(tables: Tables) -> Figure:
    """What each method finds, how alike they are, and its space above; accuracy over the batch below."""
    from mibounds.plots.style import COLORS, GREY, draw_legend, draw_mean, new_figure

    table = tables["table"].assign(percent=lambda rows: 100 * rows["accuracy"])
    family, removed = (rows_with(table, arm="family", piece=piece) for piece in ("intact", "removed"))
    with new_figure(2, 3, height=2.7) as (figure, axes):
        draw_methods(axes[0, 0], family, "latent_r2", "R^2", "latents, probe on h")
        draw_similarities(axes[0, 1], tables["similarity"])
        draw_methods(axes[0, 2], family, "relative_spread", "spread of a uniform one", "spread of z")
        broken = by_method(removed, value="relative_spread")["swav"]
        draw_mean(axes[0, 2], len(METHODS) - 1, broken, color=COLORS[3], label="SwAV without Sinkhorn")
        axes[0, 2].axhline(LEAST_SPREAD, color=GREY, linestyle=":", label="collapse")
        axes[0, 2].set_yscale("log")
        for ax, arm in zip(axes[1], ("equal_steps", "equal_samples"), strict=False):
            draw_batches(ax, rows_with(table, arm=arm), f"accuracy at {arm.replace('_', ' ')}")
        draw_methods(axes[1, 2], family, "representation_effective_rank", "effective rank", "rank of h")
        draw_legend(figure, columns=4)
    return figure


def draw_methods(ax: Any, rows: pd.DataFrame, value: str, name: str, title: str) -> None:
    """Mean and interval over replicates, each the mean of two starts; the untrained encoder as a line."""
    from mibounds.plots.style import COLORS, GREY, draw_mean

    kinds = dict.fromkeys(SAMPLES, (COLORS[0], "contrasts samples"))
    kinds |= dict.fromkeys(DIMENSIONS, (COLORS[1], "contrasts dimensions"))
    kinds |= dict.fromkeys(("byol", "simsiam"), (COLORS[2], "predicts")) | {"swav": (COLORS[4], "clusters")}
    found = by_method(rows, value=value)
    for place, method in enumerate(METHODS):
        color, label = kinds[method]
        draw_mean(ax, place, found[method], color=color, label=label)
    ax.axhline(found[UNTRAINED].mean(), color=GREY, linestyle="--", label="untrained encoder")
    ax.set_xticks(range(len(METHODS)), METHODS.values(), rotation=90)
    ax.set(ylabel=name, title=title)


def draw_similarities(ax: Any, rows: pd.DataFrame) -> None:
    """Mean CKA of first starts (down) and second starts (across)."""
    shown, names = [*METHODS, UNTRAINED], [*METHODS.values(), UNTRAINED]
    values = rows.pivot_table(index="method", columns="other", values="cka").loc[shown, shown].to_numpy()
    ax.imshow(values, cmap="viridis", vmin=0.5, vmax=1, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        color = "white" if value < 0.8 else "black"
        ax.text(j, i, f"{100 * value:.0f}", ha="center", va="center", fontsize=5, color=color)
    ax.set_xticks(range(len(shown)), names, rotation=90)
    ax.set_yticks(range(len(shown)), names)
    ax.set_title("CKA of two starts (hundredths)")


def draw_batches(ax: Any, rows: pd.DataFrame, title: str) -> None:
    from mibounds.plots.style import COLORS, draw_intervals

    for method, color in zip(COMPARED, (COLORS[0], COLORS[4]), strict=True):
        of, label = rows_with(rows, method=method), f"{METHODS[method]}, over batches"
        draw_intervals(ax, of, x="batch_size", y="percent", color=color, label=label)
    shown = sorted(rows["batch_size"].unique())
    ax.set_xscale("log", base=2)
    ax.set_xticks(shown, map(str, shown))
    ax.set(xlabel="batch (pairs)", ylabel="accuracy (%)", title=title)


SMALL = {"batch_size": (32, 128)}
STUDY = Study(
    slug="method_family",
    question="Do methods that look unlike each other find the same, and does clustering need less of a batch?",
    axes={
        "arm": ("family", "equal_steps", "equal_samples"),
        "batch_size": BATCHES,
        "method": (*METHODS, UNTRAINED),
        "piece": ("intact", "removed"),
        "start": (0, 1),
    },
    stacked=("method", "piece", "start"),
    seeds={"data": ("start",), "weights": ("start",), "evaluation": ()},
    keep=keep,
    width=2 * (len(METHODS) + 2),
    settings={"family_steps": 1000, "steps": 300, "samples": 76_800, "n_examples": 2000},
    presets={
        "smoke": SMALL | {"replicates": 1, "steps": 2, "samples": 64, "family_steps": 2, "n_examples": 160},
        "quick": SMALL | {"replicates": 2, "steps": 40, "samples": 6400, "family_steps": 100},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

"""Negatives needed: how does the K that is enough grow with dimension and difficulty, and by which law?

Latents on the sphere of R^d, d = 2 to 32, seen through a frozen network, with mutual information in two arms: 0.375
nats a dimension, and 4 nats whatever the dimension. Two more arms change the embedding's dimension at d = 8, and
shuffle the pairs. Batches of 128 pairs at every K. Each model is read at two budgets of steps, at a constant rate.

K* is the least K whose value lies within a margin of the largest K's: isotonic regression of the replicates' mean on
log2 K, interpolated, resampled over replicates. It is censored below if the smallest K is enough, and above if the last
doubling still gains more than the margin. Four laws are fitted to ln K* at the smaller d, censoring included, and
judged by how well they predict the two largest: a constant c; ln(a + b ln d), which is the text's; c + a ln d; c + a d.
The bound's own K*, at which the true density ratio shows 95% of the MI, is computed exactly ("oracle").
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mibounds import theory
from mibounds.study import (
    Cell,
    Claim,
    Measurement,
    Pack,
    Study,
    Verdict,
    all_above,
    if_all_ok,
    provided,
    rows_with,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mibounds.representation.network import Network
    from mibounds.representation.sources import Source

Tables = Mapping[str, "pd.DataFrame"]
Array = np.ndarray

DIMS = (2, 4, 8, 16, 32)
N_NEGATIVES = (1, 3, 7, 15, 31, 63, 127, 254)
NATS_A_DIMENSION, NATS = 0.375, 4.0
BY_DIMENSION = ("nats_a_dimension", "constant_nats")
EMBEDDING, NARROW_DIM = 32, 8
EMBEDDINGS = (8, 16, 64)
CLASSES = (2, 10, 50)
BOUND_SHARE = 0.95
ORACLE_SIZES = tuple(2**power for power in range(1, 21))


def keep(point: dict) -> bool:
    """All dimensions at the usual embedding; other embeddings and shuffled pairs at one dimension."""
    if point["arm"] in BY_DIMENSION:
        return point["embedding"] == EMBEDDING
    if point["dim"] != NARROW_DIM:
        return False
    return (point["embedding"] == EMBEDDING) == (point["arm"] == "shuffled")


def nats_of(arm: str, dim: int) -> float:
    return NATS_A_DIMENSION * dim if arm == "nats_a_dimension" else NATS


def source_of(cell: Cell, n_classes: int = 10) -> Source:
    from mibounds.representation.sources import load

    dim = cell["dim"]
    return load("vmf")(dim, theory.vmf_concentration(dim, nats_of(cell["arm"], dim)), n_classes=n_classes)


def measure(pack: Pack) -> list[Measurement]:
    """One stack of K, read at each budget; the oracle's exact expectations once a dimension."""
    from mibounds.representation import methods
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.network import Network
    from mibounds.representation.sources import Shuffled

    cells, settings = pack.cells, pack.settings
    source = source_of(cells[0])
    weights = [cell.seed("weights") for cell in cells]
    network = Network.build(source.shape, weights, embedding=cells[0]["embedding"]).to(pack.device)
    n_negatives = [cell["n_negatives"] for cell in cells]
    method = methods.load("simclr")(network, weights, temperature=1 / source.kappa, n_negatives=n_negatives)
    trainer = Pretrainer(
        network,
        method.to(pack.device),
        Shuffled(source) if cells[0]["arm"] == "shuffled" else source,
        [cell.seed("data") for cell in cells],
        batch_size=settings["batch_size"],
        steps=settings["long_steps"],
        learning_rate=settings["learning_rate"],
        schedule="constant",
    )
    rows: list[list[dict]] = [[] for _ in cells]
    for steps in (settings["short_steps"], settings["long_steps"]):
        trainer.fit(steps - trainer.steps_done)
        for of_cell, found, status in zip(rows, measured(pack, network), trainer.status, strict=True):
            of_cell.append({"budget_steps": steps, **found, "status": status})
    exact = oracle_rows(cells[0])
    return [Measurement(of_cell, oracle=exact if c == 0 else []) for c, of_cell in enumerate(rows)]


MEASURED = (
    "truth_nats",
    "estimate_nats",
    "oracle_nats",
    "ceiling_nats",
    "best_temperature_estimate_nats",
    "latent_r2",
    "alignment",
    "uniformity",
    "effective_rank",
    "representation_effective_rank",
)


def measured(pack: Pack, network: Network) -> list[dict[str, Any]]:
    """Accuracy on labels of several difficulties; the rest is the same whatever the label."""
    from mibounds.representation.measuring import Sizes
    from mibounds.representation.measuring import measure as measure_models

    cell, n = pack.cells[0], pack.settings["n_examples"]
    sizes = Sizes(n, n // 2, n, anchors=pack.settings["n_anchors"], pool=1023)
    read = {"seeds": [of.seed("evaluation") for of in pack.cells], "sizes": sizes}
    rows: list[dict[str, Any]] = [{"n_candidates": of["n_negatives"] + 1} for of in pack.cells]
    for n_classes in CLASSES:
        source, usual = source_of(cell, n_classes), n_classes == 10
        options = {"temperature": 1 / source.kappa} if usual else {"held_out": False}
        for row, found in zip(rows, measure_models(network, source, **read, **options), strict=True):
            row[f"accuracy_{n_classes}_classes"] = found["accuracy"]
            if usual:
                row |= {name: found[name] for name in MEASURED}
    return rows


def oracle_rows(cell: Cell) -> list[dict[str, Any]]:
    """E[InfoNCE] with the true density ratio at many K, by integration; for the first replicate, since it is exact."""
    if cell["replicate"] > 0 or cell["arm"] not in BY_DIMENSION:
        return []
    dim, nats = cell["dim"], nats_of(cell["arm"], cell["dim"])
    kappa = theory.vmf_concentration(dim, nats)
    return [
        {
            "n_candidates": k,
            "exact_nats": theory.info_nce_oracle_vmf(dim, kappa, k),
            "truth_nats": nats,
            "status": "ok",
        }
        for k in ORACLE_SIZES
    ]


# K*, from replicates x K


def least_enough(values: Array, log_k: Array, margin: float) -> tuple[float, int]:
    """ln K* of one mean curve, and -1 if it is censored below, 1 if above, else 0."""
    from scipy.optimize import isotonic_regression

    curve = isotonic_regression(values).x
    enough = curve[-1] - margin
    if curve[0] >= enough:
        return float(log_k[0]), -1
    if curve[-1] - curve[-2] > margin:
        return float(log_k[-1]), 1
    first = int(np.argmax(curve >= enough))
    low, high = curve[first - 1], curve[first]
    share = (enough - low) / (high - low)
    return float(log_k[first - 1] + share * (log_k[first] - log_k[first - 1])), 0


N_RESAMPLES = 200


def resampled(table: pd.DataFrame, margin: float) -> tuple[Array, Array]:
    """ln K* and its censoring, of the mean and then of resamples over replicates: `1 + N_RESAMPLES` each."""
    values, log_k = table.to_numpy(), np.log(table.columns.to_numpy(dtype=float))
    draws = np.random.default_rng(0).integers(len(values), size=(N_RESAMPLES, len(values)))
    means = [values.mean(0), *(values[draw].mean(0) for draw in draws)]
    log_k_star, censored = zip(*(least_enough(mean, log_k, margin) for mean in means), strict=True)
    return np.array(log_k_star), np.array(censored)


def curve_of(rows: pd.DataFrame, value: str) -> pd.DataFrame:
    return rows.pivot(index="replicate", columns="n_candidates", values=value)


# Laws of ln K* over d: parameters on a grid, so that the fit is the same everywhere


def law_grids() -> dict[str, tuple[Array, Any]]:
    """Name -> parameters `p x 2`, and ln K*(d) of them, `p`."""

    def grid(first: Array, second: Array) -> Array:
        return np.stack(np.meshgrid(first, second, indexing="ij"), -1).reshape(-1, 2)

    level, slope = np.linspace(-4, 12, 81), np.linspace(-2, 6, 81)
    counts = np.concatenate([-np.geomspace(0.5, 500, 30), [0.0], np.geomspace(0.5, 2000, 50)])
    return {
        "constant": (grid(level, np.zeros(1)), lambda p, d: p[:, 0] + 0 * p[:, 1]),
        "ln(a + b ln d)": (
            grid(counts, np.geomspace(0.1, 2000, 80)),
            lambda p, d: np.log(np.maximum(p[:, 0] + p[:, 1] * math.log(d), 1e-3)),
        ),
        "c + a ln d": (grid(level, slope), lambda p, d: p[:, 0] + p[:, 1] * math.log(d)),
        "c + a d": (grid(level, slope / 8), lambda p, d: p[:, 0] + p[:, 1] * d),
    }


TEXT_LAW = "ln(a + b ln d)"
SCATTER = 0.35  # of ln K* around a law, half a doubling: the grid of K is no finer


def log_density(predicted: Array, log_k_star: Array, censored: Array, scatter: float) -> Array:
    """Gaussian, or its tail where K* is censored: `... x resamples`."""
    from scipy.special import log_ndtr

    z = (log_k_star - predicted) / scatter
    found = -(z**2) / 2 - math.log(scatter * math.sqrt(2 * math.pi))
    for side in (-1, 1):
        found[..., censored == side] = log_ndtr(-side * z[..., censored == side])
    return found


def predictive(dims: Sequence[int], log_k_star: Array, censored: Array, errors: Array) -> dict[str, Array]:
    """Log predictive density of the two largest d by each law fitted to the others, one a resample.

    log_k_star, censored: `dims x resamples`; errors: `dims`, standard errors of ln K*.
    """
    scatter = np.sqrt(errors**2 + SCATTER**2)
    found = {}
    for name, (parameters, law) in law_grids().items():
        curves = np.stack([law(parameters, d) for d in dims])  # dims x p
        fit = sum(
            log_density(curves[i][:, None], log_k_star[i], censored[i], scatter[i])
            for i in range(len(dims) - 2)
        )
        best = np.argmax(fit, axis=0)
        found[name] = sum(
            log_density(curves[i][best], log_k_star[i], censored[i], scatter[i]) for i in (-2, -1)
        )
    return found


def judge_laws(
    dims: Sequence[int], log_k_star: Array, censored: Array, errors: Array, where: str, alpha: float
) -> Verdict:
    """The text's law minus its best rival: supported above 0, refuted below, by the interval over resamples."""
    found = predictive(dims, log_k_star, censored, errors)
    rivals = {name: values for name, values in found.items() if name != TEXT_LAW}
    rival = max(rivals, key=lambda name: rivals[name][0])
    difference = found[TEXT_LAW] - rivals[rival]
    low, high = (
        np.quantile(difference[1:], [alpha / 2, 1 - alpha / 2]) if difference.size > 1 else difference[[0, 0]]
    )
    k_star = ", ".join(
        f"{'<' if c < 0 else '>' if c > 0 else ''}{math.exp(v):.0f}"
        for v, c in zip(log_k_star[:, 0], censored[:, 0], strict=True)
    )
    reason = f"{where}: K* = {k_star} at d = {', '.join(map(str, dims))}; best rival {rival}"
    return Verdict.above(difference[0], low, high, 0.0, "log predictive density", reason)


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 3
ALPHA = 0.05 / N_CLAIMS
MARGIN_R2, MARGIN_ACCURACY = 0.01, 0.01


def intact(tables: Tables) -> pd.DataFrame:
    return rows_with(tables["table"], arm=BY_DIMENSION)


def no_k_is_enough_for_shuffled(tables: Tables) -> Verdict:
    """R^2 of intact pairs at the largest K minus that of shuffled ones at each K: above the margin at both budgets.

    That shuffled pairs do not rise with K would ask too much: a small K harms h more than a large one.
    """

    def decide(rows: pd.DataFrame) -> Verdict:
        lost = {}
        for budget, of in rows.groupby("budget_steps"):
            plateau = curve_of(rows_with(of, arm="constant_nats"), "latent_r2").iloc[:, -1]
            shuffled = curve_of(rows_with(of, arm="shuffled"), "latent_r2")
            lost |= {f"{budget} steps, K = {k}": plateau - values for k, values in shuffled.items()}
        return all_above(lost, MARGIN_R2, "R^2")

    rows = rows_with(tables["table"], arm=("constant_nats", "shuffled"), dim=NARROW_DIM, embedding=EMBEDDING)
    return if_all_ok(rows, decide)


def grows_as_the_text_says(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        control = no_k_is_enough_for_shuffled(tables)
        return provided(control, "for shuffled pairs no K was to be enough", lambda: laws(rows))

    def laws(rows: pd.DataFrame) -> Verdict:
        dims = sorted(rows["dim"].unique())
        if len(dims) < 4 or rows["replicate"].nunique() < 2:
            return Verdict.inconclusive(
                "a law is chosen from four dimensions or more, and several replicates"
            )
        parts = []
        for (arm, budget), of in rows.groupby(["arm", "budget_steps"]):
            stars = [resampled(curve_of(rows_with(of, dim=d), "latent_r2"), MARGIN_R2) for d in dims]
            log_k_star, censored = (np.stack(part) for part in zip(*stars, strict=True))
            errors = log_k_star[:, 1:].std(1)
            parts.append(judge_laws(dims, log_k_star, censored, errors, f"{arm}, {budget} steps", ALPHA / 4))
        return Verdict.all_of(*parts)

    return if_all_ok(intact(tables), decide)


def harder_tasks_need_more(tables: Tables) -> Verdict:
    """ln K* for 50 classes minus that for 2, over the same models, from the longer training; each dimension and arm."""

    def decide(rows: pd.DataFrame) -> Verdict:
        if rows["replicate"].nunique() < 2:
            return Verdict.inconclusive("one replicate has no interval", "ln K*")
        rows = rows[rows["budget_steps"] == rows["budget_steps"].max()]
        groups = list(rows.groupby(["arm", "dim"]))
        parts = []
        for (arm, dim), of in groups:
            few, many = (
                resampled(curve_of(of, f"accuracy_{c}_classes"), MARGIN_ACCURACY)[0]
                for c in (CLASSES[0], CLASSES[-1])
            )
            level = ALPHA / len(groups)
            low, high = np.quantile((many - few)[1:], [level / 2, 1 - level / 2])
            parts.append(Verdict.above(many[0] - few[0], low, high, 0.0, "ln K*", f"{arm}, d = {dim}"))
        return Verdict.all_of(*sorted(parts, key=lambda part: part.effect))

    return if_all_ok(intact(tables), decide)


def oracle_stars(table: pd.DataFrame) -> tuple[list[int], Array, Array]:
    """Exact ln K* at which the true density ratio shows 95% of the MI: dims, `dims x 1` twice."""
    dims, stars, censored = sorted(table["dim"].unique()), [], []
    for dim in dims:
        of = rows_with(table, dim=dim).sort_values("n_candidates")
        log_k, share = (
            np.log(of["n_candidates"].to_numpy(dtype=float)),
            (of["exact_nats"] / of["truth_nats"]).to_numpy(),
        )
        reached = share[-1] >= BOUND_SHARE
        stars.append(float(np.interp(BOUND_SHARE, share, log_k)) if reached else float(log_k[-1]))
        censored.append(0 if reached else 1)
    return dims, np.array(stars)[:, None], np.array(censored)[:, None]


def bound_grows_as_the_text_says(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        parts = []
        for arm, of in rows.groupby("arm"):
            dims, stars, censored = oracle_stars(of)
            if len(dims) < 4:
                return Verdict.inconclusive("a law is chosen from four dimensions or more")
            parts.append(judge_laws(dims, stars, censored, np.zeros(len(dims)), f"{arm}, exact", ALPHA))
        return Verdict.all_of(*parts)

    return if_all_ok(tables["oracle"], decide)


TEXT = "The number of negatives needed scales roughly logarithmically with"
LAW = (
    "Supported if ln(a + b ln d), fitted to ln K* at the smaller dimensions, predicts the two largest better than a "
    "constant, c + a ln d and c + a d do: the interval of the difference in log predictive density to the best rival "
    "above 0; refuted if it lies below; else undecided. "
)
CLAIMS = (
    Claim(
        id="C9.dimension",
        text=f"{TEXT} the dimensionality of the data.",
        source="Contrastive Learning Theory",
        criterion=LAW
        + "K* from the latents' R^2, margin 0.01 of the plateau; in both arms of information and at both "
        "budgets. Shuffled pairs must at every K stay more than the margin below what intact ones reach (d = 8).",
        verdict=grows_as_the_text_says,
    ),
    Claim(
        id="C9.difficulty",
        text=f"{TEXT} the difficulty of the task: harder tasks need more.",
        source="Contrastive Learning Theory",
        criterion="Supported if ln K* for 50 classes minus ln K* for 2, margin a point of accuracy, lies above 0 in "
        "every dimension and arm, on the same models; refuted if it lies below 0 in one.",
        verdict=harder_tasks_need_more,
    ),
    Claim(
        id="C9.bound",
        text=f"{TEXT} the dimensionality, for the bound itself to be tight.",
        source="Contrastive Learning Theory",
        criterion=LAW
        + "K* at which the exact expectation of InfoNCE with the true density ratio is 95% of the MI.",
        verdict=bound_grows_as_the_text_says,
    ),
)


# Figure


def draw(tables: Tables) -> Figure:
    """Top: R^2 over K, a curve a dimension. Below: K* against dimension, of the representation and of the bound."""
    from mibounds.plots.style import COLORS, draw_intervals, draw_legend, new_figure

    table = tables["table"]
    with new_figure(2, 3, height=2.4) as (figure, axes):
        longest = table[table["budget_steps"] == table["budget_steps"].max()]
        for ax, arm in zip(axes[0], (*BY_DIMENSION, "embedding"), strict=True):
            rows = rows_with(longest, arm=arm)
            by = "embedding" if arm == "embedding" else "dim"
            for color, (size, of) in zip(COLORS, rows.groupby(by), strict=False):
                label = f"embedding {size}" if by == "embedding" else f"d = {size}"
                draw_intervals(ax, of, x="n_candidates", y="latent_r2", color=color, label=label)
            ax.set(
                xscale="log",
                xlabel="candidates K in training",
                ylabel="R^2 of the latents",
                title=TITLES[arm],
            )
        draw_stars(axes[1, 0], table, "latent_r2", MARGIN_R2, "K* of the latents' R^2")
        draw_difficulty(axes[1, 1], longest)
        for color, arm in zip(COLORS, BY_DIMENSION, strict=False):
            dims, stars, _ = oracle_stars(rows_with(tables["oracle"], arm=arm))
            axes[1, 2].plot(dims, np.exp(stars).ravel(), "o-", color=color, markersize=3, label=TITLES[arm])
        axes[1, 2].set(ylabel="K*", title="K* of the bound, exact")
        over_sizes(axes[1, 2], DIMS, "latent dimension d")
        draw_legend(figure, columns=4)
    return figure


TITLES = {
    "nats_a_dimension": "0.375 nats a dimension",
    "constant_nats": "4 nats in all",
    "embedding": "4 nats, d = 8",
}


def draw_stars(ax: Any, table: pd.DataFrame, value: str, margin: float, title: str) -> None:
    """K* with its resamples' 95% interval, a line an arm and budget."""
    from mibounds.plots.style import COLORS

    for color, arm in zip(COLORS, BY_DIMENSION, strict=False):
        for style, (steps, of) in zip(
            (":", "-"), rows_with(table, arm=arm).groupby("budget_steps"), strict=False
        ):
            dims = sorted(of["dim"].unique())
            stars = [np.exp(resampled(curve_of(rows_with(of, dim=d), value), margin)[0]) for d in dims]
            low, high = np.quantile(np.stack(stars), [0.025, 0.975], axis=1)
            middle = np.array([star[0] for star in stars])
            reach = np.abs(np.stack([middle - low, high - middle]))
            label = f"{TITLES[arm]}, {steps} steps"
            ax.errorbar(
                dims, middle, reach, color=color, linestyle=style, marker="o", markersize=3, label=label
            )
    ax.set(ylabel="K*", title=title)
    over_sizes(ax, DIMS, "latent dimension d")


def draw_difficulty(ax: Any, longest: pd.DataFrame) -> None:
    """K* of the accuracy over the number of classes, a line a dimension, at constant information."""
    from mibounds.plots.style import COLORS

    for color, (dim, of) in zip(COLORS, rows_with(longest, arm="constant_nats").groupby("dim"), strict=False):
        stars = [
            math.exp(resampled(curve_of(of, f"accuracy_{c}_classes"), MARGIN_ACCURACY)[0][0]) for c in CLASSES
        ]
        ax.plot(CLASSES, stars, "o-", color=color, markersize=3, label=f"d = {dim}")
    ax.set(ylabel="K*", title="K* of the accuracy, 4 nats")
    over_sizes(ax, CLASSES, "classes")


def over_sizes(ax: Any, sizes: Sequence[int], name: str) -> None:
    """Both axes logarithmic; along the lower one just the sizes there are."""
    ax.set(xscale="log", yscale="log", xlabel=name)
    ax.set_xticks(sizes, [str(size) for size in sizes])
    ax.minorticks_off()


STUDY = Study(
    slug="negatives_needed",
    version=2,
    question="How does the number of negatives that is enough grow with dimension and difficulty?",
    axes={
        "arm": (*BY_DIMENSION, "embedding", "shuffled"),
        "dim": DIMS,
        "embedding": tuple(sorted({EMBEDDING, *EMBEDDINGS})),
        "n_negatives": N_NEGATIVES,
    },
    stacked=("n_negatives",),
    seeds={"data": ("dim",), "weights": ("dim",), "evaluation": ("dim",)},
    keep=keep,
    settings={
        "batch_size": 128,
        "short_steps": 300,
        "long_steps": 900,
        "learning_rate": 1e-3,
        "n_examples": 1500,
        "n_anchors": 512,
    },
    presets={
        "smoke": {
            "replicates": 1,
            "dim": (2, 8),
            "n_negatives": (1, 15, 254),
            "short_steps": 2,
            "long_steps": 4,
            "n_examples": 300,
            "n_anchors": 64,
        },
        "quick": {"replicates": 2, "short_steps": 100, "long_steps": 300},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

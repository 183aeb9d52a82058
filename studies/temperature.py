"""Temperature: does the best one follow the data, as theory says, and how much does it matter?

Latents z on the sphere of R^3, z' ~ vMF(z, kappa), seen through a frozen network. Where the embedding has the
latents' own three dimensions ("exact"), the critic z.z'/tau is well specified at tau = 1/kappa and theory puts the
optimum there. Where it has more ("wide"), it can spend length in the further dimensions, and theory says that any
tau <= 1/kappa does as well. These two start at 8/kappa for a third of the steps: started cold, near 1/kappa, an encoder
often folds the sphere onto itself and stays so, which is the optimiser's failure; "cold" shows it at one kappa.
"learned" trains tau with the network from three starts. "images" are digits.

K = 513 candidates, both in training (two views of 257 pairs) and in what is read, on pairs that trained nothing. The
temperatures are 1/8 to 8 times 1/kappa in twelve steps of a factor 1.46, and 0.02 to 2 on digits, the range that SimCLR
(0.05 to 1) and MoCo (0.07) were tuned in, and beyond it at both ends.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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
    all_equivalent,
    best_by_others,
    if_all_ok,
    rows_with,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mibounds.representation.sources import Source

Tables = Mapping[str, "pd.DataFrame"]
Array = np.ndarray

DIM = 3
EMBEDDING = {"exact": DIM, "wide": 8, "cold": DIM, "learned": DIM, "images": 32}
KAPPAS = (5.0, 10.0, 20.0, 50.0, 100.0)
N_STEPS = 12
STARTS = (0, 5, 11)  # of a learned temperature
WIDE_KAPPAS = (10.0, 50.0)
COLD_KAPPAS = (20.0,)
HOT = 8.0  # times 1/kappa


def keep(point: dict) -> bool:
    arm, kappa = point["arm"], point["kappa"]
    if arm == "images":  # they have no kappa; their cells stand at the first
        return kappa == KAPPAS[0]
    if arm == "learned":
        return point["step"] in STARTS
    return kappa in {"exact": KAPPAS, "wide": WIDE_KAPPAS, "cold": COLD_KAPPAS}[arm]


def temperature_of(arm: str, kappa: float, step: int) -> float:
    """1/8 to 8 times 1/kappa; on digits 0.02 to 2."""
    position = 2 * step / (N_STEPS - 1) - 1
    return 0.2 * 10**position if arm == "images" else 8**position / kappa


def source_of(cell: Cell) -> Source:
    from mibounds.representation.sources import load

    return load("digits")() if cell["arm"] == "images" else load("vmf")(DIM, cell["kappa"])


def measure(pack: Pack) -> list[Measurement]:
    """One stack of temperatures: the same first weights, the same pairs at each step."""
    from mibounds.representation import methods
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.measuring import Sizes, held_out_bound
    from mibounds.representation.measuring import measure as measure_models
    from mibounds.representation.network import Network
    from mibounds.representation.sources import Shuffled

    cells, settings, arm = pack.cells, pack.settings, pack.cells[0]["arm"]
    source = source_of(cells[0])
    weights = [cell.seed("weights") for cell in cells]
    network = Network.build(source.shape, weights, embedding=EMBEDDING[arm]).to(pack.device)
    starts = [temperature_of(arm, cell["kappa"], cell["step"]) for cell in cells]
    method = methods.load("simclr")(
        network, weights, temperature=starts, learn_temperature=arm == "learned"
    ).to(pack.device)
    trainer = Pretrainer(
        network,
        method,
        source,
        [cell.seed("data") for cell in cells],
        batch_size=settings["batch_size"],
        steps=settings["image_steps" if arm == "images" else "steps"],
        learning_rate=settings["learning_rate"],
    )
    if arm in ("exact", "wide"):
        fixed = method.temperature.log.clone()
        method.temperature.log.fill_(math.log(HOT / cells[0]["kappa"]))
        trainer.fit(settings["steps"] // 3)
        method.temperature.log.copy_(fixed)
    trainer.fit()
    temperatures = method.temperature().detach().flatten().tolist()
    k, n_examples = settings["n_candidates"] - 1, settings["n_examples"]
    evaluation = [cell.seed("evaluation") for cell in cells]
    held_out = {"temperature": temperatures, "n_negatives": k, "seeds": evaluation}
    sizes = Sizes(n_examples, n_examples // 2, n_examples, anchors=settings["n_anchors"], pool=k)
    if arm == "images":  # too few pairs of unknown information: what is measured there is the accuracy
        found = measure_models(network, source, seeds=evaluation, held_out=False)
    else:
        found = measure_models(network, source, sizes=sizes, **held_out)
        shuffled = held_out_bound(network, Shuffled(source), n_anchors=sizes.anchors, n_pool=k, **held_out)
        for row_found, nats in zip(found, shuffled.estimate_nats.tolist(), strict=True):
            row_found["shuffled_nats"] = nats
    return [
        Measurement(row(cell, found[r], temperatures[r], starts[r], trainer.status[r]))
        for r, cell in enumerate(cells)
    ]


MEASURED = (
    "estimate_nats",
    "best_temperature_estimate_nats",
    "oracle_nats",
    "ceiling_nats",
    "temperature_ceiling_nats",
    "truth_nats",
    "shuffled_nats",
    "accuracy",
    "latent_r2",
    "alignment",
    "uniformity",
    "tolerance",
    "effective_rank",
    "spread",
)


def row(cell: Cell, found: dict[str, Any], temperature: float, start: float, status: str) -> dict[str, Any]:
    """A row of the table; what a source does not have (an MI, latents) is missing."""
    kappa = math.nan if cell["arm"] == "images" else cell["kappa"]
    return {
        "start_temperature": start,
        "temperature": temperature,
        "log_kappa_temperature": math.log(kappa * temperature),
        **{name: found.get(name, math.nan) for name in MEASURED},
        "status": status,
    }


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 6
ALPHA = 0.05 / N_CLAIMS
FACTOR = 1.5
PLATEAU_NATS = 0.1
LOST_POINTS = 2.0
MARGIN_NATS = 0.02
PEAK_STEPS = 2


def wide_table(rows: pd.DataFrame, value: str) -> pd.DataFrame:
    """Replicates down, temperatures across, by step."""
    return rows.pivot(index="replicate", columns="step", values=value)


def peak_of(x: Array, curve: Array) -> float:
    """Where a parabola through five temperatures around the curve's best is highest; if it opens upward, that best."""
    peak = int(np.argmax(curve))
    around = slice(max(0, peak - PEAK_STEPS), peak + PEAK_STEPS + 1)
    a, b, _ = np.polyfit(x[around], curve[around], 2)
    return float(-b / (2 * a)) if a < 0 else float(x[peak])


def best_log_kappa_temperature(rows: pd.DataFrame, confidence: float = 0.95) -> statistics.Interval:
    """ln(kappa tau*) of the mean curve, its interval by leaving out one replicate after the other."""
    curves = wide_table(rows, "estimate_nats").to_numpy()
    x = wide_table(rows, "log_kappa_temperature").mean().to_numpy()
    if len(curves) < 2:
        return statistics.Interval(peak_of(x, curves[0]), -math.inf, math.inf)
    left_out = [peak_of(x, np.delete(curves, r, axis=0).mean(0)) for r in range(len(curves))]
    return statistics.jackknife_interval(peak_of(x, curves.mean(0)), left_out, confidence)


def optimum_is_the_data_s(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        groups = list(rows.groupby("kappa"))
        parts = []
        for kappa, of in groups:
            found = best_log_kappa_temperature(of, 1 - ALPHA / len(groups))
            parts.append(Verdict.equivalent(*found, math.log(FACTOR), "ln(kappa tau*)", f"kappa = {kappa:g}"))
        return Verdict.all_of(*sorted(parts, key=lambda part: -abs(part.effect)))

    return guarded(tables, "exact", decide)


def plateau_below(tables: Tables) -> Verdict:
    """Each temperature under 1/kappa against the nearest to it, paired by replicate."""

    def decide(rows: pd.DataFrame) -> Verdict:
        groups = {}
        for kappa, of_kappa in rows.groupby("kappa"):
            values = wide_table(of_kappa, "estimate_nats")
            x = wide_table(of_kappa, "log_kappa_temperature").mean()
            below = x.index[x <= 0]
            for step in below[:-1]:
                groups[f"kappa = {kappa:g}, kappa tau = {math.exp(x[step]):.2f}"] = (
                    values[step] - values[below[-1]]
                )
        return all_equivalent(groups, PLATEAU_NATS, "nats", ALPHA)

    return guarded(tables, "wide", decide)


def learned_finds_it(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        groups = {
            f"kappa = {kappa:g}, start {STARTS.index(step)}": of["log_kappa_temperature"]
            for (kappa, step), of in rows.groupby(["kappa", "step"])
        }
        return all_equivalent(groups, math.log(FACTOR), "ln(kappa tau)", ALPHA)

    return guarded(tables, "learned", decide)


def images_lose_at_both_ends(tables: Tables) -> Verdict:
    """A replicate's best temperature is the others' best on average, so that it is not chosen by its own luck."""

    def decide(rows: pd.DataFrame) -> Verdict:
        points = 100 * wide_table(rows, "accuracy")
        if len(points) < 2:
            return Verdict.inconclusive("one replicate chooses no temperature for another", "points")
        best, first, last = best_by_others(points), points.columns[0], points.columns[-1]
        lost = {"lost at 0.02": best - points[first], "lost at 2": best - points[last]}
        return all_above(lost, LOST_POINTS, "points", ALPHA)

    return if_all_ok(rows_with(tables["table"], arm="images"), decide)


def stays_under_its_ceilings(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        ceiling = rows[["ceiling_nats", "temperature_ceiling_nats"]].min(axis=1)
        excess = (rows["estimate_nats"] - ceiling).groupby([rows["arm"], rows["kappa"], rows["step"]])
        return all_below(dict(list(excess)), MARGIN_NATS, "nats", ALPHA)

    return if_all_ok(on_vmf(tables), decide)


def stays_under_the_oracle(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        below = (rows["oracle_nats"] - rows["estimate_nats"]).groupby(
            [rows["arm"], rows["kappa"], rows["step"]]
        )
        return all_above(dict(list(below)), -MARGIN_NATS, "nats", ALPHA)

    return if_all_ok(on_vmf(tables), decide)


def on_vmf(tables: Tables) -> pd.DataFrame:
    return rows_with(tables["table"], arm=("exact", "wide", "cold", "learned"))


def guarded(tables: Tables, arm: str, decide) -> Verdict:
    """What `decide` makes of an arm, provided that shuffled pairs break what it looks at: they must show no MI."""

    def with_control(rows: pd.DataFrame) -> Verdict:
        control = all_below({"shuffled pairs": rows["shuffled_nats"]}, MARGIN_NATS, "nats")
        if control.outcome != "supported":
            return Verdict.inconclusive(
                f"shuffled pairs were to show nothing; they show {control.effect:.3f} nats"
            )
        return decide(rows)

    return if_all_ok(rows_with(tables["table"], arm=arm), with_control)


SOURCE = "Contrastive Learning Theory"
CLAIMS = (
    Claim(
        id="C16.optimum",
        text="Sensitive to temperature: the best one is the data's own, 1/kappa.",
        source=f"{SOURCE}; Zimmermann et al. 2021 (the critic is well specified at tau = 1/kappa)",
        criterion="Supported if, at embedding dimension d, the interval of ln(kappa tau*), tau* the vertex of a "
        "parabola in ln tau through the mean held-out InfoNCE (jackknife over replicates), lies within ln 1.5 of 0 for "
        "each kappa; refuted if one lies wholly outside. Shuffled pairs must read at most 0.02 nats.",
        verdict=optimum_is_the_data_s,
    ),
    Claim(
        id="C16.plateau",
        text="With more embedding dimensions than latent ones, every temperature up to 1/kappa does as well.",
        source="theory: the embedding spends length in further dimensions",
        criterion="Supported if for every tau < 1/kappa the interval of held-out InfoNCE minus its value at the "
        "largest tau <= 1/kappa lies within 0.1 nats of 0; refuted if one lies wholly outside. Shuffled as above.",
        verdict=plateau_below,
    ),
    Claim(
        id="C16.learned",
        text="A learned temperature finds the data's own.",
        source="Radford et al. 2021 (CLIP learns it)",
        criterion="Supported if from each of three starts (1/8, 0.8 and 8 times 1/kappa) the learned tau ends within a "
        "factor 1.5 of 1/kappa, as intervals, for every kappa; refuted if one lies wholly outside.",
        verdict=learned_finds_it,
    ),
    Claim(
        id="C16.images",
        text="Sensitive to temperature: images have an interior optimum.",
        source=f"{SOURCE}; Chen et al. 2020, table 5",
        criterion="Supported if the linear probe's accuracy at the best temperature is more than 2 points above that "
        "at 0.02 and above that at 2 (digits, paired); refuted if one of them is less.",
        verdict=images_lose_at_both_ends,
    ),
    Claim(
        id="C16.ceilings",
        text="InfoNCE never passes ln K, nor the temperature's ceiling 1/tau - ln E e^(s/tau).",
        source="van den Oord et al. 2018; Wang and Isola 2020, theorem 1",
        criterion="Supported if in every cell the interval of held-out mean minus lower ceiling lies below 0.02 nats.",
        verdict=stays_under_its_ceilings,
    ),
    Claim(
        id="C16.oracle",
        text="No trained encoder reads more than the true density ratio does on the same pairs.",
        source="Poole et al. 2019, section 2",
        criterion="Supported if in every cell on vmf the interval of oracle minus trained lies above -0.02 nats.",
        verdict=stays_under_the_oracle,
    ),
)


# Figure


def draw(tables: Tables) -> Figure:
    from mibounds.plots.style import COLORS, draw_intervals, draw_legend, new_figure

    table = tables["table"]
    with new_figure(2, 3, height=2.3) as (figure, axes):
        draw_arm(
            axes[0, 0], rows_with(table, arm=("exact", "cold")), "embedding of the latents' 3 dimensions"
        )
        draw_arm(axes[0, 1], rows_with(table, arm="wide"), "embedding of 8 dimensions")
        draw_optimum(axes[0, 2], table)
        for ax, names in ((axes[1, 0], ("alignment",)), (axes[1, 1], ("uniformity",))):
            for color, (kappa, rows) in zip(
                COLORS, rows_with(table, arm="exact").groupby("kappa"), strict=False
            ):
                draw_intervals(
                    ax, over_scale(rows), x="scale", y=names[0], color=color, label=f"kappa = {kappa:g}"
                )
            ax.set(xscale="log", xlabel="temperature x kappa", ylabel=names[0])
            ax.set_xticks([0.1, 1.0, 10.0], ["0.1", "1", "10"])
            ax.set_xlim(axes[0, 0].get_xlim())
            ax.minorticks_off()
        images = rows_with(table, arm="images").assign(points=lambda rows: 100 * rows["accuracy"])
        draw_intervals(axes[1, 2], images, x="temperature", y="points", color=COLORS[7], label="digits")
        axes[1, 2].set(
            xscale="log", xlabel="temperature", ylabel="accuracy (%)", title="digits, linear probe"
        )
        draw_legend(figure, columns=5)
    return figure


def over_scale(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with kappa tau in words that replicates share to the last digit."""
    return rows.assign(scale=np.exp(rows["log_kappa_temperature"]).round(6))


def draw_arm(ax: Any, rows: pd.DataFrame, title: str) -> None:
    """Held-out InfoNCE over kappa tau, a curve a kappa; its truth and its ceilings behind."""
    from mibounds.plots.style import COLORS, GREY, draw_ceiling, draw_intervals

    colors = dict(zip(KAPPAS, COLORS, strict=False))
    cold = over_scale(rows_with(rows, arm="cold"))
    draw_intervals(
        ax, cold, x="scale", y="estimate_nats", color=GREY, label="kappa = 20, started cold", marker="x"
    )
    for kappa, of_kappa in rows[rows["arm"] != "cold"].groupby("kappa"):
        scaled = over_scale(of_kappa)
        draw_intervals(
            ax, scaled, x="scale", y="estimate_nats", color=colors[kappa], label=f"kappa = {kappa:g}"
        )
        scales = sorted(scaled["scale"].unique())
        limits = [theory.temperature_ceiling(EMBEDDING[of_kappa["arm"].iloc[0]], s / kappa) for s in scales]
        draw_ceiling(ax, limits, scales, label="ceiling of the temperature")
        ax.plot(
            [scales[-1] * 1.2, scales[-1] * 1.8],
            [of_kappa["truth_nats"].iloc[0]] * 2,
            color="black",
            label="true MI",
        )
        oracle = of_kappa["oracle_nats"].mean()
        ax.plot([scales[-1] * 1.2, scales[-1] * 1.8], [oracle] * 2, color=colors[kappa], linestyle="--")
    ax.axvline(1.0, color=GREY, linewidth=0.8)
    top = rows["truth_nats"].max() + 0.5 if len(rows) else 1.0
    ax.set(
        xscale="log",
        xlabel="temperature x kappa",
        ylabel="InfoNCE, held out (nats)",
        title=title,
        ylim=(0, top),
    )


def draw_optimum(ax: Any, table: pd.DataFrame) -> None:
    """The best temperature against 1/kappa, and where learned ones end."""
    from mibounds.plots.style import COLORS, draw_theory

    inverse = [1 / kappa for kappa in KAPPAS]
    draw_theory(ax, inverse, inverse, label="theory: 1/kappa")
    for kappa, rows in rows_with(table, arm="exact").groupby("kappa"):
        low, high = (math.exp(end) / kappa for end in best_log_kappa_temperature(rows)[1:])
        ax.plot([1 / kappa] * 2, [low, high], color=COLORS[0], linewidth=3, label="best, 95% interval")
    learned = rows_with(table, arm="learned")
    ax.plot(1 / learned["kappa"], learned["temperature"], "x", color=COLORS[3], markersize=4, label="learned")
    ax.set(
        xscale="log",
        yscale="log",
        xlabel="1 / kappa",
        ylabel="temperature",
        title="best and learned",
    )


STUDY = Study(
    slug="temperature",
    version=2,
    question="Does the best temperature follow the data, as theory says, and how much does it matter?",
    axes={
        "arm": ("exact", "wide", "cold", "learned", "images"),
        "kappa": KAPPAS,
        "step": tuple(range(N_STEPS)),
    },
    stacked=("step",),
    seeds={"data": ("kappa",), "weights": (), "evaluation": ("kappa",)},
    keep=keep,
    settings={
        "batch_size": 257,
        "n_candidates": 513,
        "n_anchors": 1024,
        "n_examples": 2000,
        "steps": 360,
        "image_steps": 600,
        "learning_rate": 2e-3,
    },
    presets={
        "smoke": {"replicates": 1, "kappa": (5.0, 10.0), "step": (0, 5, 11), "steps": 3, "image_steps": 3},
        "quick": {"replicates": 2, "kappa": (10.0, 50.0), "steps": 300, "image_steps": 200},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

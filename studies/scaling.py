"""Scaling: negatives, temperature and dimension at once, and what each does to bound, accuracy and geometry.

Latents on spheres of R^4, R^8, R^16, half a nat of mutual information a dimension, seen through a frozen network.
Batches of 64 pairs at every K: an anchor is set against n_negatives of the 126 other views. The embedding has 32
dimensions. Each trained model gives one row: InfoNCE with the K of its training and with 4,096 candidates, on pairs
that trained nothing; a ridge probe's accuracy on ten classes of the latents and its R^2 on the latents; the geometry.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mibounds import theory
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

    from mibounds.representation.sources import Source

Tables = Mapping[str, "pd.DataFrame"]

NATS_A_DIMENSION = 0.5
DIMS = (4, 8, 16)
TEMPERATURES = (0.05, 0.1, 0.2, 0.5)  # SimCLR was tuned over 0.05 to 1, MoCo takes 0.07 and 0.2
EMBEDDING = 32
N_NEGATIVES = (1, 3, 7, 15, 31, 63, 126)


def source_of(dim: int) -> Source:
    from mibounds.representation.sources import load

    return load("vmf")(dim, theory.vmf_concentration(dim, NATS_A_DIMENSION * dim))


def measure(pack: Pack) -> list[Measurement]:
    """One stack of all K and temperatures: the same first weights, the same pairs at each step."""
    from mibounds.representation import methods
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.measuring import Sizes, held_out_bound
    from mibounds.representation.measuring import measure as measure_models
    from mibounds.representation.network import Network
    from mibounds.representation.sources import Shuffled

    cells, settings = pack.cells, pack.settings
    source = source_of(cells[0]["dim"])
    weights, evaluation = ([cell.seed(purpose) for cell in cells] for purpose in ("weights", "evaluation"))
    temperatures = [cell["temperature"] for cell in cells]
    n_negatives = [cell["n_negatives"] for cell in cells]
    network = Network.build(source.shape, weights, embedding=EMBEDDING).to(pack.device)
    method = methods.load("simclr")(network, weights, temperature=temperatures, n_negatives=n_negatives)
    trainer = Pretrainer(
        network,
        method.to(pack.device),
        source,
        [cell.seed("data") for cell in cells],
        batch_size=settings["batch_size"],
        steps=settings["steps"],
        learning_rate=settings["learning_rate"],
    )
    trainer.fit()
    n_pool, n_anchors, n_examples = (
        settings["n_candidates"] - 1,
        settings["n_anchors"],
        settings["n_examples"],
    )
    sizes = Sizes(n_examples, n_examples // 2, n_examples, n_anchors, n_pool)
    found = measure_models(network, source, temperature=temperatures, seeds=evaluation, sizes=sizes)
    small = {"seeds": evaluation, "n_pool": max(N_NEGATIVES), "n_anchors": n_anchors}
    of_training = held_out_bound(network, source, temperatures, n_negatives, **small)
    shuffled = held_out_bound(network, Shuffled(source), temperatures, n_negatives, **small)
    return [
        Measurement(
            row(
                cell,
                found[r],
                {
                    "training_k_nats": of_training.estimate_nats[r].item(),
                    "training_k_sampled_truth_nats": of_training.sampled_truth_nats[r].item(),
                    "training_k_oracle_nats": of_training.oracle_nats[r].item(),
                    "training_k_ceiling_nats": of_training.ceiling_nats[r].item(),
                    "shuffled_nats": shuffled.estimate_nats[r].item(),
                },
                trainer.status[r],
            )
        )
        for r, cell in enumerate(cells)
    ]


MEASURED = (
    "truth_nats",
    "sampled_truth_nats",
    "estimate_nats",
    "oracle_nats",
    "ceiling_nats",
    "temperature_ceiling_nats",
    "best_temperature",
    "best_temperature_estimate_nats",
    "accuracy",
    "latent_r2",
    "alignment",
    "uniformity",
    "tolerance",
    "effective_rank",
    "spread",
)


def row(cell: Cell, found: dict[str, Any], of_training: dict[str, Any], status: str) -> dict[str, Any]:
    return {**{name: found[name] for name in MEASURED}, **of_training, "status": status}


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 3
ALPHA = 0.05 / N_CLAIMS
MARGIN_NATS = 0.02
FEW, MANY = 15, 126
GAIN_NATS, GAIN_R2 = 0.5, 0.02
CORRELATION = 0.7
POINT = ["dim", "temperature", "n_negatives"]


def stays_below(tables: Tables) -> Verdict:
    """Truth and ceilings, by groups of replicates; shuffled pairs must show nothing."""

    def decide(rows: pd.DataFrame) -> Verdict:
        by = [rows[name] for name in POINT]
        limit = rows[["sampled_truth_nats", "ceiling_nats", "temperature_ceiling_nats"]].min(axis=1)
        of_training = rows[["training_k_sampled_truth_nats", "training_k_ceiling_nats"]].min(axis=1)
        groups = dict(list((rows["estimate_nats"] - limit).groupby(by)))
        groups |= {
            ("training K", *point): values
            for point, values in (rows["training_k_nats"] - of_training).groupby(by)
        }
        control = all_below(dict(list(rows["shuffled_nats"].groupby(by))), MARGIN_NATS, "nats", ALPHA)
        if control.outcome != "supported":
            return Verdict.inconclusive(f"shuffled pairs were to show nothing; they are {control.outcome}")
        return all_below(groups, MARGIN_NATS, "nats", ALPHA)

    return if_all_ok(tables["table"], decide)


def gains(rows: pd.DataFrame, value: str) -> dict[str, pd.Series]:
    """From K = 16 to K = 127 at tau = 0.1, paired by replicate, a group a dimension."""
    rows = rows_with(rows, temperature=0.1)
    wide = rows.pivot(index=["dim", "replicate"], columns="n_negatives", values=value)
    if FEW not in wide or MANY not in wide:
        return {}
    return {f"{value}, dimension {dim}": of for dim, of in (wide[MANY] - wide[FEW]).groupby("dim")}


def bound_grows_where_representation_is_done(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        return Verdict.all_of(
            all_above(gains(rows, "training_k_nats"), GAIN_NATS, "nats", ALPHA / 2),
            all_below(gains(rows, "latent_r2"), GAIN_R2, "R^2", ALPHA / 2),
        )

    return if_all_ok(tables["table"], decide)


def bound_ranks_models(tables: Tables) -> Verdict:
    """Spearman's correlation of bound and accuracy over K and temperature, a value a replicate, a group a dimension."""

    def decide(rows: pd.DataFrame) -> Verdict:
        groups = {
            f"dimension {dim}": [
                of["estimate_nats"].corr(of["accuracy"], method="spearman")
                for _, of in of_dim.groupby("replicate")
            ]
            for dim, of_dim in rows.groupby("dim")
        }
        return all_above(groups, CORRELATION, "rank correlation", ALPHA)

    return if_all_ok(tables["table"], decide)


CLAIMS = (
    Claim(
        id="scaling.validity",
        text="Whatever K, temperature and dimension, InfoNCE stays under the MI and under its two ceilings.",
        source="van den Oord et al. 2018; Poole et al. 2019; Wang and Isola 2020",
        criterion="Supported if in every cell the interval of the held-out mean minus the lowest of truth and ceilings "
        "lies below 0.02 nats, with the K of the training and with 4,096; the truth is the mean log density ratio of "
        "the pairs read, whose expectation is the MI. Shuffled pairs must read below 0.02 nats.",
        verdict=stays_below,
    ),
    Claim(
        id="scaling.bound_and_representation",
        text="More negatives lift the bound long after the representation has stopped gaining.",
        source="a trial of this testbed; Tschannen et al. 2020 (bound and representation part ways)",
        criterion="Supported if from K = 16 to K = 127 at temperature 0.1, in every dimension, the bound with the K of "
        "the training gains more than 0.5 nats and the latents' R^2 less than 0.02 (paired); refuted if either fails.",
        verdict=bound_grows_where_representation_is_done,
    ),
    Claim(
        id="scaling.bound_ranks",
        text="Within one distribution, the model with the higher bound has the better representation.",
        source="Contrastive Learning Theory: maximising the MI is what makes good representations",
        criterion="Supported if in every dimension the interval of Spearman's correlation between InfoNCE (4,096 "
        "candidates) and accuracy, over K and temperature, lies above 0.7; refuted if in one it lies below.",
        verdict=bound_ranks_models,
    ),
)


# Figure

ROWS = (
    ("training_k_nats", "InfoNCE (nats)"),
    ("percent", "accuracy (%)"),
    ("uniformity", "uniformity"),
    ("effective_rank", "effective rank of z"),
)


def draw(tables: Tables) -> Figure:
    """A column a dimension, a row a measurement of the same models, a colour a temperature, K along the axis."""
    from mibounds.plots.style import (
        COLORS,
        draw_ceiling,
        draw_intervals,
        draw_legend,
        draw_theory,
        draw_truth,
        new_figure,
    )

    table = tables["table"].assign(
        n_candidates=lambda rows: rows["n_negatives"] + 1, percent=lambda rows: 100 * rows["accuracy"]
    )
    dims = sorted(table["dim"].unique())
    with new_figure(len(ROWS), len(dims), height=1.6, sharex=True, sharey="row") as (figure, axes):
        for column, dim in enumerate(dims):
            of_dim = rows_with(table, dim=dim)
            sizes = sorted(of_dim["n_candidates"].unique())
            bound = axes[0, column]
            draw_truth(bound, of_dim["truth_nats"].iloc[0])
            draw_ceiling(bound, [math.log(k) for k in sizes], sizes, label="ceiling ln K")
            oracle = of_dim.groupby("n_candidates")["training_k_oracle_nats"].mean()
            draw_theory(bound, list(oracle), list(oracle.index), label="true density ratio")
            for line, (value, name) in enumerate(ROWS):
                for color, (temperature, rows) in zip(COLORS, of_dim.groupby("temperature"), strict=False):
                    label = f"temperature {temperature:g}"
                    draw_intervals(
                        axes[line, column], rows, x="n_candidates", y=value, color=color, label=label
                    )
                if column == 0:
                    axes[line, column].set_ylabel(name)
            bound.set(title=f"{dim} dimensions, {of_dim['truth_nats'].iloc[0]:.0f} nats", xscale="log")
            axes[-1, column].set_xlabel("candidates K, positive included")
        axes[0, 0].set_ylim(0, math.log(table["n_candidates"].max()) + 0.4)
        draw_legend(figure, columns=4)
    return figure


STUDY = Study(
    slug="scaling",
    version=2,
    question="What do negatives, temperature and dimension each do to bound, accuracy and geometry?",
    axes={"dim": DIMS, "temperature": TEMPERATURES, "n_negatives": N_NEGATIVES},
    stacked=("temperature", "n_negatives"),
    seeds={"data": ("dim",), "weights": ("dim",), "evaluation": ("dim",)},
    width=len(TEMPERATURES) * len(N_NEGATIVES),
    settings={
        "batch_size": 64,
        "steps": 1500,
        "learning_rate": 1e-3,
        "n_candidates": 4096,
        "n_anchors": 512,
        "n_examples": 2000,
    },
    presets={
        "smoke": {
            "replicates": 1,
            "dim": (4, 8),
            "temperature": (0.1, 0.5),
            "n_negatives": (15, 126),
            "steps": 3,
            "n_candidates": 256,
            "n_anchors": 64,
            "n_examples": 200,
        },
        "quick": {"replicates": 2, "n_negatives": (1, 7, 15, 31, 126), "steps": 400, "n_candidates": 1024},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

"""Dimension: how wide must an embedding be, and does its effective rank tell how many latents there are?

Latents on spheres of R^2 to R^32, seen through a frozen network of one hidden layer; embeddings of 2 to 64 dimensions.
Two arms, since mutual information that grows with the dimension would be confused with it: 0.375 nats a dimension (12
at most), and 4 nats whatever the dimension. The encoder has two layers of 128 units, h is the second, and z an affine
map of it, so that the embedding's width is all that changes. The temperature is the data's own, 1/kappa; each run
spends its first third at 8/kappa, since with an embedding of just d dimensions a cold start often ends in a folded
sphere. Batches of 128 pairs, all 254 negatives. Above 8 dimensions runs take steps in proportion to them: a short run
at 32 stays below the raw input's probe, which is undertraining (raw and untrained baselines are columns).

InfoNCE is read with 4,096 candidates on pairs that trained nothing, so 12 nats cannot be seen: its ceiling is 8.3. Each
replicate's sample of pairs errs by up to 0.2 nats, most of it in the mean log density ratio of these very pairs, whose
expectation is the MI: "sampled_truth_nats". The bound minus it has the mean of the bound minus the MI, and less noise.
The best temperature is looked for down to 0.005; with 2 latents and 4 nats 1/kappa lies below, and the figure's curve
of the bound at the best temperature reads too low there (3.5 nats).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from mibounds import theory
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

Tables = Mapping[str, "pd.DataFrame"]

NATS_A_DIMENSION, CONSTANT_NATS = 0.375, 4.0
ARMS = ("nats_a_dimension", "constant_nats")
DIMS = (2, 4, 8, 16, 32)
EMBEDDINGS = (2, 4, 8, 16, 32, 64)
ENCODER = {"hidden": (128,), "dim": 128}
HOT = 8.0  # times 1/kappa


def kappa_of(arm: str, dim: int) -> float:
    return theory.vmf_concentration(
        dim, NATS_A_DIMENSION * dim if arm == "nats_a_dimension" else CONSTANT_NATS
    )


def steps_of(dim: int, steps: int) -> int:
    """`steps` up to 8 dimensions, in proportion above."""
    return steps * max(8, dim) // 8


def measure(pack: Pack) -> list[Measurement]:
    """A stack of replicates. All widths of an embedding share data, the encoder's first weights and the pairs read."""
    from mibounds.representation import methods
    from mibounds.representation.geometry import effective_rank
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.measuring import Sizes, baselines, features, held_out_bound
    from mibounds.representation.measuring import measure as measure_models
    from mibounds.representation.network import Network
    from mibounds.representation.sources import Shuffled, load

    cells, settings = pack.cells, pack.settings
    dim, kappa = cells[0]["dim"], kappa_of(cells[0]["arm"], cells[0]["dim"])
    source = load("vmf")(dim, kappa, depth=1)
    weights, data, evaluation = (
        [cell.seed(purpose) for cell in cells] for purpose in ("weights", "data", "evaluation")
    )
    network = Network.build(
        source.shape,
        weights,
        encoder_options=ENCODER,
        embedding=cells[0]["embedding"],
        projector_options={"layers": 1},
    ).to(pack.device)
    n_examples, n_anchors, n_pool = (
        settings["n_examples"],
        settings["n_anchors"],
        settings["n_candidates"] - 1,
    )
    sizes = Sizes(n_examples, n_examples // 2, n_examples, n_anchors, n_pool)
    untrained = baselines(network, source, seeds=evaluation, sizes=sizes)
    untrained_z = features(network, source, n_examples, seeds=evaluation)[0].embedding
    untrained_ranks = effective_rank(untrained_z).tolist()
    method = methods.load("simclr")(network, weights, temperature=1 / kappa).to(pack.device)
    steps = steps_of(dim, settings["steps"])
    trainer = Pretrainer(
        network,
        method,
        source,
        data,
        batch_size=settings["batch_size"],
        steps=steps,
        learning_rate=settings["learning_rate"],
    )
    method.temperature.log.fill_(math.log(HOT / kappa))
    trainer.fit(steps // 3)
    method.temperature.log.fill_(-math.log(kappa))
    trainer.fit()
    held_out = {"temperature": 1 / kappa, "seeds": evaluation}
    found = measure_models(network, source, sizes=sizes, per_layer=("embedding",), **held_out)
    shuffled = held_out_bound(
        network, Shuffled(source), n_anchors=n_anchors, n_pool=n_pool, n_validation=16, **held_out
    ).estimate_nats.tolist()
    return [
        Measurement(
            found[r]
            | untrained[r]
            | {
                "kappa": kappa,
                "steps": steps,
                "random_effective_rank": untrained_ranks[r],
                "shuffled_nats": shuffled[r],
                "status": first_failure(trainer.status[r], found[r]["status"]),
            }
        )
        for r in range(len(cells))
    ]


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 5
ALPHA = 0.05 / N_CLAIMS
MARGIN_R2 = 0.02
LOST_NATS = 0.1
FACTOR = 1.5
MARGIN_NATS = 0.02
WIDEST = max(EMBEDDINGS)
POINT = ["arm", "dim", "embedding"]


def by_embedding(rows: pd.DataFrame, value: str) -> dict[tuple[str, int], pd.DataFrame]:
    """(arm, d) -> replicates down, widths of the embedding across, which pairs them."""
    return {
        key: of.pivot(index="replicate", columns="embedding", values=value)
        for key, of in rows.groupby(["arm", "dim"])
    }


def wider_ones_find_no_more(
    tables: Tables, value: str, control: Callable[[pd.DataFrame], Verdict]
) -> Verdict:
    """R^2 of each embedding wider than d against that of d, paired, provided that the control loses R^2."""

    def decide(rows: pd.DataFrame) -> Verdict:
        groups = {
            f"{arm}, d = {dim}, {width} dimensions": of[width] - of[dim]
            for (arm, dim), of in by_embedding(rows, value).items()
            for width in of
            if width > dim and dim in of
        }
        found = all_equivalent(groups, MARGIN_R2, "R^2", ALPHA)
        return provided(control(rows), "the control was to lose R^2", lambda: found)

    return if_all_ok(tables["table"], decide)


def enough_for_h(tables: Tables) -> Verdict:
    """An untrained encoder must read less of every number of latents."""

    def untrained_loses(rows: pd.DataFrame) -> Verdict:
        rows = rows[rows["embedding"] == rows["dim"]]
        lost = rows["latent_r2"] - rows["random_latent_r2"]
        return all_above(dict(list(lost.groupby([rows["arm"], rows["dim"]]))), MARGIN_R2, "R^2")

    return wider_ones_find_no_more(tables, "latent_r2", untrained_loses)


def enough_for_z(tables: Tables) -> Verdict:
    """Two dimensions must read less of the most latents."""

    def two_dimensions_lose(rows: pd.DataFrame) -> Verdict:
        most = rows["dim"].max()
        lost = {
            f"{arm}, d = {dim}": of[dim] - of[2]
            for (arm, dim), of in by_embedding(rows, "embedding_latent_r2").items()
            if dim == most > 2 and {2, dim} <= set(of)
        }
        return all_above(lost, MARGIN_R2, "R^2")

    return wider_ones_find_no_more(tables, "embedding_latent_r2", two_dimensions_lose)


def half_is_too_narrow(tables: Tables) -> Verdict:
    """What d/2 dimensions lose of the bound that d give, each at its best temperature."""

    def decide(rows: pd.DataFrame) -> Verdict:
        groups = {
            f"{arm}, d = {dim}": of[dim] - of[dim // 2]
            for (arm, dim), of in by_embedding(rows, "best_temperature_estimate_nats").items()
            if dim >= 4 and {dim, dim // 2} <= set(of)
        }
        return all_above(groups, LOST_NATS, "nats", ALPHA)

    return guarded(tables, decide)


def rank_tells_latent_dimension(tables: Tables) -> Verdict:
    """ln(effective rank / d) of the widest embedding; untrained networks must not show the same."""

    def decide(rows: pd.DataFrame) -> Verdict:
        def off(column: str) -> dict[str, pd.Series]:
            logs = np.log(rows[column] / rows["dim"])
            return {f"{arm}, d = {dim}": of for (arm, dim), of in logs.groupby([rows["arm"], rows["dim"]])}

        if (
            all_equivalent(off("random_effective_rank"), math.log(FACTOR), "ln(rank / d)").outcome
            == "supported"
        ):
            return Verdict.inconclusive("untrained networks' ranks follow the latents as well")
        return all_equivalent(off("effective_rank"), math.log(FACTOR), "ln(rank / d)", ALPHA)

    return if_all_ok(rows_with(tables["table"], embedding=WIDEST), decide)


def stays_below_the_truth(tables: Tables) -> Verdict:
    """At the temperature of the training and at the best one."""

    def decide(rows: pd.DataFrame) -> Verdict:
        groups = {
            (value, *point): of
            for value in ("estimate_nats", "best_temperature_estimate_nats")
            for point, of in (rows[value] - rows["sampled_truth_nats"]).groupby(
                [rows[name] for name in POINT]
            )
        }
        return all_below(groups, MARGIN_NATS, "nats", ALPHA)

    return guarded(tables, decide)


def guarded(tables: Tables, decide: Any) -> Verdict:
    """What `decide` makes of the table, provided that the bound shows nothing of shuffled pairs."""

    def with_control(rows: pd.DataFrame) -> Verdict:
        groups = dict(list(rows["shuffled_nats"].groupby([rows[name] for name in POINT])))
        control = all_below(groups, MARGIN_NATS, "nats", ALPHA)
        if control.outcome != "supported":
            return Verdict.inconclusive(f"shuffled pairs were to show nothing; they are {control.outcome}")
        return decide(rows)

    return if_all_ok(tables["table"], with_control)


ISOMETRY = (
    "theory: z -> embedding is an isometry at the optimum (Wang and Isola 2020; Zimmermann et al. 2021)"
)
CLAIMS = (
    Claim(
        id="dimension.enough",
        text="An embedding of as many dimensions as there are latents is enough: behind wider ones h knows no more.",
        source=ISOMETRY,
        criterion="Supported if for each d and arm, and each embedding wider than d, the interval of the latents' R^2 "
        "on h minus that with an embedding of d (paired) lies within 0.02 of 0; refuted if one lies wholly outside. "
        "Control: an untrained encoder must lose more than 0.02 for every d.",
        verdict=enough_for_h,
    ),
    Claim(
        id="dimension.linear",
        text="An embedding of as many dimensions as there are latents holds them as linearly as wider ones.",
        source=ISOMETRY,
        criterion="As dimension.enough, on the embedding z. Control: 2 dimensions for the most latents must lose more "
        "than 0.02.",
        verdict=enough_for_z,
    ),
    Claim(
        id="dimension.narrow",
        text="An embedding of half as many dimensions as there are latents is too narrow for the bound.",
        source="theory: z.z' over d/2 dimensions cannot be the log density ratio",
        criterion="Supported if for each d >= 4 and arm the interval of what d/2 dimensions lose against d (held-out "
        "InfoNCE at each model's best temperature, paired) lies above 0.1 nats; refuted if one lies below. Shuffled "
        "pairs must read below 0.02 nats.",
        verdict=half_is_too_narrow,
    ),
    Claim(
        id="dimension.rank",
        text="The effective rank of a wide embedding is the number of latents.",
        source="Garrido et al. 2023 (RankMe: rank as a measure of what is learned)",
        criterion="Supported if for each d and arm the interval of ln(rank / d), of z at 64 dimensions, lies within "
        "ln 1.5 of 0; refuted if one lies wholly outside. Untrained networks must not satisfy the same.",
        verdict=rank_tells_latent_dimension,
    ),
    Claim(
        id="dimension.validity",
        text="Whatever the two dimensions, held-out InfoNCE stays under the MI.",
        source="van den Oord et al. 2018; Poole et al. 2019",
        criterion="Supported if in every cell, at the training's and at the best temperature, the interval of the "
        "bound minus the mean log density ratio of the pairs it is read on (whose expectation is the MI) lies below "
        "0.02 nats; refuted if one lies above. Shuffled pairs must read below 0.02 nats.",
        verdict=stays_below_the_truth,
    ),
)


# Figure

ROWS = (
    ("best_temperature_estimate_nats", "InfoNCE, held out (nats)", "oracle_nats", "true density ratio"),
    ("percent", "accuracy, linear probe (%)", "raw_percent", "raw input"),
    ("latent_r2", "R^2 of the latents, on h", "raw_latent_r2", "raw input"),
    ("embedding_latent_r2", "R^2 of the latents, on z", "raw_latent_r2", "raw input"),
    ("effective_rank", "effective rank of z", "dim", "number of latents"),
)
TITLES = {
    "nats_a_dimension": f"{NATS_A_DIMENSION:g} nats a latent dimension",
    "constant_nats": f"{CONSTANT_NATS:g} nats",
}


def draw(tables: Tables) -> Figure:
    """A column an arm, a row a measurement, a colour a number of latents, the embedding's width along the axis."""
    from mibounds.plots.style import COLORS, draw_intervals, draw_legend, new_figure

    table = tables["table"].assign(
        percent=lambda rows: 100 * rows["accuracy"], raw_percent=lambda rows: 100 * rows["raw_accuracy"]
    )
    with new_figure(len(ROWS), len(ARMS), height=1.75, sharex=True, sharey="row") as (figure, axes):
        for column, (arm, of_arm) in enumerate((arm, rows_with(table, arm=arm)) for arm in ARMS):
            for ax, (value, name, beside, what) in zip(axes[:, column], ROWS, strict=True):
                for color, (dim, rows) in zip(COLORS, of_arm.groupby("dim"), strict=False):
                    draw_intervals(ax, rows, x="embedding", y=value, color=color, label=f"{dim} latents")
                    end, level = rows["embedding"].max(), rows[beside].mean()
                    dashes = ":" if what == "raw input" else "--"
                    ax.plot([1.2 * end, 1.9 * end], [level] * 2, dashes, color=color, label=what)
                if column == 0:
                    ax.set_ylabel(name)
            draw_limits(axes[0, column], of_arm)
            axes[0, column].set_title(TITLES[arm])
            axes[-1, column].set_xlabel("dimensions of the embedding")
        axes[0, 0].set_xscale("log", base=2)
        axes[0, 0].set_xticks(EMBEDDINGS, map(str, EMBEDDINGS))
        axes[-1, 0].set_yscale("log", base=2)
        axes[-1, 0].set_yticks(EMBEDDINGS, map(str, EMBEDDINGS))
        draw_legend(figure, columns=5)
    return figure


def draw_limits(ax: Any, rows: pd.DataFrame) -> None:
    """The MI of each number of latents where the axis has it, and ln K."""
    from mibounds.plots.style import draw_ceiling

    top = rows["ceiling_nats"].iloc[0]
    end = rows["embedding"].max()
    for truth in rows["truth_nats"].unique():
        if truth < top + 0.5:
            ax.plot([end * 1.9, end * 2.6], [truth] * 2, color="black", label="true MI")
    draw_ceiling(ax, top, label="ceiling ln K")
    ax.set_ylim(0, top + 0.6)


STUDY = Study(
    slug="dimension",
    version=2,
    question="How wide must an embedding be, and does its rank tell how many latents there are?",
    axes={"arm": ARMS, "dim": DIMS, "embedding": EMBEDDINGS},
    stacked=("replicate",),
    seeds={"data": ("arm", "dim"), "weights": ("dim",), "evaluation": ("arm", "dim")},
    settings={
        "batch_size": 128,
        "steps": 600,
        "learning_rate": 2e-3,
        "n_candidates": 4096,
        "n_anchors": 1024,
        "n_examples": 2000,
    },
    presets={
        "smoke": {
            "replicates": 1,
            "dim": (2, 4),
            "embedding": (2, 4, 64),
            "steps": 4,
            "n_candidates": 128,
            "n_anchors": 64,
            "n_examples": 200,
        },
        "quick": {
            "replicates": 2,
            "dim": (4, 16),
            "embedding": (2, 4, 8, 16, 64),
            "steps": 300,
            "n_candidates": 1024,
        },
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

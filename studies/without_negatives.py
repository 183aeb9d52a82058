"""Without negatives: what keeps BYOL, SimSiam, Barlow Twins and VICReg from collapse?

Each piece is taken away in turn, and the geometry of held-out embeddings is read: their spread, as a share of what unit
vectors in all directions have, and their effective rank, never accuracy, which a collapsed encoder keeps. Views share 8
dimensions of content (correlation 0.9) beside 8 of private style. Replicates start alike and see the same pairs.

BYOL: {predictor, stop-gradient, momentum} x {batch norm, group norm with weight standardisation, no norm}. A momentum
network has no gradient to stop, so that without the stop-gradient the target is the online network: that cell is the
same with momentum and without. In a two-layer linear BYOL, trained on samples, the eigenvalues of predictor and
correlation matrix F have fixed points in closed form (Tian et al. 2021).

What falls short: perceptrons on latents of 16 dimensions; one rate, one batch and one length of training for all cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

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

    from mibounds.representation.methods import Method
    from mibounds.representation.network import Network

Tables = Mapping[str, "pd.DataFrame"]

CONTENT, STYLE = 8, 8
WIDTH, EMBEDDING = 64, 32
NORMS = ("batch", "group", "none")
NOTHING, NO_MOMENTUM, NO_PREDICTOR, NO_STOP = "nothing", "momentum", "predictor", "stop-gradient"
NEITHER, ALL = "predictor, momentum", "predictor, stop-gradient"
REPLACED = "stop-gradient, for redundancy reduction"
NO_OFF_DIAGONAL, NO_VARIANCE = "off-diagonal term", "variance term"
# method -> what is removed -> its options
MODELS: dict[str, dict[str, dict[str, Any]]] = {
    "byol": {
        NOTHING: {},
        NO_MOMENTUM: {"momentum": None},
        NO_PREDICTOR: {"predictor": False},
        NEITHER: {"predictor": False, "momentum": None},
        NO_STOP: {"stop_gradient": False},
        ALL: {"predictor": False, "stop_gradient": False},
    },
    "simsiam": {
        NOTHING: {},
        NO_STOP: {"stop_gradient": False},
        REPLACED: {"stop_gradient": False, "redundancy": 1.0},
    },
    "barlow_twins": {NOTHING: {}, NO_OFF_DIAGONAL: {"off_diagonal": 0.0}},
    "vicreg": {NOTHING: {}, NO_VARIANCE: {"variance": 0.0}},
    "linear": {NOTHING: {}, NO_MOMENTUM: {}, NO_PREDICTOR: {}, NO_STOP: {}},
}
USUAL: dict[str, dict[str, Any]] = {"byol": {"momentum": 0.99, "schedule": "constant"}}
REMOVED = tuple(dict.fromkeys(removed for models in MODELS.values() for removed in models))
NORMS_OF = {"byol": NORMS, "linear": ("none",)}
STAND, FALL = (NOTHING, NO_MOMENTUM), (NO_PREDICTOR, NEITHER, NO_STOP, ALL)  # what is expected of BYOL


def keep(point: dict) -> bool:
    method = point["method"]
    return point["removed"] in MODELS[method] and point["norm"] in NORMS_OF.get(method, ("batch",))


def measure(pack: Pack) -> list[Measurement]:
    """One stack of replicates."""
    if pack.cells[0]["method"] == "linear":
        return measure_linear(pack)
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.measuring import Sizes, baselines
    from mibounds.representation.measuring import measure as measure_models
    from mibounds.representation.sources import load

    cells, settings = pack.cells, pack.settings
    source = load("content_style")(CONTENT, STYLE, style_change=1.0, depth=1)
    weights, data, evaluation = (
        [cell.seed(purpose) for cell in cells] for purpose in ("weights", "data", "evaluation")
    )
    network, method = built(cells[0].point, source.shape, weights)
    network, method = network.to(pack.device), method.to(pack.device)
    n = settings["n_examples"]
    read = {"seeds": evaluation, "sizes": Sizes(n, n // 2, n, anchors=n // 2)}
    before = geometry(network, source, evaluation, n)
    random = baselines(network, source, **read)
    trainer = Pretrainer(
        network,
        method,
        source,
        data,
        batch_size=settings["batch_size"],
        steps=settings["steps"],
        learning_rate=settings["learning_rate"],
        check_every=max(1, settings["steps"] // 20),
    )
    trainer.fit()
    after = geometry(network, source, evaluation, n)
    found = measure_models(network, source, held_out=False, **read)
    return [
        Measurement(
            {
                **after[r],
                **{f"untrained_{name}": value for name, value in before[r].items()},
                "accuracy": row["accuracy"],
                "random_accuracy": random[r]["random_accuracy"],
                "alignment": row["alignment"],
                "status": first_failure(trainer.status[r], row["status"]),
            },
            curve=curve(trainer.checks, r),
        )
        for r, row in enumerate(found)
    ]


def built(point: Mapping[str, Any], shape: Sequence[int], seeds: Sequence[int]) -> tuple[Network, Method]:
    """Network and method; weights are the same whatever the norm and whatever is removed."""
    from mibounds.representation import methods
    from mibounds.representation.group_norm import without_batch_statistics
    from mibounds.representation.network import Network

    norm = "none" if point["norm"] == "none" else "batch"
    network = Network.build(
        shape,
        seeds,
        encoder_options={"hidden": (WIDTH,), "dim": WIDTH, "norm": norm},
        embedding=EMBEDDING,
        projector_options={"hidden": WIDTH, "norm": norm},
    )
    if point["norm"] == "group":
        without_batch_statistics(network)
    name, options = point["method"], MODELS[point["method"]][point["removed"]]
    if name in ("byol", "simsiam"):
        options = {"predictor_hidden": WIDTH, "predictor_norm": norm} | options
    method = methods.load(name)(network, seeds, **USUAL.get(name, {}) | options)
    if point["norm"] == "group" and name in ("byol", "simsiam"):
        without_batch_statistics(method.predictor)
    return network, method


def share(spread: float) -> float:
    """Of the spread 1/sqrt(d) that unit vectors in all directions have."""
    return spread * math.sqrt(EMBEDDING)


def geometry(network: Network, source: Any, seeds: Sequence[int], n: int) -> list[dict[str, float]]:
    """Of held-out embeddings: the spread of unit rows, the standard deviation of rows as they are, and the rank."""
    from mibounds.representation.geometry import effective_rank, spread
    from mibounds.representation.measuring import features

    z = features(network, source, n, seeds=seeds)[0].embedding
    found = zip(spread(z).tolist(), z.std(1).mean(-1).tolist(), effective_rank(z).tolist(), strict=True)
    return [
        {"spread_share": share(unit), "deviation_share": share(raw), "effective_rank": rank}
        for unit, raw, rank in found
    ]


def curve(checks: Sequence[Mapping[str, Any]], run: int) -> list[dict[str, Any]]:
    """Geometry of training batches along the way; a check without a number is left out."""
    return [
        {
            "step": check["step"],
            "spread_share": share(check["spread"][run]),
            "effective_rank": check["effective_rank"][run],
        }
        for check in checks
        if check["spread"][run] is not None
    ]


# The linear BYOL: f = W x, loss = |P f(x) - stop f_a(x')|^2 / 2, x and x' being an example with noise, P the predictor.

DIM, NOISE, DECAY, LINEAR_MOMENTUM = 8, 0.5, 0.02, 0.99


def stable_eigenvalue(noise: float = NOISE, decay: float = DECAY) -> float:
    """p of the predictor where a mode neither grows nor shrinks: (1 + noise^2) p^2 - p + decay = 0, the larger root.

    There F has the eigenvalue p^2; the other fixed points are 0 and the smaller root, which is not stable. From Tian et
    al. 2021, arXiv:2102.06810, with one rate and one decay for both layers.
    """
    scale = 1 + noise**2
    return (1 + math.sqrt(1 - 4 * scale * decay)) / (2 * scale)


def measure_linear(pack: Pack) -> list[Measurement]:
    """Eigenvalues of F = E f f' over examples without noise, and of the predictor's symmetric part, mode by mode."""
    import torch

    from mibounds.seeding import generator, seed_of

    cells, settings = pack.cells, pack.settings
    removed = cells[0]["removed"]
    start = [generator(cell.seed("weights")) for cell in cells]
    examples = [generator(seed_of("linear", cell.seed("data"))) for cell in cells]
    w, p = (
        torch.stack([0.3 * torch.randn(DIM, DIM, generator=g) for g in start]).requires_grad_() for _ in "wp"
    )
    target = w.detach().clone()
    trained = [w] if removed == NO_PREDICTOR else [w, p]
    optimizer = torch.optim.SGD(trained, lr=settings["linear_rate"], weight_decay=DECAY)
    rows: list[list[dict[str, Any]]] = [[] for _ in cells]
    for step in range(settings["linear_steps"] + 1):
        if step % max(1, settings["linear_steps"] // 40) == 0:
            for r in range(len(cells)):
                rows[r] += modes(w[r].detach(), p[r].detach(), step)
        x = torch.stack([torch.randn(3, settings["linear_batch"], DIM, generator=g) for g in examples])
        optimizer.zero_grad()
        linear_loss(x, w, p, target, removed).backward()
        optimizer.step()
        target.lerp_(w.detach(), 1 - LINEAR_MOMENTUM)
    return [Measurement(summary(of_run), modes=of_run) for of_run in rows]


def linear_loss(x: Tensor, w: Tensor, p: Tensor, target: Tensor, removed: str) -> Tensor:
    """Of `R x 3 x n x d`, an example and the noise of its two views; both ask for the other's, summed over runs."""
    views = [x[:, 0] + NOISE * x[:, i] for i in (1, 2)]
    f_a, f_b = (view @ w for view in views)
    if removed == NOTHING:
        t_a, t_b = (view @ target for view in views)
    else:
        t_a, t_b = (f_a, f_b) if removed == NO_STOP else (f_a.detach(), f_b.detach())
    q_a, q_b = (f_a, f_b) if removed == NO_PREDICTOR else (f_a @ p, f_b @ p)
    return ((q_a - t_b).square() + (q_b - t_a).square()).sum(-1).mean(-1).sum() / 4


def modes(w: Tensor, p: Tensor, step: int) -> list[dict[str, Any]]:
    """A row an eigenvector u of F: its eigenvalue, u'P u, and the cosine of u and P u, which is 1 if they align."""
    import torch

    if not (w.isfinite().all() and p.isfinite().all()):
        return [{"step": step, "mode": 0, "eigenvalue": math.nan}]
    values, vectors = torch.linalg.eigh(w.T @ w)
    mapped = (p + p.T) / 2 @ vectors
    along = (vectors * mapped).sum(0)
    cosine = along / mapped.norm(dim=0).clamp(min=1e-12)
    names = ("eigenvalue", "predictor_eigenvalue", "eigenspace_cosine")
    by_mode = zip(values.tolist(), along.tolist(), cosine.tolist(), strict=True)
    return [
        {"step": step, "mode": mode} | dict(zip(names, found, strict=True))
        for mode, found in enumerate(by_mode)
    ]


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """At the end: modes above half of the stable eigenvalue survive, and all are set against the nearer fixed point."""
    stable = stable_eigenvalue() ** 2
    first, last = ([row for row in rows if row["step"] == rows[end]["step"]] for end in (0, -1))
    if not all(math.isfinite(row["eigenvalue"]) for row in last):
        return {"status": "diverged"}
    values = [row["eigenvalue"] for row in last]
    cosines = [row["eigenspace_cosine"] for row in last if row["eigenvalue"] > stable / 2]
    return {
        "n_modes": len(cosines),
        "eigenvalue_left": max(values) / max(row["eigenvalue"] for row in first),
        "distance_from_theory": max(min(abs(value / stable - root) for root in (0, 1)) for value in values),
        "least_eigenspace_cosine": min(cosines, default=math.nan),
        "status": "ok",
    }


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 8
ALPHA = 0.05 / N_CLAIMS
UNIFORM = "of a uniform spread"
COMPLETE, SPREAD_MARGIN = 0.1, 0.1
LOWEST_RANK, RANK_SHARE, HALF = 2.0, 0.1, 0.5  # the shares are of the intact method's rank
EIGEN_MARGIN, EIGEN_COSINE, EIGEN_LEFT = 0.1, 0.95, 0.01


def by_removed(rows: pd.DataFrame, value: str) -> pd.DataFrame:
    """Replicates down, what is removed across, which pairs them."""
    return rows.pivot(index="replicate", columns="removed", values=value)


def geometry_claim(
    method: str,
    norm: str,
    stand: Sequence[str],
    fall: Sequence[str] = (),
    width: str = "spread_share",
    more: Callable[[pd.DataFrame, pd.DataFrame], list[Verdict]] = lambda width, rank: [],
) -> Callable[[Tables], Verdict]:
    """`stand` keep their width and rank, `fall` lose the width, and what `more` makes of both holds.

    Inconclusive unless the untrained networks have a width to lose.
    """

    def judged(rows: pd.DataFrame) -> Verdict:
        found, rank, start = (
            by_removed(rows, name) for name in (width, "effective_rank", f"untrained_{width}")
        )
        missing = [removed for removed in MODELS[method] if removed not in found]
        if missing:
            return Verdict.inconclusive(f"no rows of {method} without {missing[0]!r}")
        control = all_above(dict(start.items()), COMPLETE, UNIFORM, ALPHA)
        return provided(
            control,
            "untrained networks were to have spread",
            lambda: Verdict.all_of(*collapses(found, rank, stand, fall), *more(found, rank)),
        )

    return lambda tables: if_all_ok(rows_with(tables["table"], method=method, norm=norm), judged)


def collapses(
    width: pd.DataFrame, rank: pd.DataFrame, stand: Sequence[str], fall: Sequence[str]
) -> list[Verdict]:
    """What stands has width and rank, what falls has collapsed completely; Holm over the cells of a part."""
    least = (RANK_SHARE * rank[NOTHING]).clip(lower=LOWEST_RANK)
    parts = [
        all_above({f"without {s}": width[s] for s in stand}, COMPLETE, UNIFORM, ALPHA / 4),
        all_above({f"rank without {s}": rank[s] - least for s in stand}, 0.0, "dimensions", ALPHA / 4),
    ]
    if fall:
        parts.append(all_below({f"without {f}": width[f] for f in fall}, COMPLETE, UNIFORM, ALPHA / 4))
    return parts


def loses_rank_and_no_spread(spread: pd.DataFrame, rank: pd.DataFrame) -> list[Verdict]:
    changed = {"spread": spread[NO_OFF_DIAGONAL] - spread[NOTHING]}
    return [
        all_below({"rank": rank[NO_OFF_DIAGONAL] / rank[NOTHING]}, HALF, "of the intact rank", ALPHA / 4),
        all_equivalent(changed, SPREAD_MARGIN, UNIFORM, ALPHA / 4),
    ]


def follows_its_eigenvalues(tables: Tables) -> Verdict:
    """Theory's eigenvalues where predictor and stop-gradient are, nothing left where either is missing."""

    def judged(rows: pd.DataFrame) -> Verdict:
        alive, distance, cosine, left = (
            by_removed(rows, name)
            for name in ("n_modes", "distance_from_theory", "least_eigenspace_cosine", "eigenvalue_left")
        )
        missing = [removed for removed in MODELS["linear"] if removed not in alive]
        if missing:
            return Verdict.inconclusive(f"no rows of the linear network without {missing[0]!r}")

        def of(values: pd.DataFrame, which: Sequence[str]) -> dict[str, pd.Series]:
            return {f"without {removed}": values[removed] for removed in which}

        survive = all_above(of(alive, STAND), 0.5, "modes", ALPHA / 4)
        if survive.outcome != "supported":
            return survive
        return Verdict.all_of(
            all_below(of(distance, STAND), EIGEN_MARGIN, "of theory's eigenvalue", ALPHA / 4),
            all_above(of(cosine, STAND), EIGEN_COSINE, "cosine", ALPHA / 4),
            all_below(of(left, (NO_PREDICTOR, NO_STOP)), EIGEN_LEFT, "of the start", ALPHA / 4),
        )

    return if_all_ok(rows_with(tables["table"], method="linear"), judged)


TEXT = "Contrastive Learning Theory"
START = "Inconclusive unless untrained networks have a tenth of a uniform spread."
PATTERN = (
    "Embeddings collapse completely, to less than a tenth of a uniform spread, exactly where predictor or "
    "stop-gradient is missing. Supported if those four cells lie under it, and the intact method and the one without "
    "momentum over it, at an effective rank over 2 and over a tenth of the intact one's (Holm intervals); refuted if "
    "a cell does not. "
)
PIECE = (
    "Supported if without it the spread falls under a tenth of a uniform one, and the intact method keeps more, at an "
    "effective rank over 2; refuted if one does not. "
)
CLAIMS = (
    Claim(
        id="C12.batch_norm",
        text="BYOL: implicit contrast through momentum and stop-gradient.",
        source=f"{TEXT}; Grill et al. 2020; Chen and He 2021",
        criterion="With batch norm. " + PATTERN + START,
        verdict=geometry_claim("byol", "batch", STAND, FALL),
    ),
    Claim(
        id="C12.group_norm",
        text="It is not through statistics of the batch.",
        source="Richemond et al. 2020",
        criterion="With group norm and weight standardisation. " + PATTERN + START,
        verdict=geometry_claim("byol", "group", STAND, FALL),
    ),
    Claim(
        id="C12.no_norm",
        text="BYOL: implicit contrast through momentum and stop-gradient, without any norm.",
        source=TEXT,
        criterion="Judged apart, without any norm. " + PATTERN + START,
        verdict=geometry_claim("byol", "none", STAND, FALL),
    ),
    Claim(
        id="C12.eigenvalues",
        text="Predictor and correlation matrix come to share their eigenspaces, and the eigenvalues go to a stable "
        "point other than 0; without predictor or stop-gradient all go to 0.",
        source="Tian et al. 2021",
        criterion="Two-layer linear BYOL. Supported if, intact and without momentum, a mode survives, every "
        "eigenvalue of F is within a tenth of the stable one of it or of 0, and each surviving eigenvector u has a "
        "cosine over 0.95 to P u; and if without predictor or stop-gradient under a hundredth of the start is left; "
        "refuted if one is not.",
        verdict=follows_its_eigenvalues,
    ),
    Claim(
        id="C13.stop_gradient",
        text="SimSiam needs no memory bank, but the stop-gradient.",
        source="Chen and He 2021",
        criterion=PIECE + START,
        verdict=geometry_claim("simsiam", "batch", (NOTHING,), (NO_STOP,)),
    ),
    Claim(
        id="C13.redundancy",
        text="SimSiam removes the memory bank through redundancy reduction.",
        source=TEXT,
        criterion="Read as: redundancy reduction (VICReg's variance and covariance terms) in the stop-gradient's "
        "place prevents the collapse. Supported if without either the spread is under a tenth of a uniform one, and "
        "with redundancy reduction over it, at an effective rank over 2 and over a tenth of the intact one's; refuted "
        "if one does not hold. " + START,
        verdict=geometry_claim("simsiam", "batch", (REPLACED,), (NO_STOP,)),
    ),
    Claim(
        id="C13.barlow_twins",
        text="Barlow Twins is kept from collapse by redundancy reduction.",
        source="Zbontar et al. 2021",
        criterion="Supported if without the off-diagonal term the effective rank is at most half of the intact one's "
        "and the spread the same within a tenth of a uniform one (equivalence), since the loss standardises; refuted "
        "if one does not hold. " + START,
        verdict=geometry_claim("barlow_twins", "batch", (NOTHING,), more=loses_rank_and_no_spread),
    ),
    Claim(
        id="C13.vicreg",
        text="VICReg is kept from collapse by its variance term.",
        source="Bardes et al. 2022",
        criterion="Its loss sees lengths, so that the spread is that of embeddings as they are, not of unit ones. "
        + PIECE
        + START,
        verdict=geometry_claim("vicreg", "batch", (NOTHING,), (NO_VARIANCE,), width="deviation_share"),
    ),
)


# Figure

LINES = {
    NOTHING: ("-", 0),
    NO_MOMENTUM: ("-", 2),
    NO_PREDICTOR: ("--", 1),
    NEITHER: ("--", 3),
    NO_STOP: ("--", 4),
    ALL: (":", 5),
}
NAMES = {"batch": "batch norm", "group": "group norm", "none": "no norm"}


def draw(tables: Tables) -> Figure:
    """BYOL's spread while it trains, by norm; the linear network's eigenvalues; the others; accuracy beside spread."""
    from mibounds.plots.style import draw_legend, new_figure

    table = tables["table"]
    with new_figure(2, 3, height=2.5) as (figure, axes):
        for ax, norm in zip(axes[0], NORMS, strict=True):
            draw_spread(ax, rows_with(tables["curve"], method="byol", norm=norm), f"BYOL, {NAMES[norm]}")
        draw_eigenvalues(axes[1, 0], tables["modes"])
        draw_others(axes[1, 1], table)
        draw_accuracy(axes[1, 2], rows_with(table, method="byol"))
        draw_legend(figure, columns=3)
    return figure


def draw_spread(ax: Any, rows: pd.DataFrame, title: str) -> None:
    """The mean over replicates; a tenth of a uniform spread is collapse."""
    from mibounds.plots.style import COLORS, draw_ceiling, draw_measurement

    for removed, of in rows.groupby("removed"):
        dashes, color = LINES[removed]
        label = "intact" if removed == NOTHING else f"without {removed}"
        line = {"color": COLORS[color], "linestyle": dashes, "label": label}
        draw_measurement(ax, of, x="step", y="spread_share", **line)
    draw_ceiling(ax, COMPLETE, label="collapse, below")
    ax.set(yscale="log", ylim=(2e-3, 2), xlabel="step", ylabel="share of a uniform spread", title=title)


def draw_eigenvalues(ax: Any, rows: pd.DataFrame) -> None:
    """Each mode of three replicates; theory's stable eigenvalue."""
    from mibounds.plots.style import COLORS, draw_theory

    few = rows[rows["replicate"].isin(sorted(rows["replicate"].unique())[:3])]
    for (removed, _, _), mode in few.groupby(["removed", "replicate", "mode"]):
        dashes, color = LINES[removed]
        shown = mode["eigenvalue"].clip(lower=1e-6)
        ax.plot(mode["step"], shown, color=COLORS[color], linestyle=dashes, linewidth=0.6)
    draw_theory(ax, stable_eigenvalue() ** 2, label="theory: stable eigenvalue")
    ax.set(yscale="log", ylim=(1e-4, 20), xlabel="step", ylabel="eigenvalue of F", title="linear BYOL")


OTHERS = (
    ("SimSiam", "simsiam", NOTHING),
    ("no stop-gradient", "simsiam", NO_STOP),
    ("redundancy instead", "simsiam", REPLACED),
    ("Barlow Twins", "barlow_twins", NOTHING),
    ("no off-diagonal", "barlow_twins", NO_OFF_DIAGONAL),
    ("VICReg", "vicreg", NOTHING),
    ("no variance", "vicreg", NO_VARIANCE),
)


def draw_others(ax: Any, table: pd.DataFrame) -> None:
    """A row a model, a point a replicate: the width that is judged, and the rank as a share of the dimensions."""
    from mibounds.plots.style import COLORS, GREY

    for place, (_, method, removed) in enumerate(OTHERS):
        of = rows_with(table, method=method, removed=removed)
        width = of["deviation_share" if method == "vicreg" else "spread_share"]
        rank = of["effective_rank"] / EMBEDDING
        ax.plot(
            width, [place] * len(of), "o", color=COLORS[7], markersize=4, label="share of a uniform spread"
        )
        ax.plot(rank, [place] * len(of), "x", color=COLORS[6], markersize=4, label="effective rank / 32")
    ax.axvline(COMPLETE, color=GREY, linestyle=":")
    ax.set_yticks(range(len(OTHERS)), [name for name, _, _ in OTHERS])
    ax.invert_yaxis()
    ax.set(xscale="log", xlabel="share of the largest", title="others, batch norm")


def draw_accuracy(ax: Any, rows: pd.DataFrame) -> None:
    """Why accuracy does not tell: a collapsed encoder keeps much of it."""
    from mibounds.plots.style import COLORS, DARK, GREY

    for removed, of in rows.groupby("removed"):
        ax.plot(of["spread_share"], 100 * of["accuracy"], ".", color=COLORS[LINES[removed][1]], markersize=4)
    ax.axhline(100 * rows["random_accuracy"].mean(), color=DARK, linestyle=":", label="untrained encoder")
    ax.axvline(COMPLETE, color=GREY, linestyle=":")
    ax.set(xscale="log", xlabel="share of a uniform spread", ylabel="accuracy (%)", title="BYOL, all norms")


STUDY = Study(
    slug="without_negatives",
    question="What keeps methods without negatives from collapse?",
    axes={"method": tuple(MODELS), "norm": NORMS, "removed": REMOVED},
    stacked=("replicate",),
    seeds={"data": (), "weights": (), "evaluation": ()},
    keep=keep,
    settings={
        "batch_size": 64,
        "steps": 2000,
        "learning_rate": 3e-3,
        "n_examples": 2000,
        "linear_batch": 128,
        "linear_rate": 0.05,
        "linear_steps": 6000,
    },
    presets={
        "smoke": {"replicates": 1, "steps": 3, "n_examples": 200, "linear_steps": 3},
        "quick": {"replicates": 2, "norm": ("batch", "none"), "steps": 500},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

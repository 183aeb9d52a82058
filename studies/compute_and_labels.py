"""Compute: what does contrastive learning give for it, beside methods that need labels and methods that need none?

"dimension": views share d dimensions of content (correlation 0.9), as many of style are private, and a frozen network
of three layers mixes them. NT-Xent (K = 127) sets the budget of floating-point operations; VICReg, an autoencoder and a
supervised regression on the content spend as much on the same encoder, three layers of 128 units. PCA and CCA are the
linear case in closed form: they are told d, and more than 20,000 pairs, far below the budget, would not change them.
Read is the content's R^2, by a ridge probe on what each gives, and on raw inputs, which are PCA with all components.

"scale": NT-Xent at d = 16, encoders 16 to 128 wide, on batches from 256 to 16,384 pairs (its control: of new ones), all
for as many steps. "compute": ten classes that overlap, views being two looks at one member. An encoder 64 wide is
trained on labels or by NT-Xent, each budget to its own end, and one ridge probe reads both. Few labels: study `labels`.

A step costs 3 times its forward pass for each view; optimiser, ReLUs, views and probes are left out. Rates, temperature
and VICReg's weight were set on other seeds, at d = 32 and at the reference budget. Falls short: small encoders, and one
budget for all d, at which large d are far from trained out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from mibounds.study import (
    Claim,
    Measurement,
    Pack,
    Study,
    Verdict,
    all_above,
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
    from mibounds.representation.sources import Pairs, Source
    from mibounds.study import Cell

Tables = Mapping[str, "pd.DataFrame"]
Decide = Callable[["pd.DataFrame"], Verdict]

DIMS, LARGEST_DIMS, USUAL_DIM = (4, 8, 16, 32, 64), (32, 64), 16
WITHOUT_LABELS = ("vicreg", "autoencoder", "pca", "cca")
WIDTHS, WIDTH, COMPUTE_WIDTH = (16, 32, 64, 128), 128, 64
ENDLESS, N_PAIRS = 0, (256, 1024, 4096, 16384)
MULTIPLES, REFERENCE, UNDER_FOUR = (0.125, 0.25, 0.5, 1, 2, 3, 4, 8, 16), 1, 3
EMBEDDING, N_CLASSES = 64, 10
STEPS = {"dimension": 2000, "scale": 1500, "compute": 500}  # of NT-Xent, at a budget of 1
BEST_ACCURACY = 0.917  # from one view of the ten classes, by their own posterior
TEMPERATURES = {"dimension": 0.05, "scale": 0.05, "compute": 0.1}
RATES = {"dimension": 2e-3, "scale": 2e-3, "compute": 5e-3, "autoencoder": 1e-3, "supervised": 1e-2}


def keep(point: dict) -> bool:
    """The control, shuffled pairs, is where its claim is read."""
    arm, method, dim, width, n_pairs, multiple = (point[name] for name in AXES)
    if arm == "dimension":
        known = method != "supervised" and (method != "shuffled" or dim in LARGEST_DIMS)
        return known and (width, n_pairs, multiple) == (WIDTH, ENDLESS, REFERENCE)
    if arm == "scale":
        known = method == "simclr" or (method == "shuffled" and (width, n_pairs) == (WIDTHS[-1], N_PAIRS[-1]))
        return known and (dim, multiple) == (USUAL_DIM, REFERENCE) and n_pairs != ENDLESS
    known = method in ("simclr", "supervised") or (method == "shuffled" and multiple == REFERENCE)
    return known and (dim, width, n_pairs) == (USUAL_DIM, COMPUTE_WIDTH, ENDLESS)


def source_of(arm: str, dim: int) -> Source:
    from mibounds.representation.sources import load

    if arm == "compute":
        return load("classes")(N_CLASSES, dim, noise=1.3, positives="instance", depth=4)
    return load("content_style")(dim, dim, shared_correlation=0.9, depth=3)


def step_flops(method: str, dim_in: int, width: int, n: int) -> int:
    """On n pairs: 3 times the forward pass, two operations a weight and view, and so for the products in the loss."""
    n_views = n if method in ("regression", "supervised") else 2 * n
    after = {"autoencoder": (width, width, dim_in), "regression": (dim_in // 2,), "supervised": (N_CLASSES,)}
    layers = (dim_in, width, width, width, *after.get(method, (EMBEDDING,)))
    products = {"simclr": (2 * n) ** 2 * EMBEDDING, "vicreg": 2 * n * EMBEDDING**2}
    weights = sum(before * behind for before, behind in pairwise(layers))
    return 3 * 2 * (n_views * weights + products.get(method, 0))


def plan(method: str, cell: Cell, dim_in: int) -> tuple[int, int]:
    """Steps, and operations a step, that spend what NT-Xent's steps do."""
    sizes = (dim_in, cell["width"], cell.settings["batch_size"])
    as_simclr = cell.settings["share_of_steps"] * STEPS[cell["arm"]] * cell["multiple"]
    each = step_flops(method, *sizes)
    return max(1, round(as_simclr * step_flops("simclr", *sizes) / each)), each


def measure(pack: Pack) -> list[Measurement]:
    """One stack of replicates: a method trained on its budget, or a linear map in closed form."""
    from mibounds.representation import measuring

    cells, method, settings = pack.cells, pack.cells[0]["method"], pack.settings
    source, n = source_of(cells[0]["arm"], cells[0]["dim"]), settings["n_examples"]
    read: dict[str, Any] = {"seeds": [cell.seed("evaluation") for cell in cells]}
    read["sizes"] = measuring.Sizes(n, n // 2, n, anchors=64)
    network = untrained(pack, source)
    before = measuring.baselines(network, source, **read)
    if method in ("pca", "cca"):
        (d,), steps = source.shape, 0
        flops = 10 * 10 * n * d**2 + 22 * d**3  # CCA: two QR, a product, singular vectors; PCA takes less
        mapped = [seen_through(method, source, cell.seed("data"), 10 * n) for cell in cells]
        found = measuring.baselines(None, mapped, n_runs=len(cells), **read)
        found = [{name.removeprefix("raw_"): value for name, value in row.items()} for row in found]
        status = ["ok"] * len(cells)
    else:
        steps, flops, status = train(pack, network, source)
        found = measuring.measure(network, source, held_out=False, **read)
    spent = {"steps": steps, "gigaflops": flops / 1e9}
    together = zip(before, found, status, strict=True)
    return [Measurement(spent | row_of(known | of_run, went)) for known, of_run, went in together]


def row_of(found: Mapping[str, Any], status: str) -> dict[str, Any]:
    """Numbers of a row of the table; what a source does not have is missing."""
    read = ("content_r2", "style_r2", "accuracy")
    names = [f"{of}{name}" for of in ("", "raw_", "random_") for name in read]
    measured = {name: found.get(name, float("nan")) for name in names}
    return measured | {"status": first_failure(status, found.get("status", "ok"))}


def untrained(pack: Pack, source: Source) -> Network:
    """A method that embeds nothing has no projector; the encoder starts the same."""
    from mibounds.representation.network import Network

    width, weights = pack.cells[0]["width"], [cell.seed("weights") for cell in pack.cells]
    embeds = pack.cells[0]["method"] in ("simclr", "shuffled", "vicreg")
    encoder = {"hidden": (width, width), "dim": width}
    head = {"embedding": EMBEDDING if embeds else None, "projector_options": {"layers": int(embeds)}}
    return Network.build(source.shape, weights, encoder_options=encoder, **head).to(pack.device)


def train(pack: Pack, network: Network, source: Source) -> tuple[int, int, list[str]]:
    """Steps, operations, and how each run went."""
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.sources import Shuffled

    cell, seeds = pack.cells[0], [one.seed("data") for one in pack.cells]
    name = "simclr" if cell["method"] == "shuffled" else cell["method"]
    steps, each = plan(name, cell, source.shape[0])
    sources = [Shuffled(source) if cell["method"] == "shuffled" else source] * len(seeds)
    if cell["n_pairs"] != ENDLESS and cell["method"] != "shuffled":
        sources = [few_pairs(source, cell["n_pairs"], seed) for seed in seeds]
    method = method_of(name, network, [one.seed("weights") for one in pack.cells], cell).to(pack.device)
    rate = RATES.get(name, RATES[cell["arm"]])
    options = {"batch_size": pack.settings["batch_size"], "steps": steps, "learning_rate": rate}
    trainer = Pretrainer(network, method, sources, seeds, **options)
    trainer.fit()
    return steps, steps * each, trainer.status


def method_of(name: str, network: Network, seeds: Sequence[int], cell: Cell) -> Method:
    """By name; the regression is `supervised` with a squared error: mean of |W h + b - content|^2 / d."""
    from mibounds.representation import methods

    class Regression(methods.load("supervised")):  # type: ignore[misc]
        require = methods.Method.require

        def forward(self, network: Network, pairs: Pairs) -> Tensor:
            predicted = self.classifier(network(pairs.view_a).representation)
            return (predicted - pairs.factors["content"]).square().mean((-2, -1))

    if name == "regression":
        return Regression(network, seeds, n_classes=cell["dim"])
    options: dict[str, dict[str, Any]] = {
        "simclr": {"temperature": TEMPERATURES[cell["arm"]]},
        "vicreg": {"covariance": 30.0},
        "autoencoder": {"hidden": (cell["width"],) * 2},
        "supervised": {"n_classes": N_CLASSES},
    }
    return methods.load(name)(network, seeds, **options[name])


def few_pairs(source: Source, n: int, seed: int) -> Source:
    """The source with batches from the first n of the most pairs that there are: less data is part of more."""
    import torch

    from mibounds.representation.sources import Pairs
    from mibounds.seeding import generator, seed_of

    few, (a, b, _) = copy(source), source.pairs(max(N_PAIRS), seed_of("pairs", seed), split="train")

    def training_block(block: int, batch_size: int, seed: int, device: Any = "cpu") -> Pairs:
        rows = torch.randperm(n, generator=generator(seed_of(seed, block)))[:batch_size]
        return Pairs(a[rows].to(device), b[rows].to(device), {})

    few.steps_a_draw, few.training_block = 1, training_block
    return few


def seen_through(method: str, source: Source, seed: int, n: int) -> Source:
    """The source with clean inputs mapped to d axes, as many as content has: principal ones, or canonical ones."""
    import torch

    a, b, _ = source.pairs(n, seed, split="train")
    if method == "cca":
        axes = canonical_axes(a.double(), b.double())[:, : source.content_dim]
    else:
        axes = torch.linalg.eigh(torch.cov(torch.cat([a, b]).T)).eigenvectors[:, -source.content_dim :]

    def examples(*arguments: Any, **options: Any) -> Any:
        drawn = source.examples(*arguments, **options)
        return drawn._replace(x=drawn.x @ axes.to(drawn.x))

    mapped = copy(source)
    mapped.examples = examples
    return mapped


def canonical_axes(a: Tensor, b: Tensor) -> Tensor:
    """Of view a, from the largest correlation with view b down (Bjorck and Golub 1973, theorem 1)."""
    import torch

    (q_a, r_a), (q_b, _) = (torch.linalg.qr(x - x.mean(0)) for x in (a, b))
    return torch.linalg.solve_triangular(r_a, torch.linalg.svd(q_a.T @ q_b).U, upper=True)


# Claims: effect, threshold and interval were written before the full run.

ALPHA = 0.05 / 4  # claims
MARGIN_R2, DROP_R2, LEAD_POINTS, WITHIN_POINTS = 0.02, 0.01, 2.0, 1.0


def model(method: str, dim=USUAL_DIM, width=WIDTH, n_pairs=ENDLESS, multiple=REFERENCE) -> tuple:
    return method, dim, width, n_pairs, multiple


def guarded(tables: Tables, arm: str, needed: Sequence, controls: Sequence, decide: Decide) -> Verdict:
    """What `decide` makes of an arm's values, provided that shuffled pairs cost each control's model the margin."""
    value, scale = ("accuracy", 100) if arm == "compute" else ("content_r2", 1)
    margin, unit = (LEAD_POINTS, "points") if arm == "compute" else (MARGIN_R2, "R^2")

    def with_control(rows: pd.DataFrame) -> Verdict:
        raw = rows_with(rows, method="simclr").assign(method="raw", **{value: lambda of: of[f"raw_{value}"]})
        by_model = {"index": "replicate", "columns": list(AXES)[1:], "values": value}
        values = scale * rows.pivot(**by_model).join(raw.pivot(**by_model))
        broken = [("shuffled", *name[1:]) for name in controls]
        if missing := [one for one in (*needed, *controls, *broken) if one not in values]:
            return Verdict.inconclusive(f"no rows of (method, d, width, pairs, multiple) = {missing[0]}")
        cost = {str(a): values[a] - values[b] for a, b in zip(controls, broken, strict=True)}
        control = all_above(cost, margin, unit, ALPHA)
        lost = f"shuffled pairs were to cost NT-Xent more than {margin:g} {unit}"
        return provided(control, lost, lambda: decide(values))

    return if_all_ok(rows_with(tables["table"], arm=arm), with_control)


def more_efficient(tables: Tables, alternatives: Sequence[str]) -> Verdict:
    def decide(r2: pd.DataFrame) -> Verdict:
        lead = {f"{name}, d = {dim}": r2[own] - r2[model(name, dim)] for name, dim, own in pairs}
        return all_above(lead, MARGIN_R2, "R^2", ALPHA)

    own = [model("simclr", dim) for dim in LARGEST_DIMS]
    pairs = [(name, of[1], of) for name in (*alternatives, "raw") for of in own]
    return guarded(tables, "dimension", [model(*one[:2]) for one in pairs], own, decide)


def scales_well(tables: Tables) -> Verdict:
    wider = [model("simclr", width=width, n_pairs=N_PAIRS[-1]) for width in WIDTHS]
    more = [model("simclr", n_pairs=n) for n in N_PAIRS]

    def decide(r2: pd.DataFrame) -> Verdict:
        gains = {of: r2[path[-1]] - r2[path[0]] for of, path in (("width", wider), ("pairs", more))}
        steps = {f"{a} to {b}": r2[b] - r2[a] for path in (wider, more) for a, b in pairwise(path)}
        return Verdict.all_of(
            all_above(gains, MARGIN_R2, "R^2", ALPHA / 2), all_above(steps, -DROP_R2, "R^2", ALPHA / 2)
        )

    return guarded(tables, "scale", (*wider, *more), more[-1:], decide)


def needs_much_compute(tables: Tables) -> Verdict:
    """From the points by which NT-Xent at each multiple stays behind supervised learning at the reference."""
    one, three = (model("simclr", width=COMPUTE_WIDTH, multiple=m) for m in (REFERENCE, UNDER_FOUR))
    supervised = ("supervised", *one[1:])

    def decide(points: pd.DataFrame) -> Verdict:
        behind = points["simclr"].rsub(points[supervised], axis=0)
        found = Verdict.all_of(
            all_above({"at equal FLOPs": behind[one[1:]]}, LEAD_POINTS, "points", ALPHA / 2),
            all_above({"at 3 times the FLOPs": behind[three[1:]]}, WITHIN_POINTS, "points", ALPHA / 2),
        )
        close = [name[-1] for name in behind if behind[name].mean() <= WITHIN_POINTS]
        comes = f"at {min(close):g} times the FLOPs" if close else "at no multiple tried"
        return replace(found, reason=f"{found.reason}; within a point on average {comes}")

    return guarded(tables, "compute", (one, three, supervised), [one], decide)


TEXT = "Contrastive Learning Theory"
CLAIMS = (
    Claim(
        id="C10.efficiency",
        text="More efficient than alternatives in high dimension.",
        source=TEXT,
        criterion="Supported if at equal FLOPs, at d = 32 and at 64, the content's R^2 of NT-Xent is more than 0.02 "
        "above that of each alternative (paired): VICReg, an autoencoder, supervised regression on the content, PCA, "
        "CCA and raw inputs; refuted if less for one. Shuffled pairs must cost NT-Xent more than 0.02 at both d.",
        verdict=lambda tables: more_efficient(tables, (*WITHOUT_LABELS, "regression")),
    ),
    Claim(
        id="C10.unlabelled",
        text="More efficient in high dimension than alternatives that need no labels either.",
        source=TEXT,
        criterion="As C10.efficiency, without the regression, which is shown what the others must find.",
        verdict=lambda tables: more_efficient(tables, WITHOUT_LABELS),
    ),
    Claim(
        id="C10.scale",
        text="Scales well to large models and data.",
        source=TEXT,
        criterion="Supported if the content's R^2 gains more than 0.02 from an encoder 16 wide to one of 128, on "
        "16,384 pairs, and from 256 to 16,384 pairs, in the encoder of 128, while no step on these two ways loses more "
        "than 0.01 (paired); refuted if one part fails. Shuffled pairs must cost the largest model more than 0.02.",
        verdict=scales_well,
    ),
    Claim(
        id="C20.compute",
        text="Needs much compute to match supervised learning.",
        source=TEXT,
        criterion="Supported if supervised learning at the reference budget is more than 2 points of accuracy above "
        "NT-Xent at that budget, and more than 1 point above NT-Xent at 3 times it, so that it comes within a point at "
        "4 times or more only (paired); refuted if less in one. Shuffled pairs must cost NT-Xent more than 2 points.",
        verdict=needs_much_compute,
    ),
)


# Figure

NAMES = {"simclr": "NT-Xent", "vicreg": "VICReg", "pca": "PCA", "cca": "CCA", "shuffled": "shuffled pairs"}


def draw(tables: Tables) -> Figure:
    """R^2 over d at equal FLOPs; over width and data; accuracy over the budget."""
    from mibounds.plots.style import draw_legend, draw_theory, new_figure

    dimension, scale, compute = (rows_with(tables["table"], arm=arm) for arm in AXES["arm"])
    scale = rows_with(scale, method="simclr").assign(method=lambda rows: rows["width"])
    compute = compute.assign(**{name: 100 * compute[name] for name in compute if name.endswith("accuracy")})
    with new_figure(1, 3, height=2.9) as (figure, (axes,)):
        draw_lines(axes[0], dimension, "dim", "content_r2")
        draw_lines(axes[1], scale, "n_pairs", "content_r2")
        draw_lines(axes[2], compute, "gigaflops", "accuracy")
        draw_theory(axes[2], 100 * BEST_ACCURACY, label="best classifier")
        axes[0].set_xticks(DIMS, map(str, DIMS))
        axes[1].set_xticks(N_PAIRS, [f"{n:,}" for n in N_PAIRS])
        axes[0].set(xlabel="shared dimensions d", ylabel="R^2 of the content", title="equal FLOPs")
        axes[1].set(xlabel="training pairs", ylabel="R^2 of the content", title="NT-Xent, d = 16")
        axes[2].set(xlabel="training (10^9 FLOPs)", ylabel="accuracy (%)", title="ten classes")
        draw_legend(figure, columns=5)
    return figure


def draw_lines(ax: Any, rows: pd.DataFrame, x: str, y: str) -> None:
    """A line a method, or a width of NT-Xent's encoder; and what raw inputs give."""
    from mibounds.plots.style import COLORS, DARK, draw_intervals

    for name, of_name in rows.groupby("method", sort=False):
        grey = str(0.75 - 0.25 * WIDTHS.index(name)) if name in WIDTHS else None
        label = f"{name} wide" if grey else NAMES.get(name, name)
        line = {"linestyle": "--" if name in ("pca", "cca", "shuffled") else "-", "label": label}
        draw_intervals(ax, of_name, x=x, y=y, color=grey or COLORS[AXES["method"].index(name)], **line)
    own = rows_with(rows, method="simclr")
    draw_intervals(ax, own, x=x, y=f"raw_{y}", color=DARK, linestyle=":", label="raw inputs")
    ax.set_xscale("log")
    ax.minorticks_off()


AXES: dict[str, tuple] = {
    "arm": ("dimension", "scale", "compute"),
    "method": ("simclr", *WITHOUT_LABELS, "regression", "supervised", "shuffled"),
    "dim": DIMS,
    "width": WIDTHS,
    "n_pairs": (ENDLESS, *N_PAIRS),
    "multiple": MULTIPLES,
}
STUDY = Study(
    slug="compute_and_labels",
    question="What does contrastive learning give for its compute, beside methods with labels and without?",
    axes=AXES,
    stacked=("replicate",),
    seeds={"data": ("arm", "dim"), "weights": ("arm", "dim", "width"), "evaluation": ("arm", "dim")},
    keep=keep,
    width=10,
    settings={"batch_size": 64, "share_of_steps": 1.0, "n_examples": 2000},
    presets={
        "smoke": {"replicates": 1, "dim": (4, 16), "share_of_steps": 0.001, "n_examples": 100},
        "quick": {"replicates": 2, "dim": (8, 16, 32), "multiple": (0.25, 1, 3), "share_of_steps": 0.25},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

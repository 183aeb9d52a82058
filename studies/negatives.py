"""Negatives: do more of them give better representations, and what do false ones cost?

C latent classes, two members of a class as a pair, so that a negative is false with chance 1/C. Batches of 128 pairs at
every K: an anchor is set against n_negatives of the 254 other views, all else being equal ("fixed_batch"). The loss is
NT-Xent ("simclr"), the same without the false negatives, told by their labels ("clean"), or debiased (Chuang et al.
2020, told the class prior 1/C). "batch_moves" changes K with the batch, as nearly all published ablations do, and
"large_batch" is a thin arm up to 2,046. "tuned" takes temperature and learning rate from a search with two seeds that
are no replicates, at K = 2, 17, 255 (`tune` below); "untuned" has one of each.

Accuracy is a ridge probe's on the classes; an untrained encoder's stands beside it. "shuffled" pairs are the control:
on them accuracy rises with K too (a small K harms h more), so what they must not do is beat the untrained encoder. The
gradient's quality is read at one set of weights for all K, those of the
largest K after a quarter of the training: its signal-to-noise over batches, and its cosine to the largest K's.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from mibounds import statistics
from mibounds.study import (
    Cell,
    Claim,
    Measurement,
    Pack,
    Study,
    Verdict,
    all_above,
    all_below,
    best_by_others,
    if_all_ok,
    provided,
    rows_with,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from torch import Tensor

    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.methods import Method
    from mibounds.representation.network import Network
    from mibounds.representation.sources import Source

Tables = Mapping[str, "pd.DataFrame"]

NOISE = {2: 1.2, 10: 0.8, 50: 0.45, 500: 0.3}  # Bayes accuracy of one view .98, .95, .99, .99
N_NEGATIVES = (1, 2, 4, 8, 16, 32, 64, 128, 254)
LARGE = (254, 1022, 2046)
LARGE_REPLICATES = 5
MOVING = (2, 4, 8, 16, 32, 64, 128, 254)
CLEAN_MOST = {2: 64}  # half of 254 have another class; with more classes nearly all have
UNTUNED = {"temperature": 0.2, "learning_rate": 1e-3}
# What `tune` found: C -> K -> (temperature, learning rate); between these K, log-linear in K.
TUNED = {
    2: {1: (0.2, 2e-3), 16: (0.1, 2e-3), 254: (0.5, 2e-3)},
    10: {1: (0.5, 2e-3), 16: (0.2, 2e-3), 254: (0.5, 2e-3)},
    50: {1: (0.2, 2e-3), 16: (0.2, 2e-3), 254: (0.2, 2e-3)},
    500: {1: (0.2, 2e-3), 16: (0.2, 2e-3), 254: (0.1, 2e-3)},
}


def keep(point: dict) -> bool:
    arm, loss, classes, k = (point[name] for name in ("arm", "loss", "n_classes", "n_negatives"))
    if arm != "fixed_batch":
        of_arm = MOVING if arm == "batch_moves" else LARGE
        few = arm == "batch_moves" or point["replicate"] < LARGE_REPLICATES
        return (loss, classes, point["tuning"]) == ("simclr", 10, "untuned") and k in of_arm and few
    if k not in N_NEGATIVES or (loss == "clean" and k > CLEAN_MOST.get(classes, math.inf)):
        return False
    if loss == "shuffled":
        return classes == 10 and point["tuning"] == "untuned"
    return loss == "simclr" or point["tuning"] == "untuned"


def batch_size(cell: Cell, settings: Mapping[str, Any]) -> int:
    """In the confounded arm the batch holds just K - 1 negatives, as in the large one, whose K share the largest."""
    if cell["arm"] == "fixed_batch":
        return settings["batch_size"]
    return (cell["n_negatives"] if cell["arm"] == "batch_moves" else max(LARGE)) // 2 + 1


def settings_of(cell: Cell) -> tuple[float, float]:
    """(temperature, learning rate)."""
    if cell["tuning"] == "untuned":
        return UNTUNED["temperature"], UNTUNED["learning_rate"]
    found = TUNED[cell["n_classes"]]
    log_k = np.log2(sorted(found))
    by_k = np.log([found[k] for k in sorted(found)])
    temperature, rate = (
        np.exp(np.interp(math.log2(cell["n_negatives"]), log_k, column)) for column in by_k.T
    )
    return float(temperature), float(rate)


def source_of(n_classes: int, loss: str = "simclr") -> Source:
    from mibounds.representation.sources import Shuffled, load

    source = load("classes")(n_classes, noise=NOISE[n_classes])
    return Shuffled(source) if loss == "shuffled" else source


def method_of(loss: str, network: Network, cells: Sequence[Cell], temperatures: Sequence[float]) -> Method:
    from mibounds.representation import methods

    seeds = [cell.seed("weights") for cell in cells]
    options: dict[str, Any] = {
        "temperature": temperatures,
        "n_negatives": [cell["n_negatives"] for cell in cells],
    }
    if loss == "debiased":
        return methods.load("debiased")(network, seeds, tau_plus=1 / cells[0]["n_classes"], **options)
    return (
        clean_method(network, seeds, **options)
        if loss == "clean"
        else methods.load("simclr")(network, seeds, **options)
    )


def clean_method(
    network: Network, seeds: Sequence[int], *, n_negatives: Sequence[int], **options: Any
) -> Method:
    """NT-Xent whose negatives are the nearest n_negatives of other classes."""
    import torch

    from mibounds.representation.contrast import Contrast
    from mibounds.representation.methods.simclr import SimCLR

    class Clean(SimCLR):
        def forward(self, network, pairs):
            self.labels = pairs.factors["label"].repeat(1, 2)
            return super().forward(network, pairs)

        def arranged(self, z_a: Tensor, z_b: Tensor) -> Contrast:
            every = super().arranged(z_a, z_b)
            return without_class(every, self.labels, torch.tensor(n_negatives, device=z_a.device))

    return Clean(network, seeds, **options)


def without_class(every: Any, labels: Tensor, n_negatives: Tensor) -> Any:
    """Each anchor keeps the first n_negatives candidates of other classes, in the order of their distance."""
    import torch

    from mibounds.representation.contrast import Contrast

    n = labels.shape[1]
    row = torch.arange(n, device=labels.device)
    order = (row.unsqueeze(1) + row) % n  # column j of row i: the candidate at distance j
    apart = (labels.unsqueeze(2) != labels.unsqueeze(1)) & every.kept
    by_distance = apart.gather(2, order.expand_as(apart))
    first = by_distance & (by_distance.cumsum(2) <= n_negatives.view(-1, 1, 1))
    kept = torch.zeros_like(first).scatter(2, order.expand_as(first), first)
    return Contrast(
        every.positives, every.negatives.masked_fill(~kept, -torch.inf), n_negatives.view(-1, 1).float()
    )


def measure(pack: Pack) -> list[Measurement]:
    """One stack of K: the same first weights, the same pairs at each step."""
    cells, settings = pack.cells, pack.settings
    loss = cells[0]["loss"]
    temperatures, rates = zip(*map(settings_of, cells), strict=True)
    trainer = trainer_of(pack, source_of(cells[0]["n_classes"], loss), loss, temperatures, rates)
    untrained = untrained_accuracy(pack, trainer)
    steps = trainer.steps // 4
    trainer.fit(steps)
    quality = gradient_quality(trainer, settings["gradient_batches"], cells[0].seed("gradient"))
    trainer.fit()
    found = measured(pack, trainer)
    return [
        Measurement(
            {
                "n_candidates": cell["n_negatives"] + 1,
                "batch_size": trainer.batch_size,
                "temperature": temperatures[r],
                "learning_rate": rates[r],
                **found[r],
                "random_accuracy": untrained[r],
                **quality[r],
                "status": trainer.status[r],
            }
        )
        for r, cell in enumerate(cells)
    ]


def trainer_of(
    pack: Pack, source: Source, loss: str, temperatures: Sequence[float], rates: Sequence[float]
) -> Pretrainer:
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.network import Network

    cells, settings = pack.cells, pack.settings
    network = Network.build(source.shape, [cell.seed("weights") for cell in cells], embedding=32).to(
        pack.device
    )
    return Pretrainer(
        network,
        method_of(loss, network, cells, temperatures).to(pack.device),
        source,
        [cell.seed("data") for cell in cells],
        batch_size=batch_size(cells[0], settings),
        steps=settings["large_steps" if cells[0]["arm"] == "large_batch" else "steps"],
        learning_rate=rates,
    )


MEASURED = (
    "accuracy",
    "knn_accuracy",
    "estimate_nats",
    "oracle_nats",
    "best_temperature_estimate_nats",
    "ceiling_nats",
    "alignment",
    "uniformity",
    "tolerance",
    "effective_rank",
    "spread",
)


def evaluation_of(pack: Pack) -> dict[str, Any]:
    """Seeds and sizes of the evaluation data, the same for the untrained encoder."""
    from mibounds.representation.measuring import Sizes

    cells, n = pack.cells, pack.settings["n_examples"]
    n_train = max(n, 8 * cells[0]["n_classes"]) if n > 1000 else n
    sizes = Sizes(n_train, n // 2, n, anchors=256, pool=max(N_NEGATIVES))
    return {"seeds": [cell.seed("evaluation") for cell in cells], "sizes": sizes}


def untrained_accuracy(pack: Pack, trainer: Pretrainer) -> list[float]:
    """Of the encoders as they were drawn; those of one replicate are the same."""
    from mibounds.representation.measuring import baselines

    source = source_of(pack.cells[0]["n_classes"])
    return [row["random_accuracy"] for row in baselines(trainer.network, source, **evaluation_of(pack))]


def measured(pack: Pack, trainer: Pretrainer) -> list[dict[str, Any]]:
    from mibounds.representation.measuring import measure as measure_models

    source, temperature = source_of(pack.cells[0]["n_classes"]), trainer.method.temperature()
    found = measure_models(
        trainer.network, source, temperature=temperature.flatten().tolist(), **evaluation_of(pack)
    )
    return [{name: row[name] for name in MEASURED} for row in found]


def gradient_quality(trainer: Pretrainer, n_batches: int, seed: int) -> list[dict[str, float]]:
    """Of each K's gradient, at the weights of the last run, the largest K: signal-to-noise, cosine to the largest's.

    The signal is the squared norm of the mean over batches less what noise adds to it, the noise the variance of one
    batch's gradient. For the cosine, the two means are over different batches, so that they share no noise.
    """
    import torch

    from mibounds.representation.batches import stacked_pairs

    network = copy.deepcopy(trainer.network)
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(p[-1:].expand_as(p).clone())
    network.train()
    batches = stacked_pairs(
        trainer.sources, [seed] * trainer.n_runs, trainer.batch_size, device=trainer.device
    )
    gradients = []
    for pairs, _ in zip(batches, range(n_batches), strict=False):
        network.zero_grad(set_to_none=True)
        trainer.method(network, pairs).sum().backward()
        gradients.append(torch.cat([p.grad.flatten(1) for p in network.parameters()], dim=1))
    trainer.zero_grad(set_to_none=True)
    each = torch.stack(gradients).double()
    noise = each.var(0).sum(-1)
    signal = each.mean(0).square().sum(-1) - noise / n_batches
    halves = each[::2].mean(0), each[1::2].mean(0)
    cosine = torch.cosine_similarity(halves[0], halves[1][-1:], dim=-1)
    return [
        {"gradient_signal_to_noise": (signal / noise)[r].item(), "gradient_cosine": cosine[r].item()}
        for r in range(trainer.n_runs)
    ]


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 5
ALPHA = 0.05 / N_CLAIMS
DROP_POINTS = -0.5
BEST_POINTS = -0.5
TAUGHT_POINTS = 1.0


def points(rows: pd.DataFrame, value: str = "accuracy") -> pd.DataFrame:
    """Replicates down, K across, in points."""
    return 100 * rows.pivot(index="replicate", columns="n_candidates", values=value)


def slopes(table: pd.DataFrame) -> list[float]:
    """A replicate's least-squares slope, points a doubling of K."""
    x = np.log2(table.columns.to_numpy(dtype=float))
    return [float(np.polyfit(x, row, 1)[0]) for row in table.to_numpy()]


def page_p(table: pd.DataFrame, rising: bool = True) -> float:
    """Page's test that accuracy rises (or falls) with K, replicates being the blocks."""
    from scipy.stats import page_trend_test

    values = table.to_numpy() if rising else -table.to_numpy()
    return float(page_trend_test(values).pvalue) if len(values) > 1 else 1.0


def rises(table: pd.DataFrame, alpha: float, name: str) -> Verdict:
    """The trend by Page's test; the numbers are the mean slope and its interval."""
    interval = statistics.mean_interval(slopes(table), 1 - alpha)
    outcome = (
        "supported"
        if page_p(table) < alpha
        else "refuted"
        if page_p(table, False) < alpha
        else "inconclusive"
    )
    return Verdict(outcome, *interval, "points a doubling", f"{name}: Page's p = {page_p(table):.1e}")


def more_is_better(rows: pd.DataFrame, alpha: float) -> Verdict:
    """Rising trend, no adjacent drop of half a point, the largest within half a point of the best; for each C."""
    parts, tables = [], {c: points(of) for c, of in rows.groupby("n_classes")}
    for c, table in tables.items():
        parts.append(rises(table, alpha / 3 / len(tables), f"C = {c}"))
    drops = {
        f"C = {c}, K = {a} to {b}": table[b] - table[a]
        for c, table in tables.items()
        for a, b in zip(table.columns, table.columns[1:], strict=False)
    }
    best = {f"C = {c}, largest K against the best": behind_the_best(table) for c, table in tables.items()}
    parts.append(all_above(drops, DROP_POINTS, "points", alpha / 3))
    parts.append(all_above(best, BEST_POINTS, "points", alpha / 3))
    return Verdict.all_of(*parts)


def behind_the_best(table: pd.DataFrame) -> list[float]:
    """The largest K's accuracy minus that of the K which is best for the other replicates."""
    if len(table) < 2:
        return [math.nan]
    return (table.iloc[:, -1] - best_by_others(table)).tolist()


def fixed(tables: Tables, **wanted: object) -> pd.DataFrame:
    return rows_with(tables["table"], arm="fixed_batch", **wanted)


def shuffled_teach(rows: pd.DataFrame) -> Verdict:
    """Accuracy over the untrained encoder's, at each K below the margin."""
    over = 100 * (rows["accuracy"] - rows["random_accuracy"])
    groups = {f"K = {k}": values for k, values in over.groupby(rows["n_candidates"])}
    return all_below(groups, TAUGHT_POINTS, "points", ALPHA)


def decide_rise(tables: Tables, loss: str, tuning: str) -> Verdict:
    """Shuffled pairs are the control: at no K may they teach the classes."""

    def decide(rows: pd.DataFrame) -> Verdict:
        control = if_all_ok(fixed(tables, loss="shuffled"), shuffled_teach)
        return provided(control, "shuffled pairs were to teach nothing", lambda: more_is_better(rows, ALPHA))

    return if_all_ok(fixed(tables, loss=loss, tuning=tuning), decide)


def debiased_gains(tables: Tables) -> Verdict:
    """At the largest K, paired."""

    def decide(rows: pd.DataFrame) -> Verdict:
        rows = rows[rows["n_negatives"] == max(N_NEGATIVES)]
        wide = 100 * rows.pivot(index=["n_classes", "replicate"], columns="loss", values="accuracy")
        groups = {f"C = {c}": of["debiased"] - of["simclr"] for c, of in wide.groupby("n_classes") if c <= 50}
        return all_above(groups, 0.0, "points", ALPHA)

    return if_all_ok(fixed(tables, loss=("simclr", "debiased"), tuning="untuned"), decide)


def gradient_gains(tables: Tables) -> Verdict:
    """Slopes over log2 K of ln(signal-to-noise) and of the cosine, a value a replicate."""

    def decide(rows: pd.DataFrame) -> Verdict:
        groups = {}
        for c, of in rows.groupby("n_classes"):
            noise = of.assign(log=np.log(of["gradient_signal_to_noise"].clip(lower=1e-12)))
            groups[f"C = {c}, ln signal-to-noise"] = [s / 100 for s in slopes(points(noise, "log"))]
            groups[f"C = {c}, cosine"] = [s / 100 for s in slopes(points(of, "gradient_cosine"))]
        return all_above(groups, 0.0, "a doubling", ALPHA)

    return if_all_ok(fixed(tables, loss="simclr", tuning="untuned"), decide)


def moving_batch_overstates(tables: Tables) -> Verdict:
    """Gain from K = 3 to 255 where the batch moves with K, minus the gain at the fixed batch, paired."""

    def decide(rows: pd.DataFrame) -> Verdict:
        gain = {}
        for arm, of in rows.groupby("arm"):
            table = points(of)
            gain[arm] = table[max(MOVING) + 1] - table[min(MOVING) + 1]
        difference = gain["batch_moves"] - gain["fixed_batch"]
        return all_above({"batch moves, minus fixed": difference}, 0.0, "points", ALPHA)

    rows = rows_with(
        tables["table"], arm=("batch_moves", "fixed_batch"), loss="simclr", n_classes=10, tuning="untuned"
    )
    ends = rows[rows["n_negatives"].isin((min(MOVING), max(MOVING)))]
    return if_all_ok(ends, decide)


SOURCE = "Contrastive Learning Theory"
RISE = (
    "Supported if for every C accuracy rises with K by Page's test, no step to the next K drops by more than half a "
    "point (Holm intervals above -0.5) and the largest K is within half a point of the best, which the other "
    "replicates choose; refuted if a part is. Control: encoders on shuffled pairs, C = 10, must at every K stay less "
    "than a point above an untrained one."
)
CLAIMS = (
    Claim(
        id="C7.clean",
        text="More negatives, better contrasts, better representations: where no negative is false.",
        source=SOURCE,
        criterion=RISE,
        verdict=lambda tables: decide_rise(tables, "clean", "untuned"),
    ),
    Claim(
        id="C7.false",
        text="More negatives, better contrasts, better representations: with false negatives at rate 1/C.",
        source=SOURCE,
        criterion="With temperature and learning rate tuned for each K. " + RISE,
        verdict=lambda tables: decide_rise(tables, "simclr", "tuned"),
    ),
    Claim(
        id="C7.debiased",
        text="Correcting the loss for false negatives gives better representations.",
        source="Chuang et al. 2020",
        criterion="Supported if at K = 255 the debiased loss's accuracy minus NT-Xent's lies above 0 for C = 2, 10 and "
        "50 (paired); refuted if it lies below for one.",
        verdict=debiased_gains,
    ),
    Claim(
        id="C7.gradient",
        text="More negatives better the quality of the contrastive gradient.",
        source=SOURCE,
        criterion="Supported if for every C the slopes over log2 K of the gradient's log signal-to-noise and of its "
        "cosine to the largest K's lie above 0; refuted if one lies below.",
        verdict=gradient_gains,
    ),
    Claim(
        id="C7.batch",
        text="Ablations that move the batch with K overstate what K does.",
        source="the protocol of nearly all published ablations",
        criterion="Supported if accuracy's gain from K = 3 to K = 255 is larger where the batch moves with K than "
        "where it is fixed (C = 10, paired); refuted if it is smaller.",
        verdict=moving_batch_overstates,
    ),
)


def draw(tables: Tables) -> Figure:
    """Top: accuracy over K, a panel a C. Below: the arms that move the batch, the bound, and the gradient's quality."""
    from mibounds.plots.style import (
        COLORS,
        draw_ceiling,
        draw_intervals,
        draw_legend,
        draw_theory,
        new_figure,
    )

    table = tables["table"].assign(
        percent=lambda rows: 100 * rows["accuracy"],
        log_signal=lambda rows: np.log10(rows["gradient_signal_to_noise"].clip(lower=1e-12)),
    )
    colors = {"clean": COLORS[2], "simclr": COLORS[0], "debiased": COLORS[1], "shuffled": COLORS[7]}
    classes = sorted(table["n_classes"].unique())
    fixed_rows = rows_with(table, arm="fixed_batch")
    with new_figure(2, max(4, len(classes)), height=2.2) as (figure, axes):
        for ax, c in zip(axes[0], classes, strict=False):
            of_class = rows_with(fixed_rows, n_classes=c)
            for loss in ("clean", "simclr", "debiased"):
                rows = rows_with(of_class, loss=loss, tuning="untuned")
                draw_intervals(ax, rows, x="n_candidates", y="percent", color=colors[loss], label=NAMES[loss])
            tuned = rows_with(of_class, tuning="tuned")
            style = {"linestyle": "--", "marker": "s"}
            draw_intervals(
                ax, tuned, x="n_candidates", y="percent", color=COLORS[0], label="NT-Xent, tuned", **style
            )
            ax.set_title(f"{c} classes,\n1/{c} false")
        arms = rows_with(table, loss="simclr", n_classes=10, tuning="untuned")
        for arm, color, label in ARMS:
            rows = rows_with(arms, arm=arm)
            draw_intervals(
                axes[1, 0], rows, x="n_candidates", y="percent", color=color, label=label, marker="D"
            )
        axes[1, 0].set_title("what the batch adds (C = 10)")
        bound = rows_with(fixed_rows, loss="simclr", tuning="untuned", n_classes=10)
        draw_intervals(
            axes[1, 1], bound, x="n_candidates", y="estimate_nats", color=COLORS[0], label=NAMES["simclr"]
        )
        if len(bound):
            draw_theory(axes[1, 1], bound["oracle_nats"].mean(), label="true density ratio")
            draw_ceiling(axes[1, 1], bound["ceiling_nats"].mean(), label="ceiling ln K")
        axes[1, 1].set(title="InfoNCE held out, K = 255\n(C = 10)", ylabel="nats")
        untuned = rows_with(fixed_rows, loss="simclr", tuning="untuned")
        for color, (c, rows) in zip(COLORS[3:], untuned.groupby("n_classes"), strict=False):
            for ax, value in ((axes[1, 2], "log_signal"), (axes[1, 3], "gradient_cosine")):
                draw_intervals(ax, rows, x="n_candidates", y=value, color=color, label=f"{c} classes")
        axes[1, 2].set(title="gradient: log10 of\nsignal over noise")
        axes[1, 3].set(title="gradient: cosine to\nthe largest K's")
        for ax in axes.flat:
            ax.set_xscale("log")
        for ax in axes[1]:
            ax.set_xlabel("candidates K")
        axes[0, 0].set_ylabel("accuracy (%)")
        axes[1, 0].set_ylabel("accuracy (%)")
        draw_legend(figure, columns=4)
    return figure


NAMES = {"clean": "no false negatives", "simclr": "NT-Xent", "debiased": "debiased"}
ARMS = (
    ("fixed_batch", "#0173b2", "batch 128 at every K"),
    ("batch_moves", "#d55e00", "batch moves with K"),
    ("large_batch", "#029e73", "batch 1,024"),
)


def tune(seeds: Sequence[int] = (100, 101)) -> dict[int, dict[int, tuple[float, float]]]:
    """The search behind TUNED, on replicates that the study does not have, by accuracy on validation rows.

    `python -c "from mibounds import study; print(study.load('negatives').measure.__globals__['tune']())"`
    """
    import itertools

    from mibounds.study.grid import make_grid

    study = STUDY
    grid = list(itertools.product((0.1, 0.2, 0.5), (5e-4, 1e-3, 2e-3)))
    found: dict[int, dict[int, tuple[float, float]]] = {}
    for c, k in itertools.product(NOISE, (1, 16, 254)):
        base = make_grid(study, overrides={"n_classes": (c,), "n_negatives": (k,)}).cells[0]
        cells = [Cell(study, base.point | {"replicate": seed}, base.settings) for _ in grid for seed in seeds]
        temperatures, rates = zip(*(option for option in grid for _ in seeds), strict=True)
        trainer = trainer_of(Pack(tuple(cells)), source_of(c), "simclr", temperatures, rates)
        trainer.fit()
        accuracy = np.array(validation_accuracy(trainer, c)).reshape(len(grid), len(seeds)).mean(1)
        found.setdefault(c, {})[k] = grid[int(accuracy.argmax())]
    return found


def validation_accuracy(trainer: Pretrainer, n_classes: int) -> list[float]:
    from mibounds.representation.measuring import Sizes
    from mibounds.representation.measuring import measure as measure_models

    sizes = Sizes(max(2000, 8 * n_classes), 1000, 2000)
    found = measure_models(trainer.network, source_of(n_classes), seeds=999, sizes=sizes, held_out=False)
    return [row["accuracy"] for row in found]


STUDY = Study(
    slug="negatives",
    version=2,
    question="Do more negatives give better representations, and what do false ones cost?",
    axes={
        "arm": ("fixed_batch", "batch_moves", "large_batch"),
        "loss": ("simclr", "clean", "debiased", "shuffled"),
        "n_classes": tuple(NOISE),
        "tuning": ("untuned", "tuned"),
        "n_negatives": tuple(sorted({*N_NEGATIVES, *LARGE, *MOVING})),
    },
    stacked=("n_negatives",),
    seeds={"data": ("n_classes",), "weights": (), "evaluation": ("n_classes",), "gradient": ("n_classes",)},
    keep=keep,
    width=lambda point: 1 if point["arm"] == "batch_moves" else len(N_NEGATIVES),
    settings={
        "batch_size": 128,
        "steps": 400,
        "large_steps": 200,
        "gradient_batches": 16,
        "n_examples": 2000,
    },
    presets={
        "smoke": {
            "replicates": 1,
            "n_classes": (2, 10),
            "n_negatives": (2, 64, 254),
            "steps": 4,
            "large_steps": 2,
            "gradient_batches": 2,
            "n_examples": 200,
        },
        "quick": {"replicates": 2, "n_classes": (2, 10, 50), "steps": 150, "large_steps": 20},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

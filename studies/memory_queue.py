"""Memory queue: do embeddings of past batches help an encoder, without a larger batch?

500 classes around directions in 8 dimensions, many of them, so that negatives matter. The data are n_train members,
drawn once; a view is a member with noise, seen through a frozen network. MoCo trains on batches of 128: an anchor is
set against the batch's other keys and the queue, K = 128 + queue. Without a queue it is the same but for the length.

The verdicts are on 50,000 members, at momenta of 0, 0.9 and 0.99 over 1,500 steps, 15 time constants of the slowest;
"longer" has 0.999 over 10,000. "in_batch" is InfoNCE on larger batches of equal K, up to 1,024, for as many steps.
Accuracy is a ridge probe's on h, on the classes. Staleness is the mean age of the queue's keys, and how far the key
network turned a fixed batch's keys over that age, in the middle of the training. Keys that lag behind reward a network
for drifting away from them.

Beside them: "small_data", 5,000 members with a queue over half of them and over all, where an anchor meets its own
past key as a negative; and "longest", 65,536 keys on 200,000 members (5 replicates), since such a queue holds more than
50,000. What falls short: one kind of data, whose 8 latents say little about images; and a larger batch sees more pairs
a step, which no queue makes up for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from mibounds.study import (
    Claim,
    Measurement,
    Pack,
    Study,
    Verdict,
    all_above,
    all_below,
    best_by_others,
    first_failure,
    if_all_ok,
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

N_CLASSES, DIM = 500, 8
OF_MEMBERS, OF_VIEWS = 0.15, 0.26  # standard deviations, around a class and around a member
BATCH, MOMENTUM, TEMPERATURE = 128, 0.99, 0.1
QUEUES = (0, 128, 896, 4096, 16384)
EQUAL = 896  # the queue of K = 1,024
SWEPT = 4096  # the queue that sees all momenta
OVER_HALF, OVER_ALL = 2560, 10240  # of 5,000 members
LONGEST = 65536
TEMPERATURES = (0.05, 0.1, 0.2)
Model = tuple[int, int, float, float]  # batch_size, queue, momentum, temperature


def with_queue(
    *queues: int, momentum: float = MOMENTUM, temperature: float = TEMPERATURE
) -> tuple[Model, ...]:
    return tuple((BATCH, queue, momentum, temperature) for queue in queues)


MODELS: dict[str, tuple[Model, ...]] = {
    "queue": (
        *with_queue(*QUEUES),
        *with_queue(0, SWEPT, momentum=0.0),
        *with_queue(0, EQUAL, SWEPT, momentum=0.9),
        *with_queue(0, EQUAL, temperature=0.05),
        *with_queue(0, EQUAL, temperature=0.2),
    ),
    "in_batch": tuple((batch, 0, 0.0, TEMPERATURE) for batch in (256, 1024)),
    "longer": with_queue(0, EQUAL, momentum=0.999),
    "small_data": with_queue(0, OVER_HALF, OVER_ALL),
    "longest": with_queue(0, LONGEST),
    "shuffled": with_queue(EQUAL),
}
N_TRAIN = {"small_data": 5_000, "longest": 200_000}  # 50,000 elsewhere
FEW = {"longest": 5}  # replicates


def keep(point: dict) -> bool:
    arm, replicate = point["arm"], point["replicate"]
    model = tuple(point[name] for name in ("batch_size", "queue", "momentum", "temperature"))
    return model in MODELS[arm] and replicate < FEW.get(arm, replicate + 1)


@lru_cache(maxsize=16)
def stored(n_train: int, seed: int) -> Source:
    """A finite data set: members are drawn once, and each look at one is noisy. Epochs are shuffled."""
    import torch

    from mibounds.distributions.maps.random_network import RandomNetwork
    from mibounds.representation.sources import Examples, Factor, Pairs, Source, load
    from mibounds.representation.views import make
    from mibounds.seeding import generator, seed_of

    noise, mixing = make("noise", std=OF_VIEWS), RandomNetwork(DIM, 2, seed=0)
    members = load("classes")(N_CLASSES, DIM, noise=OF_MEMBERS, depth=0)
    sizes = {"train": n_train, "validation": 2000, "test": 4000}
    held = {split: members.examples(n, seed_of("members", split, seed)) for split, n in sizes.items()}
    order = lru_cache(maxsize=2)(lambda epoch: torch.randperm(n_train, generator=generator(epoch)))

    class Stored(Source):
        name, shape, factors = "stored", (DIM,), {"label": Factor(n_classes=N_CLASSES)}

        @classmethod
        def example(cls):
            return stored(256, 0)

        def looks(self, split, rows, source):
            x, label = (
                values[rows].to(source.device) for values in (held[split].x, held[split].factors["label"])
            )
            return Pairs(*(mixing.forward(noise(x, source)) for _ in "ab"), {"label": label})

        def pairs(self, n, seed, *, device="cpu", split="test"):
            rows = torch.randperm(sizes[split], generator=generator(seed_of("rows", seed)))[:n]
            return self.looks(split, rows, generator(seed, device))

        def examples(self, n, seed, *, device="cpu", split="test"):
            view, _, known = self.pairs(n, seed, device=device, split=split)
            return Examples(view, known)

        def training_rows(self, block, batch_size, seed):
            epoch, batch = divmod(block, n_train // batch_size)
            return order(seed_of(seed, "epoch", epoch))[batch * batch_size : (batch + 1) * batch_size]

        def training_block(self, block, batch_size, seed, device="cpu"):
            rows = self.training_rows(block, batch_size, seed)
            return self.looks("train", rows, generator(seed_of(seed, "looks", block), device))

    source = Stored()
    source.n_train = n_train
    return source


def summed_in_parts(network: Network, seeds: Sequence[int], at_once: int = 1024, **options: Any) -> Method:
    """MoCo whose partition over the queue is summed part by part, which long queues are five times faster for.

    ln sum_j e^(s_j) = ln sum_parts e^(ln sum_(j in part) e^(s_j)), so that a part counts as one candidate.
    """
    import torch

    from mibounds.representation.contrast import Contrast, contrast
    from mibounds.representation.methods.moco import MoCo

    class InParts(MoCo):
        def _with_queue(self, q: Tensor, k: Tensor) -> Contrast:
            batch, kept = contrast(q, k, self.temperature(), "one-way"), int(self.queue.filled)
            scaled, past = q / self.temperature(), self.queue.rows[:, :kept].to(q)
            parts = [
                torch.bmm(scaled, past[:, i : i + at_once].mT).logsumexp(-1, keepdim=True)
                for i in range(0, kept, at_once)
            ]
            negatives = torch.cat([batch.negatives, *parts], dim=-1)
            return Contrast(batch.positives, negatives, batch.n_negatives + kept)

    return InParts(network, seeds, **options)


MEASURED = ("accuracy", "knn_accuracy", "alignment", "uniformity", "effective_rank", "spread")


def measure(pack: Pack) -> list[Measurement]:
    """One stack of temperatures, momenta and replicates. An untrained encoder is read beside shuffled pairs alone."""
    from mibounds.representation.measuring import Sizes, baselines
    from mibounds.representation.measuring import measure as measure_models

    cells, n = pack.cells, pack.settings["n_examples"]
    n_train = N_TRAIN.get(cells[0]["arm"], pack.settings["n_train"])
    sources = [stored(n_train, cell.seed("members")) for cell in cells]
    trainer = trainer_of(pack, sources)
    read = {
        "seeds": [cell.seed("evaluation") for cell in cells],
        "sizes": Sizes(n, n // 2, n, anchors=n // 4),
    }
    shuffled = cells[0]["arm"] == "shuffled"
    untrained = baselines(trainer.network, sources, **read) if shuffled else [{}] * len(cells)
    age, turned = train(trainer, cells[0]["queue"])
    found = measure_models(trainer.network, sources, held_out=False, **read)
    measured = []
    for r, (cell, row) in enumerate(zip(cells, found, strict=True)):
        known = {
            "n_candidates": trainer.batch_size + cell["queue"],
            "n_train": n_train,
            "steps": trainer.steps,
            "random_accuracy": untrained[r].get("random_accuracy", math.nan),
            "mean_age_steps": age,
            "key_turn": turned[r],
            "own_key_share": own_key_share(
                sources[r], cell["queue"], trainer.batch_size, trainer.steps, cell.seed("data")
            ),
            "status": first_failure(trainer.status[r], row["status"]),
        }
        measured.append(Measurement({name: row[name] for name in MEASURED} | known))
    return measured


def trainer_of(pack: Pack, sources: Sequence[Source]) -> Pretrainer:
    from mibounds.representation import methods
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.network import Network
    from mibounds.representation.sources import Shuffled

    cells, settings, first = pack.cells, pack.settings, pack.cells[0]
    seeds = [cell.seed("weights") for cell in cells]
    sizes = {"embedding": 32, "projector_options": {"hidden": 64}}
    network = Network.build((DIM,), seeds, encoder_options={"hidden": (128,), "dim": 128}, **sizes).to(
        pack.device
    )
    temperatures, momenta = ([cell[axis] for cell in cells] for axis in ("temperature", "momentum"))
    if first["arm"] == "in_batch":
        method = methods.load("info_nce")(network, seeds, temperature=temperatures)
    else:
        keys = {
            "queue": first["queue"],
            "momentum": momenta,
            "allow_long_queue": first["arm"] == "small_data",
        }
        method = summed_in_parts(network, seeds, temperature=temperatures, **keys)
    return Pretrainer(
        network,
        method.to(pack.device),
        [Shuffled(source) for source in sources] if first["arm"] == "shuffled" else sources,
        [cell.seed("data") for cell in cells],
        batch_size=first["batch_size"],
        steps=settings["longer_steps" if first["arm"] == "longer" else "steps"],
        learning_rate=settings["learning_rate"],
    )


def train(trainer: Pretrainer, queue: int) -> tuple[float, list[float]]:
    """To the end. Returns the mean age of a full queue's keys, in steps, and how far keys turn over it, 1 - cosine."""
    if queue == 0:
        trainer.fit()
        return 0.0, [0.0] * trainer.n_runs
    age, middle = (queue / BATCH + 1) / 2, trainer.steps // 2
    trainer.fit(max(0, middle - round(age)))
    before = keys(trainer)
    trainer.fit(middle - trainer.steps_done)
    turned = 1 - (before * keys(trainer)).sum(-1).mean(-1)
    trainer.fit()
    return age, turned.tolist()


def keys(trainer: Pretrainer) -> Tensor:
    """What the key network makes of inputs that never change, on the sphere."""
    from torch.nn.functional import normalize

    from mibounds.representation.measuring import features

    found, _ = features(trainer.method.keys.network, trainer.sources[0], 256, seeds=0)
    return normalize(found.embedding, dim=-1)


def own_key_share(source: Any, queue: int, batch_size: int, steps: int, seed: int) -> float:
    """The share of anchors whose own member has a key in the queue, in the second half of the training."""
    import torch

    last_seen, met = torch.full((source.n_train,), -steps), []
    for step in range(steps):
        rows = source.training_rows(step, batch_size, seed)
        met.append((step - last_seen[rows] <= queue // batch_size).double().mean().item())
        last_seen[rows] = step
    second = met[steps // 2 :]
    return sum(second) / len(second)


# Claims: effect, threshold and interval were written before the full run.

N_CLAIMS = 4
ALPHA = 0.05 / N_CLAIMS
POINTS = 1.0
TAUGHT_POINTS = 5.0
RARE, USUALLY = 0.1, 0.9  # shares of anchors that meet their own key


def by_model(rows: pd.DataFrame, value: str = "accuracy") -> pd.DataFrame:
    """Replicates down, models across, which pairs them; in points."""
    return 100 * rows.pivot(
        index="replicate", columns=["batch_size", "queue", "momentum", "temperature"], values=value
    )


def controls(tables: Tables) -> str:
    """What is not as it must be, if anything: what shuffled pairs teach, and which anchors meet their own past key."""
    table = tables["table"]
    shuffled = rows_with(table, arm="shuffled")
    gained = (100 * (shuffled["accuracy"] - shuffled["random_accuracy"])).groupby(shuffled["queue"])
    if all_below(dict(list(gained)), TAUGHT_POINTS, "points", ALPHA).outcome != "supported":
        return "shuffled pairs were to teach no encoder the label"
    over_all = rows_with(table, arm="small_data", queue=OVER_ALL)["own_key_share"]
    if over_all.empty or not (over_all > USUALLY).all():
        return "a queue over all of the data was to hold nearly every anchor's own key"
    if not (rows_with(table, arm="queue")["own_key_share"] < RARE).all():
        return "the queues of the verdict were to hold few anchors' own keys"
    return ""


def points_above(
    tables: Tables,
    arms: tuple[str, ...],
    models: Sequence[Model],
    difference: Callable,
    threshold: float = POINTS,
) -> Verdict:
    """`difference`, a function of the accuracies of `models` in points to a value a replicate, above `threshold`."""

    def decide(rows: pd.DataFrame) -> Verdict:
        if wrong := controls(tables):
            return Verdict.inconclusive(wrong)
        points = by_model(rows_with(rows, arm=arms))
        missing = [model for model in models if model not in points or points[model].isna().any()]
        if missing:
            return Verdict.inconclusive(
                f"rows missing of (batch, queue, momentum, temperature) = {missing[0]}"
            )
        if len(points) < 2:
            return Verdict.inconclusive("one replicate decides nothing")
        return all_above({"all replicates": difference(points)}, threshold, "points", ALPHA)

    return if_all_ok(rows_with(tables["table"], arm=(*arms, "shuffled")), decide)


NONE = tuple(model for model in MODELS["queue"] if model[1] == 0)
QUEUED = tuple(model for model in MODELS["queue"] if model[1] > 0)


def a_queue_helps(tables: Tables) -> Verdict:
    return points_above(
        tables,
        ("queue",),
        (*NONE, *QUEUED),
        lambda of: best_by_others(of[list(QUEUED)]) - best_by_others(of[list(NONE)]),
    )


def it_helps_slow_keys(tables: Tables) -> Verdict:
    none, queued = MODELS["longer"]
    return points_above(tables, ("longer",), (none, queued), lambda of: of[queued] - of[none])


def it_replaces_a_larger_batch(tables: Tables) -> Verdict:
    queued, larger = [model for model in QUEUED if model[1] == EQUAL], MODELS["in_batch"][-1]
    arms = ("queue", "in_batch")
    return points_above(
        tables, arms, (*queued, larger), lambda of: best_by_others(of[list(queued)]) - of[larger], -POINTS
    )


def slow_keys_are_needed(tables: Tables) -> Verdict:
    slow, fast = ((BATCH, SWEPT, momentum, TEMPERATURE) for momentum in (MOMENTUM, 0.0))
    return points_above(tables, ("queue",), (slow, fast), lambda of: of[slow] - of[fast])


TEXT = "Contrastive Learning Theory"
CONTROLS = (
    "With shuffled pairs no encoder may gain 5 points over an untrained one; over 90% of the anchors must meet their "
    "own key in a queue over all of 5,000 members, and under 10% in the queues of the verdict."
)
CLAIMS = (
    Claim(
        id="C8.queue",
        text="A queue of past embeddings (MoCo) helps without a larger batch.",
        source=f"{TEXT}; He et al. 2020",
        criterion="50,000 members, batches of 128, 1,500 steps: supported if the best queue of 128 to 16,384 keys "
        "(and of momentum and temperature) beats the best without a queue (of the same) by more than a point of "
        "accuracy, paired, each chosen by the other replicates; refuted if by less. " + CONTROLS,
        verdict=a_queue_helps,
    ),
    Claim(
        id="C8.longer",
        text="So it does at momentum 0.999, over ten of its time constants.",
        source="He et al. 2020",
        criterion="10,000 steps: supported if a queue of 896 (K = 1,024) beats none by more than a point of accuracy, "
        "paired; refuted if by less. " + CONTROLS,
        verdict=it_helps_slow_keys,
    ),
    Claim(
        id="C8.in_batch",
        text="The queue decouples the number of negatives from the batch: it does what a larger batch would.",
        source="He et al. 2020",
        criterion="Supported if the best queue of 896 with batches of 128 (of momentum and temperature, chosen by the "
        "other replicates) is less than a point of accuracy behind InfoNCE on batches of 1,024, of equal K and steps, "
        "paired; refuted if it is more than a point behind. " + CONTROLS,
        verdict=it_replaces_a_larger_batch,
    ),
    Claim(
        id="C8.momentum",
        text="A queue needs keys that change slowly.",
        source="He et al. 2020",
        criterion="Supported if, with a queue of 4,096, momentum 0.99 beats momentum 0 by more than a point of "
        "accuracy, paired; refuted if by less. " + CONTROLS,
        verdict=slow_keys_are_needed,
    ),
)


# Figure


def draw(tables: Tables) -> Figure:
    """Accuracy over K and over momentum, the gain over no queue by size of the data, and what goes stale."""
    from mibounds.plots.style import draw_legend, new_figure

    table = tables["table"].assign(percent=lambda rows: 100 * rows["accuracy"])
    with new_figure(2, 2, height=2.5) as (figure, axes):
        draw_candidates(axes[0, 0], table)
        draw_gains(axes[0, 1], table)
        draw_momentum(axes[1, 0], rows_with(table, arm="queue", temperature=TEMPERATURE))
        draw_staleness(axes[1, 1], rows_with(table, arm=("queue", "longest"), temperature=TEMPERATURE))
        draw_legend(figure, columns=3)
    return figure


def logarithmic(ax: Any, ticks: Sequence[int], **labels: str) -> None:
    ax.set_xscale("log", base=2)
    ax.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    ax.minorticks_off()
    ax.set(**labels)


def draw_candidates(ax: Any, table: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, DARK, draw_intervals

    for arm, color, style, label in (
        ("queue", 0, {}, "queue"),
        ("in_batch", 1, {"linestyle": "--", "marker": "s"}, "larger batch"),
        ("longer", 2, {"marker": "^"}, "momentum 0.999, 10,000 steps"),
    ):
        rows = rows_with(table, arm=arm, temperature=TEMPERATURE, momentum=(MODELS[arm][0][2],))
        draw_intervals(ax, rows, x="n_candidates", y="percent", color=COLORS[color], label=label, **style)
    ax.axhline(100 * table["random_accuracy"].mean(), color=DARK, linestyle=":", label="untrained encoder")
    title = {"ylabel": "accuracy (%)", "title": "50,000 members, momentum 0.99"}
    logarithmic(ax, (128, 1024, 4096, 16384), xlabel="K, candidates of an anchor", **title)


def draw_gains(ax: Any, table: pd.DataFrame) -> None:
    """Paired with the run without a queue on the same data."""
    from mibounds.plots.style import COLORS, GREY, draw_intervals

    for arm, color, label in (("queue", 0, "queue"), ("small_data", 3, "5,000"), ("longest", 4, "200,000")):
        rows = rows_with(table, arm=arm, temperature=TEMPERATURE, momentum=MOMENTUM)
        none = rows[rows["queue"] == 0].set_index("replicate")["percent"]
        gains = rows.assign(gain=rows["percent"] - rows["replicate"].map(none))[rows["queue"] > 0]
        name = label if arm == "queue" else f"queue, {label} members"
        draw_intervals(ax, gains, x="queue", y="gain", color=COLORS[color], label=name)
    ax.axhline(0.0, color=GREY, linewidth=0.8)
    ax.axhline(POINTS, color=GREY, linestyle=":", label="threshold")
    labels = {
        "xlabel": "keys in the queue",
        "ylabel": "points over no queue",
        "title": "gain by size of the data, momentum 0.99",
    }
    logarithmic(ax, (128, 1024, 8192, 65536), **labels)


def draw_momentum(ax: Any, rows: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, DARK, draw_intervals

    momenta = (0.0, 0.9, MOMENTUM)
    for queue, color, style in ((0, DARK, ":"), (EQUAL, COLORS[5], "--"), (SWEPT, COLORS[0], "-")):
        of = rows[rows["queue"] == queue]
        placed = of.assign(place=of["momentum"].map(momenta.index))
        line = {"color": color, "linestyle": style, "label": f"{queue:,} keys"}
        draw_intervals(ax, placed, x="place", y="percent", **line)
    ax.set_xticks(range(len(momenta)), [f"{momentum:g}" for momentum in momenta])
    ax.set(xlabel="momentum of the keys", ylabel="accuracy (%)", title="momentum, 1,500 steps")


def draw_staleness(ax: Any, rows: pd.DataFrame) -> None:
    from mibounds.plots.style import COLORS, draw_intervals

    for color, (momentum, of) in enumerate(rows[rows["queue"] > 0].groupby("momentum"), start=5):
        line = {"color": COLORS[color], "label": f"keys at momentum {momentum:g}"}
        draw_intervals(ax, of, x="mean_age_steps", y="key_turn", **line)
    ax.set_yscale("log")
    labels = {"xlabel": "mean age of the keys (steps)", "ylabel": "turn, 1 - cosine", "title": "staleness"}
    logarithmic(ax, (1, 4, 16, 64, 256), **labels)


STUDY = Study(
    slug="memory_queue",
    question="Does a queue of past embeddings help, without a larger batch?",
    axes={
        "arm": tuple(MODELS),
        "batch_size": (128, 256, 1024),
        "queue": tuple(sorted({model[1] for models in MODELS.values() for model in models})),
        "momentum": (0.0, 0.9, 0.99, 0.999),
        "temperature": TEMPERATURES,
    },
    stacked=("momentum", "temperature", "replicate"),
    seeds={"members": (), "data": (), "weights": (), "evaluation": ()},
    keep=keep,
    width=lambda point: 2 if point["queue"] == LONGEST or point["batch_size"] == 1024 else 5,
    settings={
        "n_train": 50_000,
        "steps": 1500,
        "longer_steps": 10_000,
        "learning_rate": 2e-3,
        "n_examples": 4000,
    },
    presets={
        "smoke": {
            "replicates": 1,
            "queue": (0, 896, 10240),
            "steps": 4,
            "longer_steps": 4,
            "n_examples": 1000,
        },
        "quick": {"replicates": 2, "arm": ("queue", "in_batch"), "steps": 400, "longer_steps": 400},
        "full": {"replicates": 10},
    },
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

"""The staircase: how close each bound comes to a known mutual information as that rises.

Protocol of Poole et al. 2019 (figure 2) and Song and Ermon 2020 (figure 1): a 20-dimensional Gaussian with correlated
pairs, and its cubic map; batches of 64 new pairs each step; Adam at 5e-4; two hidden layers of 256; embedding 32; 4,000
steps on each of 2, 4, 6, 8, 10 nats, one after another. What the table holds is read on new batches after each level.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from mibounds import registry
from mibounds.study import Measurement, Pack, Study

if TYPE_CHECKING:
    from mibounds.distributions import Distribution

LEVELS_NATS = (2.0, 4.0, 6.0, 8.0, 10.0)
DIM = 20
UPPER = ("club", "leave_one_out")
CLASSIC = ("info_nce", "nwj", "donsker_varadhan", "mine", "jensen_shannon", "smile")
JOINT = ("info_nce", "nwj", "donsker_varadhan", "jensen_shannon")
JOINT_REPLICATES = 4
TRAINABLE = tuple(name for name in registry.names("mibounds.bounds") if name not in UPPER)


def keep(point: dict) -> bool:
    """The concatenated critic costs twenty times more: four bounds, four replicates, on the Gaussian."""
    if point["critic"] == "concatenated":
        return point["task"] == "gaussian" and point["bound"] in JOINT and point["replicate"] < JOINT_REPLICATES
    return point["task"] == "gaussian" or point["bound"] in CLASSIC


def law_of(task: str, truth_nats: float) -> Distribution:
    from mibounds.distributions import load

    gaussian = load("gaussian").from_mutual_information(DIM, truth_nats)
    if task == "gaussian":
        return gaussian
    from mibounds.distributions.maps import Cubic

    return load("transformed")(gaussian, map_y=Cubic())


def measure(pack: Pack) -> list[Measurement]:
    levels = measure_optimal(pack) if pack.cells[0]["critic"] == "optimal" else measure_trained(pack)
    rows, curves = zip(*levels, strict=True)
    return [
        Measurement([level[c] for level in rows], curve=[row for level in curves for row in level[c]])
        for c in range(len(pack.cells))
    ]


def measure_optimal(pack: Pack) -> Iterator[tuple[list[dict], list[list[dict]]]]:
    """Each bound with the true density ratio, on the batches that the trained critics are read on."""
    import itertools

    import torch

    from mibounds import bounds
    from mibounds.training import fresh_batches

    for truth_nats in LEVELS_NATS:
        law = law_of(pack.cells[0]["task"], truth_nats)
        batches = fresh_batches([law], [level_seed(pack, "evaluation", truth_nats)], pack.settings["batch_size"])
        values = []
        for x, y in itertools.islice(batches, pack.settings["evaluation_batches"]):
            log_ratio = law.log_density_ratio_matrix(x[0], y[0])
            values.append(torch.stack([at_optimum(bounds.load(cell["bound"])(), log_ratio) for cell in pack.cells]))
        yield held_out_rows(torch.stack(values), truth_nats, ["ok"] * len(pack.cells), pack), [[] for _ in pack.cells]


def at_optimum(bound, log_ratio):
    scores = bound.optimal_scores(log_ratio)
    return bound(scores) if bound.baseline is None else bound(scores, log_ratio.new_zeros(log_ratio.shape[:-1]))


def measure_trained(pack: Pack) -> Iterator[tuple[list[dict], list[list[dict]]]]:
    """One stack for the pack; bounds that share an objective share a training and are read apart."""
    from mibounds import bounds, critics
    from mibounds.training import Trainer, fresh_batches

    settings = pack.settings
    read = [bounds.load(cell["bound"])() for cell in pack.cells]
    trained = list(dict.fromkeys(bound.trained_as for bound in read))
    seeds = [pack.cells[0].seed("weights")] * len(trained)
    critic = critics.load(pack.cells[0]["critic"])(DIM, DIM, seeds).to(pack.device)
    readings = [(trained.index(bound.trained_as), bound) for bound in read]
    trainer = Trainer(critic, trained, seeds, readings=readings, learning_rate=settings["learning_rate"])

    for truth_nats in LEVELS_NATS:
        law = law_of(pack.cells[0]["task"], truth_nats)

        def batches(purpose, law=law, truth_nats=truth_nats):
            seed = level_seed(pack, purpose, truth_nats)
            return fresh_batches([law] * len(trained), [seed] * len(trained), settings["batch_size"], pack.device)

        first_step = trainer.steps_done
        history = trainer.fit(batches("data"), settings["steps"])
        values = trainer.evaluate(batches("evaluation"), settings["evaluation_batches"])
        status = [trainer.status[run] for run, _ in readings]
        yield held_out_rows(values, truth_nats, status, pack), curve_rows(history, truth_nats, first_step, pack)


def level_seed(pack: Pack, purpose: str, truth_nats: float) -> int:
    from mibounds.seeding import seed_of

    return seed_of(pack.cells[0].seed(purpose), truth_nats)


def held_out_rows(values, truth_nats: float, status: list[str], pack: Pack) -> list[dict]:
    """A row a cell from `values`, `batches x cells` nats."""
    from mibounds.bounds import load

    batch_size = pack.settings["batch_size"]
    mean, spread, largest = values.mean(0).tolist(), values.std(0).tolist(), values.amax(0).tolist()
    return [
        {
            "truth_nats": truth_nats,
            "estimate_nats": mean[c],
            "bias_nats": mean[c] - truth_nats,
            "batch_std_nats": spread[c],
            "largest_batch_nats": largest[c],
            "ceiling_nats": load(cell["bound"])().ceiling(batch_size),
            "batch_size": batch_size,
            "n_batches": len(values),
            "status": status[c],
        }
        for c, cell in enumerate(pack.cells)
    ]


def curve_rows(history, truth_nats: float, first_step: int, pack: Pack) -> list[list[dict]]:
    """Means over blocks of steps of the values on new batches before each step, `steps x cells` nats."""
    block = pack.settings["curve_block"]
    means = history.unflatten(0, (-1, block)).mean(1)
    return [
        [
            {"step": first_step + (b + 1) * block, "truth_nats": truth_nats, "estimate_nats": value}
            for b, value in enumerate(means[:, c].tolist())
        ]
        for c in range(len(pack.cells))
    ]


STUDY = Study(
    slug="bound_tightness",
    question="How close does each bound come to a known mutual information as that rises?",
    axes={
        "task": ("gaussian", "cubic"),
        "critic": ("optimal", "separable", "concatenated"),
        "bound": TRAINABLE,
    },
    stacked=("bound",),
    seeds={"data": (), "weights": ("critic",), "evaluation": ()},
    keep=keep,
    width=lambda point: 1 if point["critic"] == "concatenated" else 32,
    settings={
        "batch_size": 64,
        "steps": 4000,
        "evaluation_batches": 256,
        "curve_block": 100,
        "learning_rate": 5e-4,
    },
    presets={
        "smoke": {"replicates": 1, "steps": 20, "curve_block": 10, "evaluation_batches": 8},
        "quick": {"replicates": 1, "bound": CLASSIC, "steps": 500, "curve_block": 25, "evaluation_batches": 64},
        "full": {"replicates": 10},
    },
    measure=measure,
)

"""A grid of up to a million cells that nobody measures: `benchmarks.schedule` says how long each would take."""

from __future__ import annotations

from mibounds.study import Claim, Pack, Study, Verdict


def measure(pack: Pack) -> list:
    raise NotImplementedError("only its schedule is simulated")


def mean_is_positive(tables) -> Verdict:
    values = tables["table"]["estimate_nats"]
    return Verdict.above(values.mean(), values.min(), values.max(), threshold=0.0, unit="nats")


STUDY = Study(
    slug="_million",
    question="What does a driver need for a million cells?",
    axes={
        "part": tuple(range(1000)),
        "n_negatives": (3, 7, 15, 31, 63, 127, 255, 511, 1023, 2047),
        "dim": (2, 4),
    },
    stacked=("replicate",),
    seeds={"data": ("part",)},
    settings={"steps": 1000, "learning_rate": 0.001},
    presets={"full": {"replicates": 50}},
    claims=(Claim("M1", "the mean is positive", "here", "above 0", mean_is_positive),),
    measure=measure,
    width=10,
)

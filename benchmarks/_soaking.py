"""Thousands of short packs: each trains small critics for a few steps, as large studies do for longer."""

from __future__ import annotations

from mibounds.study import Claim, Measurement, Pack, Study, Verdict

DIM = 2


def measure(pack: Pack) -> list[Measurement]:
    from mibounds import bounds, critics, distributions
    from mibounds.training import Trainer, fresh_batches

    seeds = [cell.seed("data") for cell in pack.cells]
    laws = [distributions.load("gaussian").from_mutual_information(DIM, 1.0)] * len(seeds)
    critic = critics.load("separable")(DIM, DIM, seeds, hidden=(16,), embedding=4)
    trainer = Trainer(critic, bounds.load("info_nce")(), seeds)
    trainer.fit(fresh_batches(laws, seeds, 8), pack.settings["steps"])
    values = trainer.evaluate(fresh_batches(laws, seeds, 8), 1).mean(0)
    return [
        Measurement({"estimate_nats": value, "status": status})
        for value, status in zip(values.tolist(), trainer.status, strict=True)
    ]


def is_finite(tables) -> Verdict:
    values = tables["table"]["estimate_nats"]
    return Verdict.below(values.mean(), values.min(), values.max(), threshold=100.0, unit="nats")


STUDY = Study(
    slug="_soaking",
    question="Does a run of thousands of packs stay as it began?",
    axes={"part": tuple(range(100_000))},
    stacked=("replicate",),
    seeds={"data": ("part",)},
    settings={"steps": 1},
    presets={"full": {"replicates": 4}},
    claims=(Claim("S1", "it is finite", "here", "below 100", is_finite),),
    measure=measure,
    width=4,
)

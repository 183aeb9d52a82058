"""Dimension: how wide must an embedding be, and does its effective rank tell how many latents there are?

Latents on spheres of R^2 to R^32, seen through a frozen network of one hidden layer, and embeddings of 2 to 64 dimensions.
Two arms, since mutual information that grows with the dimension would be confused with it: 0.375 nats a dimension (12 at
most), and 4 nats whatever the dimension. The encoder has two hidden layers (128 units), h is the second, and z an affine
map of it, so that the embedding's width is all that changes. The temperature is the data's own, 1/kappa; each run spends
its first third at 8/kappa, since with an embedding of just d dimensions a cold start often ends in a folded sphere.
Batches of 128 pairs, all 254 negatives. Runs take steps in proportion to the latents' dimension from 8 on: at 32 a
short run's probe stays below that of the raw input, which is undertraining (both baselines are columns).

InfoNCE is read with 4,096 candidates on pairs that trained nothing, so 12 nats cannot be seen: its ceiling is 8.3. Each
replicate's sample of pairs errs by up to 0.2 nats, most of it in the mean log density ratio of these very pairs, whose
expectation is the MI: "sampled_truth_nats". The bound minus it has the mean of the bound minus the MI, and little noise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

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
    all_equivalent,
    if_all_ok,
    rows_with,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mibounds.representation.network import Network
    from mibounds.representation.sources import Source

Tables = Mapping[str, "pd.DataFrame"]

NATS_A_DIMENSION, CONSTANT_NATS = 0.375, 4.0
ARMS = ("nats_a_dimension", "constant_nats")
DIMS = (2, 4, 8, 16, 32)
EMBEDDINGS = (2, 4, 8, 16, 32, 64)
ENCODER = {"hidden": (128,), "dim": 128}
HOT = 8.0  # times 1/kappa


def kappa_of(arm: str, dim: int) -> float:
    return theory.vmf_concentration(dim, NATS_A_DIMENSION * dim if arm == "nats_a_dimension" else CONSTANT_NATS)


def steps_of(dim: int, steps: int) -> int:
    """`steps` up to 8 dimensions, in proportion above."""
    return steps * max(8, dim) // 8


def measure(pack: Pack) -> list[Measurement]:
    """A stack of replicates. All widths of an embedding share data, the encoder's first weights and the pairs read."""
    from mibounds.representation import methods
    from mibounds.representation.loop import Pretrainer
    from mibounds.representation.measuring import Sizes, baselines, held_out_bound
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
    untrained_ranks = ranks(network, source, n_examples, evaluation)
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
    found = measure_models(network, source, sizes=sizes, **held_out)
    shuffled = held_out_bound(
        network, Shuffled(source), n_anchors=n_anchors, n_pool=n_pool, n_validation=16, **held_out
    ).estimate_nats.tolist()
    sampled = sampled_truth_nats(network, source, evaluation, n_anchors, n_pool)
    return [
        Measurement(
            found[r]
            | untrained[r]
            | {
                "kappa": kappa,
                "steps": steps,
                "random_effective_rank": untrained_ranks[r],
                "sampled_truth_nats": sampled[r],
                "shuffled_nats": shuffled[r],
                "status": trainer.status[r] if trainer.status[r] != "ok" else found[r]["status"],
            }
        )
        for r in range(len(cells))
    ]


def ranks(network: Network, source: Source, n: int, seeds: Sequence[int]) -> list[float]:
    """Effective ranks of the embeddings of test inputs."""
    from mibounds.representation.geometry import effective_rank
    from mibounds.representation.measuring import features

    return effective_rank(features(network, source, n, seeds=seeds)[0].embedding).tolist()


def sampled_truth_nats(
    network: Network, source: Source, seeds: Sequence[int], n_anchors: int, n_pool: int
) -> list[float]:
    """Mean log density ratio of the test pairs that the bound is read on: the MI and these pairs' luck.

    Of other pairs it would have the same expectation, and leave the luck in.
    """
    from mibounds.representation.reading import device_of, pairs_of, runs_of

    runs = runs_of(len(seeds), source, seeds)
    drawn = pairs_of(runs, n_anchors + n_pool, "test", ("held out", 0), device_of(network))
    ratios = (
        source.log_density_ratio_matrix(
            of.view_a[:n_anchors].unsqueeze(1), of.view_b[:n_anchors].unsqueeze(1)
        )
        for of in drawn
    )
    return [ratio.mean().item() for ratio in ratios]

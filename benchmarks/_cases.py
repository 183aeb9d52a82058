"""Which losses of ours stand beside which of the peers', and how the one definition is the other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from benchmarks import _environment
from mibounds.representation.per_run import Temperature

SEEDS = (0, 1, 2)
N, D, PAST, PROTOTYPES, CLASSES = 24, 8, 40, 12, 5
SETTINGS = {
    "temperature": Temperature(0.2, 1).double()().item(),  # as it is kept, by its logarithm in float32
    "margin": 0.3,
    "l2": 0.01,
    "off_diagonal": 0.02,
    "eps": 0.05,
    "iterations": 4,
    "t": 2.0,
    "alpha": 2.0,
    "weight": 0.7,
}
PML, LIGHTLY = _environment.PEERS


@dataclass(frozen=True)
class Case:
    """A loss of ours and a peer's.

    Attributes:
        peer: its package.
        theirs: the peer's loss, a key of `_peers`.
        loss: our method.
        mapping: how the one is the other; or, if they are two losses, what the peer's is.
        settings: names among SETTINGS that our method takes.
        options: others of our method.
        same: whether the peer defines the same loss.
    """

    peer: str
    theirs: str
    loss: str
    mapping: str
    settings: tuple[str, ...] = ()
    options: dict[str, Any] = field(default_factory=dict)
    same: bool = True


TAU = ("temperature",)
NO_PREDICTOR = {"predictor": False}
CASES = (
    Case(
        PML,
        "NTXentLoss",
        "simclr",
        "in SelfSupervisedLoss: 2n anchors, mean; the positive counted below",
        TAU,
    ),
    Case(
        PML,
        "NTXentLoss, one way",
        "info_nce",
        "in SelfSupervisedLoss(symmetric=False): view b is ref_emb",
        TAU,
    ),
    Case(PML, "NTXentLoss, both ways", "symmetric_info_nce", "half the sum of one way and its reverse", TAU),
    Case(
        PML,
        "SupConLoss",
        "supcon",
        "both views with their row's label; the mean over positives outside ln",
        TAU,
    ),
    Case(
        PML,
        "TripletMarginLoss",
        "triplet",
        "LpDistance(power=2) of unit rows, MeanReducer: all triplets, those at zero counted",
        ("margin",),
    ),
    Case(
        PML,
        "TripletMarginLoss, BatchHardMiner",
        "triplet",
        "mining=hardest; LpDistance(power=2) of unit rows, MeanReducer",
        ("margin",),
        {"mining": "hardest"},
    ),
    Case(
        PML,
        "TripletMarginLoss, its own reducer",
        "triplet",
        "AvgNonZeroReducer: the mean over triplets above zero alone, ours over all",
        ("margin",),
        same=False,
    ),
    Case(
        PML,
        "NPairsLoss",
        "n_pair",
        "DotProductSimilarity(normalize_embeddings=False); l2 by LpRegularizer(power=2), a mean over 2n rows",
        ("l2",),
    ),
    Case(
        PML,
        "NPairsLoss, its own distance",
        "n_pair",
        "unit embeddings; ours are free, as in the paper",
        ("l2",),
        same=False,
    ),
    Case(
        PML,
        "CrossBatchMemory(NTXentLoss)",
        "moco",
        "keys and past keys in the memory, by enqueue_mask: negatives are the batch's other keys and the past",
        TAU,
        {"queue": PAST},
    ),
    Case(PML, "VICRegLoss", "vicreg", "weights 25, 25, 1; 1/d in the invariance, 1/2 before the hinges"),
    Case(LIGHTLY, "NTXentLoss", "simclr", "2n anchors, mean; the positive counted below", TAU),
    Case(
        LIGHTLY,
        "NTXentLoss, memory bank, an anchor at a time",
        "moco",
        "mean of n calls, each with the batch's other keys and the past in the bank",
        TAU,
        {"queue": PAST},
    ),
    Case(
        LIGHTLY,
        "NTXentLoss, memory bank",
        "moco",
        "negatives from the bank alone (MoCo v1); ours have the batch's other keys too",
        TAU,
        {"queue": PAST},
        same=False,
    ),
    Case(LIGHTLY, "DCLLoss", "dcl", "half the sum of both views' means", TAU),
    Case(
        LIGHTLY,
        "BarlowTwinsLoss",
        "barlow_twins",
        "lambda off_diagonal; biased variance + 1e-5",
        ("off_diagonal",),
    ),
    Case(LIGHTLY, "VICRegLoss", "vicreg", "weights 25, 25, 1; 1/d in the invariance, 1/2 before the hinges"),
    Case(
        LIGHTLY,
        "SwaVLoss",
        "swav",
        "scores of two views and no small crops; codes rows of sum 1",
        ("temperature", "eps", "iterations"),
        {"prototypes": PROTOTYPES},
    ),
    Case(
        LIGHTLY,
        "SwaVLoss, queue",
        "swav",
        "the same with past rows' scores as queue_outputs",
        ("temperature", "eps", "iterations"),
        {"prototypes": PROTOTYPES, "queue": PAST},
    ),
    Case(
        LIGHTLY,
        "NegativeCosineSimilarity / 2",
        "simsiam",
        "half the sum of both directions, the second argument detached; the identity for a predictor",
        options=NO_PREDICTOR,
    ),
    Case(
        LIGHTLY,
        "4 + 2 NegativeCosineSimilarity",
        "byol",
        "4 + 2 (both directions): |p - t|^2 of unit rows is 2 - 2 cosine; the identity for a predictor",
        options=NO_PREDICTOR,
    ),
    Case(
        LIGHTLY,
        "HypersphereLoss",
        "alignment_uniformity",
        "pairs i < j, of which the mean is that of i != j",
        ("t", "alpha", "weight"),
    ),
)

"""Our losses beside pytorch-metric-learning's and lightly's: the same embeddings, the same value, the same gradient.

    python -m benchmarks.peer_losses

The peers are installed in an environment of their own (`.benchmarks/`, made once) and compute in a process of their
own; embeddings go there in float64. Where a peer defines the same loss, value and gradient must agree; where it defines
another one, the two stand beside each other. Writes `results/benchmarks/peer_losses.csv`. Exit codes: 0 all that is the
same agrees, 1 something differs, 2 nothing could be compared.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks import _environment
from mibounds import files
from mibounds.representation import methods
from mibounds.representation.encoders import Encoder
from mibounds.representation.heads import Projector
from mibounds.representation.methods import Method
from mibounds.representation.network import Network
from mibounds.representation.per_run import Temperature
from mibounds.representation.sources import Pairs
from mibounds.seeding import generator, seed_of

TABLE = _environment.ROOT / "results" / "benchmarks" / "peer_losses.csv"
TOLERANCE = 1e-6  # of float64
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


class Answer(NamedTuple):
    """A loss's value `R` and its gradients by both views, `2 x R x n x d`."""

    value: np.ndarray
    gradients: np.ndarray


class _Given(Encoder):
    """The inputs themselves are the representation."""

    name = "given"

    def __init__(self, dim: int, n_runs: int):
        super().__init__((dim,), n_runs)
        self.dim = dim

    def layers(self, x: Tensor) -> dict[str, Tensor]:
        return {"given": x.clone()}  # an operation, so that a network without gradients gives none


def inputs() -> dict[str, Tensor]:
    """Of R runs in float64: views that correlate, rows of any length; past rows and prototypes of length 1."""

    def drawn(what: str, *shape: int) -> Tensor:
        made = [
            torch.randn(*shape, generator=generator(seed_of(what, s)), dtype=torch.float64) for s in SEEDS
        ]
        return torch.stack(made)

    z_a = drawn("view_a", N, D)
    labels = [torch.randint(CLASSES, (N,), generator=generator(seed_of("label", s))) for s in SEEDS]
    return {
        "z_a": z_a,
        "z_b": z_a + 0.8 * drawn("view_b", N, D),
        "past_a": normalize(drawn("past_a", PAST, D), dim=-1),
        "past_b": normalize(drawn("past_b", PAST, D), dim=-1),
        "prototypes": normalize(drawn("prototypes", D, PROTOTYPES), dim=1),
        "label": torch.stack(labels),
    }


def ours(case: Case, given: dict[str, Tensor]) -> Answer:
    """Our method's losses of the embeddings, through its own `forward`."""
    network = Network(_Given(D, len(SEEDS)), Projector(D, None, [], layers=0))
    options = {name: SETTINGS[name] for name in case.settings} | case.options
    method = methods.load(case.loss)(network, SEEDS, **options).double()
    _remember(method, given)
    z_a, z_b = (given[name].clone().requires_grad_() for name in ("z_a", "z_b"))
    losses = method(network, Pairs(z_a, z_b, {"label": given["label"]}))
    losses.sum().backward()
    gradients = [torch.zeros_like(z) if z.grad is None else z.grad for z in (z_a, z_b)]
    return Answer(losses.detach().numpy(), torch.stack(gradients).numpy())


def _remember(method: Method, given: dict[str, Tensor]) -> None:
    """What the method has from before: past rows in its queues, its prototypes."""
    for queue, past in (("queue", "past_b"), ("queue_a", "past_a"), ("queue_b", "past_b")):
        if hasattr(method, queue):
            getattr(method, queue).push(given[past])
    if hasattr(method, "prototypes"):
        with torch.no_grad():
            method.prototypes.copy_(given["prototypes"])


def theirs(folder: Path, given: dict[str, Tensor]) -> tuple[dict[str, Answer], dict[str, Any]]:
    """Answers of the peers in the environment `folder` by "PEER/LOSS", and what they say of themselves.

    Raises: NoEnvironment if they cannot be run.
    """
    with tempfile.TemporaryDirectory() as exchange:
        np.savez(Path(exchange, "inputs.npz"), **{name: rows.numpy() for name, rows in given.items()})
        Path(exchange, "settings.json").write_text(json.dumps(SETTINGS))
        command = [
            str(_environment.python_of(folder)),
            "-I",
            str(Path(__file__).with_name("_peers.py")),
            exchange,
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            raise _environment.NoEnvironment(
                f"the peers' process failed: {done.stderr.strip().splitlines()[-1]}"
            )
        facts = json.loads(Path(exchange, "peers.json").read_text())
        with np.load(Path(exchange, "theirs.npz"), allow_pickle=False) as held:
            names = {name.rpartition("/")[0] for name in held.files}
            answers = {
                name: Answer(
                    held[f"{name}/value"], np.stack([held[f"{name}/gradient_{v}"] for v in ("a", "b")])
                )
                for name in names
            }
    return answers, facts


def row_of(
    case: Case, own: Answer, other: Answer | None, version: str, why_missing: str = ""
) -> dict[str, Any]:
    """What the table says of a case: the run in which values differ most, and the largest difference of gradients."""
    row = {"peer": case.peer, "version": version, "loss": case.loss, "their_loss": case.theirs}
    if other is None:
        empty = dict.fromkeys(("ours", "theirs", "relative_difference", "gradient_difference"))
        return {**row, **empty, "status": f"skipped: {why_missing}", "mapping": case.mapping}
    differences = np.abs(own.value - other.value) / np.abs(other.value)
    worst = int(differences.argmax())
    gradient = np.abs(own.gradients - other.gradients).max() / np.abs(other.gradients).max()
    agrees = bool(differences.max() <= TOLERANCE and gradient <= TOLERANCE)  # max() would lose a NaN
    return {
        **row,
        "ours": own.value[worst],
        "theirs": other.value[worst],
        "relative_difference": differences[worst],
        "gradient_difference": gradient,
        "status": _status(case.same, agrees),
        "mapping": case.mapping,
    }


def _status(same: bool, agrees: bool) -> str:
    if same:
        return "agrees" if agrees else "differs"
    return "same after all" if agrees else "another loss"


def compare(answers: dict[str, Answer], versions: dict[str, str], missing: dict[str, str]) -> pd.DataFrame:
    """A row a case, also of a peer that is missing."""
    given = inputs()
    rows = []
    for case in CASES:
        other = answers.get(f"{case.peer}/{case.theirs}")
        why = missing.get(case.peer, "the peer has no such loss")
        rows.append(row_of(case, ours(case, given), other, versions.get(case.peer, ""), why))
    return pd.DataFrame(rows)


def exit_code(table: pd.DataFrame) -> int:
    """1 if a loss of one definition differs, or one of another definition does not; 2 if nothing was compared."""
    if table["status"].str.startswith("skipped").all():
        return 2
    return int(table["status"].isin(["differs", "same after all"]).any())


def text_of(table: pd.DataFrame) -> str:
    """The table in columns, mappings below; then our losses that neither peer has."""
    shown = table.drop(columns=["mapping", "version"])
    versions = dict.fromkeys(f"{p} {v}" for p, v in zip(table["peer"], table["version"], strict=True) if v)
    how = [f"  {row.loss} = {row.peer}'s {row.their_loss}: {row.mapping}" for row in table.itertuples()]
    alone = [name for name in methods.names() if name not in set(table["loss"])]
    return "\n".join(
        [
            f"float64, {len(SEEDS)} batches of {N} pairs; beside {', '.join(versions) or 'no peer'}",
            shown.to_string(index=False, na_rep="-", float_format=lambda x: f"{x:.4g}"),
            "\nHow one is the other, or what else it is:",
            *how,
            f"\nNeither peer has: {', '.join(alone)}",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.peer_losses", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE, help="the table (default: %(default)s)")
    parser.add_argument(
        "--environment",
        type=Path,
        default=_environment.ROOT / ".benchmarks" / "peers",
        help="where the peers are installed (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    try:
        missing = _environment.make(options.environment)
        answers, facts = theirs(options.environment, inputs())
    except _environment.NoEnvironment as error:
        print(f"peer_losses: nothing was compared: {error}", file=sys.stderr)
        return 2
    table = compare(answers, facts["versions"], facts["missing"] | missing)
    files.write_text(options.out, table.to_csv(index=False, lineterminator="\n"))
    print(text_of(table))
    for peer, why in (facts["missing"] | missing).items():
        print(f"peer_losses: {peer} was skipped: {why}", file=sys.stderr)
    return exit_code(table)


if __name__ == "__main__":
    sys.exit(main())

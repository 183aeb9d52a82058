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
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks import _environment, _tables
from benchmarks._cases import CASES, CLASSES, PAST, PROTOTYPES, SEEDS, SETTINGS, Case, D, N
from mibounds.representation import methods
from mibounds.representation.encoders import Encoder
from mibounds.representation.heads import Projector
from mibounds.representation.methods import Method
from mibounds.representation.methods.swav import SwAV
from mibounds.representation.network import Network
from mibounds.representation.sources import Pairs
from mibounds.seeding import generator, seed_of

PINNED = False  # values, not times
TABLE = _tables.path_of("peer_losses")
TOLERANCE = 1e-6  # of float64


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
        kept: Any = getattr(method, queue, None)
        if kept is not None:
            kept.push(given[past])
    if isinstance(method, SwAV):
        with torch.no_grad():
            method.prototypes.copy_(given["prototypes"])


def theirs(folder: Path, given: dict[str, Tensor]) -> tuple[dict[str, Answer], dict[str, Any]]:
    """Answers of the peers in the environment `folder` by "PEER/LOSS", and what they say of themselves.

    Raises: NoEnvironment if they cannot be run.
    """
    with tempfile.TemporaryDirectory() as exchange:
        arrays: dict[str, Any] = {name: rows.numpy() for name, rows in given.items()}
        np.savez(Path(exchange, "inputs.npz"), **arrays)
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
    """What the table says of a case: a run's values, that in which they differ most, and the largest differences."""
    row = {"peer": case.peer, "version": version, "loss": case.loss, "their_loss": case.theirs}
    if other is None:
        empty = dict.fromkeys(("ours", "theirs", "relative_difference", "gradient_difference"))
        return {**row, **empty, "status": f"skipped: {why_missing}", "mapping": case.mapping}
    differences = np.abs(own.value - other.value) / np.abs(other.value)
    within = differences.max() <= TOLERANCE
    shown = 0 if within else int(differences.argmax())  # rounding alone does not choose
    gradient = np.abs(own.gradients - other.gradients).max() / np.abs(other.gradients).max()
    agrees = bool(within and gradient <= TOLERANCE)  # False for NaN
    return {
        **row,
        "ours": own.value[shown],
        "theirs": other.value[shown],
        "relative_difference": differences.max(),
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
        default=_environment.folder_of("losses"),
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
    _tables.write(options.out, table)
    print(text_of(table))
    for peer, why in (facts["missing"] | missing).items():
        print(f"peer_losses: {peer} was skipped: {why}", file=sys.stderr)
    return exit_code(table)


if __name__ == "__main__":
    sys.exit(main())

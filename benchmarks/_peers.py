"""The peers' own losses, on embeddings that lie in a folder: runs by itself, where the peers are installed.

inputs.npz      z_a, z_b, past_a, past_b, prototypes, label, each with the runs in front
settings.json   temperature, margin ...
theirs.npz      what is answered: PEER/LOSS/value, .../gradient_a, .../gradient_b
peers.json      versions, and why a peer or a loss is missing
"""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize


class Given:
    """One run's inputs as attributes, the views `n x d` with gradients; and the settings."""

    def __init__(self, tensors: dict[str, Tensor], settings: dict[str, float]):
        own = {
            name: rows.clone() for name, rows in tensors.items()
        }  # a memory bank writes into what it is given
        self.z_a, self.z_b = own["z_a"].requires_grad_(), own["z_b"].requires_grad_()
        self.past_a, self.past_b = own["past_a"], own["past_b"]
        self.prototypes, self.label = own["prototypes"], own["label"]
        self.set = settings
        self.rows = torch.arange(len(self.z_a))

    @property
    def both(self) -> Tensor:
        return torch.cat([self.z_a, self.z_b])

    def twice(self, labels: Tensor) -> Tensor:
        return torch.cat([labels, labels])


Losses = dict[str, Callable[[Given], Tensor]]


def metric_learning() -> Losses:
    from pytorch_metric_learning import distances, losses, miners, reducers, regularizers

    def nt_xent(g: Given) -> Any:
        return losses.NTXentLoss(temperature=g.set["temperature"])

    def one_way(g: Given, a: Tensor, b: Tensor) -> Tensor:
        return losses.SelfSupervisedLoss(nt_xent(g), symmetric=False)(a, b)

    def triplet(g: Given, **options: Any) -> Tensor:
        loss = losses.TripletMarginLoss(
            margin=g.set["margin"], distance=distances.LpDistance(power=2), **options
        )
        return loss(g.both, g.twice(g.rows))

    def hardest(g: Given) -> Tensor:
        distance = distances.LpDistance(power=2)
        loss = losses.TripletMarginLoss(
            margin=g.set["margin"], distance=distance, reducer=reducers.MeanReducer()
        )
        labels = g.twice(g.rows)
        return loss(g.both, labels, miners.BatchHardMiner(distance=distance)(g.both, labels))

    def n_pairs(g: Given, **options: Any) -> Tensor:
        penalty = regularizers.LpRegularizer(power=2)
        loss = losses.NPairsLoss(embedding_regularizer=penalty, embedding_reg_weight=g.set["l2"], **options)
        return loss(g.both, g.twice(g.rows))

    def memory(g: Given) -> Tensor:
        n, past = len(g.z_a), g.past_b
        loss = losses.CrossBatchMemory(nt_xent(g), g.z_a.shape[1], memory_size=n + len(past)).double()
        loss.add_to_memory(past, n + torch.arange(len(past)), len(past))
        is_key = torch.arange(2 * n) >= n
        return loss(g.both, g.twice(g.rows), enqueue_mask=is_key)

    return {
        "NTXentLoss": lambda g: losses.SelfSupervisedLoss(nt_xent(g))(g.z_a, g.z_b),
        "NTXentLoss, one way": lambda g: one_way(g, g.z_a, g.z_b),
        "NTXentLoss, both ways": lambda g: (one_way(g, g.z_a, g.z_b) + one_way(g, g.z_b, g.z_a)) / 2,
        "SupConLoss": lambda g: losses.SupConLoss(g.set["temperature"])(g.both, g.twice(g.label)),
        "TripletMarginLoss": lambda g: triplet(g, reducer=reducers.MeanReducer()),
        "TripletMarginLoss, BatchHardMiner": hardest,
        "TripletMarginLoss, its own reducer": triplet,
        "NPairsLoss": lambda g: n_pairs(
            g, distance=distances.DotProductSimilarity(normalize_embeddings=False)
        ),
        "NPairsLoss, its own distance": n_pairs,
        "CrossBatchMemory(NTXentLoss)": memory,
        "VICRegLoss": lambda g: losses.VICRegLoss()(g.z_a, ref_emb=g.z_b),
    }


def lightly_files() -> Callable[[str], Any]:
    """lightly's modules by name, each loaded alone."""
    load = _files_of("lightly", "loss", "models", "models.modules", "utils")
    # only needed to gather over processes, and imports torchvision
    sys.modules["lightly.models.utils"] = ModuleType("lightly.models.utils")
    return load


def lightly() -> Losses:
    load = lightly_files()
    nt_xent = load("loss.ntx_ent_loss").NTXentLoss
    dcl, vicreg = load("loss.dcl_loss").DCLLoss, load("loss.vicreg_loss").VICRegLoss
    barlow_twins, swa_v = load("loss.barlow_twins_loss").BarlowTwinsLoss, load("loss.swav_loss").SwaVLoss
    cosine = load("loss.negative_cosine_similarity").NegativeCosineSimilarity
    hypersphere = load("loss.hypersphere_loss").HypersphereLoss

    def bank(g: Given, keys: Tensor) -> Any:
        loss = nt_xent(g.set["temperature"], memory_bank_size=tuple(keys.shape))
        loss.memory_bank.bank = keys
        return loss

    def anchor_by_anchor(g: Given) -> Tensor:
        keys = normalize(g.z_b.detach(), dim=-1)
        found = []
        for i in range(len(keys)):
            negatives = torch.cat([keys[:i], keys[i + 1 :], g.past_b])
            found.append(bank(g, negatives)(g.z_a[i : i + 1], keys[i : i + 1]))
        return torch.stack(found).mean()

    def negative_cosines(g: Given) -> Tensor:
        loss = cosine()
        return loss(g.z_a, g.z_b.detach()) + loss(g.z_b, g.z_a.detach())

    def swav(g: Given, queue: bool) -> Tensor:
        scores = [normalize(z, dim=-1) @ g.prototypes for z in (g.z_a, g.z_b)]
        past = [rows @ g.prototypes for rows in (g.past_a, g.past_b)] if queue else None
        loss = swa_v(g.set["temperature"], int(g.set["iterations"]), sinkhorn_epsilon=g.set["eps"])
        return loss(scores, [], past).squeeze()

    return {
        "NTXentLoss": lambda g: nt_xent(g.set["temperature"])(g.z_a, g.z_b),
        "NTXentLoss, memory bank, an anchor at a time": anchor_by_anchor,
        "NTXentLoss, memory bank": lambda g: bank(g, g.past_b)(g.z_a, g.z_b.detach()),
        "DCLLoss": lambda g: dcl(g.set["temperature"])(g.z_a, g.z_b),
        "BarlowTwinsLoss": lambda g: barlow_twins(g.set["off_diagonal"])(g.z_a, g.z_b),
        "VICRegLoss": lambda g: vicreg()(g.z_a, g.z_b),
        "SwaVLoss": lambda g: swav(g, queue=False),
        "SwaVLoss, queue": lambda g: swav(g, queue=True),
        "NegativeCosineSimilarity / 2": lambda g: negative_cosines(g) / 2,
        "4 + 2 NegativeCosineSimilarity": lambda g: 4 + 2 * negative_cosines(g),
        "HypersphereLoss": lambda g: hypersphere(g.set["t"], g.set["weight"], g.set["alpha"])(g.z_a, g.z_b),
    }


def _files_of(package: str, *parts: str) -> Callable[[str], Any]:
    """Imports single files of a package whose own `__init__` files ask for more than is installed."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ImportError(f"{package} is not installed")
    root = Path(spec.submodule_search_locations[0])
    for part in ("", *parts):
        module = ModuleType(f"{package}.{part}".rstrip("."))
        module.__path__ = [str(root.joinpath(*part.split(".")))]
        sys.modules[module.__name__] = module
    return lambda name: importlib.import_module(f"{package}.{name}")


PEERS: dict[str, Callable[[], Losses]] = {"pytorch-metric-learning": metric_learning, "lightly": lightly}


def of_runs(loss: Callable[[Given], Tensor], inputs: dict[str, Tensor], settings: dict[str, float]) -> dict:
    """Value and gradients, the runs in front; each run is a batch of its own."""
    runs = len(inputs["z_a"])
    given = [Given({name: rows[run] for name, rows in inputs.items()}, settings) for run in range(runs)]
    values = [loss(of_run) for of_run in given]
    torch.stack(values).sum().backward()
    views = {"gradient_a": [g.z_a for g in given], "gradient_b": [g.z_b for g in given]}
    found = {
        name: [torch.zeros_like(z) if z.grad is None else z.grad for z in zs] for name, zs in views.items()
    }
    return {name: torch.stack(rows).detach().numpy() for name, rows in (found | {"value": values}).items()}


def main(folder: Path) -> None:
    with np.load(folder / "inputs.npz", allow_pickle=False) as held:
        inputs = {name: torch.from_numpy(held[name]) for name in held.files}
    settings = json.loads((folder / "settings.json").read_text())
    answers: dict[str, Any] = {}
    facts: dict[str, Any] = {"torch": torch.__version__, "versions": {}, "missing": {}}
    for peer, losses_of in PEERS.items():
        try:
            facts["versions"][peer] = importlib.metadata.version(peer)
            losses = losses_of()
        except ImportError as error:
            facts["missing"][peer] = f"{type(error).__name__}: {error}"
            continue
        for name, loss in losses.items():
            for what, numbers in of_runs(loss, inputs, settings).items():
                answers[f"{peer}/{name}/{what}"] = numbers
    np.savez(folder / "theirs.npz", **answers)
    (folder / "peers.json").write_text(json.dumps(facts))


if __name__ == "__main__":
    main(Path(sys.argv[1]))

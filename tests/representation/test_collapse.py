"""Each method learns, and without the piece that prevents it collapses in the kind that its file states beforehand.

Complete: the spread of held-out unit embeddings is under a tenth of 1/sqrt(d). Dimensional: their effective rank is
under 2, or under a tenth of the intact method's.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn.functional import normalize

from mibounds.representation import methods
from mibounds.representation.geometry import effective_rank, spread
from mibounds.representation.loop import Pretrainer
from mibounds.representation.network import Network
from mibounds.representation.sources.vmf import VMF

SOURCE = VMF(4, kappa=10.0, n_classes=4)
SEEDS = [0, 1]
D, BATCH, RATE = 16, 64, 3e-2
STEPS = {"barlow_twins": 600}  # a rank falls more slowly than a spread; 300 for the others
COMPLETE = 0.1 / math.sqrt(D)

# Settings of the intact method, fit for few steps: a momentum that has followed 30 times, and a temperature at which
# the loss of SwAV without Sinkhorn still pulls when one prototype has taken all rows.
INTACT: dict[str, dict[str, Any]] = {
    "simclr": {},
    "moco": {"queue": 128, "momentum": 0.9},
    "swav": {"temperature": 0.3},
    "byol": {"momentum": 0.9, "schedule": "constant"},
    "simsiam": {},
    "barlow_twins": {},
    "vicreg": {},
}


@dataclass(frozen=True)
class Geometry:
    """One number a run, of held-out pairs."""

    spread: Tensor
    rank: Tensor
    deviation: Tensor  # of the embeddings as they are, not put on the sphere
    gap: Tensor  # mean cosine of positives less that of all pairs: 0 if the views' common part is not seen


@functools.cache
def trained(name: str, **options: Any) -> Geometry:
    network = Network.build(
        SOURCE.shape,
        SEEDS,
        encoder_options={"hidden": (32,), "dim": 32, "norm": "batch"},
        embedding=D,
        projector_options={"hidden": 32, "norm": "batch"},
    )
    method = methods.load(name).example(network, SEEDS, **options)
    steps = STEPS.get(name, 300)
    trainer = Pretrainer(
        network, method, SOURCE, SEEDS, batch_size=BATCH, steps=steps, learning_rate=RATE, check_every=steps
    )
    trainer.fit()
    assert trainer.status == ["ok", "ok"]
    return geometry_of(network)


@torch.no_grad()
def geometry_of(network: Network) -> Geometry:
    held_out = SOURCE.pairs(512, 99)
    z_a, z_b = (network.eval()(view.expand(2, -1, -1)).embedding for view in held_out[:2])
    cosines = normalize(z_a, dim=-1) @ normalize(z_b, dim=-1).mT
    gap = cosines.diagonal(dim1=-2, dim2=-1).mean(-1) - cosines.mean((-2, -1))
    return Geometry(spread(z_a), effective_rank(z_a), z_a.std(1).mean(-1), gap)


@pytest.mark.parametrize("name", INTACT)
def test_the_intact_method_learns_and_fills_its_space(name):
    found = trained(name, **INTACT[name])
    assert (found.spread > 0.7 / math.sqrt(D)).all()
    assert (found.rank > 3.0).all(), "the latents lie on a sphere of 4 dimensions"
    assert (found.gap > 0.5).all(), "untrained it is 0.12"


@pytest.mark.parametrize("name", INTACT)
def test_without_its_piece_it_collapses_as_stated(name):
    cls = methods.load(name)
    intact, broken = trained(name, **INTACT[name]), trained(name, **INTACT[name] | cls.broken)
    if cls.collapse == "complete":
        assert (broken.spread < COMPLETE).all()
        assert (broken.gap < 0.1).all()
    else:
        assert cls.collapse == "dimensional"
        assert ((broken.rank < 2.0) | (broken.rank < intact.rank / 10)).all()
        assert (broken.rank < intact.rank / 2).all()


def test_barlow_twins_loses_its_rank_and_keeps_its_spread():
    """It standardises, so that no shrinking can lower its loss."""
    intact, broken = (trained("barlow_twins", off_diagonal=weight) for weight in (0.005, 0.0))
    torch.testing.assert_close(broken.spread, intact.spread, rtol=0.1, atol=0.0)


def test_vicreg_without_variance_shrinks_to_a_point():
    intact, broken = trained("vicreg"), trained("vicreg", variance=0.0)
    assert (broken.deviation < intact.deviation / 50).all()


def test_vicreg_without_covariance_loses_rank_and_not_spread():
    intact, broken = trained("vicreg"), trained("vicreg", covariance=0.0)
    assert (broken.rank < intact.rank / 2).all() and (broken.spread > 0.7 / math.sqrt(D)).all()


@pytest.mark.parametrize("momentum", [None, 0.9])
@pytest.mark.parametrize("missing", ["predictor", "stop_gradient"])
def test_byol_needs_predictor_and_stop_gradient_but_no_momentum(momentum, missing):
    options = {"momentum": momentum, "schedule": "constant"}
    assert (trained("byol", **options).spread > 0.7 / math.sqrt(D)).all()
    assert (trained("byol", **options, **{missing: False}).spread < COMPLETE).all()


def test_simsiam_needs_its_predictor():
    assert (trained("simsiam", predictor=False).spread < COMPLETE).all()


def test_redundancy_reduction_stands_in_for_simsiams_stop_gradient():
    found = trained("simsiam", stop_gradient=False, redundancy=1.0)
    assert (found.spread > 0.7 / math.sqrt(D)).all() and (found.rank > 3.0).all() and (found.gap > 0.3).all()


def test_swav_without_sinkhorn_gives_all_rows_to_one_prototype_at_any_temperature():
    """At a small one the loss dies before the spread does, which stays above the threshold: said in its file."""
    spreads = [trained("swav", temperature=tau, sinkhorn=False).spread for tau in (0.1, 0.3, 0.5)]
    assert (spreads[0] < 2 * COMPLETE).all()
    assert (spreads[0] > spreads[1]).all() and (spreads[1] > spreads[2]).all()

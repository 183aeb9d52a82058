"""KSG carried on: nearer to the truth than KSG, no further than anything could be, and at home among categories."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

import mibounds
from mibounds.data import Samples
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import DataError, ParameterError
from mibounds.estimators.ksg_extrapolated import ExtrapolatedKSG


def normals(n: int, dim: int, nats: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    return tuple(
        side.double().numpy() for side in Gaussian.from_mutual_information(dim, nats).sample(n, seed)
    )


def test_it_comes_nearer_than_ksg_and_its_interval_says_how_far_it_went():
    off, off_ksg, held = [], [], 0
    for seed in range(6):
        sides = normals(1000, 3, 1.0, seed)
        found = mibounds.estimate(*sides, method="ksg_extrapolated")
        off.append(found.nats - 1.0)
        off_ksg.append(mibounds.estimate(*sides, method="ksg").nats - 1.0)
        held += found.interval[0] < 1.0 < found.interval[1]
    assert np.mean(off_ksg) < -0.05 and abs(np.mean(off)) < abs(np.mean(off_ksg)) / 2
    assert held >= 5


@pytest.mark.parametrize("dim", [2, 4])
def test_its_error_is_how_far_it_scatters(dim):
    """Its gain is multiplied and shrunk: with the share that is kept taken as fixed, the error was 0.6 of it."""
    found = [
        mibounds.estimate(*normals(200, dim, 0.4, seed), method="ksg_extrapolated") for seed in range(100)
    ]
    reach = np.mean([of.interval[1] - of.interval[0] for of in found]) / (2 * 1.96)
    ratio = reach / np.std([of.nats for of in found], ddof=1)
    assert 0.8 < ratio < 1.3  # the ratio scatters by 0.07


def test_increasing_maps_of_columns_change_nothing():
    x, y = normals(400, 2, 0.5, 0)
    found = mibounds.estimate(x, y, method="ksg_extrapolated")
    assert mibounds.estimate(np.exp(3 * x), y**3, method="ksg_extrapolated").nats == found.nats


def test_rounded_values_are_spread():
    """Of independent normals rounded to a tenth, KSG reads the ties as information: more than half a nat."""
    random = np.random.default_rng(0)
    found = [
        mibounds.estimate(*random.normal(size=(2, 1000)).round(1), method="ksg_extrapolated").nats
        for _ in range(5)
    ]
    assert abs(np.mean(found)) < 0.04


def test_a_thousand_columns_are_not_carried_beyond_what_the_pairs_can_show():
    """The factor is 721 in 1,001 columns; of these 128 independent pairs a small gain by chance became tens of nats."""
    random = np.random.default_rng(4)
    x, y = random.normal(size=(128, 1000)), random.normal(size=128)
    found = mibounds.estimate(x, y, method="ksg_extrapolated")
    assert abs(found.nats) <= found.ceiling_nats + 1e-12


def test_pairs_without_company_among_their_categories_are_left_out_of_what_halves_gain():
    """A hundred classes of five pairs: in a half of the pairs some are alone, and read 0, which is no gain."""
    found = []
    for seed in range(4):
        label = np.repeat(np.arange(100), 5)
        x = np.random.default_rng(seed).normal(size=(500, 3))
        found.append(mibounds.estimate(x, label.astype(str), method="ksg_extrapolated").nats)
    assert abs(np.mean(found)) < 0.1


def test_categories_beside_numbers():
    """A label turns the sign of the dependence, of which little is left without it."""
    random = np.random.default_rng(0)
    label, a = random.integers(2, size=1500), random.normal(size=1500)
    y = np.where(label, a, -a) + random.normal(size=1500)
    frame = pd.DataFrame({"a": a, "label": np.array(["up", "down"])[label]})
    found = mibounds.estimate(frame, y, method="ksg_extrapolated")
    assert found.nats == pytest.approx(np.log(2) / 2, abs=0.06)
    assert mibounds.estimate(a, y, method="ksg_extrapolated").nats < 0.15


def test_what_it_cannot_take_is_refused():
    x, y = normals(200, 1, 0.5, 0)
    with pytest.raises(DataError, match="16 parts: 40; expected at least 64"):
        mibounds.estimate(x[:40], y[:40], method="ksg_extrapolated")
    with pytest.raises(ParameterError, match="neighbours must be a whole number, at least 1; got 0"):
        mibounds.estimate(x, y, method="ksg_extrapolated", neighbours=0)


def labelled(n_labels: int, n: int, seed: int) -> Samples:
    """One column of unit variance around a centre for each label, the centres 3 apart by standard deviation."""
    random = np.random.default_rng(seed)
    label = random.integers(n_labels, size=n)
    column = 3 * random.normal(size=n_labels)[label] + random.normal(size=n)
    return Samples(column[:, None], label[:, None].astype(float), categories_y={0: "label"})


def test_of_few_pairs_of_a_category_the_error_is_no_less_than_of_a_mean_and_nothing_is_carried_on():
    found = [ExtrapolatedKSG(neighbours=1).terms(labelled(200, 500, seed), 0) for seed in range(8)]
    for terms in found:
        assert terms.chance > 0.999 * terms.pointwise.std() / math.sqrt(500) and terms.doubt == 0
        assert any(
            "pairs each on the mean; of so few neighbours read too little" in w for w in terms.warnings
        )
    enough = ExtrapolatedKSG().terms(labelled(10, 500, 0), 0)
    assert not any("pairs each on the mean" in said for said in enough.warnings)

"""Laws through symmetric channels: symbols, pictures and labels, against tables summed cell by cell."""

from __future__ import annotations

import builtins
import itertools
import math

import numpy as np
import pytest
import torch

from mibounds.distributions import _symmetric_channel as channel
from mibounds.distributions import noisy_labels
from mibounds.distributions.many_symbols import ManySymbols
from mibounds.distributions.noisy_labels import NoisyLabels
from mibounds.distributions.rendered import FIGURES, RADII, SIDE, Rendered
from mibounds.errors import DataError, ParameterError, ShapeError
from mibounds.seeding import generator
from tests import oracles


def channel_table(k: int, flip: float) -> list[list[float]]:
    return [[(1 - flip if i == j else flip / (k - 1)) / k for j in range(k)] for i in range(k)]


@pytest.mark.parametrize(("k", "flip"), [(2, 0.1), (5, 0.3), (36, 0.1), (4, 0.0), (3, 2 / 3)])
def test_the_channel_shares_what_its_table_shares(k, flip):
    expected = oracles.mutual_information(channel_table(k, flip))
    assert channel.information(k, flip) == pytest.approx(expected, abs=1e-12)


def test_the_channel_flips_as_often_as_said_to_all_others_alike():
    symbols = torch.full((30_000,), 2)
    found = channel.passed_on(symbols, 4, 0.3, generator(0)).bincount(minlength=4).double()
    expected = 30_000 * torch.tensor([0.1, 0.1, 0.7, 0.1])
    assert (((found - expected) / expected.sqrt()).abs() < 4).all()


@pytest.mark.parametrize(("k", "flip"), [(1, 0.1), (4, 1.0), (4, -0.1), (4, math.nan)])
def test_a_channel_that_is_none_is_refused(k, flip):
    with pytest.raises(ParameterError, match="flip"):
        ManySymbols(3, k, flip)


def test_symbols_add_up():
    """By the table of all 3^2 x 3^2 outcomes."""
    one = channel_table(3, 0.2)
    pairs = list(itertools.product(range(3), repeat=2))
    table = [[one[a][c] * one[b][d] for c, d in pairs] for a, b in pairs]
    assert ManySymbols(2, 3, 0.2).mutual_information == pytest.approx(oracles.mutual_information(table))


def test_fifty_nats_are_the_mean_of_their_log_ratio():
    law = ManySymbols(44, 4, 0.05)
    ratio = law.log_density_ratio(*law.sample(5000, 0, dtype=torch.float64))
    assert abs(float(ratio.mean()) - law.mutual_information) < 4 * float(ratio.std()) / 5000**0.5


def test_no_symbol_is_refused():
    with pytest.raises(ParameterError, match="n_symbols"):
        ManySymbols(0, 4, 0.1)


# Pictures


def test_no_two_figures_cover_the_same_pixels():
    covered = Rendered()._covered
    assert covered.shape == (FIGURES * len(RADII), SIDE**2)
    assert len(covered.unique(dim=0)) == len(covered) and covered.sum(1).min() > 0


def test_a_picture_determines_its_figure_and_figures_agree_as_often_as_said():
    law = Rendered(0.25)
    x, y = law.sample(4000, 0)
    same = (law.figures(x) == law.figures(y)).double()
    assert abs(float(same.mean()) - 0.75) < 4 * (0.75 * 0.25 / 4000) ** 0.5
    assert (law.figures(x).bincount(minlength=FIGURES) > 0).all()
    assert float(x.max()) <= 1.25 and float(x.min()) >= 0


def test_pictures_of_one_figure_differ_in_size_brightness_and_noise():
    law = Rendered(0.0)
    x, y = law.sample(500, 0)
    covers = [(side > 0.4).float().sum(1) for side in (x, y)]
    assert 0.3 < float((covers[0] == covers[1]).double().mean()) < 0.7
    bright = [(side * (side > 0.4)).sum(1) / (side > 0.4).sum(1) for side in (x, y)]
    assert abs(np.corrcoef(*bright)[0, 1]) < 0.2


def test_what_is_no_picture_is_refused():
    with pytest.raises(DataError, match="Rendered"):
        Rendered().figures(torch.ones(1, SIDE**2))


# Labels


def test_no_two_digits_are_equal_so_that_an_image_has_one_label():
    images, labels, code = noisy_labels._digits()
    assert len(images.unique(dim=0)) == len(images) == 1797
    assert len((images @ code).unique()) == 1797
    assert torch.equal(noisy_labels._labels_of(images.float()), labels)


def test_the_information_is_that_of_the_table_of_images():
    """All 1,797 images as rows: more rows, the same information as of the ten labels."""
    labels = noisy_labels._digits()[1]
    law = NoisyLabels.symmetric(0.3)
    rows = (law.transition[labels] / len(labels)).tolist()
    assert law.mutual_information == pytest.approx(oracles.mutual_information(rows))


def test_labels_err_as_often_as_said():
    law = NoisyLabels.symmetric(0.3)
    x, y = law.sample(5000, 0)
    right = float((noisy_labels._labels_of(x) == y.squeeze(-1).long()).double().mean())
    assert abs(right - 0.7) < 4 * (0.21 / 5000) ** 0.5


def test_other_images_and_other_tables_are_refused():
    law = NoisyLabels.symmetric(0.2)
    x, y = law.sample(3, 0)
    with pytest.raises(DataError, match="none of them"):
        law.log_density_ratio(x + 0.5, y)
    with pytest.raises(ShapeError, match="10 x c"):
        NoisyLabels(torch.ones(9, 2) / 2)
    with pytest.raises(ParameterError, match="sum to one"):
        NoisyLabels(torch.ones(10, 2))


def test_without_scikit_learn_the_extra_is_named(monkeypatch):
    imported = builtins.__import__

    def without(name, *rest, **more):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return imported(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match=r"mibounds\[examples\]"):
        noisy_labels._digits.__wrapped__()

"""Neighbours and counts beside all distances written out; what the grid promises."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from mibounds.estimators import _boxes, _neighbours
from mibounds.estimators._boxes import Boxes, halved, in_threads
from mibounds.estimators._neighbours import by_boxes, by_tree, n_within, on_grid


def points(n: int, d: int, decimals: int | None = None) -> np.ndarray:
    values = np.random.default_rng(n + d).normal(size=(n, d))
    held = values if decimals is None else values.round(decimals)
    return on_grid(held, held[:, :1])[0]


def distances(held: np.ndarray) -> np.ndarray:
    return np.abs(held[:, None] - held).max(axis=2)


@pytest.mark.parametrize("find", [by_tree, by_boxes])
@pytest.mark.parametrize(
    ("n", "d", "decimals"),
    [(5, 1, None), (700, 1, None), (1500, 3, None), (1500, 3, 0), (1500, 13, None), (1500, 13, 0)],
)
def test_the_nearest(find, n, d, decimals):
    held = points(n, d, decimals)
    apart = distances(held)
    np.fill_diagonal(apart, np.inf)
    found = find(held, 4)
    assert np.array_equal(found.distances, np.sort(apart, axis=1)[:, :4])
    if decimals is None:  # a copy may stand for the point itself
        assert np.array_equal(apart[np.arange(n)[:, None], found.rows], found.distances)


@pytest.mark.parametrize("closed", [False, True])
@pytest.mark.parametrize(("d", "decimals"), [(1, None), (1, 0), (3, None), (3, 1), (20, None)])
@pytest.mark.parametrize("block", [64, 100, 4096])
def test_how_many_lie_within(monkeypatch, d, decimals, closed, block):
    monkeypatch.setattr(_boxes, "TABLE_BITS", d * block**2)
    held = points(500, d, decimals)
    apart = distances(held)
    reach = np.sort(apart, axis=1)[
        np.arange(500), np.arange(500) % 60
    ]  # on an edge; 0 for some, another point for most
    inside = apart <= reach[:, None] if closed else apart < reach[:, None]
    np.fill_diagonal(inside, False)
    assert np.array_equal(n_within(held, reach, closed), inside.sum(axis=1))
    found = [pair for i, j in Boxes.around(held, reach, closed).pairs() for pair in zip(i, j, strict=True)]
    assert sorted(found) == list(zip(*inside.nonzero(), strict=True))


def test_a_reach_of_minus_infinity_holds_nothing():
    held = points(200, 2)
    reach = np.where(np.arange(200) < 3, np.inf, -np.inf)
    assert Boxes.around(held, reach, closed=True).counts().tolist() == [200] * 3 + [0] * 197


def test_bits_are_counted_alike_without_numpy_s_own_function():
    words = np.random.default_rng(0).integers(0, 2**64, (50, 7), dtype=np.uint64)
    ones = [sum(int(word).bit_count() for word in row) for row in words]
    assert _boxes._counted_by_table(words).sum(axis=1, dtype=int).tolist() == ones
    assert _boxes._ones(words).sum(axis=1, dtype=int).tolist() == ones


def test_blocks_hold_each_point_once_and_threads_keep_their_order():
    held = points(1000, 3)
    blocks = halved(held, 100)
    assert sorted(np.concatenate(blocks)) == list(range(1000)) and max(map(len, blocks)) <= 100
    assert list(in_threads(len, blocks)) == [len(block) for block in blocks]
    with pytest.raises(ZeroDivisionError):
        list(in_threads(lambda part: 1 // part, [1, 0, 2]))


def test_on_the_grid_nothing_rounds():
    random = np.random.default_rng(0)
    x, y = on_grid(1e9 + random.standard_cauchy((300, 2)), 1e-20 * random.normal(size=(300, 1)))
    exact = [[Fraction(float(v)) for v in column] for column in (*x.T, *y.T)]
    for a in exact:
        for b in exact:
            gap = abs(b[7] - b[11])
            assert all(
                Fraction(float(v) + float(gap)) == v + gap and Fraction(float(v) - float(gap)) == v - gap
                for v in a
            )


def test_the_grid_keeps_scale_order_and_equal_steps():
    values = np.random.default_rng(0).normal(size=(1000, 3))
    x, y = on_grid(values * [1e-200, 1.0, 1e200], np.arange(1000.0)[:, None] * 0.5 + 3)
    assert np.array_equal(x.argsort(axis=0), values.argsort(axis=0))
    assert np.allclose(x - x[:1], (values - values[:1]) / values.std(axis=0), rtol=1e-8, atol=1e-12)
    assert len(np.unique(np.diff(y[:, 0]))) == 1


def test_where_a_tree_gives_way_to_boxes(monkeypatch):
    monkeypatch.setattr(_neighbours, "by_tree", lambda points, k: "tree")
    monkeypatch.setattr(_neighbours, "by_boxes", lambda points, k: "boxes")
    chosen = {(n, d): _neighbours.nearest(np.zeros((n, d)), 3) for n in (3999, 4000) for d in (11, 12)}
    assert [size for size, way in chosen.items() if way == "boxes"] == [(4000, 12)]

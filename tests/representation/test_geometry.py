"""Geometry against slow loops in float64, its invariances, and its values at the ends of its range."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy.stats import spearmanr
from torch import Tensor

from mibounds import theory
from mibounds.errors import DataError, ShapeError
from mibounds.representation import geometry
from mibounds.representation.geometry import (
    alignment,
    effective_rank,
    linear_cka,
    mean_correlation,
    spread,
    tolerance,
    uniformity,
)

N, D = 40, 5


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def rotation(dim: int, seed: int = 7) -> Tensor:
    return torch.linalg.qr(normal(dim, dim, seed=seed))[0]


def unit(row: Tensor) -> list[float]:
    length = math.sqrt(sum(value * value for value in row.tolist()))
    return [value / length for value in row.tolist()]


def squared_distance(a: list[float], b: list[float]) -> float:
    return sum((p - q) ** 2 for p, q in zip(a, b, strict=True))


# Slow versions: one run, one pair at a time.


def slow_alignment(a: Tensor, b: Tensor, alpha: float = 2.0) -> float:
    distances = [math.sqrt(squared_distance(unit(p), unit(q))) for p, q in zip(a, b, strict=True)]
    return sum(distance**alpha for distance in distances) / len(distances)


def slow_uniformity(rows: Tensor, t: float = 2.0) -> float:
    units = [unit(row) for row in rows]
    kernels = [
        math.exp(-t * squared_distance(units[i], units[j]))
        for i, j in itertools.permutations(range(len(units)), 2)
    ]
    return math.log(sum(kernels) / len(kernels))


def slow_tolerance(rows: Tensor, labels: Tensor) -> float:
    units = [unit(row) for row in rows]
    cosines = [
        1 - squared_distance(units[i], units[j]) / 2
        for i, j in itertools.combinations(range(len(units)), 2)
        if labels[i] == labels[j]
    ]
    return sum(cosines) / len(cosines)


def slow_cka(a: Tensor, b: Tensor) -> float:
    n = len(a)
    centring = torch.eye(n, dtype=torch.float64) - 1 / n
    k, l = (centring @ side @ side.T @ centring for side in (a, b))  # noqa: E741
    return ((k * l).sum() / ((k * k).sum() * (l * l).sum()).sqrt()).item()


def slow_unbiased_hsic(a: Tensor, b: Tensor) -> float:
    """Song et al. 2012, eq. 5, with the whole Gram matrices."""
    n = len(a)
    k, l = ((side @ side.T).fill_diagonal_(0) for side in (a, b))  # noqa: E741
    one = torch.ones(n, dtype=torch.float64)
    total = torch.trace(k @ l) + (one @ k @ one) * (one @ l @ one) / ((n - 1) * (n - 2))
    return ((total - 2 / (n - 2) * (one @ k @ l @ one)) / (n * (n - 3))).item()


def test_alignment_uniformity_and_tolerance_are_the_slow_ones(monkeypatch):
    rows, others = normal(2, 3, N, D), normal(2, 3, N, D, seed=1)
    labels = torch.randint(4, (N,), generator=torch.Generator().manual_seed(0))
    expected = torch.tensor(
        [
            [
                [
                    slow_alignment(rows[i, j], others[i, j]),
                    slow_alignment(rows[i, j], others[i, j], 1.0),
                    slow_uniformity(rows[i, j]),
                    slow_uniformity(rows[i, j], 0.5),
                    slow_tolerance(rows[i, j], labels),
                ]
                for j in range(3)
            ]
            for i in range(2)
        ],
        dtype=torch.float64,
    )
    for at_once in (2**24, 6 * N * 7, 1):
        monkeypatch.setattr(geometry, "SCORES_AT_ONCE", at_once)
        found = [
            alignment(rows, others),
            alignment(rows, others, alpha=1.0),
            uniformity(rows),
            uniformity(rows, t=0.5),
            tolerance(rows, labels),
        ]
        torch.testing.assert_close(torch.stack(found, dim=-1), expected, rtol=1e-10, atol=1e-10)


def test_each_run_may_have_labels_of_its_own():
    rows = normal(2, N, D)
    labels = torch.randint(3, (2, N), generator=torch.Generator().manual_seed(0))
    expected = [slow_tolerance(rows[r], labels[r]) for r in range(2)]
    assert tolerance(rows, labels).tolist() == pytest.approx(expected)
    assert tolerance(rows, labels + 5).tolist() == pytest.approx(expected)


def test_cka_is_the_slow_one():
    a, b = normal(2, N, D), normal(2, N, 3, seed=1)
    b[0] += a[0, :, :3]
    for r in range(2):
        assert linear_cka(a, b)[r].item() == pytest.approx(slow_cka(a[r], b[r]))
        hsic = [slow_unbiased_hsic(*sides) for sides in ((a[r], b[r]), (a[r], a[r]), (b[r], b[r]))]
        expected = hsic[0] / math.sqrt(hsic[1] * hsic[2])
        assert linear_cka(a, b, debiased=True)[r].item() == pytest.approx(expected)


def test_cka_of_independent_rows_is_biased_and_the_debiased_one_is_not():
    a, b = normal(200, 30, 20), normal(200, 30, 20, seed=1)
    assert linear_cka(a, b).mean() > 0.3
    debiased = linear_cka(a, b, debiased=True)
    assert debiased.mean().abs() < 4 * debiased.std() / math.sqrt(200) and debiased.std() < 0.2


# What changes none of them, and what does


def test_a_rotation_or_a_scale_changes_nothing():
    rows, others, labels = normal(N, D), normal(N, D, seed=1), torch.arange(N) % 3
    for moved in (rows @ rotation(D), 7 * rows):
        both = others @ rotation(D) if moved.norm() < 2 * rows.norm() else 7 * others
        torch.testing.assert_close(alignment(moved, both), alignment(rows, others))
        for function in (uniformity, effective_rank):
            torch.testing.assert_close(function(moved), function(rows))
        torch.testing.assert_close(tolerance(moved, labels), tolerance(rows, labels))
        for debiased in (False, True):
            torch.testing.assert_close(
                linear_cka(moved, others, debiased=debiased), linear_cka(rows, others, debiased=debiased)
            )
            torch.testing.assert_close(
                linear_cka(rows, moved, debiased=debiased), linear_cka(rows, rows, debiased=debiased)
            )
    torch.testing.assert_close(spread(7 * rows), spread(rows))


def test_lengths_of_rows_do_not_matter_on_the_sphere():
    rows, others, labels = normal(N, D), normal(N, D, seed=1), torch.arange(N) % 3
    lengths = normal(N, 1, seed=3).exp()
    torch.testing.assert_close(alignment(lengths * rows, others), alignment(rows, others))
    for function in (uniformity, spread):
        torch.testing.assert_close(function(lengths * rows), function(rows))
    torch.testing.assert_close(tolerance(lengths * rows, labels), tolerance(rows, labels))


def test_another_linear_map_changes_cka_and_a_permutation_of_rows_does():
    rows = normal(N, D)
    stretched = rows * torch.tensor([10.0, 1, 1, 1, 0.1], dtype=torch.float64)
    assert linear_cka(rows, stretched) < 0.9
    assert linear_cka(rows, rows[torch.randperm(N, generator=torch.Generator().manual_seed(0))]) < 0.5
    assert linear_cka(rows, rows).item() == pytest.approx(1)


# The ends of the range


def test_collapse_and_uniformity_are_the_ends_of_the_range():
    collapsed = torch.ones(N, D, dtype=torch.float64)
    assert uniformity(collapsed).item() == pytest.approx(0) and alignment(collapsed, collapsed).item() == 0
    assert tolerance(collapsed, torch.zeros(N, dtype=torch.long)).item() == pytest.approx(1)
    assert spread(collapsed).item() == pytest.approx(0) and effective_rank(collapsed).item() < 1.01
    for dim in (3, 16):
        even = normal(4000, dim)
        # |a - b|^2 = 2 - 2s: ln E e^(-2 |a - b|^2) = ln E e^(4 s) - 4
        assert uniformity(even).item() == pytest.approx(theory.vmf_log_partition(dim, 4.0) - 4, abs=0.01)
        assert spread(even).item() == pytest.approx(1 / math.sqrt(dim), rel=0.03)
        assert effective_rank(even).item() == pytest.approx(dim, rel=0.03)


def test_uniformity_of_near_copies_in_float32_is_not_lost():
    rows = normal(1, 3) + 1e-3 * normal(500, 3, seed=1)
    torch.testing.assert_close(uniformity(rows.float()).double(), uniformity(rows), rtol=0, atol=1e-6)


# Mean correlation


def slow_mean_correlation(latents: Tensor, rows: Tensor) -> float:
    """All assignments are tried."""
    k, d = latents.shape[1], rows.shape[1]
    table = np.corrcoef(latents.T, rows.T)[:k, k:]
    return max(
        sum(abs(table[i, j]) for i, j in enumerate(chosen)) / k
        for chosen in itertools.permutations(range(d), k)
    )


def test_mean_correlation_tries_all_assignments():
    latents = normal(2, N, 3)
    rows = latents @ normal(3, 4, seed=1) + normal(2, N, 4, seed=2)
    expected = [slow_mean_correlation(latents[r], rows[r]) for r in range(2)]
    assert mean_correlation(latents, rows).tolist() == pytest.approx(expected)


def test_mean_correlation_by_ranks_is_spearmans():
    latents, rows = normal(N, 1), normal(N, 1, seed=1) + normal(N, 1)
    expected = abs(spearmanr(latents[:, 0], rows[:, 0]).statistic)
    assert mean_correlation(latents, rows, ranks=True).item() == pytest.approx(expected)
    tied = latents.round()
    expected = abs(spearmanr(tied[:, 0], rows[:, 0]).statistic)
    assert mean_correlation(tied, rows, ranks=True).item() == pytest.approx(expected)


def test_mean_correlation_does_not_see_order_sign_and_scale_but_sees_mixing():
    latents = normal(500, 4)
    same = latents[:, [2, 0, 3, 1]] * torch.tensor([-1.0, 5.0, 1.0, -0.1], dtype=torch.float64) + 3
    assert mean_correlation(latents, same).item() == pytest.approx(1)
    curved = same.sinh()
    assert mean_correlation(latents, curved, ranks=True).item() == pytest.approx(1)
    assert mean_correlation(latents, curved).item() < 0.99
    assert mean_correlation(latents, latents @ rotation(4)).item() < 0.9
    assert mean_correlation(latents, normal(500, 4, seed=9)).item() < 0.15


def test_a_latent_without_a_dimension_counts_as_nothing():
    latents = normal(N, 4)
    assert mean_correlation(latents, latents[:, :3]).item() == pytest.approx(3 / 4)
    constant = latents.clone()
    constant[:, 1] = 5.0
    assert mean_correlation(latents, constant).item() == pytest.approx(3 / 4, abs=0.15)


# Bad input


def test_rows_that_do_not_fit_are_refused():
    rows = normal(N, D)
    with pytest.raises(ShapeError, match="pairs of one shape"):
        alignment(rows, rows[:-1])
    with pytest.raises(ShapeError, match="n of 2 or more"):
        uniformity(rows[:1])
    with pytest.raises(ShapeError, match="same rows"):
        linear_cka(rows, rows[:-1])
    with pytest.raises(ShapeError, match="same rows"):
        mean_correlation(rows, rows[:-1])
    with pytest.raises(DataError, match="vary"):
        linear_cka(rows, torch.ones(N, D))
    with pytest.raises(DataError, match="two rows"):
        tolerance(rows, torch.arange(N))

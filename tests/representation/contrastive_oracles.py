"""Contrastive losses as their papers write them: one run in float64, python loops, an anchor at a time.

An anchor's k negatives are those of the rows behind it.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import normalize

from mibounds.seeding import generator

TAU = 0.3
LABELS = torch.tensor([[0, 1, 0, 2, 1, 0], [0, 1, 2, 3, 4, 5]])


def drawn(n: int = 6, seed: int = 0, n_runs: int = 2, dim: int = 3) -> tuple[Tensor, Tensor]:
    """Two views that correlate, `R x n x dim`."""
    source = generator(seed)
    a, b = (torch.randn(n_runs, n, dim, generator=source, dtype=torch.float64) for _ in range(2))
    return a, a + 0.7 * b


def unit(z: Tensor) -> list[Tensor]:
    return [row / row.norm() for row in z]


def rows_behind(i: int, k: int, n: int) -> list[int]:
    return [(i + step) % n for step in range(1, k + 1)]


def one_way(a: list[Tensor], b: list[Tensor], k: int) -> list[tuple[Tensor, list[Tensor]]]:
    """(positive, negatives) of each anchor in `a`, as inner products."""
    n = len(a)
    return [(a[i] @ b[i], [a[i] @ b[j] for j in rows_behind(i, k, n)]) for i in range(n)]


def two_view(a: list[Tensor], b: list[Tensor], k: int) -> list[tuple[Tensor, list[Tensor]]]:
    """Anchors of both views; of each row behind, the other view comes first, then the anchor's own."""
    n, found = len(a), []
    for own, other in ((a, b), (b, a)):
        for i in range(n):
            candidates = [own[i] @ view[j] for j in rows_behind(i, n - 1, n) for view in (other, own)]
            found.append((own[i] @ other[i], candidates[:k]))
    return found


def mean(values: list[Tensor]) -> Tensor:
    return torch.stack(values).mean()


def total(values: list[Tensor]) -> Tensor:
    return torch.stack(values).sum()


def info_nce(a: Tensor, b: Tensor, k: int, tau: float = TAU) -> Tensor:
    def anchor(s: Tensor, others: list[Tensor]) -> Tensor:
        return -(torch.exp(s / tau) / total([torch.exp(u / tau) for u in [s, *others]])).log()

    return mean([anchor(*scores) for scores in one_way(unit(a), unit(b), k)])


def symmetric_info_nce(a: Tensor, b: Tensor, k: int) -> Tensor:
    """Anchors of view b meet the rows of view a that lie behind them."""
    return (info_nce(a, b, k) + info_nce(b, a, k)) / 2


def simclr(a: Tensor, b: Tensor, k: int) -> Tensor:
    def anchor(s: Tensor, others: list[Tensor]) -> Tensor:
        return -(torch.exp(s / TAU) / total([torch.exp(u / TAU) for u in [s, *others]])).log()

    return mean([anchor(*scores) for scores in two_view(unit(a), unit(b), k)])


def dcl(a: Tensor, b: Tensor, k: int) -> Tensor:
    def anchor(s: Tensor, others: list[Tensor]) -> Tensor:
        return -s / TAU + total([torch.exp(u / TAU) for u in others]).log()

    return mean([anchor(*scores) for scores in two_view(unit(a), unit(b), k)])


def debiased(a: Tensor, b: Tensor, k: int, tau_plus: float = 0.1) -> Tensor:
    def anchor(s: Tensor, others: list[Tensor]) -> Tensor:
        positive, negative = torch.exp(s / TAU), mean([torch.exp(u / TAU) for u in others])
        g = (negative - tau_plus * positive) / (1 - tau_plus)
        if g < math.exp(-1 / TAU):
            g = torch.tensor(math.exp(-1 / TAU), dtype=torch.float64)
        return -(positive / (positive + k * g)).log()

    return mean([anchor(*scores) for scores in two_view(unit(a), unit(b), k)])


def strongly_debiased(a: Tensor, b: Tensor, k: int) -> Tensor:
    return debiased(a, b, k, tau_plus=0.5)


def spectral(a: Tensor, b: Tensor, k: int) -> Tensor:
    scores = one_way(list(a), list(b), k)
    return -2 * mean([s for s, _ in scores]) + mean([u**2 for _, others in scores for u in others])


def scaled_spectral(a: Tensor, b: Tensor, k: int) -> Tensor:
    return spectral(2 * normalize(a, dim=-1), 2 * normalize(b, dim=-1), k)


def log_sigmoid(x: Tensor) -> Tensor:
    return (1 / (1 + torch.exp(-x))).log()


def sigmoid(a: Tensor, b: Tensor, k: int, bias: float = -1.5) -> Tensor:
    n, loss = len(a), 0.0
    for s, others in one_way(unit(a), unit(b), k):
        loss = loss - log_sigmoid(s / TAU + bias)
        for u in others:
            loss = loss - log_sigmoid(-(u / TAU + bias))
    return loss / n


def uniformity(z: list[Tensor], k: int, t: float) -> Tensor:
    n = len(z)
    return mean(
        [torch.exp(-t * (z[i] - z[j]).square().sum()) for i in range(n) for j in rows_behind(i, k, n)]
    ).log()


def alignment_uniformity(
    a: Tensor, b: Tensor, k: int, alpha: float = 2, t: float = 2, weight: float = 1
) -> Tensor:
    a, b = unit(a), unit(b)
    aligned = mean([(x - y).square().sum().sqrt() ** alpha for x, y in zip(a, b, strict=True)])
    return aligned + weight * (uniformity(a, k, t) + uniformity(b, k, t)) / 2


def other_alignment_uniformity(a: Tensor, b: Tensor, k: int) -> Tensor:
    return alignment_uniformity(a, b, k, alpha=1, t=3, weight=0.5)


def nwj(a: Tensor, b: Tensor, k: int, bias: float = -1.5) -> Tensor:
    scores = one_way(unit(a), unit(b), k)
    drawn_together = mean([s / TAU + bias for s, _ in scores])
    return -(drawn_together - mean([torch.exp(u / TAU + bias - 1) for _, others in scores for u in others]))


def donsker_varadhan(a: Tensor, b: Tensor, k: int) -> Tensor:
    scores = one_way(unit(a), unit(b), k)
    log_partition = mean([torch.exp(u / TAU) for _, others in scores for u in others]).log()
    return -(mean([s / TAU for s, _ in scores]) - log_partition)


def jensen_shannon(a: Tensor, b: Tensor, k: int, bias: float = -1.5) -> Tensor:
    scores = one_way(unit(a), unit(b), k)
    apart = mean([(1 + torch.exp(u / TAU + bias)).log() for _, others in scores for u in others])
    return mean([(1 + torch.exp(-(s / TAU + bias))).log() for s, _ in scores]) + apart


def triplet(a: Tensor, b: Tensor, k: int, margin: float = 0.2) -> Tensor:
    excess = [
        (2 - 2 * s) - (2 - 2 * u) + margin for s, others in two_view(unit(a), unit(b), k) for u in others
    ]
    return mean([x if x > 0 else 0 * x for x in excess])


def hardest_triplet(a: Tensor, b: Tensor, k: int, margin: float = 1.0) -> Tensor:
    excess = [(2 - 2 * s) - (2 - 2 * max(u)) + margin for s, u in two_view(unit(a), unit(b), k)]
    return mean([x if x > 0 else 0 * x for x in excess])


def n_pair(a: Tensor, b: Tensor, k: int, l2: float = 0.01) -> Tensor:
    terms = [
        (1 + total([torch.exp(u - s) for u in others])).log() for s, others in one_way(list(a), list(b), k)
    ]
    return mean(terms) + l2 * mean([row @ row for view in (a, b) for row in view])


def supcon(a: Tensor, b: Tensor, k: int) -> Tensor:
    """Run 0's labels; the candidates of an anchor are its other view and k views of rows behind it."""
    n, terms = len(a), []
    for own, other in ((unit(a), unit(b)), (unit(b), unit(a))):
        for i in range(n):
            behind = [(j, view[j]) for j in rows_behind(i, n - 1, n) for view in (other, own)][:k]
            candidates = [(i, other[i]), *behind]
            partition = total([torch.exp(own[i] @ z / TAU) for _, z in candidates])
            of_class = [z for j, z in candidates if LABELS[0, j] == LABELS[0, i]]
            terms.append(-mean([(torch.exp(own[i] @ z / TAU) / partition).log() for z in of_class]))
    return mean(terms)

"""Slow, legible truths: every bound once more, from its paper's equation, in loops over Python floats.

`scores[i][j]` is f(x_i, y_j) of a batch, or f(x, y) of a finite law with probabilities `joint[x][y]`.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

Table = list[list[float]]
Baseline = list[float]


# Finite laws


def random_joint(n_x: int, n_y: int, seed: int, sharpness: float = 2.0) -> Tensor:
    """A random table of probabilities, `n_x x n_y`, none of them zero; the sharper, the more dependent."""
    weights = torch.rand(n_x, n_y, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    weights = (weights + 0.05) ** sharpness
    return weights / weights.sum()


def log_density_ratio(joint: Tensor) -> Tensor:
    return joint.log() - joint.sum(1, keepdim=True).log() - joint.sum(0).log()


def mutual_information(joint: Table) -> float:
    p_x, p_y = marginals(joint)
    return sum(
        p * math.log(p / (p_x[x] * p_y[y])) for x, row in enumerate(joint) for y, p in enumerate(row) if p > 0
    )


def marginals(joint: Table) -> tuple[list[float], list[float]]:
    return [sum(row) for row in joint], [sum(column) for column in zip(*joint, strict=True)]


def batches(joint: Table, n: int) -> Iterator[tuple[float, list[int], list[int]]]:
    """All (probability, xs, ys) of n independent pairs."""
    pairs = [(p, x, y) for x, row in enumerate(joint) for y, p in enumerate(row)]
    for batch in itertools.product(pairs, repeat=n):
        yield math.prod(p for p, _, _ in batch), [x for _, x, _ in batch], [y for _, _, y in batch]


def expectation(joint: Table, n: int, value: Callable[[list[int], list[int]], float]) -> float:
    """E[value(xs, ys)] over all batches of n pairs."""
    return sum(p * value(xs, ys) for p, xs, ys in batches(joint, n))


def all_batches(n_x: int, n_y: int, n: int) -> tuple[Tensor, Tensor]:
    """The same batches as index tensors, `(n_x n_y)^n x n` each, for those who cannot wait."""
    outcomes = torch.cartesian_prod(*[torch.arange(n_x * n_y)] * n)
    return outcomes // n_y, outcomes % n_y


def expected(
    joint: Tensor, n: int, bound: Callable[..., Tensor], scores: Tensor, *baseline: Tensor
) -> Tensor:
    """E[bound] over all batches of n pairs; `scores` is `n_x x n_y`, the baseline `n_x` or `n_x x n_y`."""
    xs, ys = all_batches(*joint.shape, n)
    inputs = [scores[xs.unsqueeze(-1), ys.unsqueeze(-2)]]
    inputs += [table[xs] if table.ndim == 1 else table[xs, ys] for table in baseline]
    return (joint[xs, ys].prod(-1) * bound(*inputs)).sum()


# Bounds on a batch


def mean(values: Iterator[float] | list[float]) -> float:
    values = list(values)
    return sum(values) / len(values)


def positives(scores: Table) -> list[float]:
    return [scores[i][i] for i in range(len(scores))]


def negatives(scores: Table) -> list[float]:
    return [scores[i][j] for i in range(len(scores)) for j in range(len(scores)) if i != j]


def sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


def info_nce(scores: Table) -> float:
    return mean([row[i] - math.log(mean([math.exp(s) for s in row])) for i, row in enumerate(scores)])


def donsker_varadhan(scores: Table) -> float:
    return mean(positives(scores)) - math.log(mean([math.exp(s) for s in negatives(scores)]))


def nwj(scores: Table) -> float:
    return mean(positives(scores)) - mean([math.exp(s - 1) for s in negatives(scores)])


def jensen_shannon(scores: Table) -> float:
    return nwj([[1 + s for s in row] for row in scores])


def tuba(scores: Table, baseline: Baseline) -> float:
    n = len(scores)
    over_p = mean([scores[i][i] - baseline[i] for i in range(n)])
    over_q = mean([math.exp(scores[i][j] - baseline[i]) for i in range(n) for j in range(n) if i != j])
    return over_p - over_q + 1


def flo(scores: Table, baseline: Baseline) -> float:
    """As in the paper, with u = b - f of the positive pair."""
    values = []
    for i, row in enumerate(scores):
        u = baseline[i] - row[i]
        contrast = mean([math.exp(row[j] - row[i]) for j in range(len(row)) if j != i])
        values.append(-(u + math.exp(-u) * contrast - 1))
    return mean(values)


def smile(scores: Table, clip: float = 5.0) -> float:
    return mean(positives(scores)) - math.log(
        mean([math.exp(max(-clip, min(clip, s))) for s in negatives(scores)])
    )


def interpolated(scores: Table, baseline: Baseline, alpha: float = 0.5) -> float:
    n = len(scores)
    over_p, over_q = [], []
    for i, held_out in itertools.permutations(range(n), 2):
        row = scores[i]
        own = mean([math.exp(row[j]) for j in range(n) if j != held_out])
        over_p.append(row[i] - math.log(alpha * own + (1 - alpha) * math.exp(baseline[i])))
        others = mean([math.exp(row[j]) for j in range(n) if j != i])
        over_q.append(math.exp(row[held_out]) / (alpha * others + (1 - alpha) * math.exp(baseline[i])))
    return 1 + mean(over_p) - mean(over_q)


def multilabel_cpc(scores: Table, alpha: float | None = None) -> float:
    n = len(scores)
    alpha = n / (n * (n - 1) + 1) if alpha is None else alpha
    of_p = alpha * sum(math.exp(s) for s in positives(scores))
    of_q = (n - alpha) / (n - 1) * sum(math.exp(s) for s in negatives(scores))
    return mean([math.log(n * n * math.exp(s) / (of_p + of_q)) for s in positives(scores)])


def alpha_cpc(scores: Table, alpha: float = 0.1) -> float:
    n = len(scores)
    values = []
    for i, row in enumerate(scores):
        of_q = (n - alpha) / (n - 1) * sum(math.exp(row[j]) for j in range(n) if j != i)
        values.append(math.log(n * math.exp(row[i]) / (alpha * math.exp(row[i]) + of_q)))
    return mean(values)


def density_ratio_plug_in(scores: Table) -> float:
    return mean(positives(scores))


def jsd_xi(scores: Table) -> float:
    over_p = mean([math.log(sigmoid(s)) for s in positives(scores)])
    over_q = mean([math.log(sigmoid(-s)) for s in negatives(scores)])
    return xi(math.log(2) + over_p / 2 + over_q / 2)


def bernoulli_jsd(k: float) -> float:
    """JSD of Bernoulli(1) and Bernoulli(e^-k), k > 0, as the mean of two Kullback-Leibler divergences."""
    p, q = (1.0, 0.0), (math.exp(-k), 1 - math.exp(-k))
    middle = [(a + b) / 2 for a, b in zip(p, q, strict=True)]
    return (divergence(p, middle) + divergence(q, middle)) / 2


def divergence(p: Iterator[float], q: Iterator[float]) -> float:
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


def xi(jsd: float) -> float:
    """The k > 0 whose `bernoulli_jsd` is `jsd`, by bisection."""
    low, high = 0.0, 30.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if bernoulli_jsd(middle) < jsd else (low, middle)
    return low


def club(scores: Table) -> float:
    return mean(positives(scores)) - mean(negatives(scores))


def leave_one_out(scores: Table) -> float:
    n = len(scores)
    return mean(
        [
            scores[i][i] - math.log(mean([math.exp(scores[j][i]) for j in range(n) if j != i]))
            for i in range(n)
        ]
    )


ON_A_BATCH: dict[str, Callable[..., float]] = {
    "alpha_cpc": alpha_cpc,
    "club": club,
    "donsker_varadhan": donsker_varadhan,
    "f_dime_gan": density_ratio_plug_in,
    "f_dime_hellinger": density_ratio_plug_in,
    "f_dime_kl": density_ratio_plug_in,
    "flo": flo,
    "info_nce": info_nce,
    "info_nce_anchor": density_ratio_plug_in,
    "interpolated": interpolated,
    "jensen_shannon": jensen_shannon,
    "jsd_xi": jsd_xi,
    "leave_one_out": leave_one_out,
    "mine": donsker_varadhan,
    "multilabel_cpc": multilabel_cpc,
    "nwj": nwj,
    "smile": smile,
    "tuba": tuba,
}


# Objectives on a batch


def classify(scores: Table) -> float:
    """ln likelihood of telling joint from product pairs, each kind averaged."""
    over_p = mean([math.log(sigmoid(s)) for s in positives(scores)])
    return over_p + mean([math.log(1 - sigmoid(s)) for s in negatives(scores)])


def f_dime_kl_objective(scores: Table) -> float:
    return mean(positives(scores)) - mean([math.exp(s) for s in negatives(scores)]) + 1


def f_dime_hellinger_objective(scores: Table) -> float:
    over_p = mean([1 / math.sqrt(math.exp(s)) for s in positives(scores)])
    return 2 - over_p - mean([math.sqrt(math.exp(s)) for s in negatives(scores)])


def anchor_objective(scores: Table, weight: float = 1.0) -> float:
    """Mean ln posterior of the class: "one is positive", prior K / (K + nu), or "none", nu / (K + nu)."""
    n = len(scores)
    n_candidates = n - 1
    one, none = [], []
    for i, row in enumerate(scores):
        for left_out in range(n):
            candidates = [math.exp(row[j]) for j in range(n) if j != left_out]
            if left_out == i:
                none.append(math.log(weight / (weight + sum(candidates))))
            else:
                one.append(math.log(math.exp(row[i]) / (weight + sum(candidates))))
    return (n_candidates * mean(one) + weight * mean(none)) / (n_candidates + weight)


OBJECTIVE_ON_A_BATCH: dict[str, Callable[..., float]] = {
    "f_dime_gan": classify,
    "f_dime_hellinger": f_dime_hellinger_objective,
    "f_dime_kl": f_dime_kl_objective,
    "info_nce_anchor": anchor_objective,
    "jensen_shannon": classify,
    "jsd_xi": classify,
    "smile": classify,
}


# Bounds under the exact weights of a finite law


def population(name: str, joint: Table, scores: Table, baseline: list[float] | Table | None = None) -> float:
    """The bound's functional with E_p and E_q taken over the law's table."""
    p_x, p_y = marginals(joint)
    cells = list(itertools.product(range(len(p_x)), range(len(p_y))))

    def over_p(value: Callable[[int, int], float]) -> float:
        return sum(joint[x][y] * value(x, y) for x, y in cells)

    def over_q(value: Callable[[int, int], float]) -> float:
        return sum(p_x[x] * p_y[y] * value(x, y) for x, y in cells)

    def f(x: int, y: int) -> float:
        return scores[x][y]

    def log_row_partition(x: int) -> float:
        return math.log(sum(p_y[y] * math.exp(f(x, y)) for y in range(len(p_y))))

    def log_column_partition(y: int) -> float:
        return math.log(sum(p_x[x] * math.exp(f(x, y)) for x in range(len(p_x))))

    if name in ("donsker_varadhan", "mine", "multilabel_cpc"):
        return over_p(f) - math.log(over_q(lambda x, y: math.exp(f(x, y))))
    if name in ("info_nce", "alpha_cpc"):
        return over_p(lambda x, y: f(x, y) - log_row_partition(x))
    if name == "leave_one_out":
        return over_p(lambda x, y: f(x, y) - log_column_partition(y))
    if name == "nwj":
        return over_p(f) - over_q(lambda x, y: math.exp(f(x, y) - 1))
    if name == "jensen_shannon":
        return over_p(f) + 1 - over_q(lambda x, y: math.exp(f(x, y)))
    if name == "tuba":
        return (
            over_p(lambda x, y: f(x, y) - baseline[x])
            - over_q(lambda x, y: math.exp(f(x, y) - baseline[x]))
            + 1
        )
    if name == "flo":
        return over_p(
            lambda x, y: f(x, y) - baseline[x][y] - math.exp(log_row_partition(x) - baseline[x][y]) + 1
        )
    if name == "interpolated":

        def a(x: int) -> float:
            return (math.exp(log_row_partition(x)) + math.exp(baseline[x])) / 2

        return (
            1 + over_p(lambda x, y: f(x, y) - math.log(a(x))) - over_q(lambda x, y: math.exp(f(x, y)) / a(x))
        )
    if name == "smile":
        return over_p(f) - math.log(over_q(lambda x, y: math.exp(max(-5, min(5, f(x, y))))))
    if name == "jsd_xi":
        loss = over_p(lambda x, y: math.log(sigmoid(f(x, y)))) + over_q(
            lambda x, y: math.log(sigmoid(-f(x, y)))
        )
        return xi(math.log(2) + loss / 2)
    if name == "club":
        return over_p(f) - over_q(f)
    return over_p(f)

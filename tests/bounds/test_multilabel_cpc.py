"""Multi-label CPC, and why in-batch negatives make it a plug-in instead of a bound in expectation."""

from __future__ import annotations

import math

import torch

from mibounds.bounds.multilabel_cpc import MultilabelCPC
from tests.conformance.test_bounds import ascend
from tests.oracles import expected, log_density_ratio, random_joint


def mean_for_y_equal_to_x(n_symbols: int, n: int) -> float:
    """At most E[ML-CPC] at the default alpha: y = x uniform over the symbols, scores 0 where equal, else -inf.

    All positives and the negatives of equal symbols score 0: the value is ln((n (n - 1) + 1) / (m + 1)), m the
    number of equal negatives, which the numbers k_c of symbols drawn c times give. Left-out batches (a
    symbol drawn more than four times) would add to the sum: no value is negative.
    """
    total = 0.0
    for k_2 in range(60):
        for k_3 in range(12):
            for k_4 in range(4):
                k_1 = n - 2 * k_2 - 3 * k_3 - 4 * k_4
                k_0 = n_symbols - k_1 - k_2 - k_3 - k_4
                if k_1 < 0 or k_0 < 0:
                    continue
                log_ways = math.lgamma(n + 1) - k_2 * math.log(2) - k_3 * math.log(6) - k_4 * math.log(24)
                log_ways += math.lgamma(n_symbols + 1) - sum(
                    math.lgamma(k + 1) for k in (k_0, k_1, k_2, k_3, k_4)
                )
                n_equal = 2 * k_2 + 6 * k_3 + 12 * k_4
                value = math.log((n * (n - 1) + 1) / (n_equal + 1))
                total += math.exp(log_ways - n * math.log(n_symbols)) * value
    return total


def test_the_count_agrees_with_the_bound_on_a_batch() -> None:
    symbols = torch.tensor([0, 0, 0, 1, 1, 2, 3])
    scores = torch.where(symbols == symbols.unsqueeze(-1), 0.0, -1e4).double()
    assert torch.isclose(MultilabelCPC()(scores), torch.tensor(43 / 9, dtype=torch.float64).log())


def test_the_count_agrees_with_enumeration() -> None:
    joint = torch.eye(3, dtype=torch.float64) / 3
    scores = torch.where(torch.eye(3) == 1, 0.0, -1e4).double()
    for n in (2, 3, 4):
        assert math.isclose(
            expected(joint, n, MultilabelCPC(), scores), mean_for_y_equal_to_x(3, n), abs_tol=1e-9
        )


def test_the_default_alpha_is_no_bound_in_expectation() -> None:
    assert mean_for_y_equal_to_x(10_000, 316) > math.log(10_000) + 0.001
    assert MultilabelCPC.validity == "plug-in"


def test_the_default_alpha_holds_on_a_small_law_and_a_smaller_one_does_not() -> None:
    sharp = torch.tensor([[0.495, 0.005], [0.005, 0.495]], dtype=torch.float64)
    mi = (sharp * (sharp / 0.25).log()).sum()
    for n in (2, 3, 4):
        small = 0.4 * n / (n * (n - 1) + 1)
        best = [
            ascend(
                lambda scores, n=n, bound=bound: expected(sharp, n, bound, scores), [log_density_ratio(sharp)]
            )
            for bound in (MultilabelCPC(), MultilabelCPC(alpha=small))
        ]
        assert best[0] < mi < best[1]


def test_any_alpha_has_donsker_varadhans_population_value() -> None:
    joint, scores = random_joint(2, 3, seed=1), torch.randn(2, 3, generator=torch.Generator().manual_seed(2))
    values = [MultilabelCPC(alpha).population(joint, scores.double()) for alpha in (None, 0.1, 1.0)]
    assert values[0] == values[1] == values[2]


def test_the_default_alpha_depends_on_the_batch() -> None:
    scores = torch.randn(5, 5, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    torch.testing.assert_close(MultilabelCPC()(scores), MultilabelCPC(alpha=5 / 21)(scores))
    assert math.isclose(MultilabelCPC().ceiling(5), math.log(21))

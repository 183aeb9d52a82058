"""What every source owes: seeded pairs of one law a side, factors as declared, and a truth that fits the density ratio.

The checks are plain functions of a source, so that one of the user's own can be put through them too.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Mapping
from functools import cache

import pytest
import torch
from torch import Tensor

from mibounds.errors import DataError
from mibounds.representation import sources
from mibounds.representation.batches import stacked_pairs
from mibounds.representation.sources import Pairs, Source
from mibounds.representation.sources.gauss import Gauss
from mibounds.seeding import generator


def z_score(values: Tensor, truth: float = 0.0) -> float:
    """How many standard errors the mean of `values` lies off the truth; 1e-6 of them are left to rounding."""
    values = values.double()
    return (float(values.mean()) - truth) / (float(values.std()) / len(values) ** 0.5 + 1e-6)


def many(source: Source) -> int:
    """As many pairs as a check of moments can have: all that there are, or what is cheap to draw."""
    return source.n_train or (20_000 if len(source.shape) == 1 else 2_000)


def a_batch(source: Source) -> int:
    """A batch size of which an epoch has few."""
    return source.n_train // 4 if source.n_train else 8


def equal(first: tuple, second: tuple) -> bool:
    """Whether two draws are the same, in views, inputs and factors."""
    for one, other in zip(first, second, strict=True):
        same = (
            one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)
            if isinstance(one, dict)
            else torch.equal(one, other)
        )
        if not same:
            return False
    return True


def log_ratios(source: Source, view_a: Tensor, view_b: Tensor) -> Tensor | None:
    """ln r of row i of a with row i of b: `n`; each pair is a matrix of its own."""
    matrix = source.log_density_ratio_matrix(view_a.unsqueeze(1), view_b.unsqueeze(1))
    return None if matrix is None else matrix.flatten()


# Facts and shapes


def check_facts_are_complete(source: Source) -> None:
    assert source.name == type(source).__module__.rpartition(".")[2]
    assert inspect.getdoc(type(source)) and source.steps_a_draw >= 1
    assert source.shape and all(isinstance(size, int) and size > 0 for size in source.shape)
    if source.label is not None:
        assert (source.factors[source.label].n_classes or 0) >= 2
    if source.mutual_information is not None:
        assert isinstance(source.mutual_information, float) and source.mutual_information >= 0
        assert source.n_train is None, "a finite set of images has no law that is known"


def check_factors_are_as_declared(source: Source, factors: Mapping[str, Tensor], n: int) -> None:
    assert factors.keys() == source.factors.keys()
    for name, fact in source.factors.items():
        values = factors[name]
        if fact.n_classes is None:
            assert values.shape == (n, fact.dim) and values.dtype == torch.float32, name
            assert values.isfinite().all()
        else:
            assert values.shape == (n,) and values.dtype == torch.int64 and fact.dim == 1, name
            assert values.min() >= 0 and values.max() < fact.n_classes


def check_pairs_have_shapes_and_dtypes(source: Source) -> None:
    for n, split in ((1, "train"), (12, "train"), (12, "test")):
        pairs = source.pairs(n, 0, split=split)
        assert isinstance(pairs, Pairs)
        for view in pairs[:2]:
            assert view.shape == (n, *source.shape) and view.dtype == torch.float32 and view.isfinite().all()
        check_factors_are_as_declared(source, pairs.factors, n)
        assert not torch.equal(pairs.view_a, pairs.view_b)


def check_examples_are_inputs_as_views_are(source: Source) -> None:
    for split in ("train", "test"):
        x, factors = source.examples(12, 0, split=split)
        assert x.shape == (12, *source.shape) and x.dtype == torch.float32 and x.isfinite().all()
        check_factors_are_as_declared(source, factors, 12)


def check_all_examples_are_those_of_a_finite_source(source: Source) -> None:
    if source.n_train is None:
        with pytest.raises(DataError, match="endless"):
            source.examples(None, 0)
        return
    x, factors = source.examples(None, 0, split="train")
    assert x.shape == (source.n_train, *source.shape)
    check_factors_are_as_declared(source, factors, source.n_train)
    with pytest.raises(DataError):
        source.examples(10**6, 0)
    with pytest.raises(DataError):
        source.pairs(10**6, 0)


def check_no_factor_is_degenerate(source: Source) -> None:
    factors = source.examples(source.n_train or 4000, 0, split="train").factors
    for name, fact in source.factors.items():
        if fact.n_classes is None:
            assert (factors[name].std(0) > 0).all(), name
        elif fact.n_classes > 1:
            share = torch.bincount(factors[name], minlength=fact.n_classes) / len(factors[name])
            assert share.min() > 0 and share.max() < 0.9, name


# Seeds


def check_a_seed_decides_alone(source: Source) -> None:
    for draw in (source.pairs, source.examples):
        first = draw(10, 3)
        draw(7, 5)
        assert equal(first, draw(10, 3, device=torch.device("cpu")))
        assert not torch.equal(first[0], draw(10, 4)[0])


def check_a_generator_is_a_seed_that_moves_on(source: Source) -> None:
    for draw in (source.pairs, source.examples):
        moving = generator(3)
        first, later = draw(10, moving), draw(10, moving)
        assert equal(first, draw(10, 3)) and not torch.equal(first[0], later[0])


def check_a_training_block_is_a_function_of_its_arguments(source: Source) -> None:
    batch_size = a_batch(source)
    first = source.training_block(2, batch_size, 7)
    other_block, other_seed = source.training_block(3, batch_size, 7), source.training_block(2, batch_size, 8)
    assert first.view_a.shape == (source.steps_a_draw * batch_size, *source.shape)
    check_factors_are_as_declared(source, first.factors, len(first.view_a))
    assert equal(first, source.training_block(2, batch_size, 7))
    for other in (other_block, other_seed):
        assert not torch.equal(first.view_a, other.view_a) and not torch.equal(first.view_b, other.view_b)


def check_a_run_sees_the_same_batches_alone_and_in_a_stack(source: Source) -> None:
    steps, batch_size = source.steps_a_draw + 2, a_batch(source)

    def batches(seeds: list[int]) -> list[Pairs]:
        return list(itertools.islice(stacked_pairs([source] * len(seeds), seeds, batch_size), steps))

    stacked, alone = batches([4, 9, 4]), batches([9])
    for together, single in zip(stacked, alone, strict=True):
        assert together.view_a.shape == (3, batch_size, *source.shape)
        of_one = Pairs(
            *(view[1:2] for view in together[:2]), {k: v[1:2] for k, v in together.factors.items()}
        )
        assert equal(of_one, single)
        assert torch.equal(together.view_b[0], together.view_b[2])
        assert not torch.equal(together.view_a[0], together.view_a[1])


def check_batches_go_on_from_any_step(source: Source) -> None:
    steps, batch_size = source.steps_a_draw + 3, a_batch(source)
    whole = list(itertools.islice(stacked_pairs([source], [4], batch_size), steps))
    for first_step in (1, steps - 2):
        rest = itertools.islice(
            stacked_pairs([source], [4], batch_size, first_step=first_step), steps - first_step
        )
        assert all(equal(*both) for both in zip(rest, whole[first_step:], strict=True))
    views = torch.cat([pairs.view_a.flatten(1) for pairs in whole])
    assert len(views.unique(dim=0)) == steps, "no step repeats another's views"


# Laws


def check_pairs_are_exchangeable(source: Source) -> None:
    """(a, b) and (b, a) have one law: moments of both, seen through a few random directions."""
    pairs = source.pairs(many(source), 0, split="train")
    size = math.prod(source.shape)
    directions = torch.randn(size, 4, generator=generator(1), dtype=torch.float64) / size**0.5
    a, b = (view.flatten(1).double() @ directions for view in pairs[:2])
    changes = [a - b, a**3 - b**3]
    for i, j in itertools.combinations_with_replacement(range(4), 2):
        changes += [(a[:, i] * a[:, j] - b[:, i] * b[:, j]).unsqueeze(1)]
        changes += [(a[:, i] * b[:, j] - a[:, j] * b[:, i]).unsqueeze(1)] if i != j else []
    scores = [z_score(column) for column in torch.cat(changes, 1).T]
    assert max(map(abs, scores)) < 4.5


def check_the_mean_log_ratio_is_the_truth(source: Source) -> None:
    ratios = log_ratios(source, *source.pairs(many(source), 2, split="train")[:2])
    if ratios is None or source.mutual_information is None:
        return
    assert abs(z_score(ratios, source.mutual_information)) < 4


def check_the_mean_ratio_of_independent_views_is_one(source: Source) -> None:
    """E_q[r] = E_q[r; r <= c] + P_p(r > c) = 1: each term is bounded, so that its error is known, whatever c."""
    n = many(source)
    pairs, others, still_others = (source.pairs(n, seed, split="train") for seed in (3, 4, 5))
    joint = log_ratios(source, *pairs[:2])
    product = log_ratios(source, others.view_a, still_others.view_b)
    if joint is None or product is None:
        return
    assert joint.mean() > product.mean()
    for level in (0.2, 0.5, 0.8, 0.95):
        threshold = joint.quantile(level) + 1e-6
        moved = torch.where(product <= threshold, product.exp(), 0).double()
        above = (joint > threshold).double()
        spread = ((moved.var() + above.var()) / n).sqrt()
        assert abs(moved.mean() + above.mean() - 1) < 4 * spread + 1e-9


def check_the_matrix_is_the_ratio_of_all_pairs(source: Source) -> None:
    view_a, view_b, _ = source.pairs(12, 5)
    stack_a, stack_b = view_a.unflatten(0, (2, 6)), view_b.unflatten(0, (2, 6))[:, :4]
    matrix = source.log_density_ratio_matrix(stack_a, stack_b)
    if matrix is None:
        return
    assert matrix.shape == (2, 6, 4) and matrix.dtype == torch.float32
    for r, i, j in itertools.product(range(2), range(6), range(4)):
        one = log_ratios(source, stack_a[r, i : i + 1], stack_b[r, j : j + 1])
        torch.testing.assert_close(matrix[r, i, j], one.squeeze(), rtol=1e-4, atol=1e-4)
    swapped = source.log_density_ratio_matrix(stack_b, stack_a)
    torch.testing.assert_close(swapped, matrix.mT, rtol=1e-4, atol=1e-4)


CHECKS: dict[str, Callable[[Source], None]] = {
    name.removeprefix("check_"): check
    for name, check in list(globals().items())
    if name.startswith("check_") and check is not check_factors_are_as_declared
}


@cache
def example(name: str) -> Source | None:
    """None for a source of which a package is not installed, provided that it says which."""
    try:
        return sources.load(name).example()
    except DataError as error:
        assert "pip install 'mibounds[representation]'" in str(error)
        return None


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", sources.names())
def test_source(name: str, check: str) -> None:
    source = example(name)
    if source is not None:
        CHECKS[check](source)


def test_sources_are_listed_by_their_files() -> None:
    assert {"classes", "competing", "content_style", "gauss", "vmf"} <= set(sources.names())
    assert not any(name.startswith("_") or name == "base" for name in sources.names())


# The checks can fail


class _Wrong(Gauss):
    """A gauss source of 1.5 nats, one thing of which is spoilt."""

    def __init__(self, spoil: Callable[[Pairs], Pairs] = lambda pairs: pairs, ratio_factor: float = 1.0):
        super().__init__(4, 0.7, n_classes=4)
        self.spoil, self.ratio_factor = spoil, ratio_factor

    def pairs(self, *args: object, **options: object) -> Pairs:
        return self.spoil(super().pairs(*args, **options))

    def ratio_of_latents(self, z_a: Tensor, z_b: Tensor) -> Tensor:
        return self.ratio_factor * super().ratio_of_latents(z_a, z_b)


def test_a_wrong_truth_is_caught() -> None:
    source = _Wrong()
    check_the_mean_log_ratio_is_the_truth(source)
    source.mutual_information += 0.05
    with pytest.raises(AssertionError):
        check_the_mean_log_ratio_is_the_truth(source)


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_wrong_ratio_is_caught(factor: float) -> None:
    with pytest.raises(AssertionError):
        check_the_mean_ratio_of_independent_views_is_one(_Wrong(ratio_factor=factor))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda pairs: pairs._replace(view_b=1.05 * pairs.view_b),
        lambda pairs: pairs._replace(view_b=pairs.view_b + 0.05),
        lambda pairs: pairs._replace(view_b=pairs.view_b.roll(1, dims=-1)),
    ],
)
def test_views_of_two_laws_are_caught(spoil: Callable[[Pairs], Pairs]) -> None:
    check_pairs_are_exchangeable(_Wrong())
    with pytest.raises(AssertionError):
        check_pairs_are_exchangeable(_Wrong(spoil))


def test_one_class_for_all_is_caught() -> None:
    source = _Wrong(lambda pairs: pairs._replace(factors={k: 0 * v for k, v in pairs.factors.items()}))
    with pytest.raises(AssertionError):
        check_no_factor_is_degenerate(source)

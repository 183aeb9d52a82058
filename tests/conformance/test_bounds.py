"""Every bound, found by its file, against its own facts: a new file is checked before anyone writes a test.

Each check takes a bound; laws are small enough that all their batches can be counted out.
"""

from __future__ import annotations

import dataclasses
import inspect
import math
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mibounds import bounds
from mibounds.bounds import Bound
from mibounds.errors import ParameterError, ShapeError
from mibounds.registry import user_folders
from tests.oracles import expected, log_density_ratio, mutual_information, random_joint

# A joint law with ln r far from zero on either side, besides milder ones of each shape.
EXTREME = torch.tensor([[0.4998, 0.0002], [0.0002, 0.4998]], dtype=torch.float64)
LAWS = {
    "2x2": random_joint(2, 2, seed=1),
    "2x3": random_joint(2, 3, seed=2),
    "3x3": random_joint(3, 3, seed=3, sharpness=4.0),
    "extreme": EXTREME,
}
# (law, pairs a batch): at most (n_x n_y)^n = 256 batches
ENUMERATED = [("2x2", 2), ("2x2", 3), ("extreme", 3), ("extreme", 4), ("2x3", 3), ("3x3", 2)]
SHIFTS = {"constant": (1, 1), "rows": (5, 1), "columns": (1, 5)}
TOLERANCE = 1e-9  # nats


def information(joint: Tensor) -> float:
    return mutual_information(joint.tolist())


def normal(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def inputs_of(bound: Bound, *shape: int, scale: float = 1.0, seed: int = 0) -> list[Tensor]:
    """Random scores `... x n x n`, with a log-baseline `... x n` if the bound takes one."""
    inputs = [scale * normal(*shape, seed=seed)]
    return inputs + ([normal(*shape[:-1], seed=seed + 100)] if bound.baseline else [])


def baseline_table(bound: Bound, joint: Tensor) -> list[Tensor]:
    """A log-baseline of zero for each outcome of the law."""
    shape = {"x": joint.shape[:1], "pair": joint.shape}
    return [joint.new_zeros(shape[bound.baseline])] if bound.baseline else []


def random_tables(bound: Bound, joint: Tensor) -> Iterator[list[Tensor]]:
    """Scores for each pair of outcomes, and log-baselines: critics from timid to wild."""
    for seed, scale in enumerate((0.1, 1.0, 3.0, 10.0)):
        scores = scale * normal(*joint.shape, seed=seed)
        baseline = [scale * normal(*zeros.shape, seed=seed + 9) for zeros in baseline_table(bound, joint)]
        yield [scores, *baseline]


def true_conditionals(joint: Tensor) -> Iterator[Tensor]:
    """ln p(y|x) up to several c(y): what an upper bound is promised to be called with."""
    for seed in range(4):
        yield log_density_ratio(joint) + 3 * normal(joint.shape[1], seed=seed)


def ascend(value: Callable[..., Tensor], tables: list[Tensor], steps: int = 120) -> float:
    """The largest value that gradient ascent over the tables meets."""
    tables = [table.clone().requires_grad_() for table in tables]
    optimizer = torch.optim.Adam(tables, lr=0.2, maximize=True)
    largest = -math.inf
    for _ in range(steps):
        optimizer.zero_grad()
        reached = value(*tables)
        reached.backward()
        optimizer.step()
        largest = max(largest, reached.item())
    return largest


# Facts


def check_facts_are_complete(bound: Bound) -> None:
    assert bound.name == type(bound).__module__.rpartition(".")[2]
    assert dataclasses.is_dataclass(bound) and bound == type(bound)() and hash(bound) == hash(type(bound)())
    assert bound.references and "References:" in inspect.getdoc(bound)
    assert (bound.direction == "none") == (bound.validity == "none")
    assert bound.trainable == (bound.direction != "upper") == (bound.takes == "scores")


# Validity


def check_population_is_on_its_side_of_the_mi(bound: Bound) -> None:
    for joint in LAWS.values():
        mi = information(joint)
        if bound.direction == "lower":
            assert all(
                bound.population(joint, *tables) <= mi + TOLERANCE for tables in random_tables(bound, joint)
            )
        if bound.direction == "upper":
            assert all(bound.population(joint, table) >= mi - TOLERANCE for table in true_conditionals(joint))


def check_no_adversary_lifts_the_population_over_the_mi(bound: Bound) -> None:
    if bound.direction != "lower":
        return
    for joint in LAWS.values():
        timid, *_, wild = random_tables(bound, joint)
        for tables in (timid, wild):
            reached = ascend(lambda *t, joint=joint: bound.population(joint, *t), tables)
            assert reached <= information(joint) + TOLERANCE


def check_expectation_is_on_its_side_of_the_mi(bound: Bound) -> None:
    if bound.validity != "bound in expectation":
        return
    for law, n in ENUMERATED:
        joint, mi = LAWS[law], information(LAWS[law])
        if bound.direction == "lower":
            assert all(expected(joint, n, bound, *t) <= mi + TOLERANCE for t in random_tables(bound, joint))
        if bound.direction == "upper":
            assert all(expected(joint, n, bound, t) >= mi - TOLERANCE for t in true_conditionals(joint))


def check_no_adversary_lifts_the_expectation_over_the_mi(bound: Bound) -> None:
    if (bound.direction, bound.validity) != ("lower", "bound in expectation"):
        return
    for law, n in ENUMERATED:
        joint = LAWS[law]
        tables = next(random_tables(bound, joint))
        reached = ascend(lambda *t, joint=joint, n=n: expected(joint, n, bound, *t), tables)
        assert reached <= information(joint) + TOLERANCE


def check_what_is_marked_no_bound_is_none(bound: Bound) -> None:
    if bound.direction == "none":
        joint = LAWS["extreme"]
        tables = next(random_tables(bound, joint))
        assert ascend(lambda *t: expected(joint, 3, bound, *t), tables) > information(joint) + 0.05


def check_the_optimal_scores_are_tight_where_it_says_so(bound: Bound) -> None:
    gaps = []
    for joint in LAWS.values():
        best = bound.optimal_scores(log_density_ratio(joint))
        gaps.append(bound.population(joint, best, *baseline_table(bound, joint)).item() - information(joint))
    if bound.tight:
        assert max(map(abs, gaps)) < TOLERANCE
    else:
        assert max(map(abs, gaps)) > 1e-3


def check_a_large_batch_reads_the_population_value(bound: Bound) -> None:
    counts = torch.tensor([[3, 1, 1], [1, 2, 4]])
    joint = counts.double() / counts.sum()
    cells = torch.arange(6).repeat_interleave(50 * counts.flatten())
    xs, ys = cells // 3, cells % 3  # 600 pairs, each outcome as often as the law has it
    scores = normal(2, 3)
    tables = [normal(*table.shape, seed=1) for table in baseline_table(bound, joint)]
    baseline = [table[xs] if table.ndim == 1 else table[xs, ys] for table in tables]
    value = bound(scores[xs.unsqueeze(-1), ys], *baseline)
    assert abs(value - bound.population(joint, scores, *tables)) < 0.005


def check_training_is_at_rest_at_the_optimal_scores(bound: Bound) -> None:
    if not bound.trainable:
        with pytest.raises(ParameterError, match="upper bound"):
            bound.objective(normal(3, 3))
        return
    trains_itself = type(bound).objective is Bound.objective and bound.trained_as == bound
    for law, n in ENUMERATED:
        joint = LAWS[law]
        best = bound.optimal_scores(log_density_ratio(joint)).requires_grad_()
        tables = [best, *(table.requires_grad_() for table in baseline_table(bound, joint))]
        value = (
            bound.population(joint, *tables)
            if trains_itself
            else expected(joint, n, bound.objective, *tables)
        )
        assert max(g.abs().max() for g in torch.autograd.grad(value, tables)) < TOLERANCE


# Ceilings and invariances


def check_ceiling_holds_and_is_reached(bound: Bound) -> None:
    for n in (2, 3, 8):
        ceiling = bound.ceiling(n)
        for scale in (0.1, 1.0, 10.0, 1000.0):
            assert (bound(*inputs_of(bound, 50, n, n, scale=scale)) <= ceiling + TOLERANCE).all()
        separated = 400 * (2 * torch.eye(n, dtype=torch.float64) - 1)
        value = bound(separated, *([separated.new_zeros(n)] if bound.baseline else []))
        assert value <= ceiling + TOLERANCE
        assert value > min(ceiling - 1e-6, 100)


def check_invariances_hold_and_no_others(bound: Bound) -> None:
    scores, *baseline = inputs_of(bound, 5, 5, scale=4.0)
    for invariance, shape in SHIFTS.items():
        change = (bound(scores + normal(*shape, seed=7), *baseline) - bound(scores, *baseline)).abs()
        assert change < TOLERANCE if invariance in bound.invariances else change > 1e-3, invariance


def check_the_order_of_pairs_does_not_matter(bound: Bound) -> None:
    scores, *baseline = inputs_of(bound, 6, 6)
    order = torch.tensor([3, 1, 5, 0, 2, 4])
    shuffled = bound(scores[order][:, order], *(b[order] for b in baseline))
    torch.testing.assert_close(shuffled, bound(scores, *baseline))


# Tensors


def functions_of(bound: Bound) -> list[Callable[..., Tensor]]:
    """Everything that is computed from a batch."""
    trained = [bound.objective, lambda *inputs: bound.step(None, *inputs)[0]] if bound.trainable else []
    return [bound, *trained]


def check_a_stack_is_its_members(bound: Bound) -> None:
    inputs = inputs_of(bound, 2, 3, 4, 4, scale=2.0)
    for function in functions_of(bound):
        stacked = function(*inputs)
        assert stacked.shape == (2, 3)
        for i, j in torch.cartesian_prod(torch.arange(2), torch.arange(3)).tolist():
            torch.testing.assert_close(stacked[i, j], function(*(tensor[i, j] for tensor in inputs)))


def check_gradients_agree_with_finite_differences(bound: Bound) -> None:
    inputs = tuple(tensor.requires_grad_() for tensor in inputs_of(bound, 2, 4, 4, scale=2.0))
    for function in functions_of(bound)[:2]:
        assert torch.autograd.gradcheck(function, inputs)


def check_float32_agrees_with_float64(bound: Bound) -> None:
    inputs = inputs_of(bound, 20, 16, 16, scale=3.0)
    for function in functions_of(bound):
        single, double = function(*(tensor.float() for tensor in inputs)), function(*inputs)
        assert single.dtype == torch.float32 and double.dtype == torch.float64
        torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-4)


def check_extreme_scores_give_finite_values_and_gradients(bound: Bound) -> None:
    eye = torch.eye(5, dtype=torch.float64)
    signs = normal(20, 5, 5).sign()
    stack = 1000 * torch.cat(
        [signs, torch.stack([2 * eye - 1, 1 - 2 * eye, eye, -eye, 0 * eye, eye**0, -(eye**0)])]
    )
    for dtype in (torch.float32, torch.float64):
        for baseline in (0.0, 1000.0, -1000.0) if bound.baseline else (None,):
            inputs = [stack.to(dtype, copy=True).requires_grad_()]
            if baseline is not None:
                inputs.append(torch.full(stack.shape[:-1], baseline, dtype=dtype, requires_grad=True))
            for function in functions_of(bound):
                values = function(*inputs)
                gradients = torch.autograd.grad(values.sum(), inputs)
                assert all(tensor.isfinite().all() for tensor in (values, *gradients))


def check_the_callers_tensors_are_left_alone(bound: Bound) -> None:
    inputs = inputs_of(bound, 3, 4, 4)
    kept = [tensor.clone() for tensor in inputs]
    for function in functions_of(bound):
        function(*inputs)
    assert all(torch.equal(tensor, before) for tensor, before in zip(inputs, kept, strict=True))
    assert all(tensor._version == 0 for tensor in inputs)


def check_wrong_shapes_are_refused(bound: Bound) -> None:
    baseline = [torch.zeros(4)] if bound.baseline else []
    for wrong in (torch.zeros(4), torch.zeros(4, 3), torch.zeros(1, 1), torch.zeros(2, 4, 5)):
        for function in functions_of(bound):
            with pytest.raises(ShapeError, match="scores must be"):
                function(wrong, *baseline)
    for wrong_baseline in ([], [torch.zeros(3)], [torch.zeros(1)]) if bound.baseline else []:
        with pytest.raises(ShapeError, match="log_baseline"):
            bound(torch.zeros(4, 4), *wrong_baseline)


CHECKS = {
    name.removeprefix("check_"): check for name, check in list(globals().items()) if name.startswith("check_")
}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize("name", bounds.names())
def test_bound(name: str, check: str) -> None:
    CHECKS[check](bounds.load(name)())


# A bound dropped into a folder

DROPPED = '''
from dataclasses import dataclass
from mibounds.bounds.base import Bound
from mibounds.bounds.nwj import NWJ

@dataclass(frozen=True)
class HalvedNWJ(Bound):
    """Half of NWJ.

    References: none.
    """
    name = "halved_nwj"
    direction = "{direction}"
    validity = "{validity}"
    tight = {tight}
    references = ("a test",)

    def __call__(self, scores, *log_baseline):
        return NWJ()(scores) / 2

    def population(self, joint, scores, *log_baseline):
        return NWJ().population(joint, scores) / 2

    def optimal_scores(self, log_density_ratio):
        return 1 + log_density_ratio
'''


@pytest.fixture
def drop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Bound]:
    """Writes HalvedNWJ with the given facts to a folder on MIBOUNDS_PATH, and loads it by its file's name."""

    def write(**facts: object) -> Bound:
        (tmp_path / "bounds").mkdir()
        (tmp_path / "bounds" / "halved_nwj.py").write_text(DROPPED.format(**facts))
        monkeypatch.setenv("MIBOUNDS_PATH", str(tmp_path))
        monkeypatch.setattr(bounds, "__path__", [*bounds.__path__, *user_folders("bounds")])
        monkeypatch.delitem(sys.modules, "mibounds.bounds.halved_nwj", raising=False)
        assert "halved_nwj" in bounds.names()
        return bounds.load("halved_nwj")()

    return write


def test_a_dropped_file_is_listed_loaded_and_passes(drop: Callable[..., Bound]) -> None:
    bound = drop(direction="lower", validity="bound in expectation", tight=False)
    for check in CHECKS.values():
        check(bound)


def test_a_dropped_file_with_wrong_facts_fails(drop: Callable[..., Bound]) -> None:
    bound = drop(direction="none", validity="none", tight=True)
    for check in (check_what_is_marked_no_bound_is_none, check_the_optimal_scores_are_tight_where_it_says_so):
        with pytest.raises(AssertionError):
            check(bound)


def test_listing_reads_the_users_folders_and_imports_no_torch(tmp_path: Path) -> None:
    (tmp_path / "bounds").mkdir()
    (tmp_path / "bounds" / "halved_nwj.py").write_text("raise RuntimeError('listing must not import this')")
    code = "import sys, mibounds.bounds as b; print('halved_nwj' in b.names(), 'torch' in sys.modules)"
    environment = os.environ | {"MIBOUNDS_PATH": str(tmp_path)}
    printed = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    )
    assert printed.stdout.split() == ["True", "False"]

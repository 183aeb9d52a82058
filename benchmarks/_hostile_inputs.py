"""Data that break estimators: what holds numbers oddly, what holds odd numbers, and what must be refused.

Most are one and the same sample in disguise: n pairs of normals at correlation 0.8, whose information no change of
units, layout or type touches. So the truth is known, and a value far from it without a warning is a fault.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

N = 300
CORRELATION = 0.8
TRUTH_NATS = -math.log(1 - CORRELATION**2) / 2

Expects = Literal["answer", "refusal", "either"]
Sides = tuple[Any, Any]


@dataclass(frozen=True)
class Input:
    """Two sides under a name.

    Attributes:
        kind: "holder" (the same numbers held otherwise), "numbers", "shape" or "unusable".
        make: the sides, anew at each call.
        truth_nats: their information, if it is known.
        expects: whether an answer, a refusal or either is right.
    """

    name: str
    kind: str
    make: Callable[[], Sides]
    truth_nats: float | None = None
    expects: Expects = "either"


def pairs(n: int = N, dim: int = 1, correlation: float = CORRELATION) -> tuple[np.ndarray, np.ndarray]:
    """Normals `n x dim` each, column by column at the correlation."""
    source = np.random.default_rng(n + dim)
    x, noise = source.normal(size=(2, n, dim))
    return x, correlation * x + math.sqrt(1 - correlation**2) * noise


def all_inputs() -> dict[str, Input]:
    """By name, the cheap first."""
    found = [*holders(), *numbers(), *shapes(), *unusable()]
    return {one.name: one for one in found}


def holders() -> Iterator[Input]:
    """The same numbers, held in whatever way."""
    x, y = pairs()
    frame = pd.DataFrame({"a": x[:, 0]})
    read_only = x.copy()
    read_only.flags.writeable = False
    ways: dict[str, Callable[[], Any]] = {
        "list": lambda: x[:, 0].tolist(),
        "nested list": lambda: x.tolist(),
        "tuple": lambda: tuple(x[:, 0]),
        "Fortran order": lambda: np.asfortranarray(np.hstack([x, x**3])),
        "negative stride": lambda: x[::-1].copy()[::-1],
        "every second of a wider one": lambda: np.repeat(x, 2, axis=1)[:, ::2],
        "read-only": lambda: read_only,
        "big-endian": lambda: x.astype(">f8"),
        "float32": lambda: x.astype(np.float32),
        "float16": lambda: x.astype(np.float16),
        "long double": lambda: x.astype(np.longdouble),
        "masked, no mask": lambda: np.ma.MaskedArray(x),
        "memory view": lambda: memoryview(x[:, 0].copy()),
        "tensor": lambda: torch.tensor(x),
        "tensor with gradient": lambda: torch.tensor(x, requires_grad=True),
        "half tensor": lambda: torch.tensor(x).half(),
        "sparse tensor": lambda: torch.tensor(x).to_sparse(),
        "conjugated view": lambda: torch.tensor(x).t().conj().t(),
        "list of tensors": lambda: [torch.tensor(float(v)) for v in x[:, 0]],
        "list of arrays": lambda: [np.array(row) for row in x],
        "series": lambda: frame["a"],
        "frame": lambda: frame,
        "frame, columns of one name": lambda: pd.concat([frame, frame**3], axis=1),
        "frame, columns of two levels": lambda: pd.concat({"u": frame}, axis=1),
        "sparse frame": lambda: frame.astype(pd.SparseDtype(float)),
        "nullable series": lambda: pd.Series(x[:, 0], dtype="Float64"),
        "arrow series": lambda: pd.Series(x[:, 0], dtype="float64[pyarrow]"),
        "index": lambda: pd.Index(x[:, 0]),
        "named rows": lambda: frame.set_index(pd.Index([f"r{i}" for i in range(N)])),
    }
    for name, way in ways.items():
        yield Input(name, "holder", lambda way=way: (way(), y), TRUTH_NATS, "answer")
    yield Input("both requires_grad", "holder", lambda: _tensors(x, y), TRUTH_NATS, "answer")


def _tensors(x: np.ndarray, y: np.ndarray) -> Sides:
    return torch.tensor(x, requires_grad=True), torch.tensor(y, requires_grad=True)


def numbers() -> Iterator[Input]:
    """Odd numbers."""
    x, y = pairs()
    wide_x, wide_y = pairs(dim=2)
    wide_truth = 2 * TRUTH_NATS

    def same(name: str, make: Callable[[], Sides], truth: float = TRUTH_NATS) -> Input:
        return Input(name, "numbers", make, truth)

    for scale in (1e-30, 1e30, 1e-150, 1e150, 1e-300, 1e300):
        yield same(f"times {scale:g}", lambda scale=scale: (x * scale, y * scale))
    yield same("x times 1e-30, y times 1e30", lambda: (x * 1e-30, y * 1e30))
    yield same("columns times 1e-30 and 1e30", lambda: (wide_x * [1e-30, 1e30], wide_y), wide_truth)
    yield same("float32 times 1e30", lambda: ((x * 1e30).astype(np.float32), (y * 1e30).astype(np.float32)))
    yield same("subnormal", lambda: (x * 1e-310, y))
    yield same("up to the largest float", lambda: (x / np.abs(x).max() * 1.7e308, y))
    yield same("far from 0", lambda: (x + 1e9, y - 1e9))
    yield same("so far from 0 that it is rounded", lambda: (x + 1e15, y))
    yield same("rounded to a decimal", lambda: (x.round(1), y.round(1)))
    yield same("cubed", lambda: (x**3, y**3))
    yield same("ninth power", lambda: (x**9, y**9))
    yield same("Cauchy columns", lambda: (_cauchy(x), _cauchy(y)))
    yield same("tails of exp(exp(x))", lambda: (np.exp(np.exp(x)), y))
    yield same("exp(100 x)", lambda: (np.exp(100 * x), y))
    yield same("one row at 1e6", lambda: (_with_first(x, 1e6), _with_first(y, 1e6)))
    yield same("one row at 1e200", lambda: (_with_first(x, 1e200), _with_first(y, 1e200)))
    yield same("one row at 1e200 in x", lambda: (_with_first(x, 1e200), y))
    yield Input("independent Cauchy", "numbers", _independent_cauchy, 0.0)
    yield same("each pair twice", lambda: (np.repeat(x, 2, axis=0), np.repeat(y, 2, axis=0)))
    yield Input(
        "each pair ten times", "numbers", lambda: tuple(np.repeat(side, 10, axis=0) for side in (x, y))
    )
    yield Input("half the pairs one point", "numbers", lambda: _half_equal(x, y))
    yield Input("all but one row equal", "numbers", lambda: (_single(N), y))
    yield Input("all but one row of both equal", "numbers", lambda: (_single(N), _single(N)))
    yield Input("a constant column", "numbers", lambda: (np.hstack([x, 0 * x + 3]), y), TRUTH_NATS, "answer")
    yield Input("y is x", "numbers", lambda: (x, x), math.inf)
    yield Input("y is 1 - 2 x", "numbers", lambda: (x, 1 - 2 * x), math.inf)
    yield Input("y is x to 1e-9", "numbers", lambda: (x, x + 1e-9 * y))
    yield Input("y holds x", "numbers", lambda: (x, np.hstack([wide_y, x])), math.inf)
    yield Input("a column twice", "numbers", lambda: (np.hstack([x, x]), y), TRUTH_NATS)
    yield Input("a column nearly twice", "numbers", lambda: (np.hstack([x, x + 1e-12 * wide_x[:, :1]]), y))
    yield Input("sorted", "numbers", lambda: tuple(side[np.argsort(x[:, 0])] for side in (x, y)), TRUTH_NATS)
    yield Input("bits, the same", "numbers", lambda: (x > 0, x > 0), math.log(2))
    yield Input("bits, independent", "numbers", lambda: (x > 0, wide_x[:, :1] > 0), 0.0)
    yield Input("bits beside numbers", "numbers", lambda: (x > 0, x), math.log(2))
    yield Input("small integers", "numbers", lambda: _integers(x, y, np.int8))
    yield Input("counts", "numbers", lambda: _integers(x**4, y**4, np.uint16))
    yield same("large integers", lambda: (_large(x), _large(y)))
    yield Input(
        "unsigned beyond 2^63", "numbers", lambda: (_large(x).astype(np.uint64) + 2**63, y), TRUTH_NATS
    )
    yield Input(
        "Python integers beyond 2^64", "numbers", lambda: ([int(v * 1e6) * 10**20 for v in x[:, 0]], y)
    )
    yield Input("text that repeats", "numbers", lambda: ([f"{v:.0f}" for v in x[:, 0]], y))
    yield Input("text on both sides", "numbers", lambda: tuple([f"{v:.0f}" for v in s[:, 0]] for s in (x, y)))
    yield Input("a flag that is almost never set", "numbers", lambda: (np.arange(N) == 7, y))
    yield Input("one hot of 50", "numbers", lambda: (np.eye(50)[np.arange(N) % 50], y), 0.0)


def _cauchy(side: np.ndarray) -> np.ndarray:
    from scipy.special import ndtr

    return np.tan(math.pi * (ndtr(side) - 0.5))


def _independent_cauchy() -> Sides:
    x, y = pairs(correlation=0.0)
    return _cauchy(x), _cauchy(y)


def _with_first(side: np.ndarray, value: float) -> np.ndarray:
    return np.concatenate([[[value]], side[1:]])


def _half_equal(x: np.ndarray, y: np.ndarray) -> Sides:
    half = len(x) // 2
    return tuple(np.concatenate([side[:half], np.repeat(side[:1], half, axis=0)]) for side in (x, y))


def _single(n: int) -> np.ndarray:
    return np.eye(n)[:, :1]


def _integers(x: np.ndarray, y: np.ndarray, dtype: Any) -> Sides:
    return x.round().astype(dtype), y.round().astype(dtype)


def _large(side: np.ndarray) -> np.ndarray:
    return (side * 2**58).astype(np.int64)


def shapes() -> Iterator[Input]:
    """From two rows up, and more columns than rows."""
    for n in (1, 2, 3, 4, 5, 8, 16, 33, 95, 96, 97, 161):
        yield Input(f"{n} rows", "shape", lambda n=n: pairs(n), TRUTH_NATS)
    for n, dim in ((8, 5), (100, 20), (100, 60), (400, 60)):
        yield Input(
            f"{n} rows of {dim} + {dim}", "shape", lambda n=n, dim=dim: pairs(n, dim), dim * TRUTH_NATS
        )
    yield Input("100 rows of 60 + 60, independent", "shape", lambda: pairs(100, 60, 0.0), 0.0)
    yield Input("400 rows of 60 + 60, independent", "shape", lambda: pairs(400, 60, 0.0), 0.0)
    yield Input("100 rows of 300 + 1, independent", "shape", lambda: (pairs(100, 300)[0], pairs(100)[1]), 0.0)
    yield Input(
        "100 rows of 10000 + 1, independent", "shape", lambda: (pairs(100, 10_000)[0], pairs(100)[1]), 0.0
    )
    yield Input("0 rows", "shape", lambda: (np.empty((0, 1)), np.empty((0, 1))), expects="refusal")
    yield Input("no columns", "shape", lambda: (np.empty((N, 0)), pairs()[1]), expects="refusal")
    yield Input("empty lists", "shape", lambda: ([], []), expects="refusal")
    yield Input("a list of empty lists", "shape", lambda: ([[]] * N, pairs()[1]), expects="refusal")
    yield Input("lengths that differ", "shape", lambda: (pairs()[0][1:], pairs()[1]), expects="refusal")
    yield Input("a number", "shape", lambda: (3.0, pairs()[1]), expects="refusal")
    yield Input("0-d", "shape", lambda: (np.array(3.0), np.array(4.0)), expects="refusal")
    yield Input("0-d tensor", "shape", lambda: (torch.tensor(3.0), pairs()[1]), expects="refusal")
    yield Input("three dimensions", "shape", lambda: (pairs()[0][:, :, None], pairs()[1]), expects="refusal")
    yield Input("transposed", "shape", lambda: tuple(side.T for side in pairs()), expects="refusal")


def unusable() -> Iterator[Input]:
    """What holds no numbers that could be used: refused by name."""
    x, y = pairs()
    flat = x[:, 0]
    ways: dict[str, Callable[[], Any]] = {
        "one NaN": lambda: _with_first(x, math.nan),
        "all NaN": lambda: x * math.nan,
        "infinity": lambda: _with_first(x, math.inf),
        "minus infinity": lambda: _with_first(x, -math.inf),
        "NaN tensor": lambda: torch.tensor(_with_first(x, math.nan)),
        "infinite half": lambda: torch.tensor(x * 1e6).half(),
        "beyond a float": lambda: [10**400] * N,
        "long double beyond a float": lambda: x.astype(np.longdouble) * np.longdouble("1e400"),
        "masked entry": lambda: np.ma.MaskedArray(x, np.arange(N)[:, None] == 3),
        "missing entry": lambda: pd.Series([None, *flat[1:]], dtype="Float64"),
        "missing integer": lambda: pd.Series([pd.NA, *range(N - 1)], dtype="Int64"),
        "missing text": lambda: pd.Series(["a", None] * (N // 2)),
        "constant": lambda: np.ones((N, 1)),
        "constant text": lambda: ["a"] * N,
        "nothing, None": lambda: None,
        "list of None": lambda: [None] * N,
        "objects": lambda: np.array([object()] * N),
        "numbers as objects": lambda: np.array(flat, dtype=object),
        "decimals": lambda: [Decimal(float(v)) for v in flat],
        "fractions": lambda: [Fraction(float(v)) for v in flat],
        "text, one a row": lambda: [f"{v:.6f}" for v in flat],
        "one text": lambda: "abc",
        "bytes": lambda: b"abc" * N,
        "list of bytes": lambda: [b"a", b"b"] * (N // 2),
        "text and numbers": lambda: ["a", 1] * (N // 2),
        "complex": lambda: x + 1j,
        "complex tensor": lambda: torch.tensor(x) + 1j,
        "complex series": lambda: pd.Series(flat + 1j),
        "dates": lambda: np.arange(N).astype("datetime64[D]"),
        "dates series": lambda: pd.Series(pd.date_range("2020", periods=N)),
        "time differences": lambda: np.arange(N).astype("timedelta64[s]"),
        "intervals": lambda: pd.Series(pd.interval_range(0, N)),
        "structured": lambda: np.zeros(N, dtype=[("a", float), ("b", int)]),
        "ragged": lambda: [[1.0, 2.0], [3.0]] * (N // 2),
        "a dictionary": lambda: {"a": flat},
        "a set": lambda: set(flat),
        "a generator": lambda: (v for v in flat),
        "a range of dates": lambda: pd.date_range("2020", periods=N),
        "a function": lambda: len,
        "a class": lambda: float,
        "meta tensor": lambda: torch.empty(N, 1, device="meta"),
        "nested tensor": _nested,
        "an object that lies": Liar,
        "scipy's sparse": _scipy_sparse,
        "numbers as text with a stray": lambda: [*map(str, range(N - 1)), "?"],
    }
    fine = {"numbers as objects", "decimals", "fractions", "scipy's sparse", "text and numbers"}
    for name, way in ways.items():
        expects: Expects = "either" if name in fine else "refusal"
        yield Input(name, "unusable", lambda way=way: (way(), y), None, expects)


class Liar:
    """Says that it has a length and an array, and has neither."""

    def __len__(self) -> int:
        return N

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        raise RuntimeError("no array after all")


def _nested() -> Any:
    return torch.nested.nested_tensor([torch.ones(1)] * N, layout=torch.jagged)


def _scipy_sparse() -> Any:
    from scipy.sparse import csr_array

    return csr_array(pairs()[0])

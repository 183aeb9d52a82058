"""Every estimator on data that break estimators: an answer, an answer with its warning, a refusal, or a fault.

    python -m benchmarks hostile
    python -m benchmarks.hostile --out FILE [--calls estimate,pointwise,...] [--rows 1000000]

Estimators are found by their files. What holds numbers oddly, or holds none, is read by two of them, since all share
that. Those that train do so for a few steps, on a part of the inputs. A row is one call of one method on one input of
`_hostile_inputs`. It is a fault if

- an exception is none of mibounds' own, or its message is not one line;
- a warning of NumPy or another library reaches the caller;
- a number is NaN or infinite, or the interval does not hold its estimate;
- what was given has changed;
- what must be refused is answered, or the other way round;
- the answer is far from the truth and nothing says so: no warning, not saturated, truth not within the interval
  widened fourfold. Of a lower bound, only what lies above the truth counts.

Then the cheap ones read `--rows` pairs, each in a process of its own, whose largest memory is kept: n x n numbers never
fit. Writes `results/reliability/hostile.csv`. Exit codes: 0 no fault, 1 at least one.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from benchmarks import _tables
from benchmarks._hostile_inputs import Input, all_inputs, pairs
from mibounds.errors import DataError, MiboundsError
from mibounds.estimators import Estimate, build, estimate, names, pointwise
from mibounds.estimators.certified import certify
from mibounds.pairwise import pairwise
from mibounds.study import peak

PINNED = False  # answers, no times: once is enough
KEPT = "reliability"
TABLE = _tables.path_of("hostile", KEPT)

FEW = {"max_steps": 20, "check_every": 10}
FAR_NATS = 0.3
WRITTEN_EVERY = 50  # rows
WIDENED = 4.0

# What trains, is pointwise or is given z reads these alone: layouts do not reach the methods themselves.
SELECTED = (
    "tensor with gradient",
    "times 1e-300",
    "times 1e+300",
    "x times 1e-30, y times 1e30",
    "columns times 1e-30 and 1e30",
    "subnormal",
    "Cauchy columns",
    "exp(100 x)",
    "one row at 1e200",
    "each pair twice",
    "half the pairs one point",
    "all but one row of both equal",
    "y is x",
    "y holds x",
    "a column twice",
    "bits, the same",
    "text on both sides",
    "2 rows",
    "97 rows",
    "161 rows",
    "400 rows of 60 + 60, independent",
    "NaN",
    "meta tensor",
)
# What may be refused though others read it: by what the method is.
TOLD = ("never repeats", "by ranks", "a class has a single member", "no table")
BOUNDS = (
    "info_nce",
    "nwj",
    "donsker_varadhan",
    "mine",
    "smile",
    "jensen_shannon",
    "club",
    "leave_one_out",
    "flo",
)

Row = dict[str, Any]


def trained() -> list[str]:
    """The estimators that train something, by what parameters they have."""
    return [name for name in names() if hasattr(build(name), "max_steps")]


def cheap() -> list[str]:
    return [name for name in names() if name not in trained()]


def calls() -> dict[str, Callable[[], Iterator[Row]]]:
    """What is swept, by name."""
    return {
        "estimate": lambda: _swept("estimate", cheap(), _estimate, _of_kinds("numbers", "shape")),
        "held": lambda: _swept("estimate", ("gaussian", "mixed"), _estimate, _of_kinds("holder", "unusable")),
        "given": lambda: _swept("given", _conditional(), _given, SELECTED),
        "pointwise": lambda: _swept("pointwise", [*_pointwise(), "info_nce"], _pointwise_of, SELECTED),
        "pairwise": lambda: _swept("pairwise", ["by kind"], _pairwise),
        "trained": lambda: _swept("estimate", [*trained(), *BOUNDS], _estimate, SELECTED),
        "certify": lambda: _swept("certify", ["certify"], _certify, SELECTED),
    }


def _of_kinds(*kinds: str) -> list[str]:
    return [name for name, one in all_inputs().items() if one.kind in kinds]


def _swept(
    call: str, methods: Sequence[str], of: Callable[..., Any], read: Sequence[str] | None = None
) -> Iterator[Row]:
    for one in all_inputs().values():
        if read is None or one.name in read:
            for method in methods:
                yield {"call": call, "method": method, "input": one.name, "kind": one.kind} | judged(
                    one, method, of
                )


def judged(one: Input, method: str, of: Callable[..., Any]) -> Row:
    """The outcome of one call: "answer", "warned", "refused", or "fault: why"."""
    x, y = one.make()
    before = _frozen((x, y))
    started = time.perf_counter()
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        try:
            answer, refused = of(x, y, method), None
        except MiboundsError as error:
            answer, refused = None, error
        except Exception as error:
            seconds = round(time.perf_counter() - started, 2)
            return {"outcome": f"fault: {type(error).__name__}", "said": str(error)[:200], "seconds": seconds}
    row: Row = {"seconds": round(time.perf_counter() - started, 2), "truth_nats": one.truth_nats}
    if leaked:
        return row | {
            "outcome": f"fault: leaked {leaked[0].category.__name__}",
            "said": str(leaked[0].message)[:200],
        }
    if before is not None and before != _frozen((x, y)):
        return row | {"outcome": "fault: changed what was given"}
    if refused is not None:
        return row | _of_refusal(one, refused)
    return row | _of_answer(one, answer)


def _frozen(sides: Any) -> bytes | None:
    """Both sides' numbers as bytes, where they are arrays."""
    try:
        return b"".join(_bytes_of(side) for side in sides)
    except Exception:
        return None


def _bytes_of(side: Any) -> bytes:
    array = side.detach().to_dense().numpy() if isinstance(side, torch.Tensor) else np.asarray(side)
    if array.dtype.kind == "O":
        raise TypeError("objects are addresses, which say nothing")
    return array.tobytes()


def _of_refusal(one: Input, refused: MiboundsError) -> Row:
    said = str(refused)
    if "\n" in said or len(said) > 600:
        return {"outcome": "fault: message of many lines", "said": said[:200]}
    if one.expects == "answer" and not any(part in said for part in TOLD):
        return {"outcome": "fault: refused what can be read", "said": said[:200]}
    return {"outcome": "refused", "said": said[:200]}


def _of_answer(one: Input, answer: Any) -> Row:
    if not isinstance(answer, Estimate):
        return answer
    numbers = {"nats": answer.nats, "low": answer.interval[0], "high": answer.interval[1]}
    row = numbers | {"said": "; ".join(answer.warnings)[:200]}
    if one.expects == "refusal":
        return row | {"outcome": "fault: answered what must be refused"}
    if not all(map(math.isfinite, numbers.values())):
        return row | {"outcome": "fault: not finite"}
    if not answer.interval[0] <= answer.nats <= answer.interval[1]:
        return row | {"outcome": "fault: interval without its estimate"}
    if answer.warnings or answer.saturated:
        return row | {"outcome": "warned"}
    return row | {"outcome": "fault: far off, nothing said" if _is_far(one, answer) else "answer"}


def _is_far(one: Input, answer: Estimate) -> bool:
    if one.truth_nats is None:
        return abs(answer.nats) > 50
    reach = max(FAR_NATS, WIDENED * (answer.interval[1] - answer.interval[0]) / 2)
    too_high = answer.nats - one.truth_nats > reach
    too_low = one.truth_nats - answer.nats > reach
    return {"lower": too_high, "upper": too_low}.get(answer.direction, too_high or too_low)


def _options(method: str) -> Row:
    if method == "auto":
        return {"budget": "fast"}
    if method in cheap():
        return {}
    return FEW


def _estimate(x: Any, y: Any, method: str) -> Estimate:
    return estimate(x, y, method=method, **_options(method))


def _given(x: Any, y: Any, method: str) -> Estimate:
    n = np.shape(y)[0] if np.ndim(y) else 1
    z = np.random.default_rng(5).integers(0, 3, size=n).astype(float)
    if method not in ("discrete", "mixed"):
        z = z + np.random.default_rng(6).normal(size=n)
    return estimate(x, y, given=z, method=method)


def _conditional() -> list[str]:
    return [name for name in cheap() if build(name).conditional]


def _pointwise() -> list[str]:
    from mibounds.estimators import Estimator

    return [n for n in cheap() if type(build(n)).pointwise_nats is not Estimator.pointwise_nats]


def _pointwise_of(x: Any, y: Any, method: str) -> Row:
    values = pointwise(x, y, method=method, **_options(method))
    finite = bool(np.isfinite(values).all())
    return {"nats": float(values.mean()), "outcome": "answer" if finite else "fault: not finite"}


def _pairwise(x: Any, y: Any, method: str) -> Row:
    try:
        table = pd.DataFrame({"a": pd.Series(np.ravel(x)), "b": pd.Series(np.ravel(y))})
    except Exception as error:  # pandas makes no table of it
        raise DataError(f"no table: {type(error).__name__}") from error
    found = pairwise(table).iloc[0]
    if found["status"] != "ok":
        return {"outcome": "refused", "said": found["status"]}
    outcome = "warned" if found["warnings"] else "answer"
    return {"nats": found["estimate_nats"], "outcome": outcome, "said": found["warnings"]}


def _certify(x: Any, y: Any, method: str) -> Row:
    found = certify(x, y, **FEW)
    good = math.isfinite(found.limit_nats)
    outcome = "fault: not finite" if not good else "warned" if found.warnings else "answer"
    return {"nats": found.nats, "outcome": outcome, "said": "; ".join(found.warnings)[:200]}


def at_many_rows(rows: int) -> Iterator[Row]:
    """Each cheap method on so many pairs in a process of its own, with its largest memory in MiB."""
    for method in cheap():
        command = [sys.executable, "-m", "benchmarks.hostile", "--child", method, "--rows", str(rows)]
        ended = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1])
        named = {"call": "estimate", "method": method, "input": f"{rows:,} rows", "kind": "memory"}
        lines = ended.stdout.splitlines()
        yield named | (
            json.loads(lines[-1])
            if ended.returncode == 0
            else {"outcome": "fault: ended", "said": ended.stderr[-200:]}
        )


def _in_child(method: str, rows: int) -> None:
    x, y = pairs(rows)
    started = time.perf_counter()
    one = Input("many", "memory", lambda: (x, y), -math.log(1 - 0.8**2) / 2)
    row = judged(one, method, _estimate)
    row["seconds"] = round(time.perf_counter() - started, 1)
    row["peak_mib"] = round(peak.mib() or math.nan)
    print(json.dumps(row))


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.hostile", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, default=TABLE)
    parser.add_argument("--calls", default=",".join(calls()), help="which of them, joined by commas")
    parser.add_argument(
        "--rows", type=int, default=1_000_000, help="of the runs whose memory is kept; 0 for none"
    )
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.child:
        _in_child(options.child, options.rows)
        return 0
    torch.set_num_threads(1)
    table = []
    for name in options.calls.split(","):
        for row in calls()[name]():
            table.append(row)
            if len(table) % WRITTEN_EVERY == 0:
                _tables.write(options.out, table)
            if str(row["outcome"]).startswith("fault"):
                print(
                    row["call"],
                    "|",
                    row["method"],
                    "|",
                    row["input"],
                    "|",
                    row["outcome"],
                    "|",
                    row.get("said", ""),
                    row.get("nats", ""),
                    flush=True,
                )
    if options.rows:
        table += at_many_rows(options.rows)
    _tables.write(options.out, table)
    outcomes = pd.Series([str(row["outcome"]).partition(":")[0] for row in table])
    print(outcomes.value_counts().to_string())
    return int((outcomes == "fault").any())


if __name__ == "__main__":
    sys.exit(main())

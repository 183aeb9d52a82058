"""Training critics: milliseconds a run and step, in packs, beside eager torch and the floor of the matrix products.

    python -m benchmarks.critics

Poole's protocol: a Gaussian of 20 + 20 dimensions, fresh batches of 64 pairs, InfoNCE, Adam, two hidden layers of 256,
an embedding of 32; and critics with hidden layers of 16 and 8 on batches of 256. Contenders of one critic take turns
with products of square matrices, which give the rates of the same minute. The floor is the time of a step's own
products: at torch's float32 rate (`times_floor`), and at the best rate of those that the contender multiplies with,
oneDNN's in float32 and torch's in bfloat16 among them (`times_best_floor`). Writes `results/benchmarks/critics.csv`, a
row a contender. With one thread, times are a core's own, which others on the machine lengthen little.

torch-mist and benchmark-mi train from environments of their own; one that cannot be installed is skipped and named.
Song and Ermon's code is no package: their loop with these nets is what "eager torch" does. A further contender is a
line in `CONTENDERS`.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarks import _environment, _machine, _tables
from benchmarks._critic_trainings import Case, Peer, Steps, eager, ours
from benchmarks._timing import in_turns, ratio, spread
from mibounds.products import product

TABLE = _tables.path_of("critics")
SIDE = 1024

SEPARABLE, CONCATENATED = Case("separable", "separable"), Case("concatenated", "concatenated")
SMALL_SEPARABLE = Case("small separable", "separable", 256, (16, 8), 8)
SMALL_CONCATENATED = Case("small concatenated", "concatenated", 256, (16, 8))


class Contender(NamedTuple):
    """A training that is timed.

    Attributes:
        name: what stands in the table.
        case: what it trains; contenders of one case take turns, and the first is what the others are compared with.
        runs: at once.
        make: gives what takes steps of all its runs.
        products: the precision of its products from hidden layer to hidden layer.
        environment: where it lives, a table of peers.toml, if that is not here.
    """

    name: str
    case: Case
    runs: int
    make: Callable[[], Steps]
    products: str = "float32"
    environment: str | None = None


def pack(case: Case, runs: int, products: str = "float32") -> Contender:
    name = f"mibounds, pack of {runs}" + (", bfloat16 products" if products != "float32" else "")
    return Contender(name, case, runs, lambda: ours(case, runs, products), products)


def alone(case: Case) -> Contender:
    return Contender("eager torch, one at a time", case, 1, lambda: eager(case))


def peer(case: Case, name: str, environment: str) -> Contender:
    return Contender(name, case, 1, lambda: Peer(environment, name, case), environment=environment)


def torch_mist(case: Case) -> tuple[Contender, ...]:
    names = ("torch-mist's trainer", "a loop on torch-mist's classes")
    return tuple(peer(case, name, "torch_mist") for name in names)


CONTENDERS = (
    alone(SEPARABLE),
    *torch_mist(SEPARABLE),
    *(pack(SEPARABLE, runs) for runs in (1, 4, 16, 64)),
    alone(CONCATENATED),
    *torch_mist(CONCATENATED),
    peer(CONCATENATED, "benchmark-mi, compiled step", "benchmark_mi"),
    *(pack(CONCATENATED, runs) for runs in (1, 4)),
    *(pack(CONCATENATED, runs, "bfloat16") for runs in (1, 4)),
    alone(SMALL_SEPARABLE),
    *(pack(SMALL_SEPARABLE, runs) for runs in (1, 8, 64)),
    alone(SMALL_CONCATENATED),
    peer(SMALL_CONCATENATED, "benchmark-mi, compiled step", "benchmark_mi"),
    *(pack(SMALL_CONCATENATED, runs) for runs in (1, 64)),
)


def rows(
    contenders: Sequence[Contender], repeats: int, run_steps: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    """A row a contender.

    Args:
        repeats: turns.
        run_steps: steps times runs in a turn, by the case's critic.
    """
    for case in dict.fromkeys(c.case for c in contenders):
        yield from compared([c for c in contenders if c.case == case], repeats, run_steps[case.critic])


def compared(chosen: Sequence[Contender], repeats: int, run_steps: int) -> Iterator[dict[str, Any]]:
    steps = {c.name: max(1, run_steps // c.runs) for c in chosen}
    alone = torch.get_num_threads() == 1
    with ExitStack() as peers:
        trainings = {c.name: c.make() for c in chosen}
        for training in trainings.values():
            if isinstance(training, Peer):
                peers.enter_context(training)
        acts: dict[str, Callable[[], Any]] = {c.name: _act(trainings[c.name], steps[c.name]) for c in chosen}
        clock = time.process_time if alone else time.perf_counter
        taken = in_turns(acts | multiplications(), repeats, warmups=2, clock=clock)
    ms = {c.name: [1e3 * s / steps[c.name] / c.runs for s in taken[c.name]] for c in chosen}
    rates = {name: [2 * SIDE**3 / s / 1e9 for s in taken[name]] for name in multiplications()}
    for c in chosen:
        yield row_of(c, ms[c.name], ms[chosen[0].name], rates) | {"clock": "core" if alone else "wall"}


def possible(contenders: Sequence[Contender], processor: str) -> list[Contender]:
    """Without bfloat16 products where the processor has none: there they are put together from others."""
    has_them = any(name in processor for name in ("AVX512", "AMX"))
    return [c for c in contenders if has_them or c.products == "float32"]


def installed(contenders: Sequence[Contender]) -> tuple[list[Contender], dict[str, str]]:
    """Those that can be run, after their environments are made; and why the others cannot, by environment."""
    missing = {
        name: why
        for name in dict.fromkeys(c.environment for c in contenders if c.environment)
        if (why := _environment.why_missing(name))
    }
    return [c for c in contenders if c.environment not in missing], missing


def _act(train: Steps, steps: int) -> Callable[[], Any]:
    return lambda: train(steps)


def multiplications() -> dict[str, Callable[[], Any]]:
    """Products of square matrices, by what multiplies: torch in either precision, and the library in float32."""
    made = torch.Generator().manual_seed(0)
    a, b = (torch.randn(1, SIDE, SIDE, generator=made) for _ in range(2))
    short_a, short_b = a.bfloat16(), b.bfloat16()
    return {
        "torch float32": lambda: torch.bmm(a, b),
        "mibounds float32": lambda: product(a, b),
        "torch bfloat16": lambda: torch.bmm(short_a, short_b),
    }


def row_of(
    contender: Contender, ms: Sequence[float], first: Sequence[float], rates: Mapping[str, Sequence[float]]
) -> dict[str, Any]:
    """What the table says of a contender, from milliseconds and rates (10^9 operations a second), turn by turn."""
    case = contender.case
    floor = [case.operations / rate / 1e6 for rate in rates["torch float32"]]
    rounded = case.rounded_operations if contender.products == "bfloat16" else 0
    best = [
        (case.operations - rounded) / max(plain, own) / 1e6 + rounded / short / 1e6
        for plain, own, short in zip(
            rates["torch float32"], rates["mibounds float32"], rates["torch bfloat16"], strict=True
        )
    ]
    columns = {
        "ms_a_run_step": spread(ms),
        "times_floor": ratio(ms, floor),
        "times_best_floor": ratio(ms, best),
        "times_as_fast_as_eager": ratio(first, ms),
        "floor_ms": spread(floor),
        "best_floor_ms": spread(best),
        **{f"gflops_{name.replace(' ', '_')}": spread(rate) for name, rate in rates.items()},
    }
    facts = {
        "critic": case.name,
        "contender": contender.name,
        "runs": contender.runs,
        "batch_size": case.batch_size,
        "hidden": " ".join(map(str, case.hidden)),
        "products": contender.products,
        "mflop_a_run_step": case.operations / 1e6,
        "repeats": len(ms),
    }
    return facts | {f"{name}_{which}": v for name, of in columns.items() for which, v in of._asdict().items()}


def line_of(row: Mapping[str, Any]) -> str:
    return (
        f"{row['critic']:19} {row['contender']:38} {row['ms_a_run_step_median']:8.3f} ms "
        f"({row['ms_a_run_step_low']:.3f} .. {row['ms_a_run_step_high']:.3f}), "
        f"{row['times_floor_median']:6.2f} of the floor, {row['times_best_floor_median']:6.2f} of the best, "
        f"{row['times_as_fast_as_eager_median']:5.2f} as fast as eager"
    )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        "python -m benchmarks.critics", description=(__doc__ or "").partition("\n")[0]
    )
    parser.add_argument("--out", type=Path, help=f"the table (default: {TABLE}; with --tiny, none)")
    parser.add_argument("--repeats", type=int, default=7, help="(default: %(default)s)")
    parser.add_argument(
        "--critic",
        choices=sorted({c.case.name for c in CONTENDERS}),
        help="this one alone, kept only with --out",
    )
    parser.add_argument("--tiny", action="store_true", help="two turns of a step: to test the code")
    options = parser.parse_args(arguments)
    chosen = [c for c in CONTENDERS if options.critic in (None, c.case.name)]
    contenders = chosen if options.tiny else possible(chosen, _machine.processor())
    contenders, missing = installed(contenders)
    for name, why in missing.items():
        print(f"critics: {name} is skipped: {why}", file=sys.stderr)
    run_steps = {"separable": 1, "concatenated": 1} if options.tiny else {"separable": 64, "concatenated": 8}
    found = []
    for row in rows(contenders, 2 if options.tiny else options.repeats, run_steps):
        found.append(row)
        print(line_of(row), flush=True)
    kept = None if options.tiny or options.critic else TABLE
    if out := options.out or kept:
        _tables.write(out, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())

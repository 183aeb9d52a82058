"""All benchmarks that this machine can run, or those that are named; each on one core, then on all.

    python -m benchmarks [NAME ...] [OPTION ...]
    python -m benchmarks --list

A benchmark is a module of this package: `python -m benchmarks.NAME --out FILE` writes its table. Each runs in a process
of its own that computes with as many threads as it has cores; its two tables become one, `results/benchmarks/NAME.csv`,
with processor, cores, threads and the load before it in front of each row; rows of other processors are kept. A module
that says `KEPT = "reliability"` has its table in that folder. Options that are none of this command's, such as
`--cases 100`, go to the benchmarks named. What the machine is stands in `machine.json`. Exit codes: 0 all were
measured, 1 a benchmark failed, 2 bad input.
"""

from __future__ import annotations

import argparse
import ast
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from benchmarks import _machine, _tables
from mibounds import files
from mibounds.errors import UnknownNameError

HERE = Path(__file__).parent
NOTHING_MEASURED = 2  # the exit code of a benchmark whose peers or device are missing


class Benchmark(NamedTuple):
    """What a module says of itself, read without running it.

    Attributes:
        summary: the first line of its docstring.
        pinned: whether it is run on one core too; `PINNED = False` in the module says no.
        kept: the folder under `results` in which its table lies; `KEPT` in the module says another.
        options: what is given to it behind `--out FILE`.
    """

    name: str
    summary: str
    pinned: bool
    kept: str = "benchmarks"
    options: tuple[str, ...] = ()

    @property
    def needs_cuda(self) -> bool:
        return self.name.startswith("gpu_")


def found(folder: Path = HERE) -> dict[str, Benchmark]:
    """All benchmarks by name: the folder's modules whose names have no underscore in front."""
    paths = sorted(path for path in folder.glob("*.py") if not path.stem.startswith("_"))
    return {path.stem: _read(path) for path in paths}


def _read(path: Path) -> Benchmark:
    tree = ast.parse(path.read_text())
    settings = {
        node.targets[0].id: node.value.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Constant)
    }
    summary = (ast.get_docstring(tree) or "").partition("\n")[0]
    return Benchmark(
        path.stem, summary, settings.get("PINNED") is not False, settings.get("KEPT", "benchmarks")
    )


def run(benchmark: Benchmark) -> int:
    """Measure on one core and on all; returns the exit code of the first run that did not end well, or 0.

    Of the kept table the rows of this processor are replaced, and only when all runs ended well.
    """
    everywhere = _machine.cores()
    places = [everywhere[:1], everywhere] if benchmark.pinned and len(everywhere) > 1 else [everywhere]
    tables = []
    with tempfile.TemporaryDirectory() as folder:
        for cores in places:
            print(f"{benchmark.name}, {len(cores)} of {len(everywhere)} cores:", flush=True)
            out, load = Path(folder, f"{len(cores)}.csv"), _machine.load()
            if code := _measure(benchmark, cores, out):
                return code
            tables.append(labelled(pd.read_csv(out), len(cores), load))
    kept = _tables.path_of(benchmark.name, benchmark.kept)
    _tables.write(kept, pd.concat([*of_others(kept), *tables]))
    return 0


def _measure(benchmark: Benchmark, cores: list[int], out: Path) -> int:
    command = [sys.executable, "-m", f"benchmarks.{benchmark.name}", "--out", str(out), *benchmark.options]
    environment = _machine.environment(threads=len(cores))
    with _machine.pinned(cores):
        return subprocess.run(command, cwd=HERE.parent, env=environment).returncode


def of_others(kept: Path) -> list[pd.DataFrame]:
    """What the kept table holds of other processors: a ratio of one says little of the other's."""
    table = pd.read_csv(kept) if kept.is_file() else pd.DataFrame()
    return [table[table["processor"] != _machine.processor()]] if "processor" in table else []


def labelled(table: pd.DataFrame, cores: int, load: float | None) -> pd.DataFrame:
    """The table with what it was measured on in front: processor, cores, as many threads, and what wanted them before.

    A column that the benchmark gives itself stays as it is.
    """
    facts = {"processor": _machine.processor(), "cores": cores, "threads": cores, "load": load}
    front = pd.DataFrame({name: fact for name, fact in facts.items() if name not in table}, index=table.index)
    return pd.concat([front, table], axis=1)


def skipped(benchmark: Benchmark) -> str | None:
    """Why this machine cannot run it, or None."""
    if not benchmark.needs_cuda:
        return None
    import torch

    return None if torch.cuda.is_available() else "skipped: there is no CUDA device"


def write_facts() -> None:
    """`machine.json`: what the machine is, and its rate of matrix products where that has been measured."""
    facts = _machine.facts()
    products = _tables.path_of("matrix_products")
    if products.is_file():
        facts["matrix_products"] = json.loads(pd.read_csv(products).to_json(orient="records"))
    files.write_text(_tables.RESULTS / "machine.json", json.dumps(facts, indent=1) + "\n")


def chosen(names: Sequence[str], among: Mapping[str, Benchmark]) -> list[Benchmark]:
    """Those that are named, or all. Raises: UnknownNameError."""
    for name in names:
        if name not in among:
            raise UnknownNameError("benchmark", name, among)
    return [among[name] for name in dict.fromkeys(names or among)]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser("python -m benchmarks", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="by default all that this machine can run")
    parser.add_argument("--list", action="store_true", help="name them and what they measure")
    options, of_benchmarks = parser.parse_known_args(arguments)
    there = found()
    if of_benchmarks and not options.names:
        parser.error(f"{' '.join(of_benchmarks)} is no option here; name the benchmark that it is for")
    if options.list:
        print("\n".join(f"{name:20} {benchmark.summary}" for name, benchmark in there.items()))
        return 0
    try:
        asked = [one._replace(options=tuple(of_benchmarks)) for one in chosen(options.names, there)]
    except UnknownNameError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    return _run_all(asked)


def _run_all(asked: Sequence[Benchmark]) -> int:
    ends = {benchmark.name: skipped(benchmark) or _in_words(run(benchmark)) for benchmark in asked}
    write_facts()
    print("\n".join(f"{name:20} {end}" for name, end in ends.items()))
    return int(any(end.startswith("failed") for end in ends.values()))


def _in_words(code: int) -> str:
    known = {0: "measured", NOTHING_MEASURED: "nothing was measured"}
    return known.get(code, f"failed with exit code {code}")


if __name__ == "__main__":
    sys.exit(main())

"""`python -m benchmarks`: which there are, on what they run, and how their tables are kept. Nothing here is timed."""

from __future__ import annotations

import importlib
import os
from pathlib import Path

import pandas as pd
import pytest
import torch

from benchmarks import __main__ as command
from benchmarks import _environment, _machine, _tables, matrix_products
from benchmarks.__main__ import Benchmark, chosen, found, labelled, main
from mibounds.errors import UnknownNameError

FAKE = '''"""A fake: {what}.

More words.
"""
{setting}
import os, sys
from pathlib import Path

def main(arguments):
    raise SystemExit("listing must not run this")
'''


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which tables are kept."""
    monkeypatch.setattr(_tables, "RESULTS", tmp_path)
    return tmp_path


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """A machine of three cores on which benchmarks write a table at once; the cores of each run."""
    used: list[list[int]] = []

    def measure(benchmark, cores, out):
        used.append(cores)
        _tables.write(out, [{"what": benchmark.name, "seconds": float(len(cores))}])
        return 0

    monkeypatch.setattr(_machine, "cores", lambda: [0, 1, 2])
    monkeypatch.setattr(_machine, "load", lambda: 0.5)
    monkeypatch.setattr(command, "_measure", measure)
    return used


def test_every_module_is_a_benchmark_by_its_file_alone(tmp_path):
    (tmp_path / "ones.py").write_text(FAKE.format(what="ones", setting="N = 1"))
    (tmp_path / "gpu_twos.py").write_text(FAKE.format(what="twos", setting="PINNED = False"))
    (tmp_path / "_shared.py").write_text("raise RuntimeError")
    assert found(tmp_path) == {
        "ones": Benchmark("ones", "A fake: ones.", pinned=True),
        "gpu_twos": Benchmark("gpu_twos", "A fake: twos.", pinned=False),
    }
    assert [benchmark.needs_cuda for benchmark in found(tmp_path).values()] == [True, False]


def test_all_that_are_here_are_listed_with_what_they_measure(capsys):
    assert main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert {line.split()[0] for line in lines} >= {
        "gpu_throughput",
        "matrix_products",
        "peer_losses",
        "sweeps",
    }
    assert all(len(line.split()) > 3 for line in lines), "each has a docstring"


@pytest.mark.parametrize("name", found())
def test_each_writes_its_table_where_it_is_told_to(name, capsys):
    with pytest.raises(SystemExit) as end:
        importlib.import_module(f"benchmarks.{name}").main(["--help"])
    assert end.value.code == 0 and "--out OUT" in capsys.readouterr().out


@pytest.mark.parametrize("name", _environment.PINNED)
def test_all_that_peers_need_is_pinned(name):
    assert all(pin.count("==") == 1 for pin in _environment.pins(name))


def test_each_is_run_on_one_core_and_then_on_all_and_its_tables_become_one(kept, places, monkeypatch):
    monkeypatch.setattr(command, "found", lambda: {"ones": Benchmark("ones", "", True)})
    assert main([]) == 0
    assert places == [[0], [0, 1, 2]]
    table = pd.read_csv(kept / "ones.csv")
    assert list(table) == ["processor", "cores", "threads", "load", "what", "seconds"]
    assert table[["cores", "threads", "seconds"]].values.tolist() == [[1, 1, 1.0], [3, 3, 3.0]]
    assert (kept / "machine.json").is_file()


def test_one_that_is_not_pinned_runs_once(kept, places):
    assert command.run(Benchmark("ones", "", pinned=False)) == 0
    assert places == [[0, 1, 2]]


def test_rows_of_another_processor_stay_and_those_of_this_one_are_replaced(kept, places, monkeypatch):
    one = Benchmark("ones", "", pinned=True)
    for processor, rows in (("old", 2), ("new", 4), ("new", 4)):
        monkeypatch.setattr(_machine, "processor", lambda processor=processor: processor)
        assert command.run(one) == 0
        table = pd.read_csv(kept / "ones.csv")
        assert len(table) == rows and table["processor"].iloc[0] == "old"
    assert list(table["processor"]) == ["old", "old", "new", "new"]


def test_a_column_that_the_benchmark_gives_is_its_own():
    table = labelled(pd.DataFrame({"threads": [7], "seconds": [1.0]}), 2, None)
    assert table["threads"].tolist() == [7] and table["cores"].tolist() == [2]


@pytest.mark.parametrize(
    ("code", "end", "exit_code"), [(1, "failed with exit code 1", 1), (2, "nothing was", 0)]
)
def test_one_that_does_not_end_well_is_named_and_keeps_the_table_that_was(
    kept, places, monkeypatch, capsys, code, end, exit_code
):
    (kept / "ones.csv").write_text("what\nearlier\n")
    both = {name: Benchmark(name, "", True) for name in ("ones", "twos")}
    monkeypatch.setattr(command, "found", lambda: both)
    well = command._measure
    monkeypatch.setattr(
        command, "_measure", lambda one, cores, out: code if one.name == "ones" else well(one, cores, out)
    )
    assert main([]) == exit_code
    *_, one, two = capsys.readouterr().out.splitlines()
    assert one.split(maxsplit=1)[0] == "ones" and end in one and two.split() == ["twos", "measured"]
    assert (kept / "ones.csv").read_text() == "what\nearlier\n" and (kept / "twos.csv").is_file()


def test_what_needs_a_gpu_is_skipped_and_named_where_there_is_none(kept, places, monkeypatch, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(command, "found", lambda: {"gpu_ones": Benchmark("gpu_ones", "", False)})
    assert main([]) == 0 and places == []
    assert capsys.readouterr().out.split(maxsplit=1)[1].strip() == "skipped: there is no CUDA device"


def test_an_unknown_name_is_refused_before_anything_runs(kept, places, capsys):
    assert main(["matrix_products", "sweps"]) == 2 and places == []
    assert "unknown benchmark 'sweps'; did you mean 'sweeps'?" in capsys.readouterr().err
    with pytest.raises(UnknownNameError):
        chosen(["nothing"], {})


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system pins no process")
def test_pinning_holds_meanwhile_and_no_longer():
    before = _machine.cores()
    with _machine.pinned(before[:1]):
        assert _machine.cores() == before[:1]
    assert _machine.cores() == before


def test_a_process_is_told_its_threads():
    told = _machine.environment(threads=3)
    assert {told[name] for name in _machine.THREAD_VARIABLES} == {"3"} and told["PATH"] == os.environ["PATH"]


def test_the_rate_counts_two_operations_a_term(monkeypatch):
    """Products that take a second each: 2 n^3 operations."""
    n_products = float((_machine.WORK_SIDE // 64) ** 3)
    monkeypatch.setattr(_machine, "in_turns", lambda acts, repeats: {"products": [n_products] * repeats})
    assert _machine.gflops(side=64, repeats=3).median == pytest.approx(2 * 64**3 / 1e9)


def test_the_tiny_run_gives_a_row_a_precision(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(_machine, "WORK_SIDE", 256)  # bfloat16 takes half a minute where no processor has it
    out = tmp_path / "table.csv"
    assert matrix_products.main(["--tiny", "--repeats", "2", "--out", str(out)]) == 0
    table = pd.read_csv(out)
    assert table["dtype"].tolist() == ["float32", "bfloat16"] and (table["gflops_low"] > 0).all()
    assert len(capsys.readouterr().out.splitlines()) == 2

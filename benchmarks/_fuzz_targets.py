"""What is fuzzed: study files, values of axes, command lines, tables, cells and results. Each case is made by its seed.

A target is a function of a folder and a seed. It tries one case and says "success", "clear error", or "fault: why".
"""

from __future__ import annotations

import contextlib
import functools
import io
import json
import os
import random
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks._mutations import spoilt_bytes, spoilt_code, spoilt_text, text_of
from mibounds.cli.main import call
from mibounds.errors import MiboundsError

SUCCESS, CLEAR = "success", "clear error"
SECONDS = 60  # no case takes so long, unless it hangs

STUDY = '''"""A toy: is the mean above zero?"""

from mibounds.study import Claim, Measurement, Study, Verdict

def measure(pack):
    return [Measurement({"value": cell["scale"], "status": "ok"}) for cell in pack.cells]

def mean_is_positive(tables):
    values = tables["table"]["value"]
    return Verdict.above(values.mean(), values.min(), values.max(), threshold=0.0, unit="units")

STUDY = Study(
    slug="toy",
    question="Is the mean above zero?",
    axes={"scale": (1.0, 2.0), "kind": ("plain", "odd"), "count": (1, 2), "flag": (True, False)},
    stacked=("scale", "replicate"),
    seeds={"data": (), "weights": ("kind",)},
    settings={"steps": 3},
    presets={"full": {"replicates": 2}, "smoke": {"replicates": 1, "kind": ("plain",), "steps": 1}},
    claims=(Claim("T1", "it is", "a source", "mean above 0", mean_is_positive),),
    measure=measure,
    width=4,
)
'''


class Hangs(BaseException):
    """A case took too long."""


def attempt(tried: Callable[[], str]) -> str:
    """What `tried` says, or the fault that it is."""
    with warnings.catch_warnings(record=True) as leaked, _limited(SECONDS):
        warnings.simplefilter("always")
        try:
            outcome = tried()
        except MiboundsError as error:
            outcome = CLEAR if _is_clear(str(error)) else f"fault: unclear message {str(error)[:120]!r}"
        except Hangs:
            return "fault: hangs"
        except (Exception, SystemExit) as error:
            return f"fault: {type(error).__name__}: {' '.join(str(error).split())[:160]}"
    foreign = [one for one in leaked if not issubclass(one.category, (ResourceWarning, SyntaxWarning))]
    if foreign and outcome in (SUCCESS, CLEAR):
        return f"fault: leaked {foreign[0].category.__name__}: {str(foreign[0].message)[:120]}"
    return outcome


def _is_clear(message: str) -> bool:
    return bool(message.strip()) and "Traceback" not in message and len(message) < 20_000


@contextlib.contextmanager
def _limited(seconds: int) -> Iterator[None]:
    def raise_hangs(*_: Any) -> None:
        raise Hangs

    before = signal.signal(signal.SIGALRM, raise_hangs)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def command(arguments: Sequence[str]) -> str:
    """What one command line comes to, in this process, by the contract of its exit codes."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = call(arguments)
    said = err.getvalue()
    lines = [line for line in said.splitlines() if not line.startswith("mibounds: warning: ")]
    if code not in (0, 1, 2):
        return f"fault: exit code {code}"
    if "Traceback" in said or "Traceback" in out.getvalue():
        return "fault: a traceback is shown"
    if code == 2 and (len(lines) != 1 or not lines[0].startswith("mibounds: ") or lines[0] == "mibounds: "):
        return f"fault: exit code 2 with {len(lines)} lines: {said[:120]!r}"
    if code == 0:
        try:
            out.getvalue().encode()
        except UnicodeEncodeError:
            return "fault: prints what is no text"
    return SUCCESS if code == 0 else CLEAR


@contextlib.contextmanager
def inside(folder: Path) -> Iterator[None]:
    """The folder as the working directory, with no study of a user's known."""
    before, path = Path.cwd(), os.environ.pop("MIBOUNDS_PATH", None)
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)
        if path is not None:
            os.environ["MIBOUNDS_PATH"] = path


def study_files(folder: Path, seed: int) -> str:
    """A spoilt study file: loaded, made a grid, one pack measured, its claim decided."""
    chance = random.Random(seed)
    spoil = chance.choice((spoilt_text, spoilt_code, spoilt_code))
    content = spoil(STUDY, chance).encode(errors="surrogatepass")
    if chance.random() < 0.1:
        content = spoilt_bytes(STUDY.encode(), chance)
    path = folder / "toy.py"
    path.write_bytes(content)
    return attempt(lambda: _measured(path, folder / "out"))


def _measured(path: Path, out: Path) -> str:
    from mibounds.study import load, make_grid
    from mibounds.study.checking import verdicts
    from mibounds.study.engines.base import Task, measure
    from mibounds.study.store import Store
    from mibounds.study.tables import Gathered

    study = load(path)
    grid = make_grid(study, "smoke" if "smoke" in study.presets else "full")
    cells, said = [cell for pack in grid.packs[:4] for cell in pack.cells], list[str]()
    store, gathered = Store(out, said.append), Gathered()
    store.finished(cells)  # as a run begins: what other code measured there is set aside
    for pack in grid.packs[:4]:
        missing = [cell.id for cell in pack.cells]
        task = Task(
            str(path), "", str(out), pack.label, [c.point for c in pack.cells], pack.settings, missing
        )
        ended = measure(task, study, "cpu", {})
        if ended.kind != "done":
            return CLEAR if ended.reason and "\n" not in ended.reason else "fault: a failure without a reason"
    for cell in cells:
        payload = store.read(cell)
        if payload is None:
            return "fault: a cell was not kept"
        gathered.add(cell.point, payload)
    verdicts(study, gathered.tables)
    return SUCCESS


def axis_values(folder: Path, seed: int) -> str:
    """`--set` with odd axes and values, by `mibounds status`."""
    chance = random.Random(seed)
    (folder / "toy.py").write_text(STUDY)
    axis = chance.choice(("scale", "kind", "count", "flag", "replicate", "steps", text_of(chance)))
    known = ("1", "2.0", "1,2", "plain", "plain,odd", "true", "False", "1e3", "-5", "1.5", "1,1", "2,2.0")
    values = (
        chance.choice(known)
        if chance.random() < 0.5
        else ",".join(text_of(chance) for _ in range(chance.randint(1, 3)))
    )
    arguments = ["status", "toy.py", "--set", chance.choice((f"{axis}={values}", f"{axis}{values}"))]
    arguments += ["--preset", chance.choice(("full", "smoke", "", "quick"))] if chance.random() < 0.4 else []
    return _in_shell(folder, arguments)


def _in_shell(folder: Path, arguments: Sequence[str]) -> str:
    def tried() -> str:
        with inside(folder):
            return command(arguments)

    return attempt(tried)


COMMANDS = (
    "list",
    "run",
    "status",
    "plot",
    "check",
    "verdicts",
    "report",
    "estimate",
    "certify",
    "matrix",
    "pretrain",
    "evaluate",
)
NAMES = (
    "toy.py", "toy", "toi", "t.csv", "nowhere.csv", ".", "ksg", "gaussian", "discrete", "info_nce", "bounds", "studies",
    "x", "y", "label", "0", "0:1", "smoke", "full", "cpu", "simclr", "nt_xent", "separable", "gauss", "neighbours=4",
    "out", "results", "table.csv",
)  # fmt: skip
EXPENSIVE = {"run": ["--workers", "0"], "pretrain": ["--steps", "0"], "certify": ["--set", "max_steps=1"]}


def command_lines(folder: Path, seed: int) -> str:
    """Any command with options of its own and of others, and odd values. What would train or run is kept from it."""
    chance = random.Random(seed)
    _fill(folder)
    name = chance.choice(COMMANDS) if chance.random() < 0.97 else text_of(chance)
    words = [] if name in ("list", "verdicts") and chance.random() < 0.3 else _words(name, chance)
    if name == "estimate" and chance.random() < 0.6:
        words = [
            "t.csv",
            "--x",
            "x",
            "--y",
            "y",
            "--method",
            chance.choice(("ksg", "gaussian", "histogram")),
            *words[:2],
        ]
    if name == "matrix" and chance.random() < 0.6:
        words = [
            "t.csv",
            "--columns",
            chance.choice((":", "x,y", "y,noise", "x,label", "k,noise")),
            *words[:2],
        ]
    return _in_shell(folder, [name, *words, *EXPENSIVE.get(name, [])])


def _words(name: str, chance: random.Random) -> list[str]:
    options = _options(name)
    words: list[str] = []
    for _ in range(chance.randrange(6)):
        value = chance.choice(NAMES) if chance.random() < 0.7 else text_of(chance)
        if options and chance.random() < 0.6:
            words.append(chance.choice(options))
        if chance.random() < 0.8:
            words.append(value)
    return words


@functools.cache
def _options(name: str) -> tuple[str, ...]:
    from mibounds.cli.main import mibounds

    own = mibounds.commands.get(name)
    return tuple(flag for option in own.params for flag in option.opts if flag.startswith("-")) if own else ()


def _fill(folder: Path) -> None:
    if not (folder / "toy.py").exists():
        (folder / "toy.py").write_text(STUDY)
        _table(60).to_csv(folder / "t.csv", index=False)


def _table(n: int) -> pd.DataFrame:
    source = np.random.default_rng(3)
    x = source.normal(size=n)
    columns = {
        "x": x,
        "y": x + source.normal(size=n),
        "label": np.where(x > 0, "up", "down"),
        "k": np.arange(n) % 4,
        "noise": source.normal(size=n),
    }
    return pd.DataFrame(columns)


def tables(folder: Path, seed: int) -> str:
    """A spoilt CSV, TSV, npz, npy or Parquet file, read by `mibounds estimate` or `matrix`."""
    chance = random.Random(seed)
    suffix = chance.choice(("csv", "csv", "tsv", "npz", "npy", "parquet"))
    path = folder / f"spoilt.{suffix}"
    content = _valid(suffix, folder)
    if suffix in ("csv", "tsv") and chance.random() < 0.7:
        encoding = chance.choice(("utf-8", "utf-8-sig", "utf-16", "latin-1", "utf-32"))
        text = chance.choice((spoilt_text, _spoilt_rows))(content.decode(), chance)
        path.write_bytes(text.encode(encoding, errors="replace"))
    else:
        path.write_bytes(spoilt_bytes(content, chance))
    named = suffix in ("csv", "tsv", "parquet")
    usual = (("x", "y"), ("x,y", "label"), ("0", "1")) if named else (("0", "1"),)
    odd = (("x", "label"), (":2", "2"), ("a", "b"), ("*", "0"), ("a_*", "x"))
    columns = chance.choice(usual if chance.random() < 0.7 else odd)
    method = chance.choice(("gaussian", "mixed", "ross", "histogram", "ksg"))
    arguments = ["estimate", path.name, "--x", columns[0], "--y", columns[1], "--method", method]
    if chance.random() < 0.1:
        arguments = [
            "matrix",
            path.name,
            "--columns",
            chance.choice((":", "x,y", "0:2")),
            "--method",
            method,
            "--json",
        ]
    return _in_shell(folder, arguments)


@functools.cache
def _bytes_of(suffix: str) -> bytes:
    table, held = _table(40), io.BytesIO()
    if suffix in ("csv", "tsv"):
        return table.to_csv(index=False, sep="," if suffix == "csv" else "\t").encode()
    if suffix == "parquet":
        table.to_parquet(held)
    elif suffix == "npz":
        np.savez(held, x=table["x"], y=table["y"], a=table[["x", "y"]])
    else:
        np.save(held, table[["x", "y", "k"]].to_numpy())
    return held.getvalue()


def _valid(suffix: str, folder: Path) -> bytes:
    return _bytes_of(suffix)


def _spoilt_rows(text: str, chance: random.Random) -> str:
    """Ragged rows, a header twice, a huge field, quotes left open, other separators, line ends of all kinds."""
    lines = text.splitlines()
    row = chance.randrange(len(lines))
    ways = {
        "longer": lambda line: line + ",1" * chance.randint(1, 3),
        "shorter": lambda line: line.rpartition(",")[0],
        "huge": lambda line: line + "9" * 200_000,
        "open quote": lambda line: '"' + line,
        "semicolons": lambda line: line.replace(",", ";"),
        "blank": lambda line: "",
        "zero": lambda line: line + "\x00",
        "text": lambda line: ",".join("?" for _ in line.split(",")),
        "infinite": lambda line: ",".join("1e999" for _ in line.split(",")),
    }
    lines[row] = ways[chance.choice(list(ways))](lines[row])
    if chance.random() < 0.2:
        lines[0] = lines[0].replace("y", "x")
    return chance.choice(("\n", "\r\n", "\r", "\n\n")).join(lines)


def cells(folder: Path, seed: int) -> str:
    """A spoilt cell file: found, set aside and measured again, or it says what it said."""
    return attempt(lambda: _read_again(folder, random.Random(seed)))


def _read_again(folder: Path, chance: random.Random) -> str:
    from mibounds.study import Measurement, load, make_grid
    from mibounds.study.store import Store

    _fill(folder)
    said: list[str] = []
    store = Store(folder / "out", said.append)
    cell = chance.choice(make_grid(load(folder / "toy.py")).cells)
    store.forget([cell])
    measured = Measurement({"value": 0.1 + cell["scale"], "text": "ü", "none": None, "status": "ok"})
    store.write(cell, measured, 0.25, {"device": "cpu"})
    sound = store.read(cell)
    content = store.path(cell.id).read_bytes()
    spoilt = spoilt_bytes(content, chance)
    store.path(cell.id).write_bytes(spoilt)
    found = store.read(cell)
    if found is not None:
        same = json.dumps(found, sort_keys=True) == json.dumps(sound, sort_keys=True)
        return SUCCESS if same else "fault: a spoilt cell was taken"
    if len(said) != 1 or store.path(cell.id).exists():
        return "fault: a spoilt cell was not set aside"
    if not any(path.read_bytes() == spoilt for path in (store.cells / "set_aside").iterdir()):
        return "fault: what was set aside is another file"
    store.write(cell, measured, 0.25, {"device": "cpu"})
    if store.read(cell) is None:
        return "fault: it is not measured again"
    for path in (store.cells / "set_aside").iterdir():
        path.unlink()
    return CLEAR


def results(folder: Path, seed: int) -> str:
    """A spoilt record, table or figure, read by check, verdicts, plot and report."""
    chance = random.Random(seed)
    own = folder / "results" / "toy"
    if not own.exists():
        _fill(folder)
        _run_toy(folder)
    kept = {name: (own / name).read_bytes() for name in ("record.json", "table.csv")}
    name = chance.choice(["record.json", "record.json", "table.csv"])
    try:
        if name == "record.json" and chance.random() < 0.5:
            spoilt = json.dumps(_spoilt_json(json.loads(kept[name]), chance)).encode()
        else:
            spoilt = spoilt_bytes(kept[name], chance)
        (own / name).write_bytes(spoilt)
        asked = chance.choice(
            (
                ["check", "toy.py"],
                ["verdicts"],
                ["verdicts", "--json"],
                ["verdicts", "--markdown"],
                ["plot", "toy.py"],
                ["check"],
                ["report", "toy.py"],
            )
        )
        return _in_shell(folder, asked)
    finally:
        (own / name).write_bytes(kept[name])


def _spoilt_json(value: Any, chance: random.Random) -> Any:
    """One entry somewhere within is lost or another kind of thing."""
    if isinstance(value, dict) and value:
        key = chance.choice(list(value))
        if chance.random() < 0.25:
            return {name: one for name, one in value.items() if name != key}
        return value | {key: _spoilt_json(value[key], chance)}
    return chance.choice((None, 0, -1, 1e300, "", "a", "../x", [], [1], {}, {"a": 1}, True))


def _run_toy(folder: Path) -> None:
    """A whole run of the toy, its cells written here, so that its files are the same each time but for the clock's."""
    from rich.console import Console

    from mibounds.study import Measurement, load, make_grid, run
    from mibounds.study.store import Store

    toy, out = load(folder / "toy.py"), folder / "results" / "toy"
    for cell in make_grid(toy).cells:
        measured = Measurement({"value": cell["scale"], "status": "ok"})
        Store(out).write(cell, measured, 0.25, {"device": "cpu"})
    run(toy, "full", out, console=Console(file=io.StringIO()))
    record = json.loads((out / "record.json").read_bytes())
    record |= {"started": "then", "finished": "then", "wall_seconds": 1.0}
    (out / "record.json").write_text(json.dumps(record, indent=2))


TARGETS: dict[str, Callable[[Path, int], str]] = {
    "study_files": study_files,
    "axis_values": axis_values,
    "command_lines": command_lines,
    "tables": tables,
    "cells": cells,
    "results": results,
}

if sys.platform == "win32":  # no alarm there
    raise ImportError("fuzzing takes a system with SIGALRM")

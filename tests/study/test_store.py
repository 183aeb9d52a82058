"""Cell files are whole or absent; what cannot be used is set aside; what cannot be written says so."""

from __future__ import annotations

import errno
import json
import math
import os
import time
from pathlib import Path

import numpy as np
import pytest

from mibounds import files
from mibounds.errors import StoreError, StudyError
from mibounds.study import Cell, Measurement, make_grid
from mibounds.study import store as store_module
from mibounds.study.store import Store


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def store(tmp_path: Path, warnings: list[str]) -> Store:
    store = Store(tmp_path / "out", warnings.append)
    store.open()
    return store


@pytest.fixture
def cell(toy) -> Cell:
    return make_grid(toy).cells[0]


def write(store: Store, cell: Cell, **row) -> None:
    store.write(cell, Measurement({"status": "ok"} | row), 0.5, {"device": "cpu"})


def left_behind(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob("*") if ".tmp" in path.name]


def test_floats_make_the_round_trip_exactly(store: Store, cell: Cell):
    row = {"a": 0.1 + 0.2, "b": math.nan, "c": -math.inf, "d": 5e-324, "e": 2**60, "f": None, "g": True}
    write(store, cell, **row)
    read = store.read(cell)["tables"]["table"][0]
    assert math.isnan(read.pop("b")) and math.isnan(row.pop("b"))
    assert read == {"status": "ok"} | row
    assert left_behind(store.folder) == []


def test_scalars_of_numpy_become_plain(store: Store, cell: Cell):
    write(store, cell, a=np.float32(0.1), b=np.int64(3), c=np.bool_(True), d=np.array(2.5))
    read = store.read(cell)["tables"]["table"][0]
    assert read == {"status": "ok", "a": float(np.float32(0.1)), "b": 3, "c": True, "d": 2.5}


@pytest.mark.parametrize(
    ("rows", "match"),
    [
        ({"value": 1.0}, "status"),
        ({"value": 1.0, "status": 0}, "status"),
        ({"status": "ok", "seconds": 1.0}, "seconds"),
        ({"status": "ok", "values": [1.0]}, "one number or text"),
        ({"status": "ok", "values": np.zeros(2)}, "one number or text"),
        ([], "no row"),
        ({2: 0.1, "status": "ok"}, "called by texts; got 2"),
    ],
)
def test_rows_that_are_not_tidy_are_refused(store: Store, cell: Cell, rows, match):
    with pytest.raises(StudyError, match=match):
        store.write(cell, Measurement(rows), 0.5, {})
    assert store.read(cell) is None


def test_a_table_cannot_be_named_twice():
    with pytest.raises(StudyError, match="'table'"):
        Measurement({"status": "ok"}, table=[])


def test_a_finished_cell_is_never_overwritten(store: Store, cell: Cell):
    write(store, cell, value=1.0)
    write(store, cell, value=2.0)
    assert store.read(cell)["tables"]["table"][0]["value"] == 1.0


@pytest.mark.parametrize(
    ("spoil", "fault"),
    [
        (lambda text: text[: len(text) // 2], "truncated"),
        (lambda text: "", "truncated"),
        (lambda text: text.replace('"value": 1.25', '"value": 1.75'), "checksum"),
        (lambda text: text.replace("ok", "o\x00"), "truncated"),
        (lambda text: "[1, 2]", "no cell file"),
        (lambda text: json.dumps(json.loads(text) | {"schema": 7}), "checksum"),
    ],
)
def test_a_spoilt_file_is_named_and_set_aside(store: Store, cell: Cell, warnings: list[str], spoil, fault):
    write(store, cell, value=1.25)
    path = store.path(cell.id)
    path.write_text(spoil(path.read_text()))
    assert store.finished([cell]) == set()
    assert len(warnings) == 1 and str(path) in warnings[0] and fault in warnings[0]
    assert not path.exists() and len(list((store.cells / "set_aside").iterdir())) == 1
    write(store, cell, value=1.25)
    assert store.finished([cell]) == {cell.id}


def test_a_file_of_another_cell_is_set_aside(store: Store, toy, warnings: list[str]):
    one, other = make_grid(toy).cells[:2]
    write(store, one)
    store.path(one.id).rename(store.path(other.id))
    assert store.read(other) is None
    assert "another cell" in warnings[0]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES])
@pytest.mark.parametrize("method", ["write_text", "replace"])
def test_a_write_that_fails_leaves_nothing_behind(
    store: Store, cell: Cell, monkeypatch, method: str, code: int
):
    original = Path.write_text

    def fail(self: Path, *args, **kwargs):
        original(self, "half of")
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, method, fail)
    with pytest.raises(StoreError) as caught:
        write(store, cell)
    monkeypatch.undo()
    assert os.strerror(code) in str(caught.value) and "\n" not in str(caught.value)
    assert store.present() == set() and left_behind(store.folder) == []


def test_a_folder_that_turned_read_only_is_named_for_what_it_is(store: Store, cell: Cell, monkeypatch):
    """Removing the temporary file fails too, which is not what anybody needs to hear."""

    def refuse(self: Path, *args, **kwargs):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(Path, "write_text", refuse)
    monkeypatch.setattr(Path, "unlink", refuse)
    with pytest.raises(StoreError, match=r"cannot write .*Read-only file system"):
        write(store, cell)


@pytest.mark.parametrize(("seconds", "flushed"), [(0.01, 0), (store_module.FLUSH_SECONDS, 1), (60.0, 1)])
def test_only_what_took_its_time_is_waited_for_on_the_disk(
    store: Store, cell: Cell, monkeypatch, seconds: float, flushed: int
):
    waits: list[int] = []
    monkeypatch.setattr(os, "fsync", waits.append)
    store.write(cell, Measurement({"status": "ok"}), seconds, {})
    assert len(waits) == flushed and store.finished([cell]) == {cell.id}


def test_what_is_there_is_known_by_names_alone(tmp_path: Path, store: Store, toy):
    one, other = make_grid(toy).cells[:2]
    assert Store(tmp_path / "nowhere").present() == set() and store.present() == set()
    write(store, one)
    assert store.present() == {one.id}
    assert store.holds([one.id]) and store.holds([]) and not store.holds([one.id, other.id])


@pytest.mark.parametrize("place", ["out", "out/cells"])
def test_a_file_where_a_folder_should_be(tmp_path: Path, place: str):
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_text("in the way")
    with pytest.raises(StoreError, match="cannot write"):
        Store(tmp_path / "out").open()
    assert (tmp_path / place).read_text() == "in the way"


def test_old_temporary_files_are_cleared_and_young_ones_left(store: Store):
    old, young = store.cells / ".a.tmp.json", store.cells / ".b.tmp.json"
    for path in (old, young):
        path.write_text("half of")
    long_ago = time.time() - 2 * files.STALE_SECONDS
    os.utime(old, (long_ago, long_ago))
    store.open()
    assert left_behind(store.folder) == [young.name]


def test_text_is_replaced_whole(tmp_path: Path):
    path = tmp_path / "file.txt"
    files.write_text(path, "one")
    with pytest.raises(ValueError, match="stop"), files.whole(path) as temporary:
        temporary.write_text("tw")
        raise ValueError("stop")
    assert path.read_text() == "one" and left_behind(tmp_path) == []

"""Shards share nothing and together are the grid; merged, they conclude as one run does; what is unsound is left."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from mibounds import study
from mibounds.errors import ParameterError
from mibounds.study import Results, Shard, Status, make_grid
from mibounds.study.cell import digest

OPTIONS = {"workers": 1, "device": "cpu"}


def table_of(results: Results) -> pd.DataFrame:
    return results.table.drop(columns="seconds")


def rewrite(path: Path, **changes) -> None:
    """A file that somebody made to look sound: its checksum is right again."""
    payload = json.loads(path.read_text()) | changes
    payload.pop("sha256")
    path.write_text(json.dumps(payload | {"sha256": digest(payload)}))


@pytest.mark.parametrize("count", [1, 3, 4, 7, 100])
def test_shards_are_the_grid_cut_evenly(write_study, count: int):
    packs = make_grid(study.load(write_study("FIELDS['width'] = 1"))).packs
    shards = [
        Shard(i + 1, count).packs(make_grid(study.load(write_study("FIELDS['width'] = 1"))))
        for i in range(count)
    ]
    assert sorted(pack.id for shard in shards for pack in shard) == sorted(pack.id for pack in packs)
    assert max(map(len, shards)) - min(map(len, shards)) <= 1


def test_no_axis_falls_to_one_shard(write_study):
    """Dealt in grid order, two of two shards would have had one kind each."""
    wide = study.load(write_study("FIELDS['width'] = 1\nFIELDS['presets'] = {'full': {'replicates': 40}}"))
    for index in (1, 2):
        kinds = [pack.cells[0]["kind"] for pack in Shard(index, 2).packs(make_grid(wide))]
        assert 20 < kinds.count("a") < 60


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/0", "a/b", "1/2/3", "-1/2", "1/-2"])
def test_what_is_no_shard_is_refused(text: str):
    with pytest.raises(ParameterError, match="i/n with i from 1 to n"):
        Shard.parse(text)


def test_shards_in_one_folder_conclude_with_the_last(toy, run, tmp_path: Path):
    whole, out = run(toy), tmp_path / "shared"
    first = study.run_shard(toy, Shard(1, 2), out=out, **OPTIONS)
    assert isinstance(first, Status) and 0 < first.done < first.total == 12
    assert not (out / "table.csv").exists() and not (out / "record.json").exists()
    last = study.run_shard(toy, Shard(2, 2), out=out, **OPTIONS)
    pd.testing.assert_frame_equal(table_of(last), table_of(whole))
    assert last.record["resumed_cells"] == first.done and last.record["code"] == toy.code
    assert study.check(toy, out) == []


def test_merged_shards_conclude_as_one_run(toy, run, tmp_path: Path):
    whole = run(toy)
    for index in (1, 2, 3):
        study.run_shard(toy, Shard(index, 3), out=tmp_path / f"machine_{index}" / "toy", **OPTIONS)
    folders = [tmp_path / "machine_1", tmp_path / "machine_2" / "toy", tmp_path / "machine_3"]
    merged = study.merge(folders, tmp_path / "merged", toy)
    assert (merged.added, merged.known, merged.left, merged.differing) == (12, 0, [], [])
    again = study.merge(folders, tmp_path / "merged", toy)
    assert (again.added, again.known, again.left, again.differing) == (0, 12, [], [])
    results = study.run(toy, out=merged.folder, **OPTIONS)
    pd.testing.assert_frame_equal(table_of(results), table_of(whole))
    assert results.record["resumed_cells"] == 12


def test_what_is_unsound_is_named_and_left(toy, run, tmp_path: Path):
    cells = sorted((run(toy).folder / "cells").glob("*.json"))
    cells[0].write_text(cells[0].read_text()[:40])
    cells[1].write_text(cells[1].read_text().replace('"ok"', '"OK"'))
    rewrite(cells[2], study="other")
    rewrite(cells[3], version=2)
    rewrite(cells[4], code="0" * 64)
    rewrite(cells[5], schema=1)
    rewrite(cells[6], settings={"shift": 0.75})
    cells[7].rename(cells[7].with_stem("0" * 20))
    before = {path.name: path.read_bytes() for path in cells[0].parent.iterdir()}
    merged = study.merge([tmp_path / "out"], tmp_path / "merged", toy)
    assert merged.added == 4 and len(merged.left) == 8
    for word in ("truncated", "checksum", "'other'", "version 2", "code that measured", "schema 1"):
        assert sum(word in line for line in merged.left) == 1, word
    assert sum("not the hash" in line for line in merged.left) == 2
    assert {path.name: path.read_bytes() for path in cells[0].parent.iterdir()} == before
    assert len(list((merged.folder / "cells").glob("*.json"))) == 4


def test_the_same_cell_twice_is_kept_once_and_a_difference_named(toy, run, tmp_path: Path):
    first = run(toy).folder
    other = tmp_path / "other"
    shutil.copytree(first / "cells", other / "cells")
    path = sorted((other / "cells").glob("*.json"))[0]
    payload = json.loads(path.read_text())
    payload["tables"]["table"][0]["value"] += 1e-6
    rewrite(path, tables=payload["tables"])
    rewrite(sorted((other / "cells").glob("*.json"))[1], seconds=99.0)
    merged = study.merge([first, other], tmp_path / "merged", toy)
    assert (merged.added, merged.known, merged.left) == (12, 12, [])
    (line,) = merged.differing
    assert str(path) in line and "'value' of 'table'" in line and "toy(" in line
    kept = json.loads((merged.folder / "cells" / path.name).read_text())
    assert kept["tables"]["table"][0]["value"] == pytest.approx(payload["tables"]["table"][0]["value"] - 1e-6)


def test_a_spoilt_file_in_the_way_is_set_aside(toy, run, tmp_path: Path):
    first = run(toy).folder
    merged = study.merge([first], tmp_path / "merged", toy)
    path = sorted((merged.folder / "cells").glob("*.json"))[0]
    path.write_text("{")
    again = study.merge([first], tmp_path / "merged", toy)
    assert again.added == 1 and again.known == 11 and "set_aside" in again.left[0]
    assert json.loads(path.read_text())["id"] == path.stem


def test_a_shard_says_that_stale_cells_of_the_other_are_left(write_study, run):
    folder = run(study.load(write_study("FIELDS['width'] = 1"))).folder
    edited = study.load(
        write_study("def row(cell): return {'value': 2.0, 'status': 'ok'}\nFIELDS['width'] = 1")
    )
    options = {"out": folder, "workers": 1, "device": "cpu"}
    left = study.run_shard(edited, Shard(1, 2), **options)
    assert isinstance(left, study.Status) and 0 < left.done < 12
    results = study.run_shard(edited, Shard(2, 2), **options)
    assert isinstance(results, study.Results) and (results.table["value"] == 2.0).all()


def test_stale_cells_are_set_aside_and_measured_again(write_study, run, lines):
    before = run(study.load(write_study("FIELDS['width'] = 1")))
    claims = "FIELDS['claims'] = ()\n"
    run(study.load(write_study("FIELDS['width'] = 1\n" + claims)))
    assert "cannot be used" not in lines.getvalue(), "a claim is no measuring code"
    edited = study.load(
        write_study("def row(cell): return {'value': 2.0, 'status': 'ok'}\nFIELDS['width'] = 1")
    )
    after = run(edited)
    assert (after.table["value"] == 2.0).all() and after.record["resumed_cells"] == 0
    assert lines.getvalue().count("not the study's any more; moved to set_aside/, the cell") == 5
    assert "7 more files" in lines.getvalue()
    aside = list((before.folder / "cells" / "set_aside").iterdir())
    assert len(aside) == 12 and all(json.loads(path.read_text())["schema"] == 2 for path in aside)

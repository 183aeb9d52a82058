"""The runner end to end: resume is a set difference, failures stay alone, results are checked."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from mibounds import study
from mibounds.errors import ParameterError, StoreError, StudyError
from mibounds.study import RunFailed, make_grid, progress, tables
from mibounds.study.store import Store

MARKS = """
def leave_mark(name):
    with (Path(__file__).parent / name).open("a") as file:
        file.write("x")
"""
FAILING = """
def measure(pack):
    if pack.cells[0]["kind"] == "b" and not (Path(__file__).parent / "repaired").exists():
        raise ValueError("no good\\nat all")
    return [Measurement(row(cell)) for cell in pack.cells]
FIELDS["measure"] = measure
"""


def without_seconds(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(columns="seconds")


def cell_files(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "cells").glob("*.json")}


def test_a_run_leaves_tables_and_a_record(toy, run):
    results = run(toy)
    assert list(results.table.columns) == ["scale", "kind", "replicate", "value", "status", "seconds"]
    points = list(results.table[["scale", "kind", "replicate"]].itertuples(index=False, name=None))
    assert points == [tuple(cell.point.values()) for cell in make_grid(toy).cells]
    cells = make_grid(toy).cells
    assert results.table["value"].tolist() == [c.seed("data") / 2**63 * c["scale"] + 0.5 for c in cells]
    assert results.tables["curve"]["w"].tolist() == [cell.seed("weights") for cell in cells]
    assert results.verdicts["T1"].outcome == "supported"
    assert study.check(toy, results.folder) == []

    record = json.loads((results.folder / "record.json").read_text())
    assert record["cells"] == record["rows"] == 12 and record["failed"] == 0
    assert record["preset"] == "full" and record["altered"] is False
    assert record["command"] == f"mibounds run {toy.file} --preset full --device cpu"
    assert record["device"] == "cpu" and record["widths"] == [2, 4]
    assert record["verdicts"]["T1"]["outcome"] == "supported"
    assert set(record["tables"]) == {"table.csv", "curve.csv"}
    assert record["wall_seconds"] > 0 and record["cell_seconds"] > 0
    assert str(results.folder) not in json.dumps(record), "a record names no folder of the machine"


def test_the_same_command_twice_measures_nothing_and_changes_nothing(toy, run):
    results = run(toy)
    before = (
        {p.name: p.read_text() for p in results.folder.iterdir() if p.is_file()},
        cell_files(results.folder),
    )
    run(toy)
    after = (
        {p.name: p.read_text() for p in results.folder.iterdir() if p.is_file()},
        cell_files(results.folder),
    )
    assert before == after


def test_resume_measures_whole_packs_and_writes_missing_cells_only(write_study, run):
    path = write_study(
        MARKS
        + (
            "def measure(pack):\n"
            "    leave_mark('packs')\n"
            "    leave_mark('width_%d' % len(pack.cells))\n"
            "    return [Measurement(row(cell)) for cell in pack.cells]\n"
            "FIELDS['measure'] = measure\n"
        )
    )
    toy = study.load(path)
    first = run(toy)
    files_before = cell_files(first.folder)
    removed = make_grid(toy).packs[0].cells[1]
    (first.folder / "cells" / f"{removed.id}.json").unlink()
    (path.parent / "packs").unlink()
    (path.parent / "width_4").unlink()

    assert study.status(toy, "full", first.folder).missing[0].id == removed.id
    second = run(toy)
    assert (path.parent / "packs").read_text() == "x", "one pack alone is measured"
    assert (path.parent / "width_4").exists(), "and at its full width"
    pd.testing.assert_frame_equal(without_seconds(first.table), without_seconds(second.table))
    rewritten = {name for name, text in cell_files(first.folder).items() if files_before[name] != text}
    assert rewritten <= {f"{removed.id}.json"}


def test_adding_an_axis_value_leaves_the_old_numbers(write_study, run):
    before = run(study.load(write_study()))
    wider = study.load(write_study("FIELDS['axes'] = {'scale': (0.5, 1.0, 2.0), 'kind': ('c', 'a', 'b')}"))
    old_files = cell_files(before.folder)
    after = run(wider)
    assert len(after.table) == 27
    assert old_files.items() <= cell_files(after.folder).items()
    keys = ["scale", "kind", "replicate"]
    merged = before.table.merge(after.table, on=keys, suffixes=("_before", "_after"))
    assert len(merged) == 12
    assert merged["value_before"].tolist() == merged["value_after"].tolist()


def test_a_failing_pack_leaves_the_others_finished(write_study, run, lines: io.StringIO):
    path = write_study(FAILING)
    toy = study.load(path)
    with pytest.raises(RunFailed, match="6 of 12 cells") as caught:
        run(toy)
    assert len(caught.value.failures) == 6
    reason = caught.value.failures[0]
    assert "kind=b" in reason and "ValueError: no good at all (toy.py, line " in reason and "\n" not in reason
    assert "failed: kind=b x4: ValueError" in lines.getvalue()
    folder = path.parent / "out"
    assert len(cell_files(folder)) == 6 and not (folder / "record.json").exists()
    assert "Traceback" in (folder / "failures.txt").read_text()

    (path.parent / "repaired").touch()
    assert len(run(toy).table) == 12
    assert not (folder / "failures.txt").exists()


def test_a_row_may_say_that_its_cell_failed(write_study, run):
    toy = study.load(write_study("def row(cell): return {'value': float('nan'), 'status': 'diverged'}"))
    results = run(toy)
    assert results.record["failed"] == 12
    assert results.table["value"].isna().all() and (results.table["status"] == "diverged").all()


def test_a_generator_is_stored_cell_by_cell(write_study, run):
    toy = study.load(
        write_study(
            "def measure(pack):\n"
            "    for i, cell in enumerate(pack.cells):\n"
            "        if i == 1: raise ValueError('after the first')\n"
            "        yield Measurement(row(cell))\n"
            "FIELDS['measure'] = measure\n"
        )
    )
    with pytest.raises(RunFailed, match="8 of 12"):
        run(toy)
    status = study.status(toy, "full", Path(toy.file).parent / "out")
    first = {pack.cells[0].id for pack in make_grid(toy).packs}
    assert status.done == 4 and {cell.id for cell in status.missing}.isdisjoint(first)


@pytest.mark.parametrize(
    ("measure", "match"),
    [
        ("return [Measurement(row(pack.cells[0]))]", "one Measurement per cell, 4 here; got 1"),
        ("yield Measurement(row(pack.cells[0]))", "one Measurement per cell, 4 here; got 1"),
        ("yield from [Measurement(row(cell)) for cell in (*pack.cells, pack.cells[0])]", "4 here; got 5"),
        ("return [row(cell) for cell in pack.cells]", "got dict"),
        ("return [Measurement({'value': 1.0}) for cell in pack.cells]", "status"),
        ("import os; os._exit(3)", "exit code 3"),
    ],
)
def test_what_a_measure_gives_is_checked(write_study, run, measure: str, match: str):
    toy = study.load(write_study(f"def measure(pack):\n    {measure}\nFIELDS['measure'] = measure"))
    with pytest.raises(RunFailed) as caught:
        run(toy)
    assert match in caught.value.failures[0]


def test_a_killed_worker_is_named_and_another_goes_on(write_study, run):
    path = write_study(
        "def measure(pack):\n"
        "    if pack.cells[0]['kind'] == 'a' and not (Path(__file__).parent / 'repaired').exists():\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return [Measurement(row(cell)) for cell in pack.cells]\n"
        "FIELDS['measure'] = measure\n"
    )
    toy = study.load(path)
    with pytest.raises(RunFailed) as caught:
        run(toy)
    assert len(caught.value.failures) == 6
    assert "its worker was killed by SIGKILL" in caught.value.failures[0]
    (path.parent / "repaired").touch()
    assert len(run(toy).table) == 12


def test_the_folder_is_listed_twice_however_many_packs_there_are(write_study, run, monkeypatch):
    toy = study.load(write_study("FIELDS['width'] = 1\n"))
    listed, of_folder = [], Store.present
    monkeypatch.setattr(Store, "present", lambda store: listed.append(store) or of_folder(store))
    monkeypatch.setattr(progress, "LINE_EVERY_SECONDS", 0.0)
    assert len(run(toy).table) == 12
    assert len(listed) == 2, "when the run begins, and at the end"


def test_spoilt_cells_are_named_and_done_again(toy, run, lines: io.StringIO):
    before = run(toy)
    one, two = list((before.folder / "cells").glob("*.json"))[:2]
    one.write_text(one.read_text()[:50])
    two.write_text(two.read_text().replace('"ok"', '"OK"'))
    after = run(toy)
    pd.testing.assert_frame_equal(without_seconds(before.table), without_seconds(after.table))
    assert f"warning: {one} cannot be used" in lines.getvalue()
    assert f"warning: {two} cannot be used" in lines.getvalue()


def test_fresh_forgets_the_cells_of_this_grid_and_nothing_else(toy, run):
    results = run(toy)
    other = results.folder / "cells" / "notes.json"
    other.write_text("{}")
    ids = {cell.id for cell in make_grid(toy).cells}
    inodes = {name: (results.folder / "cells" / f"{name}.json").stat().st_ino for name in ids}
    stamps = {name: (results.folder / "cells" / f"{name}.json").stat().st_mtime_ns for name in ids}
    run(toy, fresh=True)
    assert other.read_text() == "{}"
    for name in ids:
        now = (results.folder / "cells" / f"{name}.json").stat()
        assert (now.st_ino, now.st_mtime_ns) != (inodes[name], stamps[name])
    aside = {path.name.partition(".")[0] for path in (results.folder / "cells" / "set_aside").iterdir()}
    assert aside == ids, "and loses none"


def test_a_disk_that_is_full_in_the_worker_ends_the_run_in_one_line(write_study, run):
    """A limit on the size of files stands in for the full disk: the worker's own write fails."""
    toy = study.load(
        write_study(
            "def measure(pack):\n"
            "    import resource\n"
            "    resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))\n"
            "    return [Measurement(row(cell)) for cell in pack.cells]\n"
            "FIELDS['measure'] = measure\n"
        )
    )
    with pytest.raises(StoreError, match=r"cannot write .*File too large") as caught:
        run(toy)
    assert "\n" not in str(caught.value)
    assert list((Path(toy.file).parent / "out" / "cells").iterdir()) == []


def test_a_comment_that_is_written_while_the_run_goes_on_costs_nothing(write_study, run, lines):
    path = write_study(
        "def measure(pack):\n"
        "    own = Path(__file__)\n"
        "    own.write_text('# a line above all others\\n' + own.read_text())\n"
        "    return [Measurement(row(cell)) for cell in pack.cells]\n"
        "FIELDS['measure'] = measure\n"
    )
    first, again = run(study.load(path)).record, run(study.load(path)).record
    assert "12 cells, 12 of them finished already" in lines.getvalue()
    assert again["code"] == first["code"] and again["study_sha256"] != first["study_sha256"]


def test_a_file_in_place_of_the_folder(toy, run, tmp_path: Path):
    (tmp_path / "out").write_text("in the way")
    with pytest.raises(StoreError, match="Not a directory"):
        run(toy)
    assert (tmp_path / "out").read_text() == "in the way"


def test_no_other_grid_takes_the_place_of_full_results(toy, run, write_study):
    folder = run(toy).folder
    before = (folder / "table.csv").read_text()
    for changes in ({"preset": "smoke"}, {"replicates": 2}, {"overrides": {"kind": ["a"]}}):
        with pytest.raises(StoreError, match="full results"):
            run(toy, **changes)
    with pytest.raises(StoreError, match="study toy"):
        run(study.load(write_study(name="other")))
    assert (folder / "table.csv").read_text() == before


def test_by_default_results_lie_under_results(toy, tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    results = study.run(toy, "full", replicates=1, device="cpu", workers=1)
    assert results.folder == Path("results/toy/custom")
    assert results.record["altered"] and results.record["command"].endswith("--replicates 1 --device cpu")
    assert not (tmp_path / "results/toy/table.csv").exists()


def test_input_is_checked_before_anything_is_written(toy, run, tmp_path: Path):
    for options in ({"device": "tpu"}, {"workers": 0}, {"replicates": 0}):
        with pytest.raises(ParameterError):
            run(toy, **options)
    assert not (tmp_path / "out").exists()


def test_cuda_where_there_is_none_is_a_clear_line(toy, run, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    with pytest.raises(ParameterError, match="no CUDA device"):
        run(toy, device="cuda")


def test_texts_that_look_missing_survive_the_csv(write_study, run):
    toy = study.load(
        write_study(
            "WORDS = ('none', '', 'NA')\n"
            "def row(cell): return {'value': 0.1 + 0.2, 'word': WORDS[cell['replicate']], 'status': 'ok'}"
        )
    )
    table = run(toy).table
    assert table["word"].tolist()[:3] == ["none", "", "NA"]
    assert table["value"].tolist() == [0.1 + 0.2] * 12


def test_several_rows_a_cell_and_columns_that_come_late(write_study, run):
    toy = study.load(
        write_study(
            "def row(cell):\n"
            "    rows = [{'value': 1.0, 'step': step, 'status': 'ok'} for step in (1, 2)]\n"
            "    return rows if cell['kind'] == 'a' else [*rows, {'value': 2.0, 'status': 'bad', 'why': ''}]"
        )
    )
    table = run(toy).table
    assert list(table.columns) == [
        "scale",
        "kind",
        "replicate",
        "value",
        "step",
        "status",
        "why",
        "seconds",
    ]
    assert len(table) == 6 * 2 + 6 * 3 and table["step"].isna().sum() == 6


def test_figures_are_drawn_from_the_written_table_and_drawn_again(write_study, run):
    toy = study.load(
        write_study(
            "def draw(tables):\n"
            "    from matplotlib.figure import Figure\n"
            "    figure = Figure(figsize=(2, 2))\n"
            "    figure.subplots().plot(tables['table']['value'])\n"
            "    return figure\n"
            "FIELDS['draw'] = draw\n"
        )
    )
    folder = run(toy, replicates=1).folder
    assert (folder / "figure.png").read_bytes().startswith(b"\x89PNG")
    assert "<svg" in (folder / "figure.svg").read_text()
    (folder / "figure.png").unlink()
    assert study.redraw(toy, folder) == [folder / "figure.png", folder / "figure.svg"]
    assert (folder / "figure.png").exists()


@pytest.mark.parametrize("field", ["draw", "claims"])
def test_a_fault_in_figure_or_claim_is_named_and_costs_no_cell(write_study, run, field: str):
    broken = "lambda tables: tables['no_such_table']"
    value = broken if field == "draw" else f"(Claim('T1', '', '', '', {broken}),)"
    toy = study.load(write_study(f"FIELDS[{field!r}] = {value}"))
    with pytest.raises(StudyError, match="KeyError: 'no_such_table'"):
        run(toy)
    folder = Path(toy.file).parent / "out"
    assert len(cell_files(folder)) == 12 and (folder / "table.csv").exists()


def test_check_notices_an_edited_number_and_an_edited_record(toy, run):
    folder = run(toy).folder
    table, record = folder / "table.csv", folder / "record.json"
    clean_table, clean_record = table.read_text(), record.read_text()

    edited = pd.read_csv(table)
    edited.loc[0, "value"] += 1e-6
    edited.to_csv(table, index=False)
    problems = study.check(toy, folder)
    assert any("table.csv" in line and "SHA-256" in line for line in problems)
    assert any("claim T1" in line and "effect" in line for line in problems)

    table.write_text(clean_table)
    record.write_text(clean_record.replace('"outcome": "supported"', '"outcome": "refuted"'))
    assert any(
        "the table gives supported, the record says refuted" in line for line in study.check(toy, folder)
    )

    record.write_text(clean_record.replace('"rows": 12', '"rows": 13'))
    assert "the table gives rows 12, the record says 13" in study.check(toy, folder)[0]

    record.write_text(clean_record)
    assert study.check(toy, folder) == []
    (folder / "curve.csv").unlink()
    assert any("curve.csv" in line and "not there" in line for line in study.check(toy, folder))


def test_a_table_and_a_record_forged_together_are_seen_by_the_verdict_alone(toy, run):
    """With table and hash changed, the verdict is computed anew; with that changed too, nothing is left to notice."""
    folder = run(toy).folder
    edited = pd.read_csv(folder / "table.csv")
    edited["value"] += 1.0
    hashes = tables.write(folder, {"table": edited})
    told = json.loads((folder / "record.json").read_text())
    told["tables"] |= hashes
    (folder / "record.json").write_text(json.dumps(told))
    problems = study.check(toy, folder)
    assert problems and all("claim T1" in line for line in problems)
    told["verdicts"]["T1"] = study.verdicts(toy, {"table": edited})["T1"].as_dict()
    (folder / "record.json").write_text(json.dumps(told))
    assert study.check(toy, folder) == []


def test_check_notices_claims_and_versions_that_changed(toy, run, write_study):
    folder = run(toy).folder
    renamed = study.load(
        write_study(
            "import dataclasses\nFIELDS['claims'] = "
            "tuple(dataclasses.replace(c, id='T2') for c in FIELDS['claims'])"
        )
    )
    assert len(study.check(renamed, folder)) == 2
    newer = study.load(write_study("FIELDS['version'] = 2"))
    (line,) = study.check(newer, folder)
    assert "version 1" in line and line.endswith("run it again, mibounds run toy --preset full")


def test_check_without_results_is_one_line(toy, tmp_path: Path):
    with pytest.raises(StoreError, match="no results"):
        study.check(toy, tmp_path)
    (tmp_path / "record.json").write_text("{")
    with pytest.raises(StoreError, match="no record"):
        study.check(toy, tmp_path)


def test_status_counts_what_is_missing(toy, run, tmp_path: Path):
    assert study.status(toy, "full", tmp_path / "out").done == 0
    run(toy)
    assert study.status(toy, "full", tmp_path / "out").missing == ()
    assert study.status(toy, "full", tmp_path / "out", replicates=4).done == 12


def test_workers_share_the_threads(write_study, run, monkeypatch):
    toy = study.load(
        write_study("def row(cell): return {'value': os.environ['OMP_NUM_THREADS'], 'status': 'ok'}")
    )
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cores = len(os.sched_getaffinity(0))
    assert set(run(toy, workers=1).table["value"]) == {cores}
    assert set(run(toy, workers=4, fresh=True).table["value"]) == {max(1, cores // 4)}


def test_the_runner_imports_no_torch_and_no_pandas_to_start():
    code = (
        "import sys, mibounds.study as s; s.names(); print({'torch', 'pandas', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

"""run, status, plot and check, on a toy study and the real runner."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

RUN = ("run", "toy", "--workers", "1", "--device", "cpu")


@pytest.fixture
def finished(toy, mibounds) -> Path:
    """The folder of a full run."""
    assert mibounds(*RUN).code == 0
    return Path("results/toy")


def test_a_run_ends_with_its_verdicts_and_says_where_the_figure_is(toy, mibounds):
    answer = mibounds(*RUN)
    assert answer.code == 0
    assert "Is the mean above zero?" in answer.out
    assert "results/toy/table.csv (6 rows, 0 not ok)" in answer.out
    assert "results/toy/figure.png" in answer.out and Path("results/toy/figure.svg").is_file()
    t1, t2 = answer.out.splitlines()[-2:]
    assert t1.split() == ["toy", "T1", "supported", "1.5", "1", "..", "2", "units"]
    assert t2.split() == ["toy", "T2", "inconclusive", "-", "-", "nobody", "knows"]


@pytest.mark.parametrize(
    ("options", "folder"),
    [
        ((), "results/toy"),
        (("--preset", "smoke"), "results/toy/smoke"),
        (("--replicates", "1"), "results/toy/custom"),
        (("--set", "scale=1"), "results/toy/custom"),
        (("--out", "mine", "--preset", "smoke"), "mine/toy"),
    ],
)
def test_where_results_go(toy, mibounds, options, folder):
    assert mibounds(*RUN, *options).code == 0
    assert [str(path.parent) for path in Path().rglob("record.json")] == [folder]


def test_options_reach_the_grid(toy, mibounds):
    assert mibounds(*RUN, "--set", "scale=2,3", "--set", "kind=sound", "--replicates", "2").code == 0
    record = json.loads(Path("results/toy/custom/record.json").read_text())
    assert record["axes"] == {"scale": [2.0, 3.0], "kind": ["sound"], "replicate": [0, 1]}


def test_a_run_resumes_and_fresh_starts_over(finished, mibounds):
    def when() -> list[int]:
        return sorted(path.stat().st_mtime_ns for path in (finished / "cells").glob("*.json"))

    first = when()
    assert "6 of them finished already" in mibounds(*RUN).err and when() == first
    assert mibounds(*RUN, "--fresh").code == 0 and min(when()) > max(first)


def test_fresh_is_of_all_studies_before_the_first_is_measured(toy, mibounds, monkeypatch):
    """So that, stopped in the first, the same command without it measures the second anew, too."""
    second = toy.with_name("second.py")
    second.write_text(toy.read_text().replace('slug="toy"', 'slug="second"'))
    run = ("run", "toy", "second", "--workers", "1", "--device", "cpu")
    assert mibounds(*run).code == 0

    def stopped(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("mibounds.study.run", stopped)
    assert mibounds(*run, "--fresh").code == 130
    for name in ("toy", "second"):
        cells = Path("results", name, "cells")
        assert not [*cells.glob("*.json")] and len([*(cells / "set_aside").iterdir()]) == 6


def test_a_device_that_is_not_there_costs_no_cell(finished, mibounds):
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a device")
    assert mibounds("run", "toy", "--device", "cuda", "--fresh").code == 2
    assert len([*(finished / "cells" / "set_aside").iterdir()]) == 6


def test_several_studies_each_once(toy, mibounds):
    other = toy.with_name("other.py")
    other.write_text(toy.read_text().replace('slug="toy"', 'slug="other"'))
    answer = mibounds("run", "toy", str(other), "toy", "--preset", "smoke", "--out", "mine")
    assert answer.code == 0
    assert sorted(path.name for path in Path("mine").iterdir()) == ["other", "toy"]
    assert answer.out.count("Is the mean above zero?") == 2


def test_all_means_every_study_that_is_listed(toy, mibounds):
    from mibounds.cli.run import names_of

    listed = json.loads(mibounds("list", "studies", "--json").out)
    assert names_of(("all",)) == [study["name"] for study in listed]
    assert "toy" in names_of(("all",))


def test_a_failed_cell_is_exit_code_1_and_is_tried_again(toy, mibounds):
    failing = (*RUN, "--set", "kind=sound,failing", "--replicates", "1")
    answer = mibounds(*failing)
    assert answer.code == 1
    assert "mibounds: 2 of 4 cells of toy failed" in answer.err
    assert "  toy(scale=1.0, kind=failing, replicate=0): ValueError: no good" in answer.err
    assert "Traceback" not in answer.err
    toy.with_name("repaired").touch()
    assert mibounds(*failing).code == 0


def test_a_failed_study_does_not_keep_the_next_from_running(toy, mibounds):
    other = toy.with_name("other.py")
    other.write_text(
        toy.read_text().replace('slug="toy"', 'slug="other"').replace('"failing" and', '"sound" and')
    )
    answer = mibounds("run", "other", "toy", "--preset", "smoke", "--workers", "1")
    assert answer.code == 1 and Path("results/toy/smoke/table.csv").is_file()


def test_bad_input_is_found_before_anything_runs(toy, mibounds):
    answer = mibounds("run", "toy", "bound_tightness", "--set", "scale=1")
    assert answer.code == 2 and answer.error.startswith("mibounds: unknown axis 'scale'")
    assert list(Path().iterdir()) == []


def test_a_run_goes_on_from_its_mirror(toy, mibounds, tmp_path):
    mirror = ("--mirror", f"file://{tmp_path}/far")
    assert mibounds(*RUN, *mirror, "--shard", "1/2", "--out", "a").code == 0
    answer = mibounds("status", "toy", "--out", "b", *mirror)
    assert f"3 of 6 cells are finished in b/toy and {mirror[1]}" in answer.out
    answer = mibounds(*RUN, *mirror, "--out", "b")
    assert answer.code == 0 and "3 of them finished already" in answer.err
    assert mibounds("check", "--results", str(tmp_path / "far")).code == 0


def test_a_shard_with_a_mirror_asks_for_no_merge(toy, mibounds, tmp_path):
    out = mibounds(*RUN, "--shard", "1/2", "--mirror", f"file://{tmp_path}/far").out
    assert "Run the other shards with this mirror." in out and "merge" not in out


def test_a_mirror_without_a_backend_is_one_line(toy, mibounds):
    answer = mibounds(*RUN, "--mirror", "nothing://there")
    assert answer.code == 2 and answer.error.endswith("Protocol not known: nothing")
    assert not Path("results").exists()


def test_status_counts_cells(toy, mibounds):
    assert (
        "0 of 2 cells are finished in results/toy/smoke" in mibounds("status", "toy", "--preset", "smoke").out
    )
    mibounds(*RUN, "--preset", "smoke", "--out", "mine")
    answer = mibounds("status", "toy", "--out", "mine", "--replicates", "2", "--preset", "smoke")
    assert answer.out.splitlines() == [
        "toy (smoke): 2 of 4 cells are finished in mine/toy",
        "next: toy(scale=1.0, kind=sound, replicate=1)",
    ]


def test_plot_draws_the_figure_again(finished, mibounds):
    (finished / "figure.png").unlink()
    assert "results/toy/figure.png" in mibounds("plot", "toy").out
    assert (finished / "figure.png").stat().st_size > 1000


def test_check_agrees_with_its_own_record(finished, toy, mibounds):
    everything = mibounds("check")
    assert (everything.code, everything.out) == (0, "toy: 2 verdicts agree with the record\n")
    assert mibounds("check", "toy", "--results", "results") == everything
    assert mibounds("check", str(toy)) == everything, "a study may be named by its file"
    assert mibounds("check", "--results", "results/toy") == everything, "one study's own folder will do"


def test_a_study_by_its_path_is_named_by_it(toy, mibounds, monkeypatch):
    """What no name finds is no reason to check nothing else."""
    monkeypatch.delenv("MIBOUNDS_PATH")
    assert mibounds("run", str(toy), *RUN[2:]).code == 0
    record = json.loads(Path("results/toy/record.json").read_text())
    assert record["command"].startswith(f"mibounds run {toy} ")
    answer = mibounds("check")
    assert (
        answer.code == 1 and "results/toy: its study 'toy' is not found; name the study's file" in answer.out
    )
    assert mibounds("check", str(toy)).code == 0
    answer = mibounds("merge", "results", "--out", "merged")
    assert answer.code == 2 and "name its file with --study" in answer.error


def test_a_record_tells_of_its_own_grid(toy, mibounds):
    assert mibounds(*RUN, "--set", "scale=1,2", "--set", "kind=sound").code == 0
    assert mibounds(*RUN, "--set", "scale=1").code == 0
    record = json.loads(Path("results/toy/custom/record.json").read_text())
    assert record["cells"] == 3 and "--set scale=1.0 " in record["command"] + " "


def test_an_engine_that_is_broken_troubles_no_other(toy, mibounds, monkeypatch):
    from mibounds.study import engines

    broken = toy.parents[1] / "engines"
    broken.mkdir()
    (broken / "broken.py").write_text("def")
    monkeypatch.setattr(engines, "__path__", [*engines.__path__, str(broken)])
    assert mibounds(*RUN).code == 0
    answer = mibounds("run", "toy", "--engine", "broken")
    assert answer.code == 2 and "the engine 'broken' cannot be loaded: SyntaxError" in answer.error


def test_check_finds_a_table_that_the_record_does_not_name(finished, mibounds):
    path = finished / "record.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tables": {}}))
    answer = mibounds("check")
    assert answer.code == 2 and "it does not name table.csv" in answer.error


def test_check_finds_a_changed_number(finished, mibounds):
    table = finished / "table.csv"
    table.write_text(table.read_text().replace("2.0,ok", "-2.0,ok"))
    answer = mibounds("check", "toy")
    assert answer.code == 1
    assert "claim T1: the table gives inconclusive, the record says supported" in answer.out


def test_check_finds_a_lost_column(finished, mibounds):
    table = finished / "table.csv"
    table.write_text(table.read_text().replace("status", "state", 1))
    answer = mibounds("check", "toy")
    assert answer.code in (1, 2) and "status" in answer.out + answer.err


@pytest.mark.parametrize("command", ["check", "verdicts", "report"])
def test_no_results_is_the_users_input(toy, mibounds, command):
    answer = mibounds(command)
    assert answer.code == 2 and "no results in results" in answer.error


@pytest.mark.parametrize("command", ["check", "plot"])
def test_a_study_that_was_never_run(toy, mibounds, command):
    answer = mibounds(command, "toy")
    assert answer.code == 2 and "run the study first" in answer.error


def test_a_plan_says_what_is_left_and_measures_nothing(toy, mibounds):
    answer = mibounds(*RUN, "--plan")
    assert answer.code == 0 and "6 cells are missing in results/toy" in answer.out
    assert "hours    unknown" in answer.out and not list(Path().iterdir())
    mibounds(*RUN, "--preset", "smoke", "--out", "mine")
    answer = mibounds(*RUN, "--preset", "smoke", "--out", "mine", "--replicates", "4", "--plan")
    assert "8 cells in 8 packs; 6 cells are missing" in answer.out
    assert "from     2 finished cells in mine/toy" in answer.out and "this machine's cores" in answer.out

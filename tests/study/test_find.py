"""Studies are found by their files; a broken one is named with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mibounds import study
from mibounds.errors import StudyError, UnknownNameError
from mibounds.study import find


@pytest.fixture
def user_folder(tmp_path: Path, monkeypatch) -> Path:
    folder = tmp_path / "mine" / "studies"
    folder.mkdir(parents=True)
    monkeypatch.setenv("MIBOUNDS_PATH", str(folder.parent))
    return folder


def test_a_dropped_file_is_listed_loaded_and_run(user_folder: Path, write_study, run):
    before = study.names()
    path = write_study(name="dropped", folder=user_folder)
    assert sorted([*before, "dropped"]) == study.names()
    loaded = study.load("dropped")
    assert loaded.slug == "dropped" and loaded.file == path
    results = run(loaded)
    assert len(results.table) == 12 and study.check(loaded, results.folder) == []


def test_files_that_start_with_an_underscore_are_no_studies(user_folder: Path, write_study):
    write_study(name="_part", folder=user_folder)
    assert "_part" not in study.names()


def test_listing_runs_no_study(user_folder: Path):
    (user_folder / "bad.py").write_text("raise RuntimeError('was run')")
    assert "bad" in study.names()


def test_an_unknown_name_suggests_the_nearest(user_folder: Path, write_study):
    write_study(name="toy_staircase", folder=user_folder)
    with pytest.raises(UnknownNameError, match="did you mean 'toy_staircase'"):
        study.load("toy_stair")


def test_a_path_is_loaded_as_it_is(write_study, monkeypatch):
    path = write_study()
    monkeypatch.chdir(path.parent)
    assert study.load("./toy.py").file == study.load(path).file == path


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("x = 1\ny = 1 +\n", r"toy\.py, line 2: SyntaxError"),
        ("\n\n1 / 0\n", r"toy\.py, line 3: ZeroDivisionError"),
        ("import no_such_module_at_all\n", r"toy\.py, line 1: ModuleNotFoundError"),
        ("STUDY = 3\n", r"must end in STUDY = Study\(\.\.\.\)"),
        ("", "its STUDY is None"),
    ],
)
def test_a_broken_file_is_named_with_its_line(tmp_path: Path, text: str, match: str):
    path = tmp_path / "toy.py"
    path.write_text(text)
    with pytest.raises(StudyError, match=match) as caught:
        study.load(path)
    assert "\n" not in str(caught.value)


def test_a_study_that_contradicts_itself_is_named_with_its_line(write_study):
    path = write_study("FIELDS['stacked'] = ('scales',)")
    last = len(path.read_text().splitlines())
    with pytest.raises(StudyError, match=rf"toy\.py, line {last}: StudyError: .*'scales'"):
        study.load(path)


def test_slug_and_file_name_are_the_same(write_study):
    with pytest.raises(StudyError, match="the same"):
        study.load(write_study("FIELDS['slug'] = 'other'"))


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(StudyError, match="cannot read"):
        study.load(tmp_path / "absent.py")


def test_every_study_of_the_package_loads():
    for name in find.names():
        assert find.load(name).slug == name

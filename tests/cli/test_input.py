"""A user's mistake is one line on standard error and exit code 2; nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

MISTAKES = {
    "command": (("rnu", "toy"), "unknown command 'rnu'; did you mean 'run'?"),
    "option": (
        ("run", "toy", "--replicate", "2"),
        "unknown option '--replicate'; did you mean '--replicates'?",
    ),
    "missing argument": (("run",), "missing argument 'STUDY...|all'"),
    "missing value": (("run", "toy", "--preset"), "option '--preset' requires an argument"),
    "no number": (("run", "toy", "--workers", "two"), "'two' is not a valid integer"),
    "no workers": (("run", "toy", "--workers", "0"), "workers must be at least 1; got 0"),
    "no replicates": (("run", "toy", "--replicates", "0"), "replicates must be at least 1; got 0"),
    "study": (("run", "toi"), "unknown study 'toi'; did you mean 'toy'?"),
    "preset": (("run", "toy", "--preset", "smoek"), "unknown preset 'smoek'; did you mean 'smoke'?"),
    "axis": (("run", "toy", "--set", "scal=1"), "unknown axis 'scal'; did you mean 'scale'?"),
    "word on an axis": (("run", "toy", "--set", "kind=soundd"), "did you mean 'sound'?"),
    "bound on an axis": (("run", "bound_tightness", "--set", "bound=info_nec"), "did you mean 'info_nce'?"),
    "no equals": (("run", "toy", "--set", "scale"), "expected axis=value"),
    "text for a number": (("run", "toy", "--set", "scale=two"), "'two'"),
    "device": (("run", "toy", "--device", "tpu"), "device must be one of auto, cpu, cuda; got 'tpu'"),
    "file": (("run", "nowhere.py"), "cannot read the study file"),
    "kind": (("list", "bonds"), "unknown kind 'bonds'; did you mean 'bounds'?"),
    "status of nothing": (("status", "toi"), "unknown study 'toi'"),
    "plot of nothing": (("plot", "toi"), "unknown study 'toi'"),
    "check of nothing": (("check", "toi"), "unknown study 'toi'"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(toy, mibounds, mistake):
    arguments, expected = MISTAKES[mistake]
    answer = mibounds(*arguments)
    assert answer.code == 2 and answer.out == ""
    assert answer.error.startswith("mibounds: ")
    assert expected.lower() in answer.error.lower()
    assert list(Path().iterdir()) == [], "nothing is written"


def test_a_study_file_with_a_mistake_is_named_with_its_line(toy, mibounds):
    toy.write_text(toy.read_text() + "\n1 / 0\n")
    answer = mibounds("run", "toy")
    assert answer.code == 2
    assert f"{toy}, line {len(toy.read_text().splitlines())}: ZeroDivisionError" in answer.error


def test_a_claim_that_breaks_is_named(toy, mibounds):
    toy.write_text(
        toy.read_text().replace('tables["table"]["value"]\n    return V', 'tables["tabel"]\n    return V')
    )
    answer = mibounds("run", "toy", "--preset", "smoke", "--workers", "1")
    assert answer.code == 2
    assert "mibounds: study 'toy', claim T1" in answer.err and "Traceback" not in answer.err


def test_results_that_are_no_record(toy, mibounds):
    Path("results/toy").mkdir(parents=True)
    Path("results/toy/record.json").write_text("{")
    answer = mibounds("verdicts")
    assert answer.code == 2 and "results/toy/record.json is no record" in answer.error


def test_a_folder_that_is_a_file(toy, mibounds):
    Path("out").write_text("")
    answer = mibounds("run", "toy", "--preset", "smoke", "--out", "out")
    assert answer.code == 2 and "out/toy" in answer.error


def test_a_message_of_many_lines_becomes_one(capsys):
    from mibounds.cli.errors import say

    say("first\n  second\n\nthird")
    assert capsys.readouterr().err == "mibounds: first second third\n"


def test_many_failures_are_counted(capsys):
    from mibounds.cli.errors import say_all

    say_all("some failed", [f"cell {i}" for i in range(13)])
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 12 and lines[-1] == "  ... and 3 more"

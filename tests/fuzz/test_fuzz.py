"""A few dozen cases of each target of `python -m benchmarks fuzz`, the same each time."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks import _fuzz_targets, fuzz
from benchmarks._fuzz_targets import CLEAR, SUCCESS, TARGETS, attempt, command
from mibounds.errors import DataError

FEW = settings(
    max_examples=20,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.mark.parametrize("target", TARGETS)
def test_spoilt_input_succeeds_or_is_refused_clearly(target, tmp_path):
    @FEW
    @given(st.integers(0, 2**32))
    def holds(seed):
        assert TARGETS[target](tmp_path, seed) in (SUCCESS, CLEAR)

    holds()


# Seeds that once were faults.
@pytest.mark.parametrize(
    ("target", "seed"),
    [
        ("axis_values", 216),
        ("command_lines", 76),
        ("command_lines", 186),
        ("command_lines", 289),
        ("tables", 34),
        ("tables", 76),
        ("results", 16),
        ("results", 21),
    ],
)
def test_what_once_was_a_fault_is_none(target, seed, tmp_path):
    assert TARGETS[target](tmp_path, seed) in (SUCCESS, CLEAR)


def test_a_case_is_the_same_each_time(tmp_path):
    def tried():
        return [
            (_fuzz_targets.study_files(tmp_path, seed), (tmp_path / "toy.py").read_bytes())
            for seed in range(40)
        ]

    first = tried()
    assert tried() == first and {outcome for outcome, _ in first} == {SUCCESS, CLEAR}


def test_faults_are_found(monkeypatch):
    def leaks():
        import warnings

        warnings.warn("leak", RuntimeWarning, stacklevel=1)
        return SUCCESS

    def refuses():
        raise DataError("no")

    def says_nothing():
        raise DataError("")

    assert attempt(lambda: SUCCESS) == SUCCESS and attempt(refuses) == CLEAR
    assert attempt(lambda: 1 / 0).startswith("fault: ZeroDivisionError")
    assert attempt(leaks).startswith("fault: leaked RuntimeWarning")
    assert attempt(says_nothing).startswith("fault: unclear")
    monkeypatch.setattr(_fuzz_targets, "SECONDS", 1)
    assert attempt(lambda: [None for _ in iter(int, 1)]) == "fault: hangs"


@pytest.mark.parametrize(
    ("said", "code", "outcome"),
    [
        ("mibounds: no\n", 2, CLEAR),
        ("no\n", 2, "fault"),
        ("mibounds: one\nmibounds: two\n", 2, "fault"),
        ("Traceback (most recent call last)\n", 1, "fault"),
        ("", 3, "fault"),
    ],
)
def test_the_contract_of_exit_codes_is_judged(said, code, outcome, monkeypatch):
    def answer(arguments):
        click.echo(said, err=True, nl=False)
        return code

    monkeypatch.setattr(_fuzz_targets, "call", answer)
    assert command([]).startswith(outcome)


def test_the_table_counts_outcomes(tmp_path, monkeypatch, capsys):
    says = iter([SUCCESS, CLEAR, CLEAR, "fault: odd"])
    monkeypatch.setattr(fuzz, "TARGETS", {"one": lambda folder, seed: next(says)})
    out = Path(tmp_path, "fuzz.csv")
    assert fuzz.main(["--out", str(out), "--cases", "4", "--seed", "2", "--targets", "one"]) == 1
    assert out.read_text().splitlines() == [
        "target,cases,clear_errors,successes,faults,seed",
        "one,4,2,1,1,2",
    ]
    assert "one 2000003: fault: odd" in capsys.readouterr().out

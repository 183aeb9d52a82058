"""What decides whether a peer agrees, and what is said of one that is missing; the peers themselves are not here."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from benchmarks import _environment, peer_losses
from benchmarks._cases import CASES, LIGHTLY, PML, Case
from benchmarks.peer_losses import Answer, compare, exit_code, ours, row_of

SAME = Case(PML, "NTXentLoss", "simclr", "as it is", ("temperature",))
OTHER = Case(PML, "NTXentLoss, another", "simclr", "with more", ("temperature",), same=False)
OWN = Answer(np.array([1.0, 2.0, 3.0]), np.ones((2, 3, 4, 2)))


def changed(value: float = 0.0, gradient: float = 0.0) -> Answer:
    """OWN with one run's value, and one number of one gradient, changed."""
    values, gradients = OWN.value.copy(), OWN.gradients.copy()
    values[1] += value
    gradients[1, 2, 3, 0] += gradient
    return Answer(values, gradients)


@pytest.mark.parametrize(
    ("other", "status"),
    [
        (changed(), "agrees"),
        (changed(value=1e-7), "agrees"),
        (changed(value=1e-5), "differs"),
        (changed(gradient=1e-5), "differs"),
        (changed(value=np.nan), "differs"),
        (changed(gradient=np.nan), "differs"),
    ],
)
def test_a_wrong_value_or_gradient_in_any_run_is_flagged(other, status):
    assert row_of(SAME, OWN, other, "1.0")["status"] == status


def test_the_run_that_differs_most_is_shown():
    row = row_of(SAME, OWN, changed(value=0.5), "1.0")
    assert (row["ours"], row["theirs"], row["relative_difference"]) == (2.0, 2.5, pytest.approx(0.2))
    assert row["version"] == "1.0" and row["mapping"] == SAME.mapping


def test_another_loss_is_not_held_to_ours_but_must_be_another():
    assert row_of(OTHER, OWN, changed(value=0.5), "")["status"] == "another loss"
    assert row_of(OTHER, OWN, changed(), "")["status"] == "same after all"


def own_answers(peer: str) -> dict[str, Answer]:
    """Our own answers in a peer's name, other losses doubled."""
    given = peer_losses.inputs()
    factor = {True: 1.0, False: 2.0}
    return {
        f"{case.peer}/{case.theirs}": Answer(*(factor[case.same] * part for part in ours(case, given)))
        for case in CASES
        if case.peer == peer
    }


def test_a_missing_peer_is_skipped_by_name_and_the_other_one_is_compared():
    table = compare(own_answers(LIGHTLY), {LIGHTLY: "9"}, {PML: "no such release"})
    assert len(table) == len(CASES) and exit_code(table) == 0
    skipped = table[table["peer"] == PML]
    assert set(skipped["status"]) == {"skipped: no such release"} and skipped["theirs"].isna().all()
    assert set(table[table["peer"] == LIGHTLY]["status"]) == {"agrees", "another loss"}
    shown = peer_losses.text_of(table)
    assert "beside lightly 9\n" in shown and "skipped: no such release" in shown
    assert "Neither peer has: autoencoder, debiased" in shown


def test_a_difference_and_nothing_to_compare_have_exit_codes_of_their_own():
    answers = own_answers(LIGHTLY)
    answers[f"{LIGHTLY}/DCLLoss"] = Answer(*(1.01 * part for part in answers[f"{LIGHTLY}/DCLLoss"]))
    table = compare(answers, {}, {PML: "why"})
    assert list(table[table["status"] == "differs"]["loss"]) == ["dcl"] and exit_code(table) == 1
    assert exit_code(compare({}, {}, {PML: "why", LIGHTLY: "why"})) == 2


def test_each_case_names_a_loss_that_the_peers_script_has():
    tree = ast.parse(Path(peer_losses.__file__).with_name("_peers.py").read_text())
    there = {
        function.name: {
            key.value
            for node in ast.walk(function)
            if isinstance(node, ast.Return) and isinstance(node.value, ast.Dict)
            for key in node.value.keys
        }
        for function in tree.body
        if isinstance(function, ast.FunctionDef)
    }
    for peer, function in ((PML, "metric_learning"), (LIGHTLY, "lightly")):
        assert {case.theirs for case in CASES if case.peer == peer} == there[function]


def test_inputs_are_fixed_and_in_float64():
    first, again = peer_losses.inputs(), peer_losses.inputs()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert {rows.dtype for rows in first.values()} == {torch.float64, torch.int64}
    assert not torch.equal(first["z_a"][0], first["z_a"][1])


# ---- the environment


def outcome(folder: Path, failing: str = "nothing") -> tuple[dict[str, str], list[str]]:
    """What `make` says if the installation of `failing` fails, and the commands that it gave."""
    given: list[str] = []

    def run(command):
        given.append(" ".join(command))
        folder.mkdir(exist_ok=True)
        return "no matching distribution" if failing in command[-1] else None

    return _environment.make(folder, run), given


def test_all_is_pinned_and_a_whole_environment_is_made_once(tmp_path):
    missing, given = outcome(tmp_path / "env")
    assert missing == {} and outcome(tmp_path / "env") == ({}, [])
    asked = [word for line in given[1:] for word in line.split() if "==" in word]
    assert asked == _environment.pins() and asked[0].startswith("torch==")
    assert all("--no-deps" in line for line in given[2:]), "lightly would bring torchvision"
    (tmp_path / "env" / _environment.STAMP).write_text(json.dumps(["torch==0"]))
    assert outcome(tmp_path / "env")[1] == given, "made anew for other pins"


def test_a_peer_that_cannot_be_installed_is_named_and_tried_again(tmp_path):
    missing, given = outcome(tmp_path / "env", failing="lightly")
    assert missing == {"lightly": "no matching distribution"}
    assert outcome(tmp_path / "env")[1] == given


def test_without_torch_nothing_is_compared(tmp_path, monkeypatch, capsys):
    with pytest.raises(
        _environment.NoEnvironment, match=r"cannot install what the peers need .*: no matching distribution"
    ):
        outcome(tmp_path / "env", failing="tqdm")
    monkeypatch.setattr(_environment, "_run", lambda command: "no network")
    out = tmp_path / "table.csv"
    assert peer_losses.main(["--environment", str(tmp_path / "other"), "--out", str(out)]) == 2
    assert capsys.readouterr().err.startswith("peer_losses: nothing was compared: cannot make an environment")
    assert not out.exists()

"""`mibounds evaluate` hands over to the library, prints a table, and refuses what is no checkpoint in one line."""

from __future__ import annotations

import itertools
import json
import shutil
from pathlib import Path

import pytest

from mibounds.representation import pretrain

SETTINGS = {"encoder_options": {"hidden": [16], "dim": 8}, "embedding": 4, "device": "cpu", "batch_size": 32}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrained") / "simclr"
    pretrain("simclr", "digits", temperature=0.2, steps=30, seeds=[0, 1], checkpoint=folder, **SETTINGS)
    return folder


def test_the_table_has_units_limits_and_baselines(checkpoint, mibounds):
    answer = mibounds("evaluate", str(checkpoint))
    assert answer.code == 0 and answer.err == ""
    lines = answer.out.splitlines()
    assert lines[0] == "simclr after 30 steps, 2 runs, mean and 95% interval; test split"
    for words in ("raw input", "untrained", "label accuracy, k-NN", "nats", "ceiling ln K", "effective rank"):
        assert words in answer.out
    assert "accuracy from few labels" not in answer.out and "layer_1" not in answer.out
    assert max(map(len, lines)) < 100
    head, first = next((a, b) for a, b in itertools.pairwise(lines) if a.startswith("linear probe"))
    assert len(head) == len(first), "columns end under their titles"


def test_json_has_a_row_a_run_and_no_nan(checkpoint, mibounds):
    answer = mibounds("evaluate", str(checkpoint), "--json", "--n-negatives", "15", "--seed", "3")
    found = json.loads(answer.out, parse_constant=pytest.fail)
    assert found["method"] == "simclr" and found["steps"] == 30
    first, second = found["rows"]
    assert first["status"] == "ok" and first["n_candidates"] == 16 and first["truth_nats"] is None
    assert first["accuracy"] != second["accuracy"] and first["raw_accuracy"] == second["raw_accuracy"] > 0.8
    assert 0 < first["random_accuracy"] < 1


def test_fractions_layers_and_fine_tuning_are_added(checkpoint, mibounds):
    answer = mibounds(
        "evaluate", str(checkpoint), "--label-fractions", "0.02,0.1", "--per-layer", "--fine-tune"
    )
    assert answer.code == 0, answer.err
    for words in ("2.0%: ", "10.0%: ", "fine-tuned", "from scratch", "layer_1", "layer_2", "embedding"):
        assert words in answer.out


def test_another_source_is_named_with_its_options(tmp_path, mibounds):
    folder = tmp_path / "model"
    pretrain(
        "info_nce", "vmf", source_options={"dim": 3}, temperature=0.2, steps=2, checkpoint=folder, **SETTINGS
    )
    other = ("--data", "vmf", "--data-set", "dim=3", "--data-set", "kappa=5")
    found = [json.loads(mibounds("evaluate", str(folder), *extra, "--json").out) for extra in ((), other)]
    (own,), (there,) = (one["rows"] for one in found)
    assert (
        0 < there["truth_nats"] < own["truth_nats"]
        and there["best_temperature_estimate_nats"] != own["best_temperature_estimate_nats"]
    )
    answer = mibounds("evaluate", str(folder), "--data", "digits")
    assert answer.code == 2 and "does not fit" in answer.error


def cut_short(folder: Path) -> None:
    path = next(folder.glob("weights-*.safetensors"))
    path.write_bytes(path.read_bytes()[:-100])


def say_another_width(folder: Path) -> None:
    path = folder / "state.json"
    state = json.loads(path.read_text())
    state["recipe"]["embedding"] = 5
    path.write_text(json.dumps(state))


DAMAGE = {
    "truncated": (cut_short, "truncated"),
    "gone": (shutil.rmtree, "no checkpoint in"),
    "without weights": (lambda folder: next(folder.glob("weights-*")).unlink(), "is missing"),
    "of another width": (say_another_width, "does not fit"),
    "no JSON": (lambda folder: (folder / "state.json").write_text("{"), "cannot be read"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_no_checkpoint_is_one_line(damage, checkpoint, tmp_path, mibounds):
    harm, expected = DAMAGE[damage]
    copy = tmp_path / "copy"
    shutil.copytree(checkpoint, copy)
    harm(copy)
    answer = mibounds("evaluate", str(copy))
    assert answer.code == 2 and answer.out == "" and expected in answer.error


MISTAKES = {
    "source": (("--data", "digit"), "unknown source 'digit'; did you mean 'digits'?"),
    "options of no source": (("--data-set", "dim=3"), "--data names"),
    "no number": (("--label-fractions", "few"), "--label-fractions takes numbers"),
    "a fraction over 1": (("--label-fractions", "10"), "label fraction"),
    "nothing to tune on": (("--fine-tune",), "--label-fractions"),
    "more negatives than there are": (("--n-negatives", "100000"), "n_negatives must be"),
    "option": (("--perlayer",), "--per-layer"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(mistake, checkpoint, mibounds):
    arguments, expected = MISTAKES[mistake]
    answer = mibounds("evaluate", str(checkpoint), *arguments)
    assert answer.code == 2 and answer.out == "" and expected in answer.error

"""Checkpoints: a resumed training is the undisturbed one bit for bit, and a broken checkpoint says what is broken."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from mibounds.errors import DataError, ParameterError, StoreError
from mibounds.representation import checkpoint, load_checkpoint, methods, pretrain
from mibounds.representation.loop import Pretrainer
from mibounds.representation.network import Network
from mibounds.representation.optimizers import NAMES
from mibounds.representation.recipe import Recipe
from mibounds.representation.sources.vmf import VMF

OPTIONS = {"moco": {"queue": 40}, "swav": {"queue": 24, "prototypes": 12}}
SMALL = {
    "encoder_options": {"hidden": [8], "dim": 6, "norm": "batch"},
    "embedding": 5,
    "projector_options": {"hidden": 7, "norm": "batch"},
}


def recipe_of(method: str = "simclr", **settings) -> Recipe:
    short = {"seeds": [0, 1], "steps": 12, "batch_size": 16, "learning_rate": [1e-2, 5e-3], "check_every": 4}
    own = {"method_options": {"temperature": 0.2}, "source_options": {"dim": 4}}
    return Recipe(method, "vmf", **(own | SMALL | short | settings))


def by_hand(name: str) -> Pretrainer:
    """Any method, as its own example."""
    source, seeds = VMF(4), [0, 1]
    network = Network.build(source.shape, seeds, **SMALL)
    method = methods.load(name).example(network, seeds, **OPTIONS.get(name, {}))
    return Pretrainer(network, method, source, seeds, batch_size=16, steps=12, check_every=4)


def assert_equal(a: Pretrainer, b: Pretrainer) -> None:
    for (name, tensor), other in zip(a.state_dict().items(), b.state_dict().values(), strict=True):
        assert torch.equal(tensor, other), name
    assert (a.steps_done, a.status, a.alarms) == (b.steps_done, b.status, b.alarms)
    timeless = [[{**check, "examples_a_second": None} for check in of.checks] for of in (a, b)]
    assert timeless[0] == timeless[1]


def resumed(recipe: Recipe, folder: Path, at: int) -> Pretrainer:
    """Trained to `at`, saved, loaded and trained to the end."""
    first = recipe.build("cpu")
    first.fit(at)
    checkpoint.save(first, folder)
    second = load_checkpoint(folder, device="cpu")
    assert second.steps_done == at
    second.fit()
    return second


@pytest.mark.parametrize("name", methods.names())
def test_a_training_resumed_in_the_middle_is_the_undisturbed_one_bit_for_bit(name, tmp_path):
    whole, first, second = (by_hand(name) for _ in range(3))
    whole.fit()
    first.fit(7)
    checkpoint.save(first, tmp_path)
    checkpoint.restore(second, tmp_path)
    assert_equal(second, first)
    second.fit()
    assert_equal(second, whole)


@pytest.mark.parametrize("optimizer", NAMES)
def test_moments_are_kept(optimizer, tmp_path):
    recipe = recipe_of(optimizer=optimizer)
    whole = recipe.build("cpu")
    whole.fit()
    assert_equal(resumed(recipe, tmp_path / "kept", at=5), whole)
    forgetful = recipe.build("cpu")
    forgetful.fit(5)
    forgetful.optimizer.state.clear()
    forgetful.fit()
    assert not torch.equal(
        forgetful.network.encoder.blocks[0][0].weight, whole.network.encoder.blocks[0][0].weight
    ), "the test can fail"


def test_forgetting_a_queue_would_be_seen(tmp_path):
    whole, forgetful = (by_hand("moco") for _ in range(2))
    expected = whole.fit()
    forgetful.fit(7)
    forgetful.method.queue.rows.zero_()
    assert not torch.equal(forgetful.fit(), expected[7:])


def test_a_training_saved_before_its_first_step_and_after_its_last(tmp_path):
    recipe = recipe_of()
    whole = recipe.build("cpu")
    whole.fit()
    assert_equal(resumed(recipe, tmp_path, at=0), whole)
    assert_equal(resumed(recipe, tmp_path, at=12), whole)


def test_the_folder_holds_safetensors_and_readable_state(tmp_path):
    training = recipe_of("moco", method_options={"temperature": 0.2, "queue": 40}).build("cpu")
    training.fit(5)
    checkpoint.save(training, tmp_path)
    training.fit(3)
    checkpoint.save(training, tmp_path)
    state = json.loads((tmp_path / "state.json").read_text())
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["state.json", *(of_part["name"] for of_part in state["files"].values())]
    ), "the former generation is gone"
    assert state["step"] == 8 and state["status"] == ["ok", "ok"] and len(state["checks"]) == 2
    assert Recipe.from_dict(state["recipe"]) == training.recipe
    assert state["versions"].keys() == {"mibounds", "torch", "python"}
    weights = load_file(tmp_path / state["files"]["weights"]["name"])
    assert weights.keys() == training.state_dict().keys() == state["shapes"].keys()
    assert {"method.queue.rows", "network.encoder.blocks.0.1.mean"} <= weights.keys()
    assert any(name.startswith("method.keys.network.encoder") for name in weights)


class Killed(BaseException):
    """The process ends here."""


def test_a_kill_at_any_moment_leaves_the_old_checkpoint_or_the_new_one(tmp_path, monkeypatch):
    """Ended before and after each file takes its name, and before each removal."""
    recipe = recipe_of()
    old, new = recipe.build("cpu"), recipe.build("cpu")
    old.fit(5)
    new.fit(9)
    replace, unlink = Path.replace, Path.unlink
    found = []
    for moment in range(8):
        folder = tmp_path / str(moment)
        checkpoint.save(old, folder)
        left = [moment]

        def counted(act, left=left):
            def done(path, *arguments, **options):
                if path.name.startswith(".") and act is unlink:
                    return act(path, *arguments, **options)
                if left[0] == 0:
                    raise Killed
                left[0] -= 1
                return act(path, *arguments, **options)

            return done

        monkeypatch.setattr(Path, "replace", counted(replace))
        monkeypatch.setattr(Path, "unlink", counted(unlink))
        with contextlib.suppress(Killed):
            checkpoint.save(new, folder)
        monkeypatch.undo()
        loaded = load_checkpoint(folder, device="cpu")
        assert_equal(loaded, old if loaded.steps_done == 5 else new)
        found.append(loaded.steps_done)
        checkpoint.save(new, folder)
        assert len(list(folder.iterdir())) == 3, "the next one clears up"
    assert found == [5, 5, 5, 9, 9, 9, 9, 9]


def test_a_full_disk_leaves_the_old_checkpoint(tmp_path, monkeypatch):
    training = recipe_of().build("cpu")
    checkpoint.save(training, tmp_path)

    def full(path, content):
        raise OSError(28, "No space left on device")

    training.fit(3)
    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreError, match="No space left on device; free or change the folder"):
        checkpoint.save(training, tmp_path)
    assert load_checkpoint(tmp_path, device="cpu").steps_done == 0


def saved(folder: Path) -> tuple[Pretrainer, dict]:
    training = recipe_of().build("cpu")
    training.fit(3)
    checkpoint.save(training, folder)
    return training, json.loads((folder / "state.json").read_text())


@pytest.mark.parametrize("part", ["weights", "optimizer"])
def test_missing_and_truncated_files_are_named(part, tmp_path):
    _, state = saved(tmp_path)
    path = tmp_path / state["files"][part]["name"]
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=f"is not whole: {path.name} was truncated"):
        load_checkpoint(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match=f"is not whole: expected {path.name}, which is missing"):
        load_checkpoint(tmp_path)


def test_a_missing_a_broken_and_a_future_state_are_named(tmp_path):
    with pytest.raises(DataError, match=r"no checkpoint in .*nowhere: expected state.json there"):
        load_checkpoint(tmp_path / "nowhere")
    _, state = saved(tmp_path)
    path = tmp_path / "state.json"
    path.write_text(json.dumps(state)[:100])
    with pytest.raises(DataError, match=r"is broken: state.json cannot be read"):
        load_checkpoint(tmp_path)
    path.write_text(json.dumps(state | {"format": 99}))
    with pytest.raises(DataError, match="has format 99; this version reads format 1"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"batch_size": 8}, "expected batch_size=8, got batch_size=16"),
        ({"embedding": 4}, "expected embedding=4, got embedding=5"),
        ({"optimizer": "sgd"}, "expected optimizer=sgd, got optimizer=adam"),
        ({"method": "dcl"}, "expected method=dcl, got method=simclr"),
    ],
)
def test_a_checkpoint_of_another_training_does_not_fit_and_changes_nothing(other, message, tmp_path):
    saved(tmp_path)
    training = Recipe.from_dict(recipe_of().as_dict() | other).build("cpu")
    before = {name: tensor.clone() for name, tensor in training.state_dict().items()}
    with pytest.raises(DataError, match=f"does not fit: {message}"):
        checkpoint.restore(training, tmp_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in training.state_dict().items())
    assert training.steps_done == 0


def test_tensors_that_do_not_fit_are_named_with_their_shapes(tmp_path):
    saved(tmp_path)
    wider = recipe_of(projector_options={"hidden": 9, "norm": "batch"}).build("cpu")
    wider.recipe = None
    with pytest.raises(DataError, match=r"expected 2 x 6 x 9 as network.projector.0.weight, got 2 x 6 x 7"):
        checkpoint.restore(wider, tmp_path)
    deeper = recipe_of(projector_options={"hidden": 7, "norm": "batch", "layers": 3}).build("cpu")
    deeper.recipe = None
    with pytest.raises(DataError, match=r"expected .* as network.projector.*, got (nothing|2 x)"):
        checkpoint.restore(deeper, tmp_path)


def test_a_training_without_a_recipe_is_restored_by_hand(tmp_path):
    checkpoint.save(by_hand("simclr"), tmp_path)
    with pytest.raises(DataError, match=r"has no recipe: make its Pretrainer, then checkpoint.restore it"):
        load_checkpoint(tmp_path)


def test_sources_that_have_no_name_are_given_again(tmp_path):
    source = VMF(4, kappa=5.0)
    settings = {"temperature": 0.2, "steps": 3, "batch_size": 8, "device": "cpu"}
    trained = pretrain("simclr", source, **settings, checkpoint=tmp_path)
    assert_equal(load_checkpoint(tmp_path, sources=source, device="cpu"), trained)
    with pytest.raises(ParameterError, match="a source is needed"):
        load_checkpoint(tmp_path, device="cpu")


def test_a_divergence_is_kept_though_no_look_has_seen_it_yet(tmp_path):
    recipe = recipe_of(optimizer="sgd", learning_rate=[1e30, 1e-2], check_every=100)
    training = resumed(recipe, tmp_path, at=6)
    assert training.status[0].startswith("diverged at step ") and training.status[1] == "ok"
    assert int(training.status[0].rpartition(" ")[2]) < 6
    json.loads((tmp_path / "state.json").read_text(), parse_constant=pytest.fail)


def test_fit_saves_now_and_then_and_goes_on_only_when_asked(tmp_path):
    recipe = recipe_of()
    whole, first, second = (recipe.build("cpu") for _ in range(3))
    whole.fit()
    seen = []

    def watch(training: Pretrainer) -> bool:
        seen.append(checkpoint.load_state(tmp_path)["step"])
        return training.steps_done == 5

    assert len(checkpoint.fit(first, tmp_path, every_seconds=0, watch=watch)) == 5
    assert seen == [1, 2, 3, 4, 5]
    with pytest.raises(DataError, match="holds a checkpoint: resume it, or save to another folder"):
        checkpoint.fit(second, tmp_path)
    assert len(checkpoint.fit(second, tmp_path, resume=True)) == 7
    assert_equal(second, whole)

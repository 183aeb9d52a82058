"""A recipe holds all that makes a training, and names what is wrong with it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys

import pytest
import torch

from mibounds.errors import MiboundsError, ParameterError, UnknownNameError
from mibounds.representation import load_checkpoint, pretrain
from mibounds.representation.recipe import Recipe
from mibounds.representation.sources.gauss import Gauss
from mibounds.representation.sources.vmf import VMF

SHORT = {"steps": 3, "batch_size": 8}
SIMCLR = {"method": "simclr", "source": "vmf", "method_options": {"temperature": 0.2}} | SHORT


def test_a_recipe_survives_json():
    recipe = Recipe(
        **SIMCLR,
        source_options={"dim": 4, "kappa": 5.0},
        encoder_options={"hidden": (16, 8), "norm": "batch"},
        seeds=range(3),
        learning_rate=(1e-3, 2e-3, 3e-3),
    )
    again = Recipe.from_dict(json.loads(json.dumps(recipe.as_dict())))
    assert again == recipe and again.seeds == [0, 1, 2] and again.encoder_options["hidden"] == [16, 8]
    assert recipe.as_dict().keys() == {field.name for field in dataclasses.fields(Recipe)}


def test_every_setting_reaches_the_training():
    recipe = Recipe.from_dict(
        SIMCLR
        | {
            "seeds": [3, 4],
            "source_options": {"dim": 4},
            "encoder_options": {"hidden": [8], "dim": 6},
            "embedding": 5,
            "projector_options": {"layers": 1},
            "optimizer": "lars",
            "learning_rate": [0.1, 0.2],
            "weight_decay": 0.01,
            "schedule": "constant",
            "warmup": 0.1,
            "clip": 2.0,
            "precision": "bfloat16",
            "check_every": 7,
        }
    )
    training = recipe.build("cpu")
    assert training.recipe is recipe and training.check_every == 7
    assert training.network.precision == "bfloat16"
    assert (training.network.dim_representation, training.network.dim_embedding) == (6, 5)
    assert (
        training.sources[0].shape == (4,)
        and training.method.temperature().tolist() == [[[pytest.approx(0.2)]]] * 2
    )
    held = recipe.as_dict()
    assert all(held[name] == value for name, value in training.settings.items())
    assert not Recipe.from_dict(SIMCLR).build("cpu").compiled
    assert Recipe.from_dict(SIMCLR | {"compile": True}).build("cpu").compiled


def test_two_builds_train_to_the_same_numbers_and_a_seed_tells_runs_apart():
    recipe = Recipe.from_dict(SIMCLR | {"seeds": [0, 1, 0]})
    losses = recipe.build("cpu").fit()
    assert torch.equal(losses, recipe.build("cpu").fit())
    assert torch.equal(losses[:, 0], losses[:, 2]) and not torch.equal(losses[:, 0], losses[:, 1])


def test_the_network_does_not_depend_on_the_method_or_the_batch_so_that_comparisons_are_paired():
    simclr, byol = (
        Recipe.from_dict(SIMCLR | options).build("cpu").network
        for options in ({}, {"method": "byol", "method_options": {}, "batch_size": 16})
    )
    assert all(torch.equal(a, b) for a, b in zip(simclr.parameters(), byol.parameters(), strict=True))


def test_pretrain_takes_names_or_sources():
    by_name = pretrain("simclr", "vmf", temperature=0.2, source_options={"dim": 4}, device="cpu", **SHORT)
    by_hand = pretrain("simclr", VMF(4), temperature=0.2, device="cpu", **SHORT)
    assert all(torch.equal(a, b) for a, b in zip(by_name.parameters(), by_hand.parameters(), strict=True))
    assert by_hand.recipe.source is None and by_name.steps_done == 3
    one_a_run = [Gauss.example(), Gauss.example()]
    settings = {"temperature": [0.1, 0.2], "seeds": [0, 0]} | SHORT
    assert pretrain("simclr", one_a_run, device="cpu", **settings).sources == one_a_run


def test_pretrain_saves_and_resumes(tmp_path):
    settings = {"temperature": 0.2, "device": "cpu"} | SHORT
    trained = pretrain("simclr", "vmf", checkpoint=tmp_path, resume=True, **settings)
    again = pretrain("simclr", "vmf", checkpoint=tmp_path, resume=True, **settings)
    loaded = load_checkpoint(tmp_path, device="cpu")
    for other in (again, loaded):
        assert other.steps_done == 3
        assert all(torch.equal(a, b) for a, b in zip(trained.parameters(), other.parameters(), strict=True))
    with pytest.raises(MiboundsError, match="holds a checkpoint"):
        pretrain("simclr", "vmf", checkpoint=tmp_path, **settings)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"method": "simclrr"}, UnknownNameError, "unknown method 'simclrr'; did you mean 'simclr'"),
        ({"source": "vmff"}, UnknownNameError, "unknown source 'vmff'; did you mean 'vmf'"),
        ({"encoder": "mpl"}, UnknownNameError, "unknown encoder 'mpl'; did you mean 'mlp'"),
        ({"optimizer": "lasr"}, UnknownNameError, "unknown optimizer 'lasr'; did you mean 'lars'"),
        ({"schedule": "const"}, UnknownNameError, "did you mean 'constant'"),
        ({"precision": "float16"}, UnknownNameError, "unknown precision 'float16'"),
        ({"stepps": 3}, UnknownNameError, "unknown setting 'stepps'; did you mean 'steps'"),
        ({"steps": "many"}, ParameterError, "steps must be an integer; got 'many'"),
        ({"warmup": "long"}, ParameterError, "warmup must be a number; got 'long'"),
        ({"seeds": []}, ParameterError, "seeds must be integers, one a run; got None"),
        ({"seeds": [0.5]}, ParameterError, "seeds must be integers, one a run; got 0.5"),
        ({"source": None}, ParameterError, "a source is needed: name one of"),
        (
            {"method_options": {}},
            ParameterError,
            "the method simclr needs 'temperature', which has no default",
        ),
        ({"method": "moco", "method_options": {}}, ParameterError, "the method moco needs 'temperature'"),
        (
            {"method": "moco", "method_options": {"temprature": 0.1}},
            UnknownNameError,
            "unknown option of the method moco 'temprature'; did you mean 'temperature'",
        ),
        (
            {"method_options": {"temperature": 0.0}},
            ParameterError,
            "temperature must be greater than 0; got 0.0",
        ),
        (
            {"method_options": {"temperature": object}},
            ParameterError,
            "a recipe holds numbers, text and lists",
        ),
        (
            {"source_options": {"kapa": 3}},
            UnknownNameError,
            "option of the source vmf 'kapa'; did you mean 'kappa'",
        ),
        (
            {"source_options": {"dim": "wide"}},
            ParameterError,
            "an option of the source vmf is of the wrong kind",
        ),
        ({"encoder_options": {"depth": 3}}, ParameterError, "encoder_options do not fit MLP"),
        (
            {"method_options": {"temperature": 0.2, "n_negatives": 99}},
            ParameterError,
            r"n_negatives must lie in 1..14, which a batch of 8 holds",
        ),
        (
            {"source": "digits", "batch_size": 1000},
            ParameterError,
            "batch_size must be at most the 719 training examples of digits; got 1000",
        ),
        (
            {"source": "digits", "method": "moco", "method_options": {"temperature": 0.2, "queue": 800}},
            ParameterError,
            "queue must be at most the 719 training examples of digits",
        ),
    ],
)
def test_what_is_wrong_is_named(change, error, message):
    with pytest.raises(error, match=message):
        Recipe.from_dict(SIMCLR | change).build("cpu").fit(1)


def test_the_package_is_light_until_something_is_trained():
    script = "import sys, mibounds.representation; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)

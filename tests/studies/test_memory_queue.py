"""The queue study: its data and its loss against slow ones, and claims on tables with known answers."""

from __future__ import annotations

from collections import Counter, deque
from types import SimpleNamespace

import pandas as pd
import pytest
import torch

from mibounds import study
from mibounds.representation import methods
from mibounds.representation.network import Network
from mibounds.representation.sources import Pairs
from mibounds.study.grid import make_grid

STUDY = study.load("memory_queue")
here = SimpleNamespace(**STUDY.measure.__globals__)
AXES = ("batch_size", "queue", "momentum", "temperature")


@pytest.fixture(scope="module")
def smoke(tables_of):
    return tables_of(STUDY)


def test_the_smoke_preset_gives_rows_verdicts_and_a_figure(smoke) -> None:
    table = smoke["table"]
    assert {"accuracy", "key_turn", "mean_age_steps", "own_key_share"} <= set(table)
    assert (table["status"] == "ok").all()
    assert (table["n_candidates"] == table["batch_size"] + table["queue"]).all()
    assert {found.outcome for found in study.verdicts(STUDY, smoke).values()} == {"inconclusive"}
    assert len(STUDY.draw(smoke).axes) == 4


def test_only_a_queue_has_an_age(smoke) -> None:
    table = smoke["table"]
    queued = table["queue"] > 0
    assert (table.loc[~queued, ["mean_age_steps", "key_turn", "own_key_share"]] == 0).all(axis=None)
    assert table.loc[queued & (table["queue"] == 896), "mean_age_steps"].eq(4.0).all()
    assert (table.loc[queued, "key_turn"] > 0).all()


def test_all_models_of_a_replicate_are_paired(smoke) -> None:
    cells = make_grid(STUDY, "full").cells
    for purpose in STUDY.seeds:
        assert len({cell.seed(purpose) for cell in cells if cell["replicate"] == 3}) == 1
        assert len({cell.seed(purpose) for cell in cells}) == 10
    weights = [
        here.trainer_of(pack, [here.stored(2000, 0)]).network for pack in make_grid(STUDY, "smoke").packs[3:6]
    ]
    first = [next(network.parameters())[0] for network in weights]
    assert all(torch.equal(one, first[0]) for one in first)


def test_the_grid_is_what_the_study_says() -> None:
    grid = make_grid(STUDY, "full")
    arms = {(cell["arm"], *(cell[axis] for axis in AXES)) for cell in grid.cells}
    assert Counter(arm for arm, *_ in arms) == {arm: len(models) for arm, models in here.MODELS.items()}
    replicates = Counter(cell["arm"] for cell in grid.cells)
    assert replicates["longest"] == 10 and replicates["longer"] == 20 and replicates["queue"] == 140
    assert {
        queue for arm, _, queue, momentum, tau in arms if arm == "queue" and (momentum, tau) == (0.99, 0.1)
    } == {
        0,
        128,
        896,
        4096,
        16384,
    }
    for model in here.MODELS["longer"]:
        assert grid.cells[0].settings["longer_steps"] >= 10 / (1 - model[2]) - 1e-6
    assert grid.cells[0].settings["steps"] >= 10 / (1 - here.MOMENTUM)


# ---- the data


def test_the_data_are_finite_and_an_epoch_meets_each_member_once() -> None:
    source = here.stored(256, 7)
    epochs = [torch.cat([source.training_rows(e * 4 + b, 64, 5) for b in range(4)]) for e in (0, 1)]
    assert all(sorted(epoch.tolist()) == list(range(256)) for epoch in epochs)
    assert not torch.equal(*epochs)
    one, same, other = (source.training_block(block, 64, 5) for block in (2, 2, 6))
    assert torch.equal(one.view_a, same.view_a) and not torch.equal(one.view_a, other.view_a)
    assert not torch.equal(one.view_a, one.view_b)


def test_views_of_a_member_are_nearer_than_members_of_a_class_and_those_than_classes() -> None:
    source = here.stored(50_000, 1)
    a, b, known = source.pairs(4000, 3, split="train")
    by_label = known["label"].argsort()
    neighbours = known["label"][by_label][1:] == known["label"][by_label][:-1]
    of_class = (a[by_label][1:] - a[by_label][:-1])[neighbours].square().sum(-1).mean()
    assert (a - b).square().sum(-1).mean() < of_class < (a - a.roll(1, 0)).square().sum(-1).mean() / 4


def test_another_seed_draws_other_members() -> None:
    x = [here.stored(256, seed).examples(50, 0, split="train").x for seed in (0, 1)]
    assert not torch.equal(*x)


def slow_own_key_share(source, queue: int, batch: int, steps: int, seed: int) -> float:
    """An explicit queue of members."""
    held: deque = deque(maxlen=queue)
    met = []
    for step in range(steps):
        rows = source.training_rows(step, batch, seed).tolist()
        if step >= steps // 2:
            met += [row in held for row in rows]
        held.extend(rows)
    return sum(met) / len(met)


@pytest.mark.parametrize("queue", [0, 32, 128, 256, 512])
def test_the_share_that_meets_its_own_key_is_that_of_an_explicit_queue(queue: int) -> None:
    source, seed = here.stored(256, 0), 3
    expected = slow_own_key_share(source, queue, 32, 40, seed)
    assert here.own_key_share(source, queue, 32, 40, seed) == pytest.approx(expected)
    assert (expected == 1.0) == (queue == 512) and (expected == 0.0) == (queue == 0)


# ---- the loss


@pytest.mark.parametrize("queue", [0, 7, 20])
def test_a_partition_in_parts_is_mocos(queue: int) -> None:
    """Losses, gradients and what is kept, while the queue fills and after."""
    seeds, made = [0, 1], {}
    for name in ("whole", "parts"):
        network = Network.build((3,), seeds, encoder_options={"hidden": (8,), "dim": 6}, embedding=4)
        options = {"temperature": [0.1, 0.3], "queue": queue, "momentum": [0.5, 0.9]}
        method = (
            methods.load("moco")(network, seeds, **options)
            if name == "whole"
            else here.summed_in_parts(network, seeds, at_once=3, **options)
        )
        made[name] = network, method
    for step in range(6):
        views = torch.randn(2, 2, 5, 3, generator=torch.Generator().manual_seed(step))
        gradients = []
        for network, method in made.values():
            loss = method(network, Pairs(*views, {}))
            network.zero_grad()
            loss.sum().backward()
            gradients.append(torch.cat([p.grad.flatten() for p in network.parameters()]))
            with torch.no_grad():
                for p in network.parameters():
                    p -= 0.05 * p.grad
            method.after_step(network, step / 6)
            made_loss = loss.detach()
            gradients.append(made_loss)
        torch.testing.assert_close(gradients[0], gradients[2], rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(gradients[1], gradients[3], rtol=1e-5, atol=1e-5)
    whole, parts = (method for _, method in made.values())
    torch.testing.assert_close(whole.queue.rows, parts.queue.rows, rtol=1e-4, atol=1e-5)
    assert whole.queue.filled == parts.queue.filled == queue


def test_keys_turn_by_one_minus_the_cosine_of_now_and_then(monkeypatch) -> None:
    """A trainer whose keys turn by a tenth of a radian a step: over a mean age of 4 steps by 1 - cos 0.4."""
    trainer = SimpleNamespace(steps=20, steps_done=0, n_runs=1)

    def fit(steps: int | None = None) -> None:
        trainer.steps_done = trainer.steps if steps is None else trainer.steps_done + steps

    def keys(trainer):
        angle = torch.tensor(0.1 * trainer.steps_done)
        return torch.stack([angle.cos(), angle.sin()]).expand(1, 3, 2)

    trainer.fit = fit
    monkeypatch.setitem(STUDY.measure.__globals__, "keys", keys)
    age, (turned,) = here.train(trainer, queue=896)
    assert age == 4.0 and trainer.steps_done == 20
    assert turned == pytest.approx(1 - torch.tensor(0.4).cos().item(), abs=1e-6)


# ---- claims


def table_of(spread: float = 1e-3, n: int = 10, **changed: float) -> pd.DataFrame:
    """A table in which every claim holds; `changed` sets a kind of model's accuracy, or a control, otherwise."""
    level = {"none": 0.60, "queued": 0.63, "fast": 0.55, "longer_none": 0.60, "longer": 0.63, "larger": 0.632}
    level |= {"shuffled": 0.45, "own_key_over_all": 1.0, "own_key": 0.05} | changed
    rows = []
    for cell in make_grid(STUDY, "full", replicates=n).cells:
        arm, queue = cell["arm"], cell["queue"]
        kind = "queued" if queue else "none"
        if arm == "queue":
            kind = "fast" if queue and cell["momentum"] == 0 else kind
        elif arm == "longer":
            kind = "longer" if queue else "longer_none"
        elif arm in ("shuffled", "in_batch"):
            kind = "shuffled" if arm == "shuffled" else "larger"
        wobble = spread * (cell["replicate"] - 4.5) * (1 + queue / 4096)
        share = level["own_key_over_all"] if queue == here.OVER_ALL else level["own_key"] * (queue > 0)
        row = {
            "accuracy": level[kind] + wobble,
            "random_accuracy": 0.5,
            "own_key_share": share,
            "status": "ok",
        }
        rows.append(dict(cell.point) | row)
    return pd.DataFrame(rows)


REFUTED = {
    "queue": {"queued": 0.604},
    "longer": {"longer": 0.604},
    "in_batch": {"larger": 0.66},
    "momentum": {"fast": 0.627},
}
ARM = {"longer": "longer", "in_batch": "in_batch"}
NEEDED = {
    "queue": "queue == 0",
    "longer": "queue == 896",
    "in_batch": "batch_size == 1024",
    "momentum": "momentum == 0",
}


@pytest.mark.parametrize("claim", REFUTED)
def test_each_claim_can_be_supported_and_refuted(claim: str, outcome) -> None:
    assert outcome(STUDY, f"C8.{claim}", table_of()) == "supported"
    assert outcome(STUDY, f"C8.{claim}", table_of(**REFUTED[claim])) == "refuted"


@pytest.mark.parametrize("claim", REFUTED)
@pytest.mark.parametrize("control", [{"shuffled": 0.56}, {"own_key_over_all": 0.5}, {"own_key": 0.3}])
def test_a_control_that_does_not_break_decides_nothing(claim: str, control: dict, outcome) -> None:
    assert outcome(STUDY, f"C8.{claim}", table_of(**control)) == "inconclusive"


@pytest.mark.parametrize("claim", REFUTED)
def test_noise_missing_rows_or_a_failure_decide_nothing(claim: str, outcome) -> None:
    arm, claim_id = ARM.get(claim, "queue"), f"C8.{claim}"
    assert outcome(STUDY, claim_id, table_of(spread=0.1)) == "inconclusive"
    assert outcome(STUDY, claim_id, table_of(n=1)) == "inconclusive"
    assert outcome(STUDY, claim_id, table_of().iloc[:0]) == "inconclusive"
    table = table_of()
    for needed in (arm, "shuffled", "small_data"):
        assert outcome(STUDY, claim_id, table[table["arm"] != needed]) == "inconclusive"
    first = table.query(f"arm == '{arm}' and {NEEDED[claim]}").index[-1:]
    assert outcome(STUDY, claim_id, table.drop(first)) == "inconclusive"
    table.loc[first, "status"] = "diverged at step 3"
    assert outcome(STUDY, claim_id, table) == "inconclusive"


def test_the_best_without_a_queue_is_what_a_queue_must_beat(outcome) -> None:
    """At its own temperature: a queue that only suits the usual one better has not helped."""
    table = table_of()
    table.loc[
        (table["arm"] == "queue") & (table["queue"] == 0) & (table["temperature"] == 0.2), "accuracy"
    ] += 0.03
    assert outcome(STUDY, "C8.queue", table) == "refuted"


def test_no_replicate_chooses_by_its_own_luck() -> None:
    models = here.NONE[:2]
    lucky = pd.DataFrame({models[0]: [1.0, 0.0, 1.0, 0.0], models[1]: [0.0, 1.0, 0.0, 1.0]})
    lucky.columns = pd.MultiIndex.from_tuples(models)
    assert here.best_by_others(lucky[list(models)]).mean() == 0.0

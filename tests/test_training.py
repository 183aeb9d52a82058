"""The loop's laws: a run is the same alone or among others, divergence stays private, a resumed run goes on."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from mibounds import bounds, critics
from mibounds.critics import Critic
from mibounds.critics.separable import Separable
from mibounds.distributions.gaussian import Gaussian
from mibounds.errors import ParameterError, ShapeError
from mibounds.training import BestWeights, Trainer, _places, fresh_batches, shuffled_batches

LAW = Gaussian.from_mutual_information(3, 1.0)
SMALL = {"hidden": (16, 16)}
TRAINABLE = [name for name in bounds.names() if bounds.load(name).trainable]
CRITICS = {
    "separable": SMALL | {"embedding": 8},
    "concatenated": SMALL,
    "bilinear": {},
    "cosine": SMALL | {"embedding": 8, "temperature": 0.5},
}


def trainer_of(critic: str, names: list[str], seeds: list[int], **options) -> Trainer:
    network = critics.load(critic)(3, 3, seeds, **CRITICS[critic])
    return Trainer(network, [bounds.load(name)() for name in names], seeds, hidden=(16,), **options)


def history_of(critic: str, names: list[str], seeds: list[int], steps: int = 50, **options):
    trainer = trainer_of(critic, names, seeds, **options)
    return trainer.fit(fresh_batches([LAW] * len(seeds), seeds, 16), steps)


def test_every_trainable_critic_is_covered():
    assert set(CRITICS) == set(critics.names()) - {"optimal"}


@pytest.mark.parametrize("critic", CRITICS)
def test_a_run_alone_equals_that_run_in_a_pack_of_16(critic):
    names = list(itertools.islice(itertools.cycle(TRAINABLE), 16))
    assert set(names) == set(TRAINABLE)
    seeds = list(range(16))
    rates = [1e-3 if r % 3 else 5e-4 for r in seeds]
    pack = history_of(critic, names, seeds, learning_rate=rates)
    for r in seeds:
        alone = history_of(critic, [names[r]], [r], learning_rate=rates[r])
        torch.testing.assert_close(alone[:, 0], pack[:, r], rtol=1e-3, atol=1e-4, msg=names[r])


def test_seeds_tell_runs_apart_and_the_same_seed_repeats():
    history = history_of("separable", ["info_nce"] * 3, [0, 1, 0], steps=5)
    assert torch.equal(history[:, 0], history[:, 2])
    assert not torch.equal(history[:, 0], history[:, 1])


def test_runs_with_one_law_and_seed_see_the_same_batches_whatever_their_bound():
    x, y = next(fresh_batches([LAW, LAW, LAW], [7, 8, 7], 16))
    assert torch.equal(x[0], x[2]) and torch.equal(y[0], y[2]) and not torch.equal(x[0], x[1])


def test_training_raises_the_bound_towards_the_truth():
    trainer = trainer_of("separable", ["info_nce", "nwj"], [0, 0], learning_rate=3e-3)
    trainer.fit(fresh_batches([LAW] * 2, [0, 0], 64), 400)
    held_out = trainer.evaluate(fresh_batches([LAW] * 2, [1, 1], 64), 50).mean(0)
    assert (held_out > 0.7).all() and (held_out < LAW.mutual_information + 0.05).all()


def test_evaluating_trains_nothing():
    trainer = trainer_of("separable", ["info_nce"], [0])
    before = [p.clone() for p in trainer.parameters()]
    trainer.evaluate(fresh_batches([LAW], [0], 16), 3)
    assert all(torch.equal(p, q) for p, q in zip(trainer.parameters(), before, strict=True))


@pytest.mark.parametrize("name", TRAINABLE)
def test_training_reads_what_reading_alone_reads(name):
    """Where a bound trains its own value, it is computed once; a bound that says so wrongly is found here."""
    trainer = trainer_of("separable", [name] * 2, [0, 1])
    batches = list(itertools.islice(fresh_batches([LAW] * 2, [0, 1], 16), 3))
    trainer.fit(iter(batches[:2]), 2)
    alone = trainer.values(*batches[2])
    assert torch.equal(trainer.fit(iter(batches[2:]), 1)[0], alone)


def test_runs_are_indexed_in_any_order_and_all_of_them_without_a_copy():
    assert _places([0, 1, 2], 3, "cpu") == slice(None)
    for some in ([0, 1], [2, 1, 0], [0, 0, 1]):
        assert torch.equal(torch.arange(3)[_places(some, 3, "cpu")], torch.tensor(some))
    swapped = next(fresh_batches([LAW] * 3, [5, 6, 5], 4))[0]
    assert torch.equal(swapped[1], next(fresh_batches([LAW], [6], 4))[0][0])
    assert torch.equal(next(fresh_batches([LAW] * 2, [5, 6], 4))[0], swapped[:2])


class _Poisoned(Separable):
    """Run 1 meets an infinite score at its third step."""

    def scores(self, x, y):
        self.calls = getattr(self, "calls", 0) + 1
        scores = super().scores(x, y)
        poison = torch.zeros_like(scores)
        poison[1] = math.inf if self.calls == 3 else 0.0
        return scores + poison


def test_a_diverging_run_gets_a_status_and_harms_no_other():
    def train(cls):
        critic = cls(3, 3, [0, 1, 2], hidden=(16,), embedding=4)
        trainer = Trainer(critic, bounds.load("info_nce")(), [0, 1, 2])
        return trainer, trainer.fit(fresh_batches([LAW] * 3, [0, 1, 2], 16), 6)

    poisoned, history = train(_Poisoned)
    _, clean = train(Separable)
    assert poisoned.status == ["ok", "diverged at step 2", "ok"]
    assert torch.equal(history[:, [0, 2]], clean[:, [0, 2]])
    assert not history[2:, 1].isfinite().any(), "a failed run must not look like a value"


def test_a_run_resumed_from_its_state_goes_on_as_if_undisturbed():
    names, seeds = ["mine", "tuba", "info_nce"], [0, 1, 2]
    batches = list(itertools.islice(fresh_batches([LAW] * 3, seeds, 16), 20))
    whole = trainer_of("separable", names, seeds)
    expected = whole.fit(iter(batches), 20)[10:]

    first = trainer_of("separable", names, seeds)
    first.fit(iter(batches[:10]), 10)
    second = trainer_of("separable", names, [9, 9, 9])
    second.load_state_dict(first.state_dict())
    assert torch.equal(second.fit(iter(batches[10:]), 10), expected)
    assert second.steps_done == 20


def test_forgetting_the_moving_average_would_change_mine():
    batches = list(itertools.islice(fresh_batches([LAW], [0], 16), 12))
    kept, forgot = (trainer_of("separable", ["mine"], [0]) for _ in range(2))
    for trainer in (kept, forgot):
        trainer.fit(iter(batches[:6]), 6)
    forgot._groups[0].state = None
    assert not torch.equal(kept.fit(iter(batches[6:]), 6), forgot.fit(iter(batches[6:]), 6))


def test_one_training_can_be_read_by_several_bounds():
    smile, js = bounds.load("smile")(), bounds.load("jensen_shannon")()
    assert smile.trained_as == js
    critic = Separable(3, 3, [0], hidden=(16,), embedding=4)
    shared = Trainer(critic, js, [0], readings=[(0, js), (0, smile)])
    history = shared.fit(fresh_batches([LAW], [0], 16), 10)
    apart = history_of_separable(smile)
    torch.testing.assert_close(history[:, 1:], apart)


def history_of_separable(bound):
    trainer = Trainer(Separable(3, 3, [0], hidden=(16,), embedding=4), bound, [0])
    return trainer.fit(fresh_batches([LAW], [0], 16), 10)


def test_best_weights_are_copies_of_each_runs_own_best():
    trainer = trainer_of("separable", ["info_nce"] * 2, [0, 1], learning_rate=1e-2)
    batches = fresh_batches([LAW] * 2, [0, 1], 16)
    best = BestWeights(trainer)
    best.update(torch.tensor([0.5, 0.1]))
    first = [p.detach().clone() for p in trainer.critic.parameters()]
    trainer.fit(batches, 3)
    best.update(torch.tensor([0.4, 0.2]))
    second = [p.detach().clone() for p in trainer.critic.parameters()]
    trainer.fit(batches, 3)
    best.restore()
    for p, at_first, at_second in zip(trainer.critic.parameters(), first, second, strict=True):
        assert torch.equal(p[0], at_first[0]) and torch.equal(p[1], at_second[1])


def test_shuffled_batches_hold_distinct_rows_and_leave_out_the_ragged_end():
    x = torch.arange(10.0).view(1, 10, 1).repeat(2, 1, 1)
    epoch = list(itertools.islice(shuffled_batches(x, 10 * x, [0, 1], 4), 4))
    for x_batch, y_batch in epoch:
        assert x_batch.shape == (2, 4, 1) and torch.equal(y_batch, 10 * x_batch)
        assert all(len(set(run.flatten().tolist())) == 4 for run in x_batch)
    first_epoch = torch.cat([x_batch[0] for x_batch, _ in epoch[:2]]).flatten().tolist()
    assert len(set(first_epoch)) == 8


def test_a_new_runs_data_do_not_depend_on_how_many_steps_were_asked_at_once():
    once, twice = (trainer_of("separable", ["info_nce"], [0]) for _ in range(2))
    together = once.fit(fresh_batches([LAW], [0], 16), 40)
    source = fresh_batches([LAW], [0], 16)
    apart = torch.cat([twice.fit(source, 15), twice.fit(source, 25)])
    assert torch.equal(together, apart)


def test_bad_input_is_named():
    critic = Separable(3, 3, [0, 1], hidden=(4,), embedding=2)
    info_nce = bounds.load("info_nce")()
    with pytest.raises(ShapeError, match="expected 2 bounds"):
        Trainer(critic, [info_nce], [0, 1])
    with pytest.raises(ParameterError, match="learning_rate must be greater than 0"):
        Trainer(critic, info_nce, [0, 1], learning_rate=[1e-3, 0.0])
    with pytest.raises(ParameterError, match="at most the 10 samples"):
        next(shuffled_batches(torch.zeros(1, 10, 1), torch.zeros(1, 10, 1), [0], 11))
    optimal: Critic = critics.load("optimal")(LAW)
    with pytest.raises(ParameterError, match="nothing to train"):
        Trainer(optimal, info_nce, [0]).fit(fresh_batches([LAW], [0], 8), 1)

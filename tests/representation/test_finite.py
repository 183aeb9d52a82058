"""Finite data: disjoint splits, epochs that lose no row twice, pairs that are two draws of one view."""

from __future__ import annotations

import itertools

import pytest
import torch

from mibounds.errors import DataError, ParameterError, UnknownNameError
from mibounds.representation import sources
from mibounds.representation.batches import stacked_pairs
from mibounds.representation.sources._finite import Finite, stratified
from mibounds.representation.sources.digits import Digits
from mibounds.representation.views.identity import Identity
from mibounds.representation.views.noise import Noise

N_TRAIN, N_TEST = 22, 10


class Numbered(Finite):
    """Row i of all splits together is an image filled with i; its label is i mod 3."""

    name = "numbered"

    def __init__(self, view=None, dtype=torch.float32):
        number = torch.arange(N_TRAIN + N_TEST)
        images = number.view(-1, 1, 1, 1).expand(-1, 1, 2, 3).to(dtype)
        splits = {
            split: (images[rows], number[rows] % 3)
            for split, rows in (("train", slice(N_TRAIN)), ("test", slice(N_TRAIN, None)))
        }
        super().__init__(splits, view or Identity(), n_classes=3)

    @classmethod
    def example(cls):
        return cls()


def rows_of(pairs) -> list[int]:
    return pairs.view_a[:, 0, 0, 0].long().tolist()


def test_an_epoch_holds_each_row_once_and_leaves_out_the_ragged_end():
    source = Numbered()
    epochs = [[rows_of(source.training_block(4 * e + k, 5, seed=0)) for k in range(4)] for e in range(3)]
    for epoch in epochs:
        seen = list(itertools.chain(*epoch))
        assert len(seen) == len(set(seen)) == 20 and max(seen) < N_TRAIN
    assert epochs[0] != epochs[1] != epochs[2]


def test_over_epochs_no_row_is_left_out_for_ever():
    source = Numbered()
    assert set(itertools.chain(*(rows_of(source.training_block(b, 5, 0)) for b in range(40)))) == set(
        range(N_TRAIN)
    )


def test_a_training_block_depends_on_its_arguments_alone():
    first, second = Numbered(Noise(0.1)), Numbered(Noise(0.1))
    first.training_block(3, 5, seed=1)
    for block in (6, 0):
        for one, other in zip(
            first.training_block(block, 5, 1)[:2], second.training_block(block, 5, 1)[:2], strict=True
        ):
            assert torch.equal(one, other)
    assert rows_of(first.training_block(0, 5, 1)) != rows_of(first.training_block(0, 5, 2))


def test_a_resumed_stream_goes_on_across_the_end_of_an_epoch():
    source = Numbered(Noise(0.1))
    whole = list(itertools.islice(stacked_pairs([source] * 2, [0, 1], 5), 7))
    rest = list(itertools.islice(stacked_pairs([source] * 2, [0, 1], 5, first_step=3), 4))
    for one, other in zip(whole[3:], rest, strict=True):
        assert torch.equal(one.view_a, other.view_a) and torch.equal(one.view_b, other.view_b)


def test_the_views_of_a_pair_are_of_one_row_and_draw_apart():
    pairs = Numbered(Noise(0.01)).pairs(N_TEST, seed=0)
    assert torch.equal(pairs.view_a.round(), pairs.view_b.round())
    assert not torch.equal(pairs.view_a, pairs.view_b)
    assert torch.equal(pairs.view_a.round()[:, 0, 0, 0].long() % 3, pairs.factors["label"])


@pytest.mark.parametrize(
    ("split", "expected"), [("train", range(N_TRAIN)), ("test", range(N_TRAIN, N_TRAIN + N_TEST))]
)
def test_splits_are_kept_apart_and_drawn_without_replacement(split, expected):
    source = Numbered()
    assert sorted(rows_of(source.pairs(len(expected), 0, split=split))) == list(expected)
    assert source.examples(None, 0, split=split).x[:, 0, 0, 0].tolist() == list(expected)
    some = source.examples(7, 0, split=split)
    assert len(set(some.x[:, 0, 0, 0].tolist())) == 7
    assert torch.equal(some.x[:, 0, 0, 0].long() % 3, some.factors["label"])


def test_bytes_become_numbers_up_to_one_and_floats_stay():
    as_bytes, as_floats = (
        Numbered(dtype=dtype).examples(None, 0).x for dtype in (torch.uint8, torch.float32)
    )
    assert as_bytes.dtype == torch.float32
    torch.testing.assert_close(255 * as_bytes, as_floats)


def test_data_are_moved_to_a_device_once():
    source = Numbered()
    held = source._held("train", torch.device("meta"))[0]
    assert held.device.type == "meta" and source._held("train", torch.device("meta"))[0] is held


def test_stratified_rows_are_disjoint_complete_and_divide_each_class():
    labels = torch.arange(4).repeat_interleave(torch.tensor([10, 20, 7, 1]))
    shares = {"train": 0.5, "validation": 0.2, "test": 0.3}
    rows = stratified(labels, shares, seed=0)
    assert torch.equal(torch.cat(list(rows.values())).sort().values, torch.arange(len(labels)))
    for split, share in shares.items():
        counts = labels[rows[split]].bincount(minlength=4)
        assert ((counts - share * labels.bincount()).abs() <= 1).all()
    assert not torch.equal(rows["train"], stratified(labels, shares, seed=1)["train"])


def test_what_the_data_cannot_give_is_named():
    source = Numbered()
    with pytest.raises(DataError, match="numbered has 10 examples for test; got a request for 11"):
        source.pairs(11, 0)
    with pytest.raises(DataError, match="22 examples for train"):
        source.examples(23, 0, split="train")
    with pytest.raises(DataError, match="no validation split; it has train, test"):
        source.examples(None, 0, split="validation")
    with pytest.raises(DataError, match="22 training examples; a batch of 23"):
        source.training_block(0, 23, 0)


@pytest.mark.parametrize(
    ("splits", "match"),
    [
        ({}, "expected a train split; got none"),
        ({"test": (torch.zeros(2, 1, 2, 2), torch.zeros(2))}, "expected a train split; got test"),
        ({"train": (torch.zeros(0, 1, 2, 2), torch.zeros(0))}, "n at least 1"),
        ({"train": (torch.zeros(3, 1, 2, 2), torch.zeros(2))}, "n labels for train"),
        (
            {
                "train": (torch.zeros(2, 1, 2, 2), torch.zeros(2)),
                "test": (torch.zeros(2, 1, 2, 3), torch.zeros(2)),
            },
            "n x 1 x 2 x 2 and n labels for test",
        ),
        ({"train": (torch.zeros(2, 1, 2, 2), torch.tensor([0, 2]))}, r"must lie in 0\.\.1; got 0\.\.2"),
        ({"train": (torch.zeros(2, 1, 2, 2), torch.tensor([-1, 0]))}, r"got -1\.\.0"),
    ],
)
def test_splits_that_do_not_fit_are_refused(splits, match):
    with pytest.raises(DataError, match=match):
        Finite.__init__(Numbered.example(), splits, Identity(), n_classes=2)


def test_digits_are_split_in_halves_by_class():
    digits = sources.load("digits")()
    by_split = {split: digits.examples(None, 0, split=split) for split in ("train", "validation", "test")}
    assert {split: len(e.x) for split, e in by_split.items()} == {
        "train": 719,
        "validation": 179,
        "test": 899,
    }
    assert digits.n_train == 719 and digits.shape == (1, 8, 8)
    total = torch.cat([e.factors["label"] for e in by_split.values()]).bincount()
    tested = by_split["test"].factors["label"].bincount()
    assert ((tested - total / 2).abs() <= 1).all()
    x = torch.cat([e.x for e in by_split.values()])
    assert (x.min(), x.max()) == (0, 1) and len(x.flatten(1).unique(dim=0)) == 1797


def test_digits_take_a_view_by_name_or_ready_made():
    assert Digits(noise=0.5).view.noise == 0.5
    assert Digits("noise", std=0.5).view == Digits(Noise(0.5)).view
    with pytest.raises(ParameterError, match="strengths do not fit the view shift"):
        Digits(std=0.5)
    with pytest.raises(ParameterError, match="has its strengths already"):
        Digits(Noise(0.5), std=0.1)
    with pytest.raises(UnknownNameError, match="did you mean 'noise'"):
        Digits("noize")


def test_the_seed_of_the_splits_is_apart_from_that_of_the_draws():
    assert torch.equal(Digits().pairs(5, 0).view_a, Digits().pairs(5, 0).view_a)
    assert not torch.equal(Digits(seed=1).examples(None, 0).x[:100], Digits().examples(None, 0).x[:100])

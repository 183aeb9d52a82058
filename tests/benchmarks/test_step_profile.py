"""The profile of a training step gives every operation to one kind, and its parts make up the whole."""

from __future__ import annotations

import pytest
import torch

from benchmarks import step_profile
from benchmarks.critics import SEPARABLE, SMALL_SEPARABLE, pack


@pytest.mark.parametrize(
    ("operation", "kind"),
    [
        ("aten::bmm", "products"),
        ("aten::_fused_adam_", "adam"),
        ("aten::exp", "other_numbers"),
        ("aten::copy_", "other_numbers"),
        ("aten::as_strided", "calls"),
        ("_PerceptronBackward", "calls"),
    ],
)
def test_kinds(operation, kind):
    assert step_profile.kind_of(operation) == kind


def test_products_weigh_in_what_multiplies_and_not_in_what_does_not():
    a = torch.full((1, 512, 512), 0.5)
    multiplied = step_profile.shares(lambda: [torch.bmm(a, a) for _ in range(5)])
    added = step_profile.shares(lambda: [a.exp() for _ in range(5)])
    assert multiplied["products"] > 0 and multiplied["adam"] == 0
    assert added["other_numbers"] > 0 and added["products"] == 0
    assert sum(multiplied.values()) == pytest.approx(1) == sum(added.values())


def test_the_parts_make_up_the_whole():
    row = step_profile.row_of(pack(SMALL_SEPARABLE, 2), repeats=1, steps=2)
    parts = [row[f"{kind}_median"] for kind in step_profile.KINDS]
    assert sum(parts) == pytest.approx(row["times_floor_median"])
    assert min(parts) > 0 and row["ms_a_run_step_median"] > 0


def test_a_step_trains_by_adam_and_multiplies():
    found = step_profile.shares(lambda: pack(SEPARABLE, 2).make()(2))
    assert min(found.values()) > 0


def test_a_trial_keeps_no_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(step_profile, "TABLE", tmp_path / "kept.csv")
    monkeypatch.setattr(step_profile, "PACKS", (pack(SMALL_SEPARABLE, 2),))
    assert step_profile.main(["--tiny"]) == 0
    assert "of the floor: products" in capsys.readouterr().out
    assert not (tmp_path / "kept.csv").exists()

"""The benchmark of critics counts operations as torch does, times the same work for all, and keeps only true runs."""

from __future__ import annotations

import sys

import pandas as pd
import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from benchmarks import _critic_trainings, _environment, _tables, bfloat16_products, critics
from benchmarks._critic_trainings import Case, critic_of, eager, eager_critic, ours
from benchmarks.critics import CONTENDERS, Contender, row_of
from mibounds import perceptron

CASES = list(dict.fromkeys(c.case for c in CONTENDERS))


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_operations_are_those_that_torch_counts(case, monkeypatch):
    monkeypatch.setattr(perceptron, "by_hand", lambda _: False)  # torch counts its own operations alone
    monkeypatch.setattr("mibounds.critics._pairs.by_hand", lambda _: False)
    monkeypatch.setattr("mibounds.training.STEPS_A_DRAW", 1)
    with FlopCounterMode(display=False) as counted:
        ours(case, 2)(1)
    sampling = 2 * 2 * case.batch_size * (2 * case.dim) ** 2
    assert counted.get_total_flops() - sampling == 2 * case.operations


def test_pooles_separable_critic_takes_60_million_operations():
    assert critics.SEPARABLE.operations == 2 * (3 * 10_092_544 - 655_360) + 786_432
    assert critics.SEPARABLE.rounded_operations == 0
    assert critics.CONCATENATED.rounded_operations == 6 * 4096 * 256**2


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_the_eager_net_computes_what_ours_does_and_learns(case):
    small = Case(case.name, case.critic, 8, (6, 5), 4, dim=3)
    theirs, mine = eager_critic(small), critic_of(small, [0], "float32")
    assert sum(p.numel() for p in theirs.parameters()) == sum(p.numel() for p in mine.parameters())
    with torch.no_grad():
        if small.critic == "separable":
            for net, stack in ((theirs.encode_x, mine.encode_x), (theirs.encode_y, mine.encode_y)):
                for layer, stacked in zip(net[::2], list(stack)[::2], strict=True):
                    layer.weight.copy_(stacked.weight[0].T)
                    layer.bias.copy_(stacked.bias[0, 0])
        else:
            theirs.network[0].weight.copy_(torch.cat([mine.weight_x[0], mine.weight_y[0]]).T)
            theirs.network[0].bias.copy_(mine.bias[0, 0])
            for layer, stacked in zip(theirs.network[2::2], list(mine.rest)[::2], strict=True):
                layer.weight.copy_(stacked.weight[0].T)
                layer.bias.copy_(stacked.bias[0, 0])
        x, y = small.law.sample(8, 0)
        torch.testing.assert_close(theirs(x, y), mine(x[None], y[None])[0])
    eager(small)(3)


def test_ratios_are_taken_turn_by_turn():
    case = Case("tiny", "concatenated", 2, (3, 4), dim=1)
    contender = Contender("ours", case, 1, lambda: lambda steps: None, "bfloat16")
    rates = {"torch float32": [1.0, 2.0], "mibounds float32": [2.0, 1.0], "torch bfloat16": [4.0, 4.0]}
    row = row_of(contender, [8.0, 2.0], [16.0, 10.0], rates)
    floor = case.operations / 1e6
    assert (row["times_floor_low"], row["times_floor_high"]) == (2.0 / (floor / 2), 8.0 / floor)
    rounded = case.rounded_operations / 1e6
    assert row["best_floor_ms_median"] == pytest.approx((floor - rounded) / 2 + rounded / 4)
    assert (row["times_as_fast_as_eager_low"], row["times_as_fast_as_eager_high"]) == (2.0, 5.0)


def test_bfloat16_is_timed_only_where_the_processor_multiplies_it():
    pair = [critics.pack(critics.CONCATENATED, 1), critics.pack(critics.CONCATENATED, 1, "bfloat16")]
    assert (
        critics.possible(pair, "some (AVX512)") == pair and critics.possible(pair, "some (AVX2)") == pair[:1]
    )


def test_a_peer_tells_its_own_seconds_and_its_process_ends(tmp_path, monkeypatch):
    script = tmp_path / "peer.py"
    script.write_text(
        "import sys\nfor line in sys.stdin: print(2.0 * int(line), 1.0 * int(line), flush=True)"
    )
    monkeypatch.setattr(_critic_trainings, "PEER_TRAININGS", script)
    monkeypatch.setattr(_environment, "python_of", lambda folder: sys.executable)
    with _critic_trainings.Peer("fake", "fake", critics.SEPARABLE) as train:
        assert train(3) == (3.0 if torch.get_num_threads() == 1 else 6.0)
    assert train.process.returncode == 0
    script.write_text("input()")
    with _critic_trainings.Peer("fake", "fake", critics.SEPARABLE) as train, pytest.raises(RuntimeError):
        train(3)


def test_a_peer_that_cannot_be_installed_is_named_and_left_out(monkeypatch):
    reasons = {"there": None, "absent": "no network"}
    monkeypatch.setattr(_environment, "why_missing", reasons.get)
    all_there = [critics.peer(critics.SEPARABLE, name, name) for name in reasons]
    kept, missing = critics.installed([critics.alone(critics.SEPARABLE), *all_there])
    assert [c.name for c in kept] == ["eager torch, one at a time", "there"]
    assert missing == {"absent": "no network"}


def test_a_run_that_measures_nothing_true_is_kept_only_where_asked(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(critics, "TABLE", tmp_path / "kept.csv")
    monkeypatch.setattr(critics, "SIDE", 64)  # bfloat16 takes seconds where no processor has it
    small = Case("small", "concatenated", 8, (4, 3), dim=2)
    monkeypatch.setattr(
        critics,
        "CONTENDERS",
        (critics.alone(small), critics.pack(small, 2), critics.pack(small, 2, "bfloat16")),
    )
    assert critics.main(["--tiny"]) == 0 and not list(tmp_path.iterdir())
    assert critics.main(["--tiny", "--out", str(tmp_path / "asked.csv")]) == 0
    table = pd.read_csv(tmp_path / "asked.csv")
    assert list(table["runs"]) == [1, 2, 2] and (table["repeats"] == 2).all()
    assert (table["ms_a_run_step_median"] > 0).all() and not table.isna().any().any()
    assert "pack of 2, bfloat16 products" in capsys.readouterr().out
    assert critics.main(["--repeats", "1"]) == 0 and (tmp_path / "kept.csv").is_file()


def test_a_difference_beyond_the_margin_is_told(monkeypatch, tmp_path):
    def table(shift: float) -> pd.DataFrame:
        exact = [1.0, 1.1, 1.2]
        rounded = [1.0 + shift, 1.1001 + shift, 1.1999 + shift]
        return pd.DataFrame({"truth_nats": 2.0, "float32_nats": exact, "bfloat16_nats": rounded})

    assert bfloat16_products.lines_of(table(0.0))[1]
    assert not bfloat16_products.lines_of(table(0.03))[1] and not bfloat16_products.lines_of(table(-0.03))[1]


def test_pairs_share_all_but_the_precision(monkeypatch, tmp_path):
    monkeypatch.setattr(_tables, "RESULTS", tmp_path)
    monkeypatch.setattr(bfloat16_products, "PRODUCTS", {"float32": None, "bfloat16": None})
    monkeypatch.setattr(bfloat16_products, "DIM", 2)
    monkeypatch.setattr("mibounds.critics.concatenated.PRODUCTS", {"float32": None, "bfloat16": None})
    rows = bfloat16_products.rows(1.0, [0, 1], 3)
    assert [row["difference_nats"] for row in rows] == [0.0, 0.0]
    assert rows[0]["float32_nats"] != rows[1]["float32_nats"]

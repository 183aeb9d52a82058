"""The throughput benchmark's code, gone through on the CPU; what it says where there is no GPU; its arithmetic."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from benchmarks import gpu_throughput
from benchmarks.gpu_throughput import TINY, main, rows_of, source_of, text_of
from mibounds.errors import ParameterError

CPU = torch.device("cpu")
ROW = {
    "device": "a GPU",
    "torch": "2.13",
    "what": "training",
    "batch_size": 8,
    "peak_memory_gib": 1.5,
    "status": "ok",
}


@pytest.fixture(autouse=True)
def kept(tmp_path, monkeypatch):
    """Where a real run would leave its table."""
    monkeypatch.setattr(gpu_throughput, "TABLE", tmp_path / "kept.csv")
    return tmp_path / "kept.csv"


def test_the_tiny_run_measures_all_and_keeps_nothing_unless_asked(tmp_path, kept, capsys):
    out = tmp_path / "asked.csv"
    assert main(["--tiny", "--device", "cpu", "--out", str(out)]) == 0
    assert not kept.exists()
    table = pd.read_csv(out)
    found = table.groupby(["what", "precision"], sort=False).size().to_dict()
    assert found == dict.fromkeys(
        (("drawing", "float32"), ("training", "float32"), ("training", "bfloat16")), TINY.repeats
    )
    assert (
        set(table["status"]) == {"ok"}
        and set(table["device"]) == {"cpu"}
        and table["peak_memory_gib"].isna().all()
    )
    images = 2 * TINY.batch_size * TINY.steps
    pd.testing.assert_series_equal(table["images_a_second"], images / table["seconds"], check_names=False)
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.startswith("cpu, torch ") and len(lines) == 3 and all("images/s" in line for line in lines)


def test_without_a_gpu_one_line_says_so(monkeypatch, kept, capsys):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main([]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "nothing was measured: device 'cuda' was asked for and no CUDA device can be used here" in line
    assert not kept.exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--device", "cpu"], "throughput is measured on a GPU; got cpu; add --tiny"),
        (["--device", "cpu", "--tiny", "--steps", "0"], "steps must be at least 1; got 0"),
        (["--device", "nowhere", "--tiny"], "got 'nowhere'"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_a_configuration_that_fails_is_named_and_the_others_stand(monkeypatch, tmp_path, capsys):
    def full(size, trained):
        raise ParameterError("out of memory at batch_size=4: lower batch_size")

    monkeypatch.setattr(gpu_throughput, "seconds_of_training", full)
    out = tmp_path / "table.csv"
    assert main(["--tiny", "--device", "cpu", "--out", str(out)]) == 1
    table = pd.read_csv(out)
    assert (table["status"] == "ok").sum() == TINY.repeats, "drawing"
    assert table["status"].str.startswith("out of memory").sum() == 2
    assert capsys.readouterr().out.count("failed: out of memory at batch_size=4") == 2


def test_median_spread_memory_and_ratio_are_shown():
    speeds = {
        ("float32", False): (100, 300, 200),
        ("bfloat16", False): (390, 400, 450),
        ("bfloat16", True): (600,) * 3,
    }
    rows = [
        {**ROW, "precision": precision, "compiled": compiled, "repeat": i, "images_a_second": speed}
        for (precision, compiled), of_one in speeds.items()
        for i, speed in enumerate(of_one)
    ]
    first, *lines = text_of(pd.DataFrame(rows)).splitlines()
    assert first == "a GPU, torch 2.13, 8 pairs a step"
    assert [line.split() for line in lines] == [
        text.split()
        for text in (
            "training, float32 200 images/s (100 .. 300), 1.50 GiB at most, 1.00 of float32's",
            "training, bfloat16 400 images/s (390 .. 450), 1.50 GiB at most, 2.00 of float32's",
            "training, bfloat16, compiled 600 images/s (600 .. 600), 1.50 GiB at most, 3.00 of float32's",
        )
    ]


def test_augmented_views_are_other_images_by_the_seed_alone():
    rendered, augmented = (source_of(TINY, views) for views in gpu_throughput.VIEWS)
    first, again, other = (augmented.pairs(4, seed, device=CPU) for seed in (0, 0, 1))
    assert torch.equal(first.view_a, again.view_a) and not torch.equal(first.view_a, other.view_a)
    plain = rendered.pairs(4, 0)
    assert first.view_a.shape == plain.view_a.shape and not torch.equal(first.view_a, plain.view_a)
    assert {row["views"] for row in rows_of("drawing", TINY, "augmented", CPU, "float32", False)} == {
        "augmented"
    }

"""`mibounds run --shard` and `mibounds merge`, as on a shell."""

from __future__ import annotations

from pathlib import Path

SHARDED = ("run", "toy", "--device", "cpu", "--workers", "1")


def test_two_machines_and_one_conclusion(toy, mibounds):
    for index in ("1", "2"):
        answer = mibounds(*SHARDED, "--shard", f"{index}/2", "--out", f"machine_{index}")
        assert answer.code == 0 and f"toy: shard {index}/2 is finished" in answer.out
        assert "3 of 6 cells" in answer.out and not list(Path(f"machine_{index}").rglob("record.json"))
    spoilt = next(Path("machine_1/toy/cells").glob("*.json"))
    whole = spoilt.read_text()
    spoilt.write_text("{")
    answer = mibounds("merge", "machine_1", "machine_2", "--out", "both")
    assert answer.code == 1 and str(spoilt) in answer.err and "5 cells added to both/toy" in answer.out
    spoilt.write_text(whole)
    answer = mibounds("merge", "machine_1", "machine_2", "--out", "both", "--study", "toy")
    assert (answer.code, answer.err) == (0, "") and "1 cells added to both/toy, 5 were there" in answer.out
    answer = mibounds("merge", "both", "--out", "of two words")
    assert "next: mibounds run toy --out 'of two words'," in answer.out
    answer = mibounds(*SHARDED, "--out", "both")
    assert answer.code == 0 and "table    both/toy/table.csv (6 rows, 0 not ok)" in answer.out


def test_no_such_shard_and_no_such_folder(toy, mibounds):
    for shard in ("3/2", "half"):
        answer = mibounds(*SHARDED, "--shard", shard)
        assert answer.code == 2 and "i/n with i from 1 to n" in answer.error
    answer = mibounds("merge", "nowhere", "--out", "both")
    assert answer.code == 2 and "no cells in nowhere" in answer.error
    answer = mibounds("merge", "n" * 300, "--out", "both")
    assert answer.code == 2 and "File name too long" in answer.error
    Path("empty/cells").mkdir(parents=True)
    answer = mibounds("merge", "empty", "--out", "both")
    assert answer.code == 2 and "--study" in answer.error
    assert not Path("both").exists() and not Path("results").exists()

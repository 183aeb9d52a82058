"""A mirror holds what a run finished: another folder goes on from it, and machines need no disk in common."""

from __future__ import annotations

import shutil
from collections.abc import Generator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from mibounds import study
from mibounds.errors import ParameterError, StoreError
from mibounds.study import Shard, Status, Study
from mibounds.study.engines.base import Ended, Engine, Started, Task, measure
from mibounds.study.mirror import Mirror
from mibounds.study.store import Store


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}/far"


@pytest.fixture
def far(tmp_path: Path) -> Path:
    """The mirror's folder of the full toy study."""
    return tmp_path / "far" / "toy"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("cells/*.json")}


def numbers(results: study.Results) -> pd.DataFrame:
    return results.table.drop(columns="seconds")


class Elsewhere(Engine):
    """Machines with a disk of their own, here one that is written below `disk`."""

    def __init__(self, toy: Study, disk: Path, away: bool = True):
        self.toy, self.disk, self.away = toy, disk, away
        self.measured = 0

    def run(self, tasks: Sequence[Task], device: str) -> Generator[Started | Ended | None]:
        for task in tasks:
            yield Started(task)
            there = replace(task, folder=str(self.disk), mirror=task.mirror if self.away else None)
            self.measured += len(task.missing)
            yield replace(measure(there, self.toy, "cpu", {}), task=task)

    def facts(self) -> dict[str, Any]:
        return {"engine": "elsewhere"}


def test_cells_and_results_follow_to_the_mirror(toy, run, url, far):
    results = run(toy, mirror=url)
    for path in (path for path in results.folder.rglob("*") if path.is_file()):
        assert (far / path.relative_to(results.folder)).read_bytes() == path.read_bytes()
    assert len(names(far)) == 12
    assert study.check(toy, far) == []


def test_another_folder_goes_on_from_the_mirror(toy, run, url, far, tmp_path, lines):
    first = run(toy, mirror=url)
    lost = sorted(names(far))[0]
    (far / "cells" / lost).unlink()
    second = run(toy, out=tmp_path / "other", mirror=url)
    assert "11 of them finished already" in lines.getvalue()
    assert lost in names(far), "what was measured again is sent"
    pd.testing.assert_frame_equal(numbers(first), numbers(second))


def test_cells_that_lie_here_alone_are_sent(toy, run, url, far):
    run(toy)
    run(toy, mirror=url)
    assert len(names(far)) == 12


def test_a_spoilt_cell_of_the_mirror_is_measured_and_sent_again(toy, run, url, far, tmp_path, lines):
    first = run(toy, mirror=url)
    spoilt = far / "cells" / sorted(names(far))[0]
    spoilt.write_text(spoilt.read_text()[:-20])
    second = run(toy, out=tmp_path / "other", mirror=url)
    assert "truncated or no JSON" in lines.getvalue()
    assert Store(far).path(spoilt.stem).read_bytes() == Store(second.folder).path(spoilt.stem).read_bytes()
    pd.testing.assert_frame_equal(numbers(first), numbers(second))


def test_machines_need_no_disk_in_common(toy, run, url, tmp_path):
    expected = run(toy)
    engine = Elsewhere(toy, tmp_path / "node")
    found = run(toy, out=tmp_path / "other", engine=engine, mirror=url)
    assert engine.measured == 12 and names(tmp_path / "node") == names(found.folder)
    pd.testing.assert_frame_equal(numbers(expected), numbers(found))


def test_without_one_they_do(toy, run, tmp_path):
    engine = Elsewhere(toy, tmp_path / "node")
    with pytest.raises(study.RunFailed) as caught:
        run(toy, out=tmp_path / "other", engine=engine)
    assert "its file went missing" in caught.value.failures[0]


def test_cells_that_a_machine_says_are_there_and_are_not(toy, run, url, tmp_path):
    engine = Elsewhere(toy, tmp_path / "node", away=False)
    with pytest.raises(StoreError, match=r"the mirror file://.*/far/toy cannot be reached"):
        run(toy, out=tmp_path / "other", engine=engine, mirror=url)


def test_shards_conclude_by_the_mirror_alone(toy, run, url, far, tmp_path):
    expected, options = run(toy), {"workers": 1, "device": "cpu", "mirror": url}
    first = study.run_shard(toy, Shard(1, 2), out=tmp_path / "a", **options)
    assert isinstance(first, Status) and 0 < first.done < 12
    left = study.status(toy, "full", tmp_path / "nowhere", mirror=url)
    assert left.done == first.done and str(left) == str(first), "any machine can tell"
    second = study.run_shard(toy, Shard(2, 2), out=tmp_path / "b", **options)
    assert isinstance(second, study.Results) and (far / "record.json").exists()
    pd.testing.assert_frame_equal(numbers(expected), numbers(second))


def test_fresh_takes_nothing_from_the_mirror(toy, run, url, far, tmp_path):
    run(toy, mirror=url)
    before = {name: (far / "cells" / name).read_bytes() for name in names(far)}
    run(toy, out=tmp_path / "other", mirror=url, fresh=True)
    assert all((far / "cells" / name).read_bytes() != content for name, content in before.items())


def test_forgotten_cells_do_not_come_back_from_the_mirror(toy, run, url, far, tmp_path, lines):
    first = run(toy, mirror=url)
    study.forget(toy, out=tmp_path / "other", mirror=url)
    assert names(far) == set() and len([*(tmp_path / "other" / "cells" / "set_aside").iterdir()]) == 12
    run(toy, out=tmp_path / "another", mirror=url)
    assert "finished already" not in lines.getvalue()
    assert names(far) == names(first.folder)


def test_a_machine_with_stale_or_spoilt_cells_on_its_disk_measures_them_anew(write_study, run, url, tmp_path):
    node = tmp_path / "node"
    short = "FIELDS['measure'] = lambda pack: [Measurement({'status': 'ok'})] * len(pack.cells)"
    old = study.load(write_study(f"{short}\nFIELDS['claims'] = ()"))
    run(old, out=node)
    toy = study.load(write_study())
    ids = [path.stem for path in (node / "cells").glob("*.json")]
    Store(node).path(ids[0]).write_text("")
    engine = Elsewhere(toy, node)
    with pytest.warns(UserWarning, match="cannot be used"):
        found = run(toy, out=tmp_path / "other", engine=engine, mirror=url)
    pd.testing.assert_frame_equal(numbers(found), numbers(run(toy, out=tmp_path / "here")))


def test_a_path_may_look_like_a_pattern(toy, run, tmp_path):
    url = f"file://{tmp_path}/far [1]*"
    run(toy, mirror=url)
    found = run(toy, out=tmp_path / "other", mirror=url)
    assert len(names(tmp_path / "far [1]*" / "toy")) == len(names(found.folder)) == 12


def test_a_backend_that_connects_at_once_and_cannot(toy, run):
    with pytest.raises(StoreError, match=r"the mirror ftp://127.0.0.1:9/r/toy cannot be reached: .*refused"):
        run(toy, mirror="ftp://127.0.0.1:9/r")


def test_another_preset_has_a_folder_of_its_own(toy, run, url, far, tmp_path):
    run(toy, "smoke", mirror=url)
    assert names(far / "smoke") and not names(far)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [("nothing://there", "'nothing://there/toy': Protocol not known"), ("", "needs a URL")],
)
def test_a_url_that_is_none(toy, run, wrong, match, tmp_path):
    with pytest.raises(ParameterError, match=match):
        run(toy, mirror=wrong)
    assert not (tmp_path / "out").exists()


def test_a_mirror_that_is_lost_leaves_the_cells_here(toy, run, url, far, tmp_path):
    """It is lost once the run has begun: cells are kept, and sent when it is back."""

    class Losing(Elsewhere):
        def run(self, tasks, device):
            shutil.rmtree(far.parent)
            far.parent.write_text("no folder any more")
            yield from super().run(tasks, device)

    with pytest.raises(StoreError, match=r"cannot be reached: .*Not a directory"):
        run(toy, engine=Losing(toy, tmp_path / "out"), mirror=url)
    assert len(names(tmp_path / "out")) == 12
    far.parent.unlink()
    assert run(toy, mirror=url).record["resumed_cells"] == 12
    assert len(names(far)) == 12


def test_many_cells_travel_in_lots(toy, run, url, far, monkeypatch):
    run(toy)
    monkeypatch.setattr("mibounds.study.mirror.AT_ONCE", 5)
    run(toy, mirror=url)
    assert len(names(far)) == 12


def test_what_a_backend_raises_is_told_in_one_line(url, monkeypatch):
    mirror = Mirror(url)

    def ls(*_, **__):
        raise RuntimeError("no\nroute")

    monkeypatch.setattr(mirror._files, "ls", ls)
    with pytest.raises(StoreError, match=r"cannot be reached: no route$"):
        mirror.present()

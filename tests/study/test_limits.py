"""Packs that want too much memory are halved, packs that hang are ended; all others are as they were."""

from __future__ import annotations

import pandas as pd
import pytest
import torch

from mibounds import study
from mibounds.study import RunFailed, engines
from mibounds.study.workers import memory
from tests.study.processes import is_running, wait_until, workers_of

TOO_WIDE = """
class OutOfMemoryError(RuntimeError): pass

def measure(pack):
    if len(pack.cells) > {most}:
        {act}
    return [Measurement(row(cell)) for cell in pack.cells]
FIELDS["measure"] = measure
FIELDS["width"] = 5
"""
ACTS = {
    "python": "raise MemoryError()",
    "torch on a device": "raise OutOfMemoryError('CUDA out of memory. Tried to allocate 2.00 GiB')",
    "torch on the machine": 'raise RuntimeError("DefaultCPUAllocator: can\'t allocate memory: you tried")',
    "the system": "os.kill(os.getpid(), signal.SIGKILL)",
}


@pytest.mark.parametrize("act", ACTS)
def test_a_pack_that_wants_too_much_memory_is_halved(act: str, write_study, run, lines):
    """5 and 1 cells of each kind; only two fit at a time. The numbers are those of the whole pack: the same seeds."""
    path = write_study(TOO_WIDE.format(most=2, act=ACTS[act]))
    halved = run(study.load(path))
    whole = run(study.load(write_study("FIELDS['width'] = 5")), out=path.parent / "whole")
    pd.testing.assert_frame_equal(halved.table.drop(columns="seconds"), whole.table.drop(columns="seconds"))
    assert halved.record["widths"] == [1, 2, 5] and whole.record["widths"] == [1, 5]
    assert {made.get("width") for made in halved.record["made"]} == {None, 2}
    assert "tried again: kind=a x5: " in lines.getvalue()
    assert "its 5 cells are measured 2 at a time" in lines.getvalue()


def test_another_error_is_not_halved(write_study, run, lines):
    with pytest.raises(RunFailed, match="10 of 12") as caught:
        run(study.load(write_study(TOO_WIDE.format(most=1, act="raise RuntimeError('no good')"))))
    assert "RuntimeError: no good" in caught.value.failures[0] and "tried again" not in lines.getvalue()


@pytest.mark.parametrize(("act", "said"), [("python", "MemoryError"), ("the system", "killed by SIGKILL")])
def test_a_cell_that_is_too_large_alone_has_failed(act: str, said: str, write_study, run):
    with pytest.raises(RunFailed, match="12 of 12") as caught:
        run(study.load(write_study(TOO_WIDE.format(most=0, act=ACTS[act]))))
    assert said in caught.value.failures[0]


def test_what_was_finished_before_memory_ran_out_stays(write_study, run):
    """A generator's first cells, written at full width, are not measured again in the halves."""
    toy = study.load(
        write_study(
            "def measure(pack):\n"
            "    for i, cell in enumerate(pack.cells):\n"
            "        if i == 2: raise MemoryError()\n"
            "        yield Measurement({'value': len(pack.cells), 'status': 'ok'})\n"
            "FIELDS.update(measure=measure, axes={'kind': ('a',)}, stacked=('replicate',))\n"
            "FIELDS['presets'] = {'full': {'replicates': 4}}\n"
        )
    )
    assert run(toy).table["value"].tolist() == [4, 4, 2, 2]


def test_a_pack_that_hangs_is_ended_and_the_others_go_on(write_study, run):
    toy = study.load(
        write_study(
            "def measure(pack):\n"
            "    if pack.cells[0]['kind'] == 'a': time.sleep(600)\n"
            "    return [Measurement(row(cell)) for cell in pack.cells]\n"
            "FIELDS['measure'] = measure\n"
            "FIELDS['width'] = 6\n"
        )
    )
    with pytest.raises(RunFailed, match="6 of 12") as caught:
        run(toy, engine=engines.make("local", workers=1, limit=0.02))
    assert caught.value.failures[0].endswith("it took longer than the limit of 0.02 minutes, and was ended")


FORKS = """
import multiprocessing

def measure(pack):
    own = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    own.start()
    (Path(__file__).parent / f"worker_{{own.pid}}").touch()
    {act}
FIELDS["measure"] = measure
FIELDS["presets"] = {{"full": {{"replicates": 1, "kind": ("a",), "scale": (1.0,)}}}}
"""


@pytest.mark.parametrize(
    ("act", "said"),
    [
        ("own.join()", "took longer than the limit"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "its worker was killed by SIGKILL"),
        ("os._exit(3)", "its worker ended with exit code 3"),
    ],
)
def test_what_a_study_forks_ends_with_its_worker(act: str, said: str, write_study, run):
    """And holds no pipe of it, or the run would wait for as long."""
    toy = study.load(write_study(FORKS.format(act=act)))
    with pytest.raises(RunFailed, match="1 of 1") as caught:
        run(toy, engine=engines.make("local", workers=1, limit=0.05))
    assert said in caught.value.failures[0]
    assert workers_of(toy) and wait_until(lambda: not any(map(is_running, workers_of(toy))), seconds=3)


def test_what_memory_errors_are():
    assert memory.ran_out(torch.cuda.OutOfMemoryError("no"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60)
    assert memory.ran_out(caught.value), "torch's own words, which may change with its release"
    assert not memory.ran_out(RuntimeError("shapes do not match"))
    memory.release()

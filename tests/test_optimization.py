"""What both training loops share: memory that a step frees serves the next one."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

FAULTS = """
import resource, torch
from mibounds.optimization import keep_freed_memory

def faults_of_a_step():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    made = [torch.ones(2**20) for _ in range(4)]
    del made
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults_of_a_step()
keep_freed_memory()
faults_of_a_step()
print(sorted(faults_of_a_step() for _ in range(11))[5])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back so eagerly")
def test_the_system_clears_no_memory_anew_for_each_step():
    answer = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert int(answer.stdout) < 100, "of the 4,096 pages of a step, in the median of eleven"

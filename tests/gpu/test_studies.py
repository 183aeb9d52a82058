"""Every study's smoke preset on the device, by the command that a user gives."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mibounds import study

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.gpu


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", study.names())
def test_the_smoke_preset_is_measured_on_the_device(name, device, tmp_path):
    command = [sys.executable, "-m", "mibounds", "run", name, "--preset", "smoke"]
    answer = subprocess.run(
        [*command, "--device", device, "--out", str(tmp_path)], cwd=ROOT, capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
    record = json.loads((tmp_path / name / "record.json").read_text())
    assert record["failed"] == 0 and record["device"] == device
    assert {made["device"] for made in record["made"]} == {device}
    assert (tmp_path / name / "table.csv").is_file() and (tmp_path / name / "figure.png").is_file()

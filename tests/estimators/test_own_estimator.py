"""An estimator is one file: dropped into a folder of MIBOUNDS_PATH it is listed, and `estimate` takes it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HALF_NAT = '''
from dataclasses import dataclass
from mibounds.estimators import Estimate, Estimator

@dataclass(frozen=True)
class HalfNat(Estimator):
    """Half a nat, whatever the data."""

    times: float = 1.0
    name = "half_nat"

    def estimate(self, samples, seed, confidence):
        nats = 0.5 * self.times
        facts = {"direction": "none", "validity": "none", "ceiling_nats": float("inf"), "saturated": False}
        return Estimate(nats, (nats, nats), self.name, folds={"all": len(samples)}, confidence=confidence, **facts)
'''
USE = """
import sys
from mibounds import registry
assert {"gaussian", "half_nat", "ksg"} <= set(registry.names("mibounds.estimators"))
assert "torch" not in sys.modules
from mibounds.estimators import estimate, methods
assert "half_nat" in methods()
print(estimate([1, 2, 3], [3, 1, 1], method="half_nat", times=3.0))
"""


def test_a_file_in_a_folder_of_the_users_own(tmp_path: Path):
    (tmp_path / "estimators").mkdir()
    (tmp_path / "estimators" / "half_nat.py").write_text(HALF_NAT)
    environment = os.environ | {"MIBOUNDS_PATH": str(tmp_path)}
    answer = subprocess.run(
        [sys.executable, "-c", USE], env=environment, capture_output=True, text=True, timeout=120
    )
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.startswith("1.500 nats (95% interval 1.500 to 1.500) by half_nat")


def test_importing_the_estimators_loads_no_pandas_and_no_plots():
    heavy = {"pandas", "matplotlib", "sklearn", "scipy.stats"}
    script = f"import sys, mibounds.estimators; print({heavy} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120)
    assert answer.stdout.strip() == "set()", answer.stderr

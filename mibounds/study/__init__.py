"""Studies: a grid of cells, measured in packs, stored cell by cell, decided by claims. No MI, no torch.

Names are imported when first used: who lists or checks studies loads no runner.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mibounds.lazy import exports

if TYPE_CHECKING:
    from mibounds.study.cell import Cell, Pack
    from mibounds.study.checking import check, read_results, verdicts
    from mibounds.study.conclusion import Results, RunFailed, redraw
    from mibounds.study.find import load, names
    from mibounds.study.grid import Grid, make_grid
    from mibounds.study.merging import Merged, merge
    from mibounds.study.overrides import parse_overrides
    from mibounds.study.parts import (
        all_above,
        all_below,
        all_equivalent,
        best_by_others,
        first_failure,
        provided,
        rows_with,
    )
    from mibounds.study.places import default_out
    from mibounds.study.planning import Plan, plan
    from mibounds.study.runner import Status, forget, run, run_shard, status
    from mibounds.study.shard import Shard
    from mibounds.study.study import Axis, Claim, Measurement, Study
    from mibounds.study.verdict import Verdict, if_all_ok

__all__ = [
    "Axis",
    "Cell",
    "Claim",
    "Grid",
    "Measurement",
    "Merged",
    "Pack",
    "Plan",
    "Results",
    "RunFailed",
    "Shard",
    "Status",
    "Study",
    "Verdict",
    "all_above",
    "all_below",
    "all_equivalent",
    "best_by_others",
    "check",
    "default_out",
    "first_failure",
    "forget",
    "if_all_ok",
    "load",
    "make_grid",
    "merge",
    "names",
    "parse_overrides",
    "plan",
    "provided",
    "read_results",
    "redraw",
    "rows_with",
    "run",
    "run_shard",
    "status",
    "verdicts",
]

_HOMES = {
    "Axis": "study",
    "Cell": "cell",
    "Claim": "study",
    "Grid": "grid",
    "Measurement": "study",
    "Merged": "merging",
    "Pack": "cell",
    "Plan": "planning",
    "Results": "conclusion",
    "RunFailed": "conclusion",
    "Shard": "shard",
    "Status": "runner",
    "Study": "study",
    "Verdict": "verdict",
    "all_above": "parts",
    "all_below": "parts",
    "all_equivalent": "parts",
    "best_by_others": "parts",
    "check": "checking",
    "default_out": "places",
    "first_failure": "parts",
    "forget": "runner",
    "if_all_ok": "verdict",
    "load": "find",
    "make_grid": "grid",
    "merge": "merging",
    "names": "find",
    "parse_overrides": "overrides",
    "plan": "planning",
    "provided": "parts",
    "read_results": "checking",
    "redraw": "conclusion",
    "rows_with": "parts",
    "run": "runner",
    "run_shard": "runner",
    "status": "runner",
    "verdicts": "checking",
}

__getattr__, __dir__ = exports(__name__, _HOMES)

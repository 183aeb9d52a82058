"""Studies measured in this process: what a preset's cells give, as the tables that claims and figures see."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
import pytest

from mibounds.study import Study
from mibounds.study.grid import make_grid


@pytest.fixture(scope="session")
def tables_of() -> Callable[..., dict[str, pd.DataFrame]]:
    """The tables of a preset, or of a part of it."""

    def tables_of(study: Study, preset: str = "smoke", **overrides: tuple) -> dict[str, pd.DataFrame]:
        rows: dict[str, list[dict]] = {}
        for pack in make_grid(study, preset, overrides).packs:
            for cell, measured in zip(pack.cells, study.measure(pack), strict=True):
                for name, of_name in measured.tables.items():
                    rows.setdefault(name, []).extend({**cell.point, **row} for row in of_name)
        return {name: pd.DataFrame(of_name) for name, of_name in rows.items()}

    return tables_of


@pytest.fixture(scope="session")
def outcome() -> Callable[..., str]:
    """What a study's claim makes of a tidy table."""

    def outcome(study: Study, claim: str, table: pd.DataFrame) -> str:
        (found,) = [one for one in study.claims if one.id == claim]
        return found.verdict({"table": table}).outcome

    return outcome

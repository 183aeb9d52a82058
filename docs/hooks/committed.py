"""The rows of a study's committed full run."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import claims

if TYPE_CHECKING:
    import pandas as pd

RESULTS = Path(__file__).parents[2] / "results"


def state(slug: str) -> str:
    """Whether the full run is there."""
    return "The full run is not finished." if claims.run_of(slug) is None else "All of it is measured."


@cache
def rows(slug: str) -> pd.DataFrame:
    """Of its table; none if it is not there."""
    import pandas as pd

    return pd.DataFrame() if claims.run_of(slug) is None else pd.read_csv(RESULTS / slug / "table.csv")

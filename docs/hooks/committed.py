"""The rows of a study's committed run, or of the cells kept of one that is not finished."""

from __future__ import annotations

import json
import tarfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import claims

if TYPE_CHECKING:
    import pandas as pd

RESULTS = Path(__file__).parents[2] / "results"


def state(slug: str) -> str:
    """How much of the full run there is."""
    if claims.run_of(slug) is not None:
        return "All of it is measured."
    return f"The full run is not finished; {len(rows(slug)):,} of its cells are measured."


@cache
def rows(slug: str) -> pd.DataFrame:
    import pandas as pd

    if claims.run_of(slug) is not None:
        return pd.read_csv(RESULTS / slug / "table.csv")
    return unfinished(RESULTS / slug / "unfinished.tar.xz")


def unfinished(archive: Path) -> pd.DataFrame:
    """A row a cell of an archive of cell files; none if there is no archive."""
    import pandas as pd

    if not archive.is_file():
        return pd.DataFrame()
    with tarfile.open(archive) as members:
        found = [members.extractfile(one) for one in members if one.name.endswith(".json")]
        cells = [json.load(file) for file in found if file is not None]
    return pd.DataFrame(
        cell["point"] | row | {"seconds": cell["seconds"]}
        for cell in cells
        for row in cell["tables"]["table"]
    )

"""Where the results of a grid lie: in a folder, and in a mirror."""

from __future__ import annotations

from pathlib import Path

from mibounds.study.grid import Grid
from mibounds.study.mirror import Mirror
from mibounds.study.study import Study


def default_out(study: Study, preset: str, altered: bool, base: str | Path = "results") -> Path:
    """Where results go: `<slug>` for the unaltered full grid alone, a folder below it for everything else."""
    own = Path(base, study.slug)
    if altered:
        return own / "custom"
    return own if preset == "full" else own / preset


def mirror_of(grid: Grid, url: str | None) -> Mirror | None:
    """The mirror's folder of this grid, below a URL of a folder of results."""
    if url is None:
        return None
    return Mirror.below(url, *default_out(grid.study, grid.preset, grid.altered, base="").parts)

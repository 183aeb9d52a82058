"""Tables of what was measured, from the studies' committed tables."""

from __future__ import annotations

import math
import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from mibounds import statistics

if TYPE_CHECKING:
    import pandas as pd

RESULTS = Path(__file__).parents[2] / "results"
BATCH_SIZE = 64
PERFECT_LEVELS_NATS = (2.0, 6.0, 10.0)
MINUS = "\N{MINUS SIGN}"
CANDIDATES = (16, 64, 256, 1024, 4096, 16384)
CEILING_LEVELS_NATS = (1.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0)


@cache
def table(study: str) -> pd.DataFrame:
    """A study's tidy table. A row that failed would make a mean a lie, so there may be none."""
    import pandas as pd

    rows = pd.read_csv(RESULTS / study / "table.csv")
    if (rows["status"] != "ok").any():
        raise ValueError(
            f"results/{study}/table.csv has rows that are not ok; say in the page how they count"
        )
    return rows


def facts_of_bounds() -> str:
    from mibounds.cli.list import facts_of_bounds

    return facts_of_bounds()


def number_of(kind: str) -> str:
    """How many bounds, or methods, there are."""
    from mibounds.cli.list import summaries

    return str(len(summaries(kind)))


def trained(task: str, critic: str) -> str:
    """A row a bound, a column a level: mean of the replicates, standard deviation over batches, side of the truth."""
    rows = table("bound_tightness").query("task == @task and critic == @critic")
    levels = sorted(rows["truth_nats"].unique())
    by_cell = dict(list(rows.groupby(["bound", "truth_nats"])))
    lines = [
        [f"`{name}`", side(name), *(estimated(by_cell[name, nats]) for nats in levels)]
        for name in ordered(rows)
    ]
    return markdown(["bound", "it is", *(f"{nats:g} nats" for nats in levels)], lines)


def estimated(cell: pd.DataFrame) -> str:
    """Mean and standard deviation over batches; marked where even the interval's low end lies above the truth."""
    mean, low, _ = statistics.mean_interval(cell["estimate_nats"])
    over = low > cell["truth_nats"].iloc[0]
    spread = small(rms(cell["batch_std_nats"]))
    return f'<span class="over">{number(mean)} ▲</span> {spread}' if over else f"{number(mean)} {spread}"


def perfect_critic() -> str:
    """With the true density ratio: bias and standard deviation over batches, a row a bound; last what is exact."""
    rows = table("bias_and_variance")
    rows = rows[(rows["control"] == "none") & (rows["batch_size"] == BATCH_SIZE)]
    cells = dict(list(rows.groupby(["bound", "truth_nats"])))
    lines = [
        [f"`{name}`", side(name), *(biased(cells[name, nats]) for nats in PERFECT_LEVELS_NATS)]
        for name in ordered(rows)
    ]
    exact = [f"0 {small(cells['nwj', nats]['closed_form_std_nats'].iloc[0])}" for nats in PERFECT_LEVELS_NATS]
    header = ["bound", "it is", *(f"bias at {nats:g} nats" for nats in PERFECT_LEVELS_NATS)]
    return markdown(header, [*lines, ["`nwj`, exactly", side("nwj"), *exact]])


def biased(cell: pd.DataFrame) -> str:
    bias = number(cell["bias_nats"].mean())
    return f"{bias if bias.startswith(MINUS) else f'+{bias}'} {small(rms(cell['batch_std_nats']))}"


def candidates() -> str:
    """InfoNCE with the true density ratio: a row a level of MI, a column a number of candidates."""
    rows = table("infonce_ceiling").query("law == 'gaussian' and critic == 'optimal' and control == 'none'")
    means = rows.pivot_table(index="truth_nats", columns="n_candidates", values="estimate_nats")
    lines = [
        [f"{nats:g} nats", *(f"{means.loc[nats, k]:.2f}" for k in CANDIDATES)] for nats in CEILING_LEVELS_NATS
    ]
    ceiling = ["ceiling ln K", *(f"{math.log(k):.2f}" for k in CANDIDATES)]
    return markdown(["true MI", *(f"K = {k:,}" for k in CANDIDATES)], [*lines, ceiling])


def certified() -> str:
    """What is certified of known levels: a row a way, a column a level, means over replicates."""
    rows = table("certified_bound")
    rows = rows[rows["law"].str.startswith("level_")]
    ways = {
        "with the true density ratio": ("oracle", "limit_nats"),
        "with a fitted critic": ("certified", "limit_nats"),
        "by empirical Bernstein, true density ratio": ("oracle", "bernstein_nats"),
    }
    means = rows.groupby(["arm", "truth_nats"])[["limit_nats", "bernstein_nats"]].mean()
    levels = sorted(rows["truth_nats"].unique())
    lines = [
        [way, *(number(means.loc[(arm, nats), column]) for nats in levels)]
        for way, (arm, column) in ways.items()
    ]
    return markdown(["certified (nats)", *(f"of {nats:g}" for nats in levels)], lines)


def ordered(rows: pd.DataFrame) -> list[str]:
    """Bounds by how far they can be trusted, then by name."""
    return sorted(rows["bound"].unique(), key=lambda name: (ORDER.index(side(name)), name))


ORDER = ["lower bound", "lower, plug-in", "upper bound", "no bound"]


@cache
def side(name: str) -> str:
    """What the bound's facts say of it, in two words."""
    from mibounds import bounds

    facts = bounds.load(name)
    if facts.direction == "none":
        return "no bound"
    return (
        f"{facts.direction} bound"
        if facts.validity == "bound in expectation"
        else f"{facts.direction}, plug-in"
    )


def rms(values: pd.Series) -> float:
    return float((values**2).mean() ** 0.5)


def number(value: float) -> str:
    """Two decimals, or as a power of ten where a bound has blown up; a true minus."""
    text = f"{value:.2f}" if abs(value) < 1000 else re.sub(r"e\+0?", "e", f"{value:.1e}")
    return text.replace("-", MINUS)


def small(value: float) -> str:
    return f"<small>± {number(value)}</small>"


def markdown(header: list[str], lines: list[list[str]]) -> str:
    rows = [header, ["---"] * len(header), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)

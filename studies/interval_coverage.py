"""How often a 95% interval holds what it is about: the truth, and the estimate's own expectation.

Eight tasks of the suite, and independent pairs in 1 to 50 dimensions, which ask whether an interval holds zero. A row
is one estimate. Estimators that train nothing are run 200 times a cell, trained ones 50 times; `ESTIMATORS` says which.
The expectation of an estimator on a law at a size is taken as the mean of its estimates over the replicates.

A lower bound's interval is asked one thing: that its low end is not above the truth. The control takes each pair twice,
which no interval for independent pairs can survive: they are as sure as from twice the pairs.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from mibounds import statistics, suite
from mibounds.errors import MiboundsError
from mibounds.study import Cell, Claim, Measurement, Pack, Study, Verdict, if_all_ok, rows_with

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from torch import Tensor

Tables = Mapping[str, "pd.DataFrame"]

CONFIDENCE = 0.95
# Plain, hard edges, bent, correlated, heavy tails, a sparse channel under a map, wide, a mixture.
TASKS = (
    "1v1-normal-0.75",
    "1v1-additive-0.1",
    "swissroll_x-normal_cdf-1v1-normal-0.75",
    "multinormal-dense-5-5-0.5",
    "student-identity-2-2-1",
    "half_cube-multinormal-sparse-3-3-2-2.0",
    "multinormal-dense-25-25-0.5",
    "mixture-crossed-0.9",
)
DIMS = (1, 5, 20, 50)
INDEPENDENT = tuple(f"independent_{dim}" for dim in DIMS)


class Run(NamedTuple):
    """An estimator: method, options, how often it is run a cell, and at which sizes."""

    method: str
    options: dict[str, Any]
    replicates: int
    sizes: tuple[int, ...]


OF_TASKS, OF_INDEPENDENT = (500, 2000), (1000, 10_000)
ALL = OF_TASKS + OF_INDEPENDENT
ESTIMATORS: dict[str, Run] = {
    "gaussian": Run("gaussian", {}, 200, ALL),
    "gaussian_copula": Run("gaussian_copula", {}, 200, ALL),
    "student_copula": Run("student_copula", {}, 200, ALL),
    "ksg": Run("ksg", {}, 200, ALL),
    "ksg_extrapolated": Run("ksg_extrapolated", {}, 200, OF_TASKS),
    "auto-fast": Run("auto", {"budget": "fast"}, 200, ALL),
    "auto-standard": Run("auto", {"budget": "standard"}, 50, (2000, 1000)),
    "info_nce": Run("info_nce", {}, 50, (*OF_TASKS, 1000)),
}
CHEAP = tuple(name for name, run in ESTIMATORS.items() if run.replicates == 200)
CONTROLLED = ("gaussian", "ksg")


def keep(point: dict) -> bool:
    """Each estimator at its sizes; the control on one task, of two estimators."""
    run = ESTIMATORS[point["estimator"]]
    if point["replicate"] >= run.replicates:
        return False
    if point["control"] != "none":
        return point["estimator"] in CONTROLLED and (point["law"], point["n_samples"]) == (TASKS[0], 500)
    sizes = OF_INDEPENDENT if point["law"] in INDEPENDENT else OF_TASKS
    asked_for = point["n_samples"] not in ALL
    return asked_for or (point["n_samples"] in sizes and point["n_samples"] in run.sizes)


def measure(pack: Pack) -> list[Measurement]:
    return [Measurement(row(cell)) for cell in pack.cells]


def pairs(law: str, n: int, seed: int) -> tuple[Tensor, Tensor, float]:
    """x and y, and their mutual information."""
    if law in INDEPENDENT:
        from mibounds.distributions.gaussian import Gaussian

        dim = int(law.removeprefix("independent_"))
        return *Gaussian.from_mutual_information(dim, 0.0).sample(n, seed), 0.0
    task = suite.task(law)
    return *task.sample(n, seed), task.mutual_information


NUMBERS = ("estimate_nats", "low_nats", "high_nats")


def row(cell: Cell) -> dict[str, Any]:
    """The estimate of one sample; one that was refused has no numbers and says why."""
    from mibounds.estimators import estimate

    x, y, truth_nats = pairs(cell["law"], cell["n_samples"], cell.seed("data"))
    if cell["control"] == "each_twice":
        x, y = x.repeat(2, 1), y.repeat(2, 1)
    run = ESTIMATORS[cell["estimator"]]
    seed = cell.seed("estimate") % 2**31
    try:
        found = estimate(x, y, method=run.method, seed=seed, confidence=CONFIDENCE, **run.options)
    except MiboundsError as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        return {
            "truth_nats": truth_nats,
            **dict.fromkeys(NUMBERS, math.nan),
            "direction": "none",
            "status": why,
        }
    numbers = dict(zip(NUMBERS, (found.nats, *found.interval), strict=True))
    return {"truth_nats": truth_nats, **numbers, "direction": found.direction, "status": "ok"}


# What is read off the table

CELL = ["estimator", "law", "n_samples"]


def scored(rows: pd.DataFrame) -> pd.DataFrame:
    """Whether each interval holds the truth (a lower bound's from below alone) and the estimate's expectation."""
    expectation = rows.groupby([*CELL, "control"])["estimate_nats"].transform("mean")
    from_above = (rows["high_nats"] >= rows["truth_nats"]) | (rows["direction"] == "lower")
    return rows.assign(
        holds_truth=(rows["low_nats"] <= rows["truth_nats"]) & from_above,
        holds_expectation=(rows["low_nats"] <= expectation) & (rows["high_nats"] >= expectation),
    )


def shares(rows: pd.DataFrame, column: str) -> pd.DataFrame:
    """How many of how many intervals hold it, an estimator, law and size a row: sum, size, share."""
    counted = scored(rows).groupby(CELL)[column].agg(["sum", "size"])
    return counted.assign(share=counted["sum"] / counted["size"])


# Claims: written before any run.

N_ERRORS, LEAST_REPLICATES = 3, 50
LEAST_OF_AUTO = 0.85


def least_allowed(n: int) -> float:
    """95% less three binomial errors of n intervals."""
    return CONFIDENCE - N_ERRORS * binomial_error(n)


def binomial_error(n: int) -> float:
    """By how much the share of n intervals scatters where each holds with 95%."""
    return math.sqrt(CONFIDENCE * (1 - CONFIDENCE) / n)


def holds_everywhere(rows: pd.DataFrame, column: str) -> Verdict:
    """Supported if no cell's share is less than allowed; the cell that is furthest below it speaks."""
    counted = shares(rows, column)
    if counted["size"].min() < LEAST_REPLICATES:
        return Verdict.inconclusive(f"a share of fewer than {LEAST_REPLICATES} intervals decides nothing")
    margin = counted["share"] - counted["size"].map(least_allowed)
    worst = margin.idxmin()
    held, n = int(counted.loc[worst, "sum"]), int(counted.loc[worst, "size"])
    below = int((margin < 0).sum())
    estimator, law, n_samples = worst
    fewer = f"{below} of {len(counted)} cells below what is allowed"
    reason = f"{estimator} on {law} at {n_samples:,}; {fewer}"
    outcome = "refuted" if below else "supported"
    return Verdict(outcome, *statistics.clopper_pearson(held, n), "share", reason)


def unless_control_holds(tables: Tables, column: str, decide: Any, rows: pd.DataFrame) -> Verdict:
    twice = rows_with(tables["table"], control="each_twice")
    broken = if_all_ok(twice, lambda rows: holds_everywhere(rows, column))
    if broken.outcome != "refuted":
        return Verdict.inconclusive(f"pairs taken twice were to be refuted; they are {broken.outcome}")
    return if_all_ok(rows, decide)


def holds_zero(tables: Tables) -> Verdict:
    asked = ("auto-fast", "auto-standard", "ksg", "gaussian", "info_nce")
    rows = rows_with(tables["table"], law=INDEPENDENT, control="none", estimator=asked)
    return unless_control_holds(
        tables, "holds_truth", lambda rows: holds_everywhere(rows, "holds_truth"), rows
    )


def holds_its_expectation(tables: Tables) -> Verdict:
    rows = rows_with(tables["table"], law=TASKS, control="none")
    answered = rows[rows["status"] == "ok"]  # an estimator may refuse a task
    return unless_control_holds(
        tables, "holds_expectation", lambda rows: holds_everywhere(rows, "holds_expectation"), answered
    )


def auto_holds_the_truth(tables: Tables) -> Verdict:
    """Pooled over the tasks at 2,000 pairs, each of the two budgets."""

    def decide(rows: pd.DataFrame) -> Verdict:
        parts = []
        for name, of_name in scored(rows).groupby("estimator"):
            held = int(of_name["holds_truth"].sum())
            interval = statistics.clopper_pearson(held, len(of_name), 1 - 0.05 / 2)
            parts.append(Verdict.above(*interval, LEAST_OF_AUTO, "share", str(name)))
        return Verdict.all_of(*sorted(parts, key=lambda part: part.effect))

    wanted = {"control": "none", "law": TASKS, "n_samples": 2000}
    rows = rows_with(tables["table"], estimator=("auto-fast", "auto-standard"), **wanted)
    return unless_control_holds(tables, "holds_truth", decide, rows)


CONTROL = "The control, each pair taken twice, must be refuted by the same rule."
CLAIMS = (
    Claim(
        id="interval_coverage.zero",
        text="Of independent pairs the 95% intervals of auto, KSG, the Gaussian and InfoNCE hold zero as they say.",
        source="What an interval is for",
        criterion="Supported if in no cell (estimator, 1, 5, 20 or 50 + as many dimensions, 1,000 or 10,000 pairs) the "
        "share of intervals with zero in them, of 200, or 50 of trained ones, is less than 95% less three binomial "
        f"errors (90.4%; 85.8%); of InfoNCE, a lower bound, the low end alone is asked. Else refuted. {CONTROL}",
        verdict=holds_zero,
    ),
    Claim(
        id="interval_coverage.expectation",
        text="Every 95% interval holds its estimate's expectation as often as it says.",
        source="What an interval is for",
        criterion="Supported if in no cell (estimator, one of eight tasks, 500 or 2,000 pairs) the share of intervals "
        "that hold the mean of the cell's estimates is less than 95% less three binomial errors; else refuted. "
        f"{CONTROL}",
        verdict=holds_its_expectation,
    ),
    Claim(
        id="interval_coverage.auto",
        text="The 95% intervals of auto hold the truth at least 85% of the time on the eight tasks.",
        source="What an interval is for",
        criterion="Supported if the interval (Clopper and Pearson, at 1 - 0.05/2) of the share, pooled over the eight "
        f"tasks at 2,000 pairs, lies above 0.85 for auto-fast and auto-standard; refuted if one lies below. {CONTROL}",
        verdict=auto_holds_the_truth,
    ),
)


# Figure


def draw(tables: Tables) -> Figure:
    """Coverage of the truth and of the expectation on the tasks, and of zero: an estimator a row."""
    from mibounds.plots.style import new_figure

    rows = rows_with(tables["table"], control="none", status="ok")
    of_tasks, independent = rows_with(rows, law=TASKS), rows_with(rows, law=INDEPENDENT)
    panels = [
        (of_tasks, "holds_truth", "the truth"),
        (of_tasks, "holds_expectation", "its expectation"),
        (independent, "holds_truth", "zero"),
    ]
    with new_figure(1, 3, height=4.2, width_ratios=(2, 2, 1)) as (figure, axes):
        for ax, (shown, column, name) in zip(axes[0], panels, strict=True):
            draw_shares(ax, shown, column)
            ax.set_title(f"% that hold {name}", fontsize=8)
        for ax in axes[0, 1:]:
            ax.set_ylabel("")
    return figure


def draw_shares(ax: Axes, rows: pd.DataFrame, column: str) -> None:
    """The share in percent, a size a line of the label."""
    import seaborn as sns

    if rows.empty:
        ax.set_axis_off()
        return
    table = (100 * shares(rows, column)["share"]).unstack("law")
    listed = [law for law in (*TASKS, *INDEPENDENT) if law in table]
    table = table.reindex(sorted(table.index, key=lambda key: (list(ESTIMATORS).index(key[0]), key[1])))[
        listed
    ]
    table.index = [f"{estimator} {n:,}" for estimator, n in table.index]
    sns.heatmap(
        table,
        ax=ax,
        annot=True,
        fmt=".0f",
        cmap="RdYlBu",
        vmin=60,
        vmax=100,
        cbar=False,
        annot_kws={"size": 5},
        yticklabels=True,
        xticklabels=True,
    )
    ax.set(xlabel="", ylabel="")
    ax.tick_params(labelsize=5)
    ax.tick_params(axis="x", rotation=90)
    ax.tick_params(axis="y", rotation=0)


STUDY = Study(
    slug="interval_coverage",
    question="How often does a 95% interval hold the truth, and the estimate's own expectation?",
    axes={
        "estimator": tuple(ESTIMATORS),
        "law": TASKS + INDEPENDENT,
        "n_samples": ALL,
        "control": ("none", "each_twice"),
    },
    seeds={"data": ("law", "n_samples"), "estimate": ("law", "n_samples")},
    presets={
        "smoke": {
            "replicates": 2,
            "estimator": ("gaussian", "ksg", "auto-fast"),
            "law": (TASKS[0], TASKS[3], INDEPENDENT[0]),
            "n_samples": (500, 1000),
        },
        "quick": {
            "replicates": 50,
            "estimator": CHEAP,
            "law": (*TASKS[:5], *INDEPENDENT[:2]),
            "n_samples": (500, 1000),
        },
        "full": {"replicates": 200},
    },
    keep=keep,
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

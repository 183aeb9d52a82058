"""The leaderboard: estimators on the suite's tasks, by how far off they are, how honest their intervals and how fast.

A row is one estimate of one task at one size. Estimators stand in `ESTIMATORS` under the names that the axis has,
each with a method of `mibounds.estimate`, its options, and what it is run on: cheap ones at all sizes with ten seeds,
trained ones at 5,000 pairs with three, slow ones on eight tasks. Our own tasks have 5,000 pairs and three seeds, the
widest one. A file in the folder `estimators` of MIBOUNDS_PATH enters by itself, under its file's name, at all sizes
with three seeds; alone: `mibounds run leaderboard --set estimator=NAME`. A method that is not there is left out. An
estimate that is refused or fails is a row with a status.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from mibounds import registry, suite
from mibounds.errors import MiboundsError
from mibounds.study import (
    Cell,
    Claim,
    Measurement,
    Pack,
    Study,
    Verdict,
    all_above,
    all_below,
    if_all_ok,
    rows_with,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Tables = Mapping[str, "pd.DataFrame"]

SIZES = (1000, 5000, 10_000)
PUBLISHED = tuple(suite.names("published"))
# One of each kind: plain, hard edges, heavy tails, wide, and three bent ones.
EIGHT = (
    "1v1-normal-0.75",
    "1v1-additive-0.1",
    "swissroll_x-normal_cdf-1v1-normal-0.75",
    "multinormal-dense-25-25-0.5",
    "student-identity-5-5-2",
    "half_cube-multinormal-sparse-5-5-2-2.0",
    "spiral-multinormal-sparse-3-3-2-2.0",
    "spiral-normal_cdf-multinormal-sparse-5-5-2-2.0",
)


class Run(NamedTuple):
    """On what an estimator is run: sizes and replicates; tasks, or all."""

    sizes: tuple[int, ...]
    replicates: int
    tasks: tuple[str, ...] = ()

    def has(self, point: Mapping[str, Any]) -> bool:
        """Whether the point belongs to it. A size that no estimator is run at was asked for, and is run by all."""
        size = point["n_samples"]
        on_task = not self.tasks or point["task"] in self.tasks
        return on_task and (size in self.sizes or size not in SIZES) and point["replicate"] < self.replicates


CHEAP, STANDARD, OWN = Run(SIZES, 10), Run(SIZES, 3), Run(SIZES, 3)
TRAINED, SLOW = Run((5000,), 3), Run((5000,), 3, EIGHT)
EXTENDED = Run((5000,), 3)  # our own tasks, of every estimator that is run on all
# Of a thousand columns a side, where some take many minutes for one estimate.
WIDEST = Run((5000,), 1, tuple(name for name in suite.names() if name.startswith("lift-1000-")))
CONTROL = Run((1000,), 3, PUBLISHED)  # of cheap estimators

ESTIMATORS: dict[str, tuple[Run, str, dict[str, Any]]] = {
    "auto-fast": (CHEAP, "auto", {"budget": "fast"}),
    "auto-standard": (STANDARD, "auto", {"budget": "standard"}),
    "ksg": (CHEAP, "ksg", {}),
    "gaussian": (CHEAP, "gaussian", {}),
    "gaussian_copula": (CHEAP, "gaussian_copula", {}),
    "student_copula": (CHEAP, "student_copula", {}),
    "histogram": (CHEAP, "histogram", {}),
    "gaussian_mixture": (TRAINED, "gaussian_mixture", {}),
    "info_nce": (TRAINED, "info_nce", {}),
    "donsker_varadhan": (TRAINED, "donsker_varadhan", {}),
    "nwj": (TRAINED, "nwj", {}),
    "mine": (TRAINED, "mine", {}),
    "smile": (TRAINED, "smile", {}),
    "barber_agakov": (SLOW, "barber_agakov", {}),
    "difference_of_entropies": (SLOW, "difference_of_entropies", {}),
    "mienf": (SLOW, "mienf", {}),
    "minde": (SLOW, "minde", {}),
    "mmg": (SLOW, "mmg", {}),
}


def installed(
    listed: Iterable[str], methods: Iterable[str], own: Iterable[str]
) -> dict[str, tuple[Run, str, dict]]:
    """Of the listed estimators those whose method there is; then the user's own."""
    methods = set(methods)
    found = {name: ESTIMATORS[name] for name in listed if ESTIMATORS[name][1] in methods}
    return found | {name: (OWN, name, {}) for name in own if name not in found}


def of_the_user() -> list[str]:
    """Estimators of the folders that MIBOUNDS_PATH names."""
    files = (path for folder in registry.user_folders("estimators") for path in Path(folder).glob("*.py"))
    return sorted(path.stem for path in files if not path.stem.startswith("_"))


METHODS = [name for part in ("estimators", "bounds") for name in registry.names(f"mibounds.{part}")]
THERE = installed(ESTIMATORS, METHODS, of_the_user())
QUICK = tuple(name for name in THERE if name not in ESTIMATORS or ESTIMATORS[name][0] is CHEAP)


def keep(point: dict) -> bool:
    """What each estimator is run on; our own tasks and the control on less."""
    run = THERE[point["estimator"]][0]
    if point["control"] != "none":
        return run is CHEAP and CONTROL.has(point)
    of_ours = WIDEST if point["task"] in WIDEST.tasks else EXTENDED
    return run.has(point) and (point["task"] in PUBLISHED or of_ours.has(point))


def measure(pack: Pack) -> list[Measurement]:
    return [Measurement(row(cell)) for cell in pack.cells]


def row(cell: Cell) -> dict[str, Any]:
    """The estimate of one sample; where it was refused or failed there are no numbers, and the status says why."""
    from mibounds.estimators import estimate

    law = suite.task(cell["task"])
    x, y = law.sample(cell["n_samples"], cell.seed("data"))
    if cell["control"] == "shuffled_pairs":
        y = y.roll(1, 0)
    facts = {
        "dim_x": law.dim_x,
        "dim_y": law.dim_y,
        "truth_nats": law.mutual_information,
        "truth_error_nats": law.mutual_information_error,
    }
    _, method, options = THERE[cell["estimator"]]
    seed = cell.seed("estimate") % 2**31  # the most that some libraries take
    try:
        found = estimate(x, y, method=method, seed=seed, **options)
    except MiboundsError as error:
        why = f"{type(error).__name__}: {error}".splitlines()[0]
        return facts | dict.fromkeys(NUMBERS, math.nan) | {"direction": "none", "warnings": 0, "status": why}
    numbers = dict(zip(NUMBERS, (found.nats, *found.interval), strict=True))
    return facts | numbers | {"direction": found.direction, "warnings": len(found.warnings), "status": "ok"}


NUMBERS = ("estimate_nats", "low_nats", "high_nats")


# What is read off the table


def scored(table: pd.DataFrame) -> pd.DataFrame:
    """Each row's error, and whether its interval holds the truth: a lower bound's from below alone."""
    off = table["estimate_nats"] - table["truth_nats"]
    above = (table["low_nats"] <= table["truth_nats"]) | (table["direction"] == "upper")
    below = (table["high_nats"] >= table["truth_nats"]) | (table["direction"] == "lower")
    return table.assign(bias_nats=off, off_nats=off.abs(), covered=(above & below).astype(float))


def published(tables: Tables, control: str = "none", **wanted: Any) -> pd.DataFrame:
    """The rows of the 40 tasks with these values, scored."""
    return scored(rows_with(tables["table"], task=PUBLISHED, control=control, **wanted))


def over_all(rows: pd.DataFrame, column: str = "off_nats") -> pd.Series:
    """The mean over the 40 tasks, in each replicate that has a number of them all."""
    by = rows[rows[column].notna()].groupby("replicate")
    return by[column].mean()[by["task"].nunique() == len(PUBLISHED)]


# Claims: written before any run. The targets are the best mean absolute errors that were published.

TARGET_NATS = {1000: 0.092, 5000: 0.063, 10_000: 0.060}
LEAST_COVERAGE = 0.85
MOST_SECONDS = {"auto-fast": 10.0, "auto-standard": 120.0}
AUTO = tuple(MOST_SECONDS)
FIVE = tuple(name for name in PUBLISHED if "-5-5-" in name)

Judge = Callable[["pd.Series"], Verdict]


def below(errors: Mapping[Any, pd.Series], threshold: float) -> Verdict:
    return unless_whole(errors) or all_below(errors, threshold, "nats")


def above(shares: Mapping[Any, pd.Series], threshold: float) -> Verdict:
    return unless_whole(shares) or all_above(shares, threshold, "share of tasks")


def unless_whole(groups: Mapping[Any, pd.Series]) -> Verdict | None:
    """Inconclusive where a group has no replicate with all 40 tasks."""
    empty = [name for name, values in groups.items() if values.empty]
    return Verdict.inconclusive(f"{empty[0]}: no replicate has all {len(PUBLISHED)} tasks") if empty else None


def guarded(tables: Tables, column: str, judge: Judge, decide: Callable[[], Verdict]) -> Verdict:
    """What `decide` says, provided that `judge` refutes what auto-fast makes of shuffled pairs."""
    shuffled = published(tables, "shuffled_pairs", estimator="auto-fast")
    broken = if_all_ok(shuffled, lambda rows: judge(over_all(rows, column)))
    if broken.outcome != "refuted":
        return Verdict.inconclusive(f"shuffled pairs were to be refuted; they are {broken.outcome}")
    return decide()


def is_near_enough(n_samples: int) -> Callable[[Tables], Verdict]:
    def judge(errors: pd.Series) -> Verdict:
        return below({f"{n_samples:,} pairs": errors}, TARGET_NATS[n_samples])

    def decide(tables: Tables) -> Verdict:
        rows = published(tables, estimator="auto-standard", n_samples=n_samples)
        return if_all_ok(rows, lambda rows: judge(over_all(rows)))

    return lambda tables: guarded(tables, "off_nats", judge, lambda: decide(tables))


def minus(one: pd.Series, other: pd.Series) -> pd.Series:
    """In the replicates that have both."""
    return (one - other).dropna()


def is_no_worse_than_ksg(tables: Tables) -> Verdict:
    """auto-fast less KSG, at each size."""

    def decide(rows: pd.DataFrame) -> Verdict:
        differences = {}
        for n in SIZES:
            fast, ksg = (
                over_all(rows_with(rows, estimator=name, n_samples=n)) for name in ("auto-fast", "ksg")
            )
            differences[f"{n:,} pairs"] = minus(fast, ksg)
        return below(differences, 0.0)

    rows = published(tables, estimator=("auto-fast", "ksg"))
    return guarded(tables, "off_nats", worse_than_ksg(tables), lambda: if_all_ok(rows, decide))


def worse_than_ksg(tables: Tables) -> Judge:
    ksg = over_all(published(tables, estimator="ksg", n_samples=CONTROL.sizes))
    return lambda errors: below({"auto-fast, shuffled": minus(errors, ksg)}, 0.0)


def is_best(tables: Tables) -> Verdict:
    """auto-standard less each other listed estimator that gave all 40 tasks a number at 5,000 pairs."""
    rows = published(tables, n_samples=5000)
    errors = {name: over_all(rows_with(of, status="ok")) for name, of in rows.groupby("estimator")}
    others = [name for name in errors if name in ESTIMATORS and name != "auto-standard" and len(errors[name])]

    def decide(_: pd.DataFrame) -> Verdict:
        return below({name: minus(errors["auto-standard"], errors[name]) for name in others}, 0.0)

    auto = rows_with(rows, estimator="auto-standard")
    return guarded(tables, "off_nats", worse_than_ksg(tables), lambda: if_all_ok(auto, decide))


def covers_the_truth(tables: Tables) -> Verdict:
    def judge(shares: pd.Series) -> Verdict:
        return above({"auto-fast, shuffled": shares}, LEAST_COVERAGE)

    def decide(rows: pd.DataFrame) -> Verdict:
        shares = {name: over_all(rows_with(rows, estimator=name), "covered") for name in AUTO}
        alike = [name for name, of in shares.items() if len(of) > 1 and of.nunique() == 1]
        if alike:  # shares are counts of 40
            return Verdict.inconclusive(f"{alike[0]}: no replicate differs, and no scatter decides nothing")
        return above(shares, LEAST_COVERAGE)

    rows = published(tables, estimator=AUTO, n_samples=10_000)
    return guarded(tables, "covered", judge, lambda: if_all_ok(rows, decide))


def is_quick_enough(tables: Tables) -> Verdict:
    def decide(rows: pd.DataFrame) -> Verdict:
        groups = {
            (name, task): of["seconds"] / MOST_SECONDS[name]
            for (name, task), of in rows.groupby(["estimator", "task"])
        }
        missing = [(name, task) for name in AUTO for task in FIVE if (name, task) not in groups]
        if missing:
            return Verdict.inconclusive(f"{' on '.join(missing[0])} is not measured")
        return all_below(groups, 1.0, "of the time allowed")

    rows = published(tables, estimator=AUTO, n_samples=10_000)
    return if_all_ok(rows_with(rows, task=FIVE), decide)


SHUFFLED = "Shuffled pairs, read by auto-fast at 1,000 pairs, must be refuted."
CLAIMS = (
    *(
        Claim(
            id=f"leaderboard.error_{n // 1000}k",
            text=f"auto-standard is off by less than {target:.3f} nats on average over the 40 tasks at {n:,} pairs.",
            source="The least mean absolute error published for these tasks, of a pretrained model of 85M parameters",
            criterion="Supported if the interval of the mean over the 40 tasks of |estimate - truth|, by replicate, "
            f"lies below {target:.3f} nats; refuted if above. {SHUFFLED}",
            verdict=is_near_enough(n),
        )
        for n, target in TARGET_NATS.items()
    ),
    Claim(
        id="leaderboard.fast",
        text="auto-fast is nearer to the truth than KSG at every size.",
        source="What a budget of seconds has to be worth",
        criterion="Supported if the interval of the difference of their mean absolute errors over the 40 tasks, paired "
        "by replicate, lies below zero at 1,000, 5,000 and 10,000 pairs, Holm-adjusted; refuted if one lies above. "
        f"{SHUFFLED}",
        verdict=is_no_worse_than_ksg,
    ),
    Claim(
        id="leaderboard.best",
        text="auto-standard is nearer to the truth at 5,000 pairs than every other that is run on all 40 tasks.",
        source="What a default has to be",
        criterion="Supported if the interval of the difference of mean absolute errors over the 40 tasks, paired by "
        "replicate, lies below zero for each listed estimator that gave all 40 a number, Holm-adjusted; refuted if one "
        f"lies above. {SHUFFLED}",
        verdict=is_best,
    ),
    Claim(
        id="leaderboard.coverage",
        text="The 95% intervals of auto hold the truth in at least 85% of the tasks at 10,000 pairs.",
        source="What an interval is for",
        criterion="Supported if the interval of the share of the 40 tasks whose interval holds the truth, by "
        "replicate, lies above 0.85 for auto-fast and auto-standard, Holm-adjusted; refuted if one lies below. "
        f"{SHUFFLED}",
        verdict=covers_the_truth,
    ),
    Claim(
        id="leaderboard.seconds",
        text="On 10,000 pairs of 5 + 5 columns auto-fast takes less than 10 seconds and auto-standard less than 120.",
        source="What a user waits for",
        criterion="Supported if the interval of the seconds over those allowed lies below one in every task of 5 + 5 "
        "columns, Holm-adjusted, while the run keeps all cores busy; refuted if one lies above. Times have no control: "
        "nothing broken is slow for certain.",
        verdict=is_quick_enough,
    ),
)


# Figure


def draw(tables: Tables) -> Figure:
    """Left: mean absolute error and coverage by estimator and size. Right: the bias task by task, of like pairs."""
    from mibounds.plots.style import draw_legend, new_figure

    rows = scored(rows_with(tables["table"], control="none", status="ok"))
    listed = [name for name in THERE if name in set(rows["estimator"])]
    height = max(3.5, 1.5 + 0.13 * rows["task"].nunique())
    with new_figure(1, 3, width=10, height=height, width_ratios=(1, 0.7, 2)) as (figure, axes):
        draw_by_estimator(axes[0, 0], rows, listed, "off_nats", "mean absolute\nerror (nats)")
        two_sided = rows[rows["direction"] == "none"]
        draw_by_estimator(
            axes[0, 1], two_sided, listed, "covered", "coverage of the truth\n(no one-sided bounds)"
        )
        axes[0, 0].set_xscale("log")
        axes[0, 1].axvline(0.95, color="black", linewidth=0.8)
        axes[0, 1].set_xlim(-0.05, 1.05)
        axes[0, 1].set_yticklabels([])
        draw_by_task(axes[0, 2], rows)
        draw_legend(figure)
    return figure


def draw_by_estimator(ax: Axes, rows: pd.DataFrame, listed: list[str], column: str, name: str) -> None:
    """A line an estimator, a dot a size: over the published tasks; hollow where not all of them have a number."""
    from mibounds.plots.style import COLORS

    for color, (n_samples, of_size) in zip(
        COLORS, rows_with(rows, task=PUBLISHED).groupby("n_samples"), strict=False
    ):
        by = of_size.groupby("estimator")
        is_whole = by["task"].nunique() == len(PUBLISHED)
        for means, face, label in (
            (by[column].mean()[is_whole], color, f"{n_samples:,} pairs"),
            (by[column].mean()[~is_whole], "white", f"{n_samples:,} pairs, fewer tasks"),
        ):
            if len(means):
                places = [listed.index(estimator) for estimator in means.index]
                ax.plot(means, places, "o", markersize=4, color=color, markerfacecolor=face, label=label)
        if column == "off_nats" and n_samples in TARGET_NATS:
            ax.axvline(
                TARGET_NATS[n_samples], color=color, linewidth=0.8, linestyle=":", label="best published"
            )
    ax.set_yticks(range(len(listed)), listed)
    ax.set_ylim(len(listed) - 0.5, -0.5)
    ax.set_xlabel(name)


def draw_by_task(ax: Axes, rows: pd.DataFrame) -> None:
    """Mean of estimate less truth, a row a task, a column an estimator, at the size that most run at; grey: none."""
    size = rows.groupby("n_samples")["estimator"].nunique().idxmax() if len(rows) else 0
    means = rows[rows["n_samples"] == size].pivot_table(index="task", columns="estimator", values="bias_nats")
    means = means.reindex([name for name in suite.names() if name in means.index])
    means = means[[name for name in THERE if name in means]]
    shown = ax.imshow(means, cmap="RdBu", vmin=-1, vmax=1, aspect="auto")
    ax.set_facecolor("#999999")
    ax.grid(False)
    ax.set_xticks(range(means.shape[1]), list(means), rotation=90)
    ax.set_yticks(range(means.shape[0]), list(means.index), fontsize=5)
    ax.figure.colorbar(shown, ax=ax, label=f"estimate less truth (nats), {size:,} pairs", extend="both")


STUDY = Study(
    slug="leaderboard",
    question="Which estimator is nearest to the truth, on which task, at what size, and does its interval hold it?",
    axes={
        "estimator": tuple(THERE),
        "task": tuple(suite.names()),
        "n_samples": SIZES,
        "control": ("none", "shuffled_pairs"),
    },
    seeds={"data": ("task", "n_samples"), "estimate": ("task", "n_samples")},
    presets={
        "smoke": {
            "replicates": 1,
            "estimator": QUICK,
            "task": ("1v1-normal-0.75", "student-identity-2-2-1", "many_symbols-9-4-0.05"),
            "n_samples": (200,),
        },
        "quick": {
            "replicates": 2,
            "estimator": QUICK,
            "task": PUBLISHED,
            "n_samples": (1000,),
        },
        "full": {"replicates": 10},
    },
    keep=keep,
    measure=measure,
    claims=CLAIMS,
    draw=draw,
)

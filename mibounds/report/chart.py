"""The charts of the page: a layered Vega-Lite chart whose columns the reader picks, and the code that draws it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from mibounds.report.gather import StudyResult
from mibounds.study.study import REPLICATE

if TYPE_CHECKING:
    import pandas as pd

COLORS = ("#0173b2", "#de8f05", "#029e73", "#cc78bc", "#d55e00", "#56b4e9", "#949494", "#ca9161")
SHAPES = (
    "circle",
    "square",
    "triangle-up",
    "diamond",
    "cross",
    "triangle-down",
    "triangle-right",
)  # 7 and 8: 56 pairs
GREY = "#555f68"
CONFIDENCE = 0.95
MOST_COLOURS = 30  # that are told apart at first sight
MOST_VALUES = {"i": 1000, "u": 1000, "f": 64}  # of a number that tells rows apart, by its kind


@cache
def code() -> str:
    """Vega, Vega-Lite and Vega-Embed as one script."""
    import vl_convert

    return str(vl_convert.javascript_bundle())  # type: ignore[call-arg]  # its stub wants a snippet


def spec() -> dict[str, Any]:
    """Means with intervals and lines, the replicates beside them; the page says which column is x, y and colour.

    `points` has x, y, colour, line (what a point is connected with), panel, and what a pointer reads off; a mean, one
    for each point of the grid, has low and high too, and a single row its number.
    """
    import altair as alt

    chosen = alt.selection_point(name="chosen", fields=["colour"], bind="legend")
    faded = alt.when(chosen)
    axes = {"x": alt.X("x:Q"), "y": alt.Y("y:Q", scale=alt.Scale(zero=False))}
    colour = alt.Color("colour:N")
    points = alt.Chart(alt.NamedData("points"))
    means, single = (points.transform_filter(f"datum.kind === '{kind}'") for kind in ("mean", "single"))
    lines = means.mark_line(strokeWidth=1.4).encode(
        **axes, color=colour, detail="line:N", opacity=faded.then(alt.value(0.75)).otherwise(alt.value(0.08))
    )
    intervals = means.mark_rule(strokeWidth=1.2).encode(
        x=axes["x"],
        y=alt.Y("low:Q"),
        y2="high:Q",
        color=colour,
        opacity=faded.then(alt.value(0.9)).otherwise(alt.value(0.08)),
    )
    replicates = single.mark_point(size=14, filled=True).encode(
        **axes,
        color=colour,
        opacity=faded.then(alt.value(0.35)).otherwise(alt.value(0.04)),
        tooltip="about:N",
    )
    heads = means.mark_point(size=52, filled=True, stroke="white", strokeWidth=0.6, cursor="pointer").encode(
        **axes,
        color=colour,
        shape=alt.Shape("colour:N"),
        opacity=faded.then(alt.value(1)).otherwise(alt.value(0.1)),
        tooltip="about:N",
    )
    layers = alt.layer(lines, intervals, replicates, heads.add_params(chosen))
    made: dict[str, Any] = layers.configure(**_config()).to_dict()
    return made


def choices(result: StudyResult) -> dict[str, dict[str, Any]]:
    """Table name -> which columns tell its rows apart, and what the chart shows at first."""
    return {name: _choices(table, result.axes) for name, table in result.tables.items()}


def quantiles(most: int) -> list[float]:
    """Of Student's distribution, two-sided, for 1, 2, ... degrees of freedom."""
    from scipy.stats import t

    return [round(float(t.ppf(0.5 + CONFIDENCE / 2, dof)), 6) for dof in range(1, most + 1)]


def _choices(table: pd.DataFrame, axes: list[str]) -> dict[str, Any]:
    keys = keys_of(table, axes)
    varying = sorted((key for key in keys if table[key].nunique() > 1), key=lambda key: -table[key].nunique())
    numeric = [key for key in varying if table[key].dtype.kind in "iuf"]
    x = (numeric or varying or keys or [""])[0]
    others = sorted((key for key in varying if key != x), key=lambda key: table[key].nunique() > MOST_COLOURS)
    return {
        "keys": keys,
        "x": x,
        "y": next(iter(measured_of(table, keys)), x),
        "colour": others[0] if others else "",
        "panel": others[1] if len(others) > 1 else "",
    }


def keys_of(table: pd.DataFrame, axes: list[str]) -> list[str]:
    """The columns that, with the replicate, tell a row from every other: axes, texts, then numbers of few values."""
    kinds = {str(name): table[name].dtype.kind for name in table}
    others = [name for name in kinds if name not in (*axes, REPLICATE, "status")]
    keys = [axis for axis in axes if axis in table]
    keys += [name for name in others if kinds[name] not in "iuf" and table[name].nunique() > 1]
    with_replicate = [REPLICATE] if REPLICATE in table else []
    few = [name for name in others if 1 < table[name].nunique() <= MOST_VALUES.get(kinds[name], 0)]
    for name in sorted(few, key=lambda name: kinds[name] == "f"):  # counts before measurements
        seen = table.drop_duplicates([*keys, *with_replicate])
        if len(seen) == len(table):
            break
        if len(table.drop_duplicates([*keys, *with_replicate, name])) > len(seen):
            keys.append(name)
    return keys


def measured_of(table: pd.DataFrame, keys: list[str]) -> list[str]:
    """Numbers that were measured and differ, estimates and accuracies first."""
    found = [
        name
        for name in map(str, table)
        if table[name].dtype.kind == "f" and name not in (*keys, "seconds") and table[name].nunique() > 1
    ]
    usual = ("estimate_nats", "accuracy", "exact_nats")
    return sorted(found, key=lambda name: usual.index(name) if name in usual else len(usual))


def _config() -> dict[str, Any]:
    font = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif"
    text = {
        "labelFont": font,
        "titleFont": font,
        "labelColor": GREY,
        "titleColor": "#1f2933",
        "titleFontWeight": 500,
    }
    return {
        "font": font,
        "background": "transparent",
        "view": {"stroke": None},
        "axis": {
            **text,
            "gridColor": "#e8ebee",
            "domainColor": "#9aa5b1",
            "tickColor": "#9aa5b1",
            "labelLimit": 140,
        },
        # All symbols, however many a reader asks for.
        "legend": {
            **text,
            "orient": "top",
            "symbolOpacity": 1,
            "symbolLimit": 0,
            "columns": 6,
            "labelLimit": 180,
        },
        "header": {**text, "labelFontWeight": 500},
    }

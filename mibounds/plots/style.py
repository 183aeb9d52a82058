"""The look of every figure, set once: what a line means, colours the colour-blind can tell, sizes for print.

Truth is a solid black line, a ceiling a dotted grey one, theory and oracles are dashed and dark; what was
measured is in colour, a line through the replicates' mean and a band over all of them.

Example:
    >>> import pandas as pd
    >>> table = pd.DataFrame({"step": [1, 2, 1, 2], "estimate_nats": [0.5, 1.8, 0.7, 1.9]})
    >>> with new_figure(columns=1, height=2.0) as (figure, axes):
    ...     draw_truth(axes[0, 0], 2.0)
    ...     draw_measurement(axes[0, 0], table, x="step", y="estimate_nats", color=COLORS[0], label="InfoNCE")
    ...     draw_legend(figure)
    >>> [text.get_text() for text in figure.legends[0].get_texts()]
    ['true MI', 'InfoNCE']
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import matplotlib as mpl
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mibounds.statistics import mean_interval

Values: TypeAlias = float | Sequence[float]

PAGE_WIDTH = 7.0  # inches: two columns of a paper
COLORS: list[tuple[float, float, float]] = list(sns.color_palette("colorblind"))
DARK, GREY = "#333333", "#888888"
STYLE: Any = sns.axes_style("ticks") | {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.labelsize": 8,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "lines.linewidth": 1.4,
    "svg.fonttype": "none",  # text stays text: it can be searched and read aloud
    "svg.hashsalt": "mibounds",  # one table, one file
}


class StyledFigure(Figure):
    """A figure that keeps the style when it is saved: ticks are made, and SVG text is decided, only then."""

    def savefig(self, *args: Any, **kwargs: Any) -> None:
        with mpl.rc_context(STYLE):
            super().savefig(*args, **kwargs)


@contextmanager
def new_figure(
    rows: int = 1, columns: int = 1, *, height: float = 2.2, width: float = PAGE_WIDTH, **subplots: Any
) -> Iterator[tuple[Figure, np.ndarray]]:
    """A figure and its axes, always `rows x columns`, drawn on in the style until the block ends.

    Args:
        height: of one row of panels, in inches.
        width: of the whole figure, in inches.
        subplots: for `Figure.subplots`, such as `sharey=True`.
    """
    with mpl.rc_context(STYLE):
        figure = StyledFigure(figsize=(width, rows * height), layout="constrained")
        yield figure, figure.subplots(rows, columns, squeeze=False, **subplots)


def draw_truth(ax: Axes, nats: Values, x: Sequence[float] | None = None, **line: Any) -> None:
    """The true value: over `x`, or across the panel."""
    _draw_line(ax, nats, x, {"color": "black", "linestyle": "-", "label": "true MI", "zorder": 3} | line)


def draw_ceiling(ax: Axes, nats: Values, x: Sequence[float] | None = None, **line: Any) -> None:
    """The largest value that can be reached, such as ln K."""
    _draw_line(ax, nats, x, {"color": GREY, "linestyle": ":", "label": "ceiling", "zorder": 1.5} | line)


def draw_theory(ax: Axes, nats: Values, x: Sequence[float] | None = None, **line: Any) -> None:
    """What a closed form or the oracle critic says, without any training."""
    _draw_line(ax, nats, x, {"color": DARK, "linestyle": "--", "label": "oracle", "zorder": 2.5} | line)


def draw_measurement(
    ax: Axes, table: pd.DataFrame, *, x: str, y: str, color: Any, label: str, **line: Any
) -> None:
    """The mean of the rows that share an `x`, and a band from their least to their largest."""
    sns.lineplot(table, x=x, y=y, ax=ax, color=color, label=label, legend=False, errorbar=("pi", 100), **line)


def draw_intervals(
    ax: Axes, table: pd.DataFrame, *, x: str, y: str, color: Any, label: str, **line: Any
) -> None:
    """The mean of the rows that share an `x`, and its 95% interval over them as a bar."""
    table = table.dropna(subset=[y])
    if table.empty:
        return
    by_x = table.groupby(x)[y]
    intervals = [mean_interval(values.to_numpy()) for _, values in by_x]
    reach = [one.high - one.effect if np.isfinite(one.high) else 0.0 for one in intervals]
    style: dict[str, Any] = {"marker": "o", "markersize": 3, "linewidth": 1.2, "elinewidth": 1.0} | line
    ax.errorbar(
        np.asarray(list(by_x.groups), dtype=float),
        [one.effect for one in intervals],
        reach,
        color=color,
        label=label,
        **style,
    )


def draw_mean(ax: Axes, x: float, values: Values, **line: Any) -> None:
    """The mean of the values at one place, and its 95% interval as a bar; without one of a single value."""
    if not len(np.asarray(values)):
        return
    effect, _, high = mean_interval(np.asarray(values))
    reach = high - effect if np.isfinite(high) else 0.0
    style: dict[str, Any] = {"marker": "o", "markersize": 3, "linestyle": "none"} | line
    ax.errorbar([x], [effect], [reach], **style)


def draw_legend(figure: Figure, columns: int | None = None) -> None:
    """One legend above all panels, clear of their common axis label; each label once, in order of appearance.

    Fewer columns than asked for where those are wider than the figure.
    """
    by_label: dict[str, Any] = {}
    for ax in figure.axes:
        handles, texts = ax.get_legend_handles_labels()
        by_label |= dict(zip(texts, handles, strict=True))
    ncols = columns or len(by_label)
    for n in range(ncols, 0, -1):
        legend = figure.legend(by_label.values(), by_label.keys(), loc="outside upper center", ncols=n)
        if n == 1 or legend.get_window_extent().width <= figure.bbox.width:
            return
        legend.remove()


def _draw_line(ax: Axes, nats: Values, x: Sequence[float] | None, line: dict[str, Any]) -> None:
    if x is None:
        ax.axhline(float(np.asarray(nats)), **line)
    else:
        ax.plot(x, np.broadcast_to(nats, np.shape(x)), **line)

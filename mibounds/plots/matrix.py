"""A clustered heat map of the information between columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from mibounds.plots.style import DARK, GREY, new_figure

MOST_WRITTEN_OUT = 16  # columns up to which each cell has its number


def draw_matrix(matrix: pd.DataFrame, unit: str = "nats") -> Figure:
    """Columns that share much stand side by side: by average linkage of 1 - sqrt(1 - e^(-2 I)).

    That is 1 less the correlation of the Gaussian pair with as much information (Linfoot 1957). A negative value counts
    as 0 there, and a pair that is missing as sharing nothing; the colours have the values themselves.

    Args:
        matrix: `columns x columns`, symmetric, in `unit`; NaN where there is no value, as on the diagonal.
        unit: "nats" or "bits", of what is shown.

    Example:
        >>> shared = pd.DataFrame([[np.nan, 0.3], [0.3, np.nan]], index=["a", "b"], columns=["a", "b"])
        >>> draw_matrix(shared).axes[0].get_title()
        'mutual information (nats)'
    """
    from scipy.cluster.hierarchy import dendrogram

    n = len(matrix)
    side = min(max(3.0, 0.42 * n + 1.6), 14.0)
    tree = linkage_of(matrix / np.log2(np.e) if unit == "bits" else matrix)
    with new_figure(2, 1, height=side / 2, width=side, height_ratios=[1, 6]) as (figure, axes):
        top, below = axes[:, 0]
        leaves = dendrogram(tree, ax=top, no_labels=True, color_threshold=0, above_threshold_color=DARK)[
            "leaves"
        ]
        top.set_xlim(0, 10 * n)  # SciPy's leaves stand 10 apart: each over its column
        top.axis("off")
        names = [matrix.columns[i] for i in leaves or []]
        shown = matrix.reindex(index=names, columns=names)
        most = float(np.nan_to_num(shown.to_numpy(), nan=0.0).max())
        below.set_facecolor(GREY)
        style: dict[str, Any] = {"annot": n <= MOST_WRITTEN_OUT, "fmt": "z.2f", "annot_kws": {"size": 6}}
        sns.heatmap(
            shown,
            ax=below,
            mask=shown.isna(),
            cmap="viridis",
            vmin=0,
            vmax=most if most > 0 else 1.0,  # of columns that share nothing, all values may be under 0
            cbar=False,
            **style,
        )
        figure.colorbar(below.collections[0], ax=axes, label=unit)
        below.tick_params(length=0)
        top.set_title(f"mutual information ({unit})")
    return figure


def linkage_of(matrix: pd.DataFrame) -> np.ndarray:
    """The tree of the columns, as SciPy's linkage, from `columns x columns` nats."""
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    nats = np.nan_to_num(matrix.to_numpy(), nan=0.0).clip(min=0.0)
    apart = 1 - np.sqrt(-np.expm1(-2 * nats))
    np.fill_diagonal(apart, 0.0)
    return linkage(squareform(apart, checks=False), method="average", optimal_ordering=True)

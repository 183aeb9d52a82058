"""What all figures share."""

from __future__ import annotations

import pytest

from mibounds.plots.style import draw_legend, new_figure

LONG = "a label that is as long as a label can be"


@pytest.mark.parametrize("columns", [None, 4, 1])
def test_a_legend_fits_its_figure(columns):
    with new_figure() as (figure, ((ax,),)):
        for i in range(8):
            ax.plot([0, 1], label=f"{LONG} {i}")
        draw_legend(figure, columns=columns)
        (legend,) = figure.legends
        assert [text.get_text() for text in legend.get_texts()] == [f"{LONG} {i}" for i in range(8)]
        assert legend.get_window_extent().width <= figure.bbox.width


def test_a_legend_has_the_columns_asked_for_where_they_fit():
    with new_figure() as (figure, ((ax,),)):
        for name in "abcd":
            ax.plot([0, 1], label=name)
        draw_legend(figure, columns=2)
        assert figure.legends[0]._ncols == 2

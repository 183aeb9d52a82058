"""The page itself: templates, style, scripts, tables and figures in one file."""

from __future__ import annotations

import importlib
import json
import math
from collections import Counter
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import mibounds
from mibounds import files
from mibounds.errors import DataError
from mibounds.report import chart, columns, figure
from mibounds.report.gather import StudyResult, anchor
from mibounds.study.verdict import OUTCOMES

MINUS, NO_VALUE = "\N{MINUS SIGN}", "\N{EN DASH}"
STYLES = ("report.css", "board.css", "explore.css", "print.css")
PACKAGES = ("jinja2", "altair", "vl_convert")
SCRIPTS = ("data.js", "filters.js", "table.js", "chart.js", "page.js")


def write(results: Sequence[StudyResult], path: Path) -> int:
    """Write the page whole or not at all; returns its size in bytes."""
    text = render(results)
    files.write_text(path, text)
    return len(text.encode())


def render(results: Sequence[StudyResult]) -> str:
    """The page as one text; every text in it is escaped, the project's own templates, style and scripts aside."""
    require_packages()
    from jinja2 import Environment, PackageLoader
    from markupsafe import Markup, escape

    environment = Environment(
        loader=PackageLoader("mibounds.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "values": values, "duration": duration}
    environment.filters["breakable"] = lambda text: escape(text).replace("_", Markup("_<wbr>"))
    environment.globals |= {"anchor": anchor}
    return environment.get_template("report.html.j2").render(
        version=mibounds.__version__,
        results=results,
        outcomes=OUTCOMES,
        counts=Counter(claim.outcome for result in results for claim in result.claims),
        figures={result.slug: figure.picture(result.folder) for result in results},
        data={result.slug: columns.compressed(columns.to_json(result.tables)) for result in results},
        vega=columns.compressed(chart.code()),
        facts=Markup(_json(facts(results))),
        style=Markup(_assets(STYLES)),
        script=Markup(_assets(SCRIPTS)),
    )


def require_packages() -> None:
    """Raise DataError if one is missing that the report is made by."""
    for name in PACKAGES:
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise DataError(f"the report is made by {name}: pip install 'mibounds[report]'") from error


def facts(results: Sequence[StudyResult]) -> dict[str, Any]:
    """What the scripts need to know besides the tables."""
    most = max((result.replicates for result in results), default=0)
    return {
        "chart": chart.spec(),
        "colors": chart.COLORS,
        "shapes": chart.SHAPES,
        "quantiles": chart.quantiles(max(most - 1, 30)),
        "choices": {result.slug: chart.choices(result) for result in results},
    }


def number(value: float | None) -> str:
    """Three digits and a true minus; a dash where there is none."""
    if value is None or not math.isfinite(value):
        return NO_VALUE
    return f"{value:.3g}".replace("-", MINUS)


def values(of: Sequence[Any]) -> str:
    """An axis's values; a long run of whole numbers by its ends."""
    of = list(of)
    if len(of) > 6 and all(type(one) is int for one in of) and of == list(range(of[0], of[-1] + 1)):
        return f"{of[0]}, {of[1]}, \N{HORIZONTAL ELLIPSIS}, {of[-1]}"
    return ", ".join(f"{one:g}" if isinstance(one, float) else str(one) for one in of)


def duration(seconds: float | None) -> str:
    """Seconds below two minutes, then minutes, then hours."""
    if seconds is None:
        return NO_VALUE
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _assets(names: Sequence[str]) -> str:
    folder = resources.files("mibounds.report") / "assets"
    return "\n".join((folder / name).read_text(encoding="utf-8") for name in names)


def _json(value: Any) -> str:
    """JSON that cannot end the script that it stands in."""
    return json.dumps(value, separators=(",", ":")).replace("<", "\\u003c")

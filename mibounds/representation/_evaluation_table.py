"""An evaluation as text: what a person reads first, in aligned columns with units."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import Any

from mibounds.statistics import mean_interval

Rows = Sequence[dict[str, Any]]

BOUND = {
    "estimate_nats": "InfoNCE at the training temperature",
    "best_temperature_estimate_nats": "InfoNCE at the best temperature",
    "oracle_nats": "the true density ratio's",
    "ceiling_nats": "ceiling ln K",
    "temperature_ceiling_nats": "ceiling of the training temperature",
    "truth_nats": "true MI",
}
GEOMETRY = {
    "alignment": "alignment (0: views agree)",
    "uniformity": "uniformity (less: more even)",
    "tolerance": "tolerance (mean cosine in a class)",
    "effective_rank": "effective rank (dimensions)",
    "spread": "spread (mean std of unit rows)",
    "representation_effective_rank": "effective rank of h (dimensions)",
}
FEW = ("accuracy", "raw_accuracy", "random_accuracy", "fine_tuned_accuracy", "supervised_accuracy")
FEW_TITLES = ("frozen", "raw input", "untrained", "fine-tuned", "from scratch")


def text(rows: Rows, method: str, steps: int) -> str:
    """The table: probes beside their baselines, bounds beside their limits, geometry, and what else was asked for."""
    sound = [row for row in rows if row["status"] == "ok"]
    runs = f"{len(rows)} runs, mean and 95% interval" if len(rows) > 1 else "1 run"
    lines = [f"{method} after {steps:,} steps, {runs}; test split"]
    lines += [f"run {r}: {row['status']}" for r, row in enumerate(rows) if row["status"] != "ok"]
    if not sound:
        return "\n".join(lines)
    sections = [_probes(sound), _bounds(sound), _geometry(sound), _layers(sound), _few_labels(sound)]
    return "\n".join([*lines, *(line for section in sections if section for line in ["", *section])])


def _probes(rows: Rows) -> list[str]:
    names = [name for name in rows[0] if f"raw_{name}" in rows[0] and "_at_" not in name]
    body = [
        [_title(name), *(_cell(rows, prefix + name) for prefix in ("", "raw_", "random_"))] for name in names
    ]
    return _aligned(["linear probe, k-NN probe", "model", "raw input", "untrained"], body)


def _title(name: str) -> str:
    known = {"accuracy": "label accuracy", "knn_accuracy": "label accuracy, k-NN"}
    return known.get(name) or name.replace("_accuracy", " accuracy").replace("_r2", " R^2")


def _bounds(rows: Rows) -> list[str]:
    n = rows[0].get("n_candidates")
    titles = dict(BOUND)
    best = _mean(rows, "best_temperature")
    titles["best_temperature_estimate_nats"] += f", {best:.3g}"
    body = [
        [title, _cell(rows, name, 2)] for name, title in titles.items() if not math.isnan(_mean(rows, name))
    ]
    return _aligned([f"MI between the views, K = {n:,}", "nats"], body) if n else []


def _geometry(rows: Rows) -> list[str]:
    body = [[title, _cell(rows, name)] for name, title in GEOMETRY.items() if name in rows[0]]
    return _aligned(["geometry of the embedding", ""], body)


def _layers(rows: Rows) -> list[str]:
    """Probes of each layer; a layer is known by its effective rank, which the embedding has twice."""
    layers = [name.removesuffix("_effective_rank") for name in rows[0] if name.endswith("_effective_rank")]
    layers = [layer for layer in layers if layer != "representation"]
    if not layers:
        return []
    columns = [name.removeprefix(f"{layers[0]}_") for name in rows[0] if name.startswith(f"{layers[0]}_")]
    body = [[layer, *(_cell(rows, f"{layer}_{name}") for name in columns)] for layer in layers]
    return _aligned(["layer", *map(_title, columns)], body)


def _few_labels(rows: Rows) -> list[str]:
    fractions = [match[1] for name in rows[0] if (match := re.fullmatch(r"n_labels_at_(.+)", name))]
    kinds = [kind for kind in FEW if fractions and f"{kind}_at_{fractions[0]}" in rows[0]]
    titles = [dict(zip(FEW, FEW_TITLES, strict=True))[kind] for kind in kinds]
    body = [
        [
            f"{float(f):.1%}: {_mean(rows, f'n_labels_at_{f}'):.0f}",
            *(_cell(rows, f"{kind}_at_{f}") for kind in kinds),
        ]
        for f in fractions
    ]
    return _aligned(["accuracy from few labels", *titles], body) if body else []


def _mean(rows: Rows, name: str) -> float:
    return math.fsum(row.get(name, math.nan) for row in rows) / len(rows)


def _cell(rows: Rows, name: str, digits: int = 3) -> str:
    values = [row[name] for row in rows if not math.isnan(row.get(name, math.nan))]
    if not values:
        return "-"
    if len(values) == 1 or max(values) == min(values):
        return f"{values[0]:.{digits}f}"
    effect, low, high = mean_interval(values)
    return f"{effect:.{digits}f} +- {(high - low) / 2:.{digits}f}"


def _aligned(head: Sequence[str], body: Sequence[Sequence[str]]) -> list[str]:
    """First column to the left and indented under its title, the others to the right."""
    table = [list(head), *(["  " + row[0], *row[1:]] for row in body)]
    widths = [max(len(row[c]) for row in table) for c in range(len(head))]
    return [
        "  ".join(
            cell.ljust(w) if c == 0 else cell.rjust(w)
            for c, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in table
    ]

"""A study: question, axes, what is measured, and the claims written down before the run."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from mibounds.errors import StudyError
from mibounds.study.verdict import Verdict

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from mibounds.study.cell import Pack

Value: TypeAlias = str | int | float | bool
Axis: TypeAlias = tuple[Value, ...]
Point: TypeAlias = dict[str, Value]
Tables: TypeAlias = "dict[str, pd.DataFrame]"
Row: TypeAlias = Mapping[str, Any]

REPLICATE = "replicate"
TABLE = "table"
RESERVED = (REPLICATE, "status", "seconds")


@dataclass(frozen=True)
class Claim:
    """One sentence of a source, and how the tables decide it.

    Attributes:
        id: short and stable, such as "C2".
        text: what is claimed, in the source's words.
        source: who claims it.
        criterion: effect and threshold in words, written before the run.
        verdict: function of the tables (name -> DataFrame) alone.
    """

    id: str
    text: str
    source: str
    criterion: str
    verdict: Callable[[Tables], Verdict]


class Measurement:
    """What one cell gave: rows of the tidy table, each with a `status`, and rows of further tables by name.

    Example:
        >>> one = Measurement({"estimate_nats": 1.9, "status": "ok"}, curve=[{"step": 0, "value_nats": 0.1}])
        >>> {name: len(rows) for name, rows in one.tables.items()}
        {'table': 1, 'curve': 1}
    """

    def __init__(self, rows: Row | Iterable[Row], **tables: Iterable[Row]):
        if TABLE in tables:
            raise StudyError(f"{TABLE!r} names the tidy table, which stands first; choose another name")
        tidy = [rows] if isinstance(rows, Mapping) else list(rows)
        self.tables = {TABLE: tidy} | {name: list(extra) for name, extra in tables.items()}


@dataclass(frozen=True)
class Study:
    """A grid of cells, how to measure a pack of them, and what the table decides.

    Attributes:
        slug: the study's name; its file is `<slug>.py`.
        question: one sentence that ends in a question mark.
        axes: name -> values, in grid order (the last varies fastest). The axis "replicate" follows by itself.
        stacked: axes along which cells train together as one pack; may contain "replicate".
        seeds: purpose -> the axes that its seed depends on; the replicate always counts. Cells that differ in
            other axes share the seed, which is what pairs them.
        presets: name -> {"replicates": number, axis: values, setting: number}; "full" is required.
        measure: function of a pack -> one Measurement per cell, in the pack's order. A generator's are stored
            one by one as they come.
        claims: what is decided.
        settings: numbers that are no axes (steps, batch sizes), part of a cell's identity.
        keep: function of a point -> whether it belongs to the grid.
        width: most cells in one pack: a number, or a function of a point that looks at no stacked axis.
        version: raise it when `measure` changes what it measures, or a criterion changes after a full run. Finished
            cells then count no more and all is drawn anew: no criterion is judged on the data that suggested it.
        draw: function of the tables -> Figure.
        file, source: where the study was loaded from, and what it held then; `find.load` fills them in.

    Raises:
        StudyError: the fields contradict each other.

    Example:
        >>> from mibounds.study import make_grid
        >>> study = Study(
        ...     slug="coin",
        ...     question="Is it fair?",
        ...     axes={"side": ("heads", "tails")},
        ...     seeds={"toss": ()},
        ...     presets={"full": {"replicates": 10}},
        ...     measure=lambda pack: [Measurement({"status": "ok"}) for cell in pack.cells],
        ... )
        >>> make_grid(study).cells[0]
        coin(side=heads, replicate=0)
    """

    slug: str
    question: str
    axes: Mapping[str, Axis]
    seeds: Mapping[str, tuple[str, ...]]
    presets: Mapping[str, Mapping[str, Any]]
    measure: Callable[[Pack], Iterable[Measurement]]
    stacked: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    settings: Mapping[str, Value] = field(default_factory=dict)
    keep: Callable[[Point], bool] = lambda point: True
    width: int | Callable[[Point], int] = 16
    version: int = 1
    draw: Callable[[Tables], Figure | None] | None = None
    file: Path | None = None
    source: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        self._require(self.slug.isidentifier(), "a slug is a name such as 'two_words', its file's name")
        parts = {"axes": self.axes, "settings": self.settings, "seeds": self.seeds, "presets": self.presets}
        for what, named in parts.items():
            for name in named:
                self._require(isinstance(name, str), f"names of {what} must be texts; got {name!r}")
        for name, values in self.axes.items():
            self._require(
                name not in RESERVED, f"axis {name!r} is a name that the runner adds; choose another"
            )
            self._require_axis(name, values)
        for name, value in self.settings.items():
            self._require(
                name not in (*self.axes, *RESERVED), f"setting {name!r} is also the name of an axis"
            )
            self._require(
                _is_value(value), f"setting {name!r} must be a finite number, a text or a bool; got {value!r}"
            )
        known = (*self.axes, REPLICATE)
        for where, names in (("stacked", self.stacked), *((f"seed {p!r}", a) for p, a in self.seeds.items())):
            self._require(isinstance(names, tuple), f"{where} must be a tuple of axis names; got {names!r}")
            for name in names:
                self._require(
                    name in known, f"{where} names axis {name!r}; there are only {', '.join(known)}"
                )
        ids = [claim.id for claim in self.claims]
        self._require(
            len(set(ids)) == len(ids), f"claim ids must differ from each other; got {', '.join(ids)}"
        )
        self._require(
            "full" in self.presets, f"presets must contain 'full'; got {', '.join(self.presets) or 'none'}"
        )
        for preset, changes in self.presets.items():
            self._require_preset(preset, changes)

    @property
    def series(self) -> str:
        """What its random numbers go by: the slug, and from the second version on the version too."""
        return self.slug if self.version == 1 else f"{self.slug} {self.version}"

    @property
    def source_sha256(self) -> str | None:
        """SHA-256 of the file as it was loaded, None without one."""
        return None if self.file is None else hashlib.sha256(self.source).hexdigest()

    @cached_property
    def code(self) -> str:
        """SHA-256 of the code that measures; what other code measured counts no more. See `measuring_code`."""
        from mibounds.study.cell import digest
        from mibounds.study.code import measuring_code

        return digest(measuring_code(self))

    def _require_preset(self, preset: str, changes: Mapping[str, Any]) -> None:
        count = changes.get("replicates")
        self._require(
            isinstance(count, int) and count >= 1,
            f"preset {preset!r} must have 'replicates', at least 1; got {count!r}",
        )
        for name, value in changes.items():
            if name in self.axes:
                self._require_axis(name, value)
            elif name != "replicates":
                self._require(
                    name in self.settings,
                    f"preset {preset!r} sets {name!r}, which is neither an axis nor a setting",
                )
                self._require(
                    _is_value(value), f"preset {preset!r} sets {name!r} to {value!r}, not a finite number"
                )

    def _require_axis(self, name: str, values: Any) -> None:
        self._require(
            isinstance(values, (tuple, list, range)) and len(values) > 0 and all(map(_is_value, values)),
            f"axis {name!r} must be a tuple of finite numbers, texts or bools; got {values!r}",
        )
        self._require(len(set(values)) == len(values), f"axis {name!r} repeats a value: {values!r}")

    def _require(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise StudyError(f"study {self.slug!r}: {otherwise}")


def _is_value(value: Any) -> bool:
    return isinstance(value, (str, bool, int)) or (isinstance(value, float) and math.isfinite(value))

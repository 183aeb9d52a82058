"""Plan: what a run would take, from what its cells took before. Nothing is measured for it."""

from __future__ import annotations

import heapq
import itertools
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from mibounds import files
from mibounds.study import record, tables
from mibounds.study.cell import Pack
from mibounds.study.grid import Grid
from mibounds.study.places import mirror_of
from mibounds.study.shard import Shard
from mibounds.study.store import Store, fault_for, parse
from mibounds.study.study import REPLICATE, TABLE, Study, Value

GUESSED_AT_MOST = 1000
READ_AT_MOST = 4000  # cell files: enough for a mean, and not a quarter of an hour of a million
BLOCK_BYTES = 4096
ENVELOPE_BYTES = 900  # of a cell file beside its rows
MIB = 2**20


@dataclass(frozen=True)
class Known:
    """What is known of cells that were measured.

    Attributes:
        source: where from, in words.
        seconds: values of the axes in `axes` -> mean seconds of a cell.
        axes: those along which cells do not train together.
        settings: what was measured with.
        peak_mib: the most that a worker held, None if nothing tells.
        file_bytes: of a cell's file, on the mean.
    """

    source: str
    axes: tuple[str, ...]
    seconds: Mapping[tuple[Value, ...], float]
    settings: Mapping[str, Any]
    peak_mib: float | None
    file_bytes: float

    def of(self, packs: Sequence[Pack]) -> list[float]:
        """Seconds of each pack. One whose like was never measured is guessed; of very many such, some are."""
        guessed: list[float] = []
        seconds = []
        for pack in packs:
            key = self._key(pack)
            if key in self.seconds:
                mean = self.seconds[key]
            elif len(guessed) < GUESSED_AT_MOST:
                mean = self._like(key)
                guessed.append(mean)
            else:
                mean = sum(guessed) / len(guessed)
            seconds.append(len(pack.cells) * mean)
        return seconds

    def _key(self, pack: Pack) -> tuple[Value, ...]:
        return tuple(pack.cells[0].point[axis] for axis in self.axes)

    def _like(self, key: tuple[Value, ...]) -> float:
        """The mean over those that share most values with it, each changed by a factor for every other value."""
        shared = {other: sum(map(_alike, other, key)) for other in self.seconds}
        most = max(shared.values())
        nearest = [other for other, count in shared.items() if count == most]
        return sum(self.seconds[other] * self._factor(other, key) for other in nearest) / len(nearest)

    def _factor(self, there: tuple[Value, ...], here: tuple[Value, ...]) -> float:
        """What going from one point to another costs, axis by axis, by the means of all that share the value."""
        factor = 1.0
        for place, (old, new) in enumerate(zip(there, here, strict=True)):
            if not _alike(old, new) and (place, new) in self._means:
                factor *= self._means[place, new] / max(self._means[place, old], 1e-9)
        return factor

    @cached_property
    def _means(self) -> dict[tuple[int, Value], float]:
        by_value: dict[tuple[int, Value], list[float]] = {}
        for key, seconds in self.seconds.items():
            for place, value in enumerate(key):
                by_value.setdefault((place, value), []).append(seconds)
        return {place: sum(all_of_one) / len(all_of_one) for place, all_of_one in by_value.items()}

    def knows(self, pack: Pack) -> bool:
        """Whether such a pack was measured."""
        return self._key(pack) in self.seconds


@dataclass(frozen=True)
class Plan:
    """A grid's packs that have a missing cell, and what they will take.

    Attributes:
        cells, packs: of the grid, or of one shard.
        missing: those of its cells that have no file yet.
        to_do: packs with such a cell; each is measured whole.
        seconds: of each of `to_do`, in grid order; empty if nothing is known.
        unlike: packs of `to_do` whose like was never measured, so that they are guessed from others.
        other_settings: setting -> (there, here), where what is known was measured otherwise.
    """

    cells: int
    packs: int
    missing: int
    to_do: int
    seconds: tuple[float, ...]
    unlike: int
    known: Known | None
    other_settings: Mapping[str, tuple[Any, Any]]

    def wall_seconds(self, workers: int) -> float:
        """Until the last pack ends, each taken up in grid order by the first worker that is free."""
        free = [0.0] * max(1, min(workers, len(self.seconds)))
        for seconds in self.seconds:
            heapq.heapreplace(free, free[0] + seconds)
        return max(free)

    @property
    def longest_seconds(self) -> float:
        """Of one pack: with any number of workers it takes as long."""
        return max(self.seconds, default=0.0)

    @property
    def disk_bytes(self) -> float | None:
        """Of the missing cells' files, in whole blocks of a disk."""
        if self.known is None:
            return None
        return self.missing * math.ceil(self.known.file_bytes / BLOCK_BYTES) * BLOCK_BYTES


def plan(
    grid: Grid,
    folder: str | Path,
    committed: str | Path,
    shard: Shard | None = None,
    *,
    mirror: str | None = None,
    fresh: bool = False,
) -> Plan:
    """What measuring the cells that `folder` lacks will take. Files that cannot be used are lacking.

    The seconds are those of finished cells in `folder`, or else of the table in `folder` or in `committed`. They hold
    for workers such as those that measured, as busy as those were.

    Args:
        committed: a folder with results of the study, such as those of its full preset.
        shard: plan this part alone.
        mirror: what lies there alone is not missing either.
        fresh: all is missing.
    """
    packs = grid.packs if shard is None else shard.packs(grid)
    read = _read(grid, Path(folder))
    finished = set[str]() if fresh else read.sound | _in_mirror(grid, mirror) - read.unusable
    missing = [[cell for cell in pack.cells if cell.id not in finished] for pack in packs]
    to_do = [pack for pack, lacks in zip(packs, missing, strict=True) if lacks]
    known = _from_cells(grid, Path(folder), read)
    for place in dict.fromkeys((Path(folder), Path(committed))):
        known = known or _from_table(grid.study, place)
    return Plan(
        cells=sum(len(pack.cells) for pack in packs),
        packs=len(packs),
        missing=sum(map(len, missing)),
        to_do=len(to_do),
        seconds=() if known is None else tuple(known.of(to_do)),
        unlike=0 if known is None else sum(not known.knows(pack) for pack in to_do),
        known=known,
        other_settings={} if known is None else _differing(known.settings, grid.settings),
    )


def known_of(
    study: Study,
    source: str,
    cells: Iterable[tuple[Mapping[str, Value], float]],
    settings: Mapping[str, Any],
    peak_mib: float | None,
    file_bytes: float,
) -> Known | None:
    """From (point, seconds) of cells; None of no cells."""
    axes = tuple(axis for axis in (*study.axes, REPLICATE) if axis not in (*study.stacked, REPLICATE))
    by_key: dict[tuple[Value, ...], list[float]] = {}
    for point, seconds in cells:
        by_key.setdefault(tuple(point[axis] for axis in axes), []).append(seconds)
    means = {key: sum(all_of_one) / len(all_of_one) for key, all_of_one in by_key.items()}
    return Known(source, axes, means, settings, peak_mib, file_bytes) if means else None


@dataclass(frozen=True)
class _Read:
    """The cell files of a folder.

    Attributes:
        sound, unusable: ids; of very many files a part is read, and all if one of these cannot be used.
        payloads, sizes: of the sound ones that were read, sizes in bytes.
    """

    sound: set[str]
    unusable: set[str]
    payloads: list[dict[str, Any]]
    sizes: list[int]


def _read(grid: Grid, folder: Path) -> _Read:
    store = Store(folder)
    present = store.present()
    there = [cell for cell in grid.cells if cell.id in present]
    step = math.ceil(len(there) / READ_AT_MOST) or 1
    found = _Read({cell.id for cell in there}, set(), [], [])
    for start in range(step):
        for cell in there[start::step]:
            content = files.read_bytes(store.path(cell.id)) or b""
            payload, _ = parse(content)
            if payload is None or fault_for(payload, cell) is not None:
                found.unusable.add(cell.id)
            else:
                found.payloads.append(payload)
                found.sizes.append(len(content))
        if not found.unusable:
            break
    found.sound.difference_update(found.unusable)
    return found


def _in_mirror(grid: Grid, url: str | None) -> set[str]:
    mirror = mirror_of(grid, url)
    return set() if mirror is None else mirror.present()


def _from_cells(grid: Grid, folder: Path, read: _Read) -> Known | None:
    payloads, sizes = read.payloads, read.sizes
    peaks = [payload["peak_mib"] for payload in payloads if payload["peak_mib"] is not None]
    return known_of(
        grid.study,
        f"{len(payloads)} finished cells in {folder}",
        ((payload["point"], payload["seconds"]) for payload in payloads),
        grid.settings,
        max(peaks, default=None),
        sum(sizes) / max(1, len(sizes)),
    )


def _from_table(study: Study, folder: Path) -> Known | None:
    told = record.read(folder)
    if told is None or told["study"] != study.slug or told.get("version") != study.version:
        return None
    read = tables.read(folder, told["tables"])
    axes = [*study.axes, REPLICATE]
    if not {*axes, "seconds"} <= set(read[TABLE]):
        return None
    rows = read[TABLE].drop_duplicates(axes)
    points = (dict(zip(axes, values, strict=True)) for values in rows[axes].itertuples(index=False))
    row_bytes = sum(_json_bytes(table) for table in read.values())
    return known_of(
        study,
        f"{len(rows)} cells of {folder / 'table.csv'}",
        zip(points, rows["seconds"].tolist(), strict=True),
        told["settings"],
        told.get("peak_mib"),
        ENVELOPE_BYTES + row_bytes / len(rows),
    )


def _json_bytes(table: Any) -> float:
    """Of the table's rows in cell files, by some of them."""
    some = itertools.islice(table.to_dict("records"), 0, None, max(1, len(table) // 200))
    lengths = [len(json.dumps(row)) for row in some]
    return len(table) * sum(lengths) / max(1, len(lengths))


def _differing(there: Mapping[str, Any], here: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = sorted({*there, *here})
    return {name: (there.get(name), here.get(name)) for name in names if there.get(name) != here.get(name)}


def _alike(one: Value, other: Value) -> bool:
    return type(one) is type(other) and one == other


def counts(cores: int) -> Sequence[int]:
    """Numbers of workers to plan for: one, this machine's, and larger ones."""
    return sorted({1, cores, 4, 16, 64, 256})

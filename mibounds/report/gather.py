"""What the page says of a study: from its file, its record and its tables."""

from __future__ import annotations

import ast
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from mibounds.errors import StudyError
from mibounds.report import columns
from mibounds.report.needed import Box, rows_in, rows_needed
from mibounds.study import Claim, Study, check, read_results
from mibounds.study.study import REPLICATE, Tables


@dataclass(frozen=True)
class RowsLink:
    """Rows of one table: what they are, how many, and where the page shows them."""

    table: str
    box: Box
    count: int
    href: str


@dataclass(frozen=True)
class ClaimResult:
    """A claim, its test in words, and what the committed run decided."""

    id: str
    anchor: str
    text: str
    source: str
    criterion: str
    decided: dict[str, Any]
    rows: tuple[RowsLink, ...]

    @property
    def outcome(self) -> str:
        return str(self.decided["outcome"])

    @property
    def href(self) -> str:
        """Where its numbers come from: its rows, as far as they are known."""
        return self.rows[0].href if self.rows else f"#{self.anchor}"


@dataclass(frozen=True)
class StudyResult:
    """One study's section of the page."""

    slug: str
    question: str
    protocol: tuple[str, ...]
    folder: Path
    drawn: str
    record: dict[str, Any]
    tables: Tables
    claims: tuple[ClaimResult, ...]
    problems: tuple[str, ...]

    @property
    def axes(self) -> list[str]:
        """The axes of its grid, replicates aside."""
        return [axis for axis in self.record.get("axes", {}) if axis != REPLICATE]

    @property
    def replicates(self) -> int:
        return len(self.record.get("axes", {}).get(REPLICATE, ()))


def gather(study: Study | None, folder: Path) -> StudyResult:
    """What a results folder says; without its study's file, claims have names but no words."""
    record, tables = read_results(folder)
    slug = record["study"]
    if study is not None and study.slug != slug:
        raise StudyError(f"{folder}: the record is of study {slug!r}, not of {study.slug!r}")
    return StudyResult(
        slug=slug,
        question=record.get("question") or slug,
        protocol=_protocol(study),
        folder=folder,
        drawn=_drawn(study),
        record=record,
        tables=tables,
        claims=tuple(_claims(study, record, tables)),
        problems=tuple(_problems(study, folder, record)),
    )


def anchor(*names: str) -> str:
    """A name that an address can hold, one for each study and claim."""
    return "-".join(quote(name, safe="") for name in names)


def rows_href(slug: str, table: str, box: Box) -> str:
    """Where the page shows these rows: the address that its filters read."""
    wanted = {column: "|".join(map(_shown, values)) for column, values in box.items()}
    query = f"?{urlencode(wanted, quote_via=quote)}" if wanted else ""
    return f"#rows/{quote(slug, safe='')}/{quote(table, safe='')}{query}"


def _shown(value: Any) -> str:
    return columns.number(value) if isinstance(value, float) else str(value)


def _claims(study: Study | None, record: dict[str, Any], tables: Tables) -> Iterable[ClaimResult]:
    known = {claim.id: claim for claim in study.claims} if study else {}
    slug, axes = record["study"], [axis for axis in record.get("axes", {}) if axis != REPLICATE]
    for name, decided in record["verdicts"].items():
        claim = known.get(name)
        yield ClaimResult(
            id=name,
            anchor=anchor(slug, name),
            text=claim.text if claim else "",
            source=claim.source if claim else "",
            criterion=claim.criterion if claim else "",
            decided=decided,
            rows=tuple(_rows(claim, slug, tables, axes)) if claim else _all_rows(slug, tables),
        )


def _rows(claim: Claim, slug: str, tables: Tables, axes: list[str]) -> Iterable[RowsLink]:
    boxes = rows_needed(claim, tables, axes)
    if not boxes:
        yield from _all_rows(slug, tables)
    for table, box in boxes.items():
        yield RowsLink(table, box, int(rows_in(tables[table], box).sum()), rows_href(slug, table, box))


def _all_rows(slug: str, tables: Tables) -> tuple[RowsLink, ...]:
    table = next(iter(tables), None)
    return () if table is None else (RowsLink(table, {}, len(tables[table]), rows_href(slug, table, {})),)


def _protocol(study: Study | None) -> tuple[str, ...]:
    """The paragraphs of the file's docstring, its title aside."""
    if study is None or study.file is None:
        return ()
    text = ast.get_docstring(ast.parse(study.source)) or ""
    return tuple(" ".join(paragraph.split()) for paragraph in text.split("\n\n")[1:])


def _drawn(study: Study | None) -> str:
    """What the figure shows, as its code says."""
    text = study.draw.__doc__ if study and study.draw else None
    return " ".join(text.split("\n\n")[0].split()) if text else ""


def _problems(study: Study | None, folder: Path, record: dict[str, Any]) -> Iterable[str]:
    """Where page, record, tables and the study as it is now differ."""
    if study is None:
        yield "The study's file was not found, so that its claims have no words and were not computed again."
        return
    yield from check(study, folder)
    if study.source_sha256 != record.get("study_sha256"):
        yield "The study's file has changed since this run; what it measures has the same version."

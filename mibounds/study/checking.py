"""Verdicts from tables, and whether committed results still say what their record says."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from mibounds import files
from mibounds.errors import StudyError, one_line
from mibounds.study import find, record, tables
from mibounds.study.study import TABLE, Study, Tables
from mibounds.study.verdict import Verdict

RELATIVE = 1e-9


def verdicts(study: Study, of: Tables) -> dict[str, Verdict]:
    """Claim id -> what the tables decide."""
    return {claim.id: _decide(study, claim.id, claim.verdict, of) for claim in study.claims}


def read_results(folder: str | Path) -> tuple[dict[str, Any], Tables]:
    """The record of a results folder and the tables that it names."""
    found = record.require(Path(folder))
    return found, tables.read(Path(folder), found["tables"])


def check(study: Study, folder: str | Path) -> list[str]:
    """What is wrong with the results in `folder`, a line each: edited tables, verdicts that changed.

    Tables are held against the record's SHA-256, its verdicts and its counts of rows against the tables. Who edits a
    table and makes the record anew from it, hash, counts and verdicts, is not noticed: only a new run would.
    """
    folder = Path(folder)
    found = record.require(folder)
    problems: list[str] = []
    if found["study"] != study.slug:
        return [f"{folder}: the record is of study {found['study']!r}, not of {study.slug!r}"]
    if found.get("version") != study.version:  # its tables may lack what the claims now read
        measured = f"{folder}: measured by version {found.get('version')}; the study is at {study.version}"
        return [f"{measured}: run it again, mibounds run {study.slug} --preset {found['preset']}"]
    for name, recorded in found["tables"].items():
        if not (folder / name).is_file():
            return [*problems, f"{folder / name}: the record names it, but it is not there"]
        if files.sha256_of(folder / name) != recorded:
            problems.append(f"{folder / name}: its content is not what the run wrote (SHA-256 differs)")
    read = tables.read(folder, found["tables"])
    problems += [f"{folder}: {line}" for line in _miscounted(read, found)]
    decided = verdicts(study, read)
    for claim in sorted({*decided, *found["verdicts"]}):
        now, then = decided.get(claim), found["verdicts"].get(claim)
        if now is None or then is None:
            where = "the record" if then is None else "the study"
            problems.append(f"{folder}: claim {claim} is missing from {where}")
        else:
            problems += [f"{folder}: claim {claim}: {line}" for line in _differences(now.as_dict(), then)]
    return problems


def _miscounted(read: Tables, found: dict[str, Any]) -> list[str]:
    table = read[TABLE]
    if "status" not in table:
        return ["the table has no column 'status', which every run writes"]
    there = {"rows": len(table), "failed": int((table["status"] != "ok").sum())}
    return [
        f"the table gives {name} {count}, the record says {found[name]}"
        for name, count in there.items()
        if name in found and found[name] != count
    ]


def _differences(now: dict[str, Any], then: dict[str, Any]) -> list[str]:
    lines = []
    if now["outcome"] != then.get("outcome"):
        lines.append(f"the table gives {now['outcome']}, the record says {then.get('outcome')}")
    for name in ("effect", "low", "high"):
        if not _same(now[name], then.get(name)):
            lines.append(f"the table gives {name} {now[name]}, the record says {then.get(name)}")
    return lines


def _same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return math.isclose(one, other, rel_tol=RELATIVE, abs_tol=1e-12)


def _decide(study: Study, claim: str, verdict: Any, of: Tables) -> Verdict:
    try:
        decided = verdict(of)
    except Exception as error:  # the study's own code; the reader needs to know which claim it was
        line = None if study.file is None else find.line_of(error, study.file)
        where = "" if line is None else f", line {line}"
        raise StudyError(f"study {study.slug!r}, claim {claim}{where}: {one_line(error)}") from error
    if not isinstance(decided, Verdict):
        raise StudyError(f"study {study.slug!r}, claim {claim}: expected a Verdict; got {decided!r}")
    return decided

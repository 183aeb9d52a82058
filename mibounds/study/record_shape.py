"""What a record must look like to be read again: it may have been edited, or spoilt, since it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mibounds.study.study import TABLE
from mibounds.study.verdict import OUTCOMES

NUMBER, TEXT = (int, float), (str,)
MAYBE_NUMBER = (*NUMBER, type(None))
KINDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("study", "preset", "question", "started", "finished", "command", "engine"), TEXT),
    **dict.fromkeys(("device", "python", "platform"), TEXT),
    **dict.fromkeys(("axes", "settings", "seeds", "packages", "tables", "verdicts"), (dict,)),
    **dict.fromkeys(("version", "cells", "rows", "failed"), (int,)),
    **dict.fromkeys(("cell_seconds", "wall_seconds"), NUMBER),
    "altered": (bool,),
    "made": (list,),
    "widths": (list,),
}
OF_A_VERDICT: dict[str, tuple[type, ...]] = {
    "outcome": TEXT,
    **dict.fromkeys(("effect", "low", "high"), MAYBE_NUMBER),
    **dict.fromkeys(("unit", "reason"), TEXT),
}


def fault_of(record: Any) -> str | None:
    """What is wrong with what a record says, as far as it is read again; None if nothing is.

    >>> fault_of({"study": "toy", "preset": "full", "tables": {"../table.csv": ""}, "verdicts": {}})
    "it names the table '../table.csv'"
    """
    if not isinstance(record, dict):
        return f"expected an object; got {type(record).__name__}"
    for name in ("study", "preset", "tables", "verdicts"):
        if name not in record:
            return f"it lacks {name!r}"
    for name, kind in KINDS.items():
        if name in record and not _is_a(record[name], kind):
            return f"{name!r} is {record[name]!r:.40}"
    if not record["study"].isidentifier():  # it is looked up by name, and must be no path
        return f"no study is called {record['study']!r:.40}"
    for name, sha256 in record["tables"].items():
        if Path(name).name != name or not isinstance(sha256, str):
            return f"it names the table {name!r:.40}"
    if f"{TABLE}.csv" not in record["tables"]:
        return f"it does not name {TABLE}.csv"
    if not all(isinstance(values, list) for values in record.get("axes", {}).values()):
        return "an axis has no list of values"
    if not all(isinstance(made, dict) for made in record.get("made", ())):
        return "'made' holds another kind of thing"
    return _fault_of_verdicts(record["verdicts"]) or _fault_of_seeds(record.get("seeds"))


def _fault_of_verdicts(verdicts: dict[str, Any]) -> str | None:
    for claim, decided in verdicts.items():
        if not isinstance(decided, dict) or not decided.keys() >= OF_A_VERDICT.keys():
            return f"the verdict of {claim!r:.40} lacks fields"
        sound = all(_is_a(decided[name], kind) for name, kind in OF_A_VERDICT.items())
        if not sound or decided["outcome"] not in OUTCOMES:
            return f"the verdict of {claim!r:.40} has fields of another kind"
    return None


def _fault_of_seeds(seeds: dict[str, Any] | None) -> str | None:
    if not seeds:
        return None
    if not (_is_a(seeds.get("rule"), TEXT) and _is_a(seeds.get("purposes"), (dict,))):
        return "'seeds' lacks its rule or its purposes"
    if not all(isinstance(axes, list) for axes in seeds["purposes"].values()):
        return "a seed's purpose has no list of axes"
    return None


def _is_a(value: Any, kinds: tuple[type, ...]) -> bool:
    return isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))

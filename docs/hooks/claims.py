"""Claims and their verdicts, from the studies' files and the records of their committed runs."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from mibounds import study
from mibounds.study import Claim, Study, record
from mibounds.study.verdict import OUTCOMES

RESULTS = Path(__file__).parents[2] / "results"
NOT_RUN = "not run yet"
MINUS = "\N{MINUS SIGN}"

Decided = dict[str, Any]


@cache
def all_studies() -> dict[str, Study]:
    return {name: study.load(name) for name in own_names()}


def own_names() -> list[str]:
    """The checkout's own studies; what MIBOUNDS_PATH adds is the reader's."""
    return sorted(
        path.stem for path in (RESULTS.parent / "studies").glob("*.py") if not path.stem.startswith("_")
    )


@cache
def run_of(slug: str) -> dict[str, Any] | None:
    """The record of the committed full run, if there is one."""
    found = record.read(RESULTS / slug)
    return found if found and found["preset"] == "full" and not found.get("altered") else None


def decided(slug: str, claim: str) -> Decided | None:
    run = run_of(slug)
    return run["verdicts"].get(claim) if run else None


def outcome(slug: str, claim: str) -> str:
    found = decided(slug, claim)
    return found["outcome"] if found else NOT_RUN


def counts() -> str:
    """One sentence: how many claims, and what came of them."""
    found = Counter(outcome(slug, claim.id) for slug, one in all_studies().items() for claim in one.claims)
    named = [f"**{found[name]}** {name}" for name in (*OUTCOMES, NOT_RUN) if found[name]]
    return f"{sum(found.values())} claims in {len(all_studies())} studies: {', '.join(named)}."


def studies() -> str:
    """A row a study: its question and how its claims went."""
    rows = ["| study | question | verdicts |", "|---|---|---|"]
    for slug, one in all_studies().items():
        found = Counter(outcome(slug, claim.id) for claim in one.claims)
        badges = " ".join(
            f"{badge(name, f'{found[name]} {name}')}" for name in (*OUTCOMES, NOT_RUN) if found[name]
        )
        rows.append(f"| [`{slug}`](claims.md#{anchor(slug)}) | {one.question} | {badges} |")
    return "\n".join(rows)


def verdict(slug: str, claim: str, with_effect: str = "") -> str:
    """Inline: the verdict, if asked for with effect and interval, and a link to the claim."""
    if claim not in {each.id for each in all_studies()[slug].claims}:
        raise ValueError(f"study {slug} has no claim {claim!r}")
    found = decided(slug, claim) if with_effect else None
    effect = f" {effect_of(found)}" if found and effect_of(found) else ""
    return f"{badge(outcome(slug, claim))}{effect} ([`{claim}`](claims.md#{anchor(slug, claim)}))"


def page() -> str:
    """A section a study: figure, run, and each claim with what it came to."""
    return "\n\n".join("\n\n".join(section(one)) for one in all_studies().values())


def section(one: Study) -> Iterator[str]:
    yield f"## {one.slug} {{ #{anchor(one.slug)} }}"
    yield f"**{one.question}**"
    run = run_of(one.slug)
    if run is None:
        yield "The full run is not there yet; the claims below wait for it."
    else:
        picture = f"../results/{one.slug}/figure"
        yield f"[![{one.question}]({picture}.png){{ loading=lazy }}]({picture}.svg)"
        yield summary(run)
    for claim in one.claims:
        yield block(one.slug, claim)


def summary(run: dict[str, Any]) -> str:
    minutes = run["cell_seconds"] / 60
    failed = f", {run['failed']} of its rows not ok" if run["failed"] else ""
    return (
        f"{run['cells']:,} cells{failed}, {minutes:,.0f} minutes of measuring, {run['finished'][:10]}. "
        f"Made by `mibounds run {run['study']}`."
    )


def block(slug: str, claim: Claim) -> str:
    """One claim: an element of its own, so that it can be linked and found by its look."""
    found = decided(slug, claim.id)
    name = outcome(slug, claim.id)
    lines = [
        f'<div class="claim {name.replace(" ", "-")}" id="{anchor(slug, claim.id)}" markdown>',
        f"{badge(name)} <code>{claim.id}</code>",
        f"> {plain(claim.text)}",
        f"<small>Source: {plain(claim.source)}</small>",
    ]
    if found and (said := effect_of(found)):
        lines.append(f"**Effect:** {said}" + (f" — {plain(found['reason'])}" if found["reason"] else ""))
    elif found and found["reason"]:
        lines.append(f"**Why:** {plain(found['reason'])}")
    lines += [
        "<details markdown><summary>Criterion, written before the run</summary>",
        plain(claim.criterion),
        "</details>",
        "</div>",
    ]
    return "\n\n".join(lines)


def consistency() -> str:
    """A row a bound, a column a test of self-consistency."""
    one = all_studies()["self_consistency"]
    pairs = [claim.id.split(".") for claim in one.claims if "." in claim.id]
    tests = list(dict.fromkeys(test for _, test in pairs))
    rows = [
        f"| bound | {' | '.join(test.replace('_', ' ') for test in tests)} |",
        "|---" * (len(tests) + 1) + "|",
    ]
    for bound in dict.fromkeys(bound for bound, _ in pairs):
        cells = [cell(one.slug, f"{bound}.{test}") for test in tests]
        rows.append(f"| `{bound}` | {' | '.join(cells)} |")
    return "\n".join(rows)


def cell(slug: str, claim: str) -> str:
    found = decided(slug, claim)
    effect = f" {number(found['effect'])}" if found and found["effect"] is not None else ""
    return f"{badge(outcome(slug, claim))}{effect}"


def badge(name: str, text: str = "") -> str:
    return f'<span class="verdict {name.replace(" ", "-")}">{text or name}</span>'


def effect_of(found: Decided) -> str:
    """The effect with its interval and unit; nothing where none could be read."""
    if found["effect"] is None:
        return ""
    low, high = (number(found[end]) for end in ("low", "high"))
    unit = f" {found['unit']}" if found["unit"] else ""
    return f"{number(found['effect'])} [{low}, {high}]{unit}"


def number(value: float | None) -> str:
    """Three digits; a true minus."""
    if value is None or not math.isfinite(value):
        return "-"
    return f"{value:.3g}".replace("-", MINUS)


def anchor(slug: str, claim: str = "") -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{slug} {claim}".lower()).strip("-")


def plain(text: str) -> str:
    """The text as it is: nothing in it is markup."""
    return re.sub(r"([\\`*_{}\[\]<>|])", r"\\\1", text)

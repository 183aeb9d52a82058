"""Parts of CONTRIBUTING that a page shows: written once, run once."""

from __future__ import annotations

import re
from pathlib import Path

CONTRIBUTING = Path(__file__).parents[2] / "CONTRIBUTING.md"


def contributing(heading: str, part: str = "all") -> str:
    """What stands under the heading, up to the next one that is no deeper; of part "code", the first block alone."""
    text = CONTRIBUTING.read_text()
    found = re.search(rf"^(#+) {re.escape(heading)}\n(.*)", text, re.DOTALL | re.MULTILINE)
    if found is None:
        raise ValueError(f"CONTRIBUTING.md has no heading {heading!r}")
    depth, rest = len(found[1]), found[2]
    lines: list[str] = []
    fenced = False
    for line in rest.splitlines():
        fenced ^= line.startswith("```")
        deeper = re.match(r"#+ ", line)
        if deeper and not fenced and len(deeper[0]) - 1 <= depth:
            break
        lines.append(line)
    section = "\n".join(lines).strip()
    return section if part == "all" else "".join(section.partition("\n```")[:2])

"""Valid text and bytes, spoilt: by characters, by lines, by nodes of a syntax tree, by bits."""

from __future__ import annotations

import ast
import math
import random
import string
from typing import Any

ODD_TEXTS = (
    "", " ", "nan", "inf", "-inf", "-1", "0", "1e400", "1e-400", "9" * 400, "0x10", "1_0", "٣", "None", "true", "\x00",
    "\n", "=", "==", ",", ",,", "-", "--", "--help", "a=b", "../..", "/", "~", "*", "[", "?", "%s", "{}", "'", '"',
    "\\", "ü", "\u202e", "\ud800", "😀", "a" * 5000, "1:", ":", "::", "5:1", ":-1", "[[", "$(x)", ";", "|", "\t",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2, 10**30, 0.5, -0.0, float("nan"), float("inf"), 1e-320, "", "a", b"a", (), [],
    {}, ..., 3j,
)  # fmt: skip


def text_of(chance: random.Random) -> str:
    """An odd text, or characters at random."""
    if chance.random() < 0.6:
        return chance.choice(ODD_TEXTS)
    return "".join(chance.choice(string.printable) for _ in range(chance.randrange(12)))


def spoilt_text(text: str, chance: random.Random) -> str:
    """A few characters or lines deleted, doubled, swapped or put in."""
    for _ in range(chance.randint(1, 3)):
        if chance.random() < 0.5:
            text = _spoilt_sequence(text, chance, chance.choice(ODD_TEXTS[:20] + tuple(string.punctuation)))
        else:
            lines = text.splitlines(keepends=True)
            text = "".join(_spoilt_sequence(lines, chance, [chance.choice(lines or [""])]))
    return text


def _spoilt_sequence(sequence: Any, chance: random.Random, inserted: Any) -> Any:
    start = chance.randrange(len(sequence) + 1)
    end = min(len(sequence), start + chance.randint(1, 6))
    middle = chance.choice((sequence[:0], sequence[start:end] * 2, sequence[start:end][::-1], inserted))
    return sequence[:start] + middle + sequence[end:]


def spoilt_bytes(content: bytes, chance: random.Random) -> bytes:
    """Bits flipped, a run overwritten or cut out, the end lost, or all of it at random."""
    way = chance.choice(("flip", "flip", "overwrite", "cut", "truncate", "append", "random"))
    spoilt = bytearray(content)
    start = chance.randrange(max(1, len(spoilt)))
    if way == "flip":
        for _ in range(chance.randint(1, 8)):
            if spoilt:
                spoilt[chance.randrange(len(spoilt))] ^= 1 << chance.randrange(8)
    elif way == "overwrite":
        spoilt[start : start + 16] = chance.randbytes(chance.randint(1, 16))
    elif way == "cut":
        del spoilt[start : start + chance.randint(1, 64)]
    elif way == "truncate":
        del spoilt[start:]
    elif way == "append":
        spoilt += chance.randbytes(chance.randint(1, 64))
    else:
        spoilt = bytearray(chance.randbytes(chance.randrange(200)))
    return bytes(spoilt)


def spoilt_code(source: str, chance: random.Random) -> str:
    """Python with a few nodes of its tree replaced: values, names, keywords, whole statements."""
    tree = ast.parse(source)
    for _ in range(chance.randint(1, 2)):
        _Spoiler(chance, [node for node in ast.walk(tree) if isinstance(node, _SPOILT)]).visit(tree)
    return ast.unparse(ast.fix_missing_locations(tree))


_SPOILT = (ast.Constant, ast.Name, ast.keyword, ast.Tuple, ast.Dict, ast.Call, ast.Return, ast.Assign)


class _Spoiler(ast.NodeTransformer):
    """Replaces one node, chosen at random."""

    def __init__(self, chance: random.Random, nodes: list[ast.AST]):
        self.chance, self.chosen = chance, chance.choice(nodes) if nodes else None

    def visit(self, node: ast.AST) -> Any:
        if node is not self.chosen:
            return self.generic_visit(node)
        odd = ast.Constant(self.chance.choice(ODD_VALUES))
        if isinstance(node, ast.keyword):
            return None if self.chance.random() < 0.5 else ast.keyword(node.arg, odd)
        if isinstance(node, ast.Return):
            return ast.Return(odd)
        if isinstance(node, ast.Assign):
            return ast.Pass() if self.chance.random() < 0.5 else ast.Assign(node.targets, odd)
        if isinstance(getattr(node, "ctx", None), (ast.Store, ast.Del)):
            return node
        is_number = isinstance(odd.value, float) and not math.isfinite(odd.value)
        return ast.parse(f"float('{odd.value}')" if is_number else repr(odd.value), mode="eval").body

"""The hash of the measuring code: what `measure` runs changes it, what claims and figures run does not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from mibounds import study
from mibounds.study import find
from mibounds.study.code import measuring_code

FILE = '''
"""A study."""
import math
from functools import cache
from mibounds.study import Claim, Measurement, Study, Verdict

SHIFT = 1.0
LAWS = {"one": 1.0}
LAWS["two"] = 2.0
ALPHA = 0.05

class Law:
    """Doc."""
    scale = 2.0

    def draw(self, seed: int) -> float:
        return seed * self.scale

@cache
def shifted(value):
    # a comment
    return value + SHIFT

def unused(value):
    return value

def measure(pack):
    """What is measured."""
    for cell in pack.cells:
        claim = Law().draw(cell.seed("data")) + LAWS[cell["law"]]
        yield Measurement({"value": shifted(claim) + math.pi, "status": "ok"})

def claim(tables):
    return Verdict.above(1.0, 0.9, 1.1, threshold=ALPHA, unit="units")

def draw(tables):
    return None

STUDY = Study(
    slug="coded", question="Is it?", axes={"law": ("one", "two")}, seeds={"data": ("law",)},
    presets={"full": {"replicates": 2}}, measure=measure, draw=draw,
    claims=(Claim("T", "it is", "here", "above", claim),),
)
'''

CHANGES_NOTHING = [
    ("# a comment", "# another comment\n"),
    ('"""What is measured."""', '"""Other words."""'),
    ('    """Doc."""\n', ""),
    ("return value + SHIFT", "return (value +\n        SHIFT)"),
    ("seed: int) -> float", "seed)"),
    ("ALPHA = 0.05", "ALPHA = 0.01"),
    ("Verdict.above(1.0, 0.9, 1.1", "Verdict.below(1.0, 0.9, 1.1"),
    ("def draw(tables):\n    return None", "def draw(tables):\n    raise ValueError"),
    ("def unused(value):\n    return value", ""),
    ('"full": {"replicates": 2}', '"full": {"replicates": 3}'),
    ('axes={"law": ("one", "two")}', 'axes={"law": ("one", "two", "three")}'),
    ('question="Is it?"', 'question="Was it?"'),
]
CHANGES_IT = [
    ("SHIFT = 1.0", "SHIFT = 1.5"),
    ('"one": 1.0', '"one": 1.5'),
    ('LAWS["two"] = 2.0', 'LAWS["two"] = 2.5'),
    ('LAWS["two"] = 2.0', "LAWS.update(two=2.0)"),
    ("scale = 2.0", "scale = 2.5"),
    ("seed * self.scale", "seed / self.scale"),
    ("value + SHIFT", "value - SHIFT"),
    ("@cache\n", ""),
    ("math.pi", "math.e"),
    ("import math\n", "import cmath as math\n"),
    ('seeds={"data": ("law",)}', 'seeds={"data": ()}'),
    ("measure=measure", "measure=lambda pack: measure(pack)"),
]


@pytest.fixture
def code_of(tmp_path: Path) -> Callable[[str], str]:
    def code_of(text: str) -> str:
        path = tmp_path / "coded.py"
        path.write_text(text)
        return find.load_file(path).code

    return code_of


def changed(old: str, new: str) -> str:
    assert FILE.count(old) == 1, old
    return FILE.replace(old, new)


@pytest.mark.parametrize(("old", "new"), CHANGES_NOTHING)
def test_what_no_number_depends_on_does_not_count(code_of, old: str, new: str):
    assert code_of(changed(old, new)) == code_of(FILE)


@pytest.mark.parametrize(("old", "new"), CHANGES_IT)
def test_what_a_number_depends_on_counts(code_of, old: str, new: str):
    assert code_of(changed(old, new)) != code_of(FILE)


def test_a_local_name_is_not_the_function_of_that_name(code_of):
    """`claim` in `measure` is a variable, so that editing the claim leaves the cells."""
    assert code_of(changed("return Verdict.above", "return 0 or Verdict.above")) == code_of(FILE)


@pytest.mark.parametrize("measure", ["functools.partial(measure)", "Callable()", "made(measure)"])
def test_of_what_cannot_be_followed_the_whole_file_counts(code_of, measure: str):
    text = changed("measure=measure", f"measure={measure}").replace(
        "STUDY =",
        "import functools\n"
        "class Callable:\n    def __call__(self, pack): return measure(pack)\n"
        "def made(inner): return lambda pack: inner(pack)\n"
        "STUDY =",
    )
    assert code_of(text) != code_of(text.replace("ALPHA = 0.05", "ALPHA = 0.01"))
    assert code_of(text) == code_of(text.replace("# a comment", "# another"))


def test_a_lambda_is_followed(code_of):
    text = changed("measure=measure", "measure=lambda pack: [shifted(1.0)]")
    assert code_of(text) != code_of(text.replace("SHIFT = 1.0", "SHIFT = 1.5"))
    assert code_of(text) == code_of(text.replace("ALPHA = 0.05", "ALPHA = 0.01"))


REGISTERED = """
from functools import singledispatch

LAWS = {}

def law(name):
    return lambda draw: LAWS.setdefault(name, draw)

@law("one")
def one(seed: int):
    return seed % 7

@law("two")
def two(seed: int):
    return seed % 5

@singledispatch
def area(shape):
    return 0.0

@area.register
def _(shape: int):
    return shape * 2.0

STUDY ="""


@pytest.mark.parametrize(
    ("old", "new"), [("seed % 7", "seed % 8"), ("shape * 2.0", "shape * 3.0"), ("shape: int", "shape: float")]
)
def test_what_a_decorator_of_the_file_registers_counts(code_of, old: str, new: str):
    text = changed("STUDY =", REGISTERED.strip())
    text = text.replace("claim = Law()", 'area(LAWS["one"](3))\n        claim = Law()')
    assert text.count(old) == 1 and code_of(text.replace(old, new)) != code_of(text)
    assert code_of(text.replace("return value\n", "return -value\n")) == code_of(text), "one that none reads"


def test_it_is_of_the_file_as_it_was_loaded(tmp_path: Path):
    path = tmp_path / "coded.py"
    path.write_text(FILE)
    loaded, before = find.load_file(path), find.load_file(path).code
    path.write_text(changed("SHIFT = 1.0", "SHIFT = 1.5"))
    assert loaded.code == before != find.load_file(path).code
    path.write_text("# a line more\n" + FILE)
    assert find.load_file(path).code == before


def test_another_process_and_another_place_give_the_same_hash(code_of, tmp_path: Path):
    here = code_of(FILE)
    elsewhere = tmp_path / "elsewhere" / "coded.py"
    elsewhere.parent.mkdir()
    elsewhere.write_text(FILE)
    print_code = "import sys; from mibounds import study; print(study.load(sys.argv[1]).code)"
    command = [sys.executable, "-c", print_code, str(elsewhere)]
    said = subprocess.run(command, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == here


def test_every_study_is_followed_into_its_functions_and_never_into_its_claims():
    for name in find.names():
        loaded = study.load(name)
        _, statements = measuring_code(loaded)
        assert statements[0][0] == "FunctionDef", f"{name}: the whole file counts"
        there = {part[1] for statement in statements for part in statement[1:] if part[0] == "name"}
        deciding = {claim.verdict.__name__ for claim in loaded.claims} - {"decide", "<lambda>"}
        assert not there & deciding and "draw" not in there, name

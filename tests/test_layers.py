"""Who may import whom, and what a file may be: docs and taste, held by the syntax tree."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "mibounds"
FILES = sorted(PACKAGE.rglob("*.py"))

BASE = {"errors", "registry", "seeding"}
LAWS = BASE | {"numerics", "theory"}
MODELS = LAWS | {"bounds", "critics", "distributions"}
MAY_IMPORT = {
    "errors": set(),
    "lazy": set(),
    "options": {"errors"},
    "registry": {"errors"},
    "seeding": {"errors"},
    "numerics": {"errors"},
    "statistics": {"errors"},
    "confidence_limits": {"errors"},
    "theory": {"errors"},
    "data": {"errors", "files"},
    "files": {"errors"},
    "optimization": set(),
    "partition": {"errors"},
    "products": set(),
    "perceptron": {"products"},
    "stacked": {"perceptron"},
    "bounds": {"errors", "registry", "numerics"},  # scores alone: no x, no network, no optimiser
    "distributions": LAWS,
    "suite": {"errors", "distributions"},
    "critics": LAWS
    | {"distributions", "perceptron", "products", "stacked"},  # the optimal critic is a distribution's
    "training": MODELS | {"optimization"},
    "estimators": MODELS
    | {"confidence_limits", "data", "optimization", "options", "stacked", "statistics", "training"},
    "pairwise": {"data", "errors", "estimators", "statistics"},
    "feature_selection": {"data", "errors", "estimators", "pairwise", "statistics"},
    "representation": MODELS
    | {"data", "files", "optimization", "options", "partition", "stacked", "statistics"},
    "study": BASE | {"files", "lazy", "statistics"},
    "plots": {"errors", "statistics", "study"},
    "report": {"errors", "files", "study"},
    "cli": None,  # anything
    "__init__": None,
    "__main__": None,
}
WITHOUT_TORCH = {
    "errors",
    "lazy",
    "options",
    "registry",
    "seeding",
    "statistics",
    "confidence_limits",
    "theory",
    "data",
    "files",
    "pairwise",
    "study",
    "suite",
    "plots",
    "report",
    "cli",
    "__init__",
}
NO_NAMES = {"utils.py", "helpers.py", "common.py"}
LONGEST = 400


def unit_of(path: Path) -> str:
    """The part of the package that a file belongs to: a folder's or a module's name."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names of all that is imported anywhere in a file; a relative import begins with a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            yield from (f"{module}.{alias.name}" for alias in node.names)


def on_loading(tree: ast.Module) -> Iterator[ast.stmt]:
    """The statements that run when the file is loaded; what only a type checker reads is left out."""
    for node in tree.body:
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node


def forbidden(unit: str, tree: ast.Module) -> list[str]:
    """What the file imports against the table."""
    allowed = MAY_IMPORT[unit]
    parts = [name.split(".") for name in imported(tree)]
    own = {part[1] for part in parts if part[0] == "mibounds" and len(part) > 1}
    found = sorted(own - allowed - {unit}) if allowed is not None else []
    found += [name for name in imported(tree) if name.startswith((".", "studies"))]
    if unit in WITHOUT_TORCH:
        found += [
            f"{name} when loaded"
            for node in on_loading(tree)
            if not isinstance(node, ast.FunctionDef | ast.ClassDef)
            for name in imported(node)
            if name.split(".")[0] == "torch"
        ]
    return found


def test_every_part_of_the_package_has_its_place_in_the_table():
    assert {unit_of(path) for path in FILES} <= MAY_IMPORT.keys()


def test_imports_point_one_way():
    against = {
        str(path.relative_to(ROOT)): found
        for path in FILES
        if (found := forbidden(unit_of(path), ast.parse(path.read_text())))
    }
    assert against == {}


@pytest.mark.parametrize(
    ("unit", "source"),
    [
        ("bounds", "from mibounds import critics"),
        ("bounds", "def late():\n    import mibounds.distributions.gaussian"),
        ("study", "import torch"),
        ("study", "from torch import Tensor"),
        ("study", "from mibounds.study import cell, runner\nfrom mibounds.numerics import log_mean_exp"),
        ("critics", "from .base import Critic"),
        ("cli", "import studies.bound_tightness"),
        ("plots", "try:\n    import torch\nexcept ImportError:\n    torch = None"),
    ],
)
def test_a_forbidden_import_is_found(unit, source):
    assert len(forbidden(unit, ast.parse(source))) == 1


@pytest.mark.parametrize(
    ("unit", "source"),
    [
        ("bounds", "import torch\nfrom mibounds.numerics import log_mean_exp"),
        ("seeding", "def generator():\n    import torch"),
        ("seeding", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import torch"),
        ("critics", "from mibounds.critics.base import Critic"),
    ],
)
def test_an_allowed_import_is_let_through(unit, source):
    assert forbidden(unit, ast.parse(source)) == []


def test_files_are_short_and_named_for_a_subject():
    too_long = {str(path): n for path in FILES if (n := len(path.read_text().splitlines())) > LONGEST}
    assert too_long == {}
    assert [str(path) for path in FILES if path.name in NO_NAMES] == []


IMPORT_EACH_ALONE = """
import os, sys
import click, numpy, pandas, rich.progress, scipy.stats, seaborn, torch  # once, so that a fork starts with them

for name in sys.argv[1:]:
    child = os.fork()
    if child == 0:
        __import__(name)
        os._exit(0)
    if os.waitpid(child, 0)[1] != 0:
        sys.exit(f"{name} cannot be imported first")
"""
IMPORT_LIGHT = """
import sys
for name in sys.argv[1:]:
    __import__(name)
assert "torch" not in sys.modules
"""


def modules(units: set[str]) -> list[str]:
    """Dotted names of all modules of these parts."""
    paths = [path.relative_to(ROOT).with_suffix("") for path in FILES if unit_of(path) in units]
    return [".".join(path.parts).removesuffix(".__init__") for path in paths]


def run_python(script: str, arguments: list[str]) -> None:
    answer = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr


def test_each_module_can_be_the_first_to_be_imported():
    run_python(IMPORT_EACH_ALONE, modules(set(MAY_IMPORT)))


def test_what_needs_no_torch_does_not_load_it():
    run_python(IMPORT_LIGHT, modules(WITHOUT_TORCH))

"""Names that a package gives when first used: those for readers, for type checkers and at run time agree."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

PACKAGES = ("mibounds", "mibounds.study")


def for_type_checkers(package: str) -> dict[str, str]:
    """Public name -> the module that it is imported from under TYPE_CHECKING; a module from its package."""
    tree = ast.parse(Path(str(importlib.import_module(package).__file__)).read_text())
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    imports = [node for node in block.body if isinstance(node, ast.ImportFrom)]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_what_its_home_defines(package):
    module, homes = importlib.import_module(package), for_type_checkers(package)
    assert set(homes) == set(module.__all__) <= set(dir(module))
    for name, home in homes.items():
        at_home = importlib.import_module(f"{home}.{name}") if home == package else None
        expected = at_home or getattr(importlib.import_module(home), name)
        assert getattr(module, name) is expected


@pytest.mark.parametrize("package", PACKAGES)
def test_a_name_that_is_not_there_is_an_attribute_error(package):
    with pytest.raises(AttributeError, match=f"module '{package}' has no attribute 'nothing'"):
        importlib.import_module(package).nothing  # noqa: B018

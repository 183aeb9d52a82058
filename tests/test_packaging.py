"""The wheel and the source archive hold what they need; the public names are there and load late."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import mibounds

ROOT = Path(__file__).parents[1]
STUDIES = sorted(path.stem for path in (ROOT / "studies").glob("*.py"))


def build(kind: str, source: Path, to: Path) -> Path:
    """The one archive that the build backend makes of `source`."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", kind, "-d", str(to)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (archive,) = to.iterdir()
    return archive


@pytest.fixture(scope="module")
def sdist(tmp_path_factory) -> Path:
    """The unpacked source archive."""
    folder = tmp_path_factory.mktemp("sdist")
    with tarfile.open(build("sdist", ROOT, folder / "archive")) as archive:
        archive.extractall(folder, filter="data")
    (unpacked,) = folder.glob("mibounds-*")
    return unpacked


@pytest.fixture(scope="module")
def installed(sdist, tmp_path_factory) -> Path:
    """A folder as pip would fill it, from the wheel that the source archive gives."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(build("wheel", sdist, folder / "archive")) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_the_source_archive_holds_what_it_is_built_from_and_no_results(sdist):
    there = {path.name for path in sdist.iterdir()}
    assert {
        "mibounds",
        "studies",
        "tests",
        "docs",
        "README.md",
        "LICENSE",
        "Makefile",
        "pyproject.toml",
    } <= there
    assert not {"results", ".venv", ".git"} & there


def test_the_wheel_holds_the_package_its_types_and_the_studies(installed):
    assert {path.name.partition("-")[0] for path in installed.iterdir()} == {"mibounds"}
    packed = {str(path.relative_to(installed)) for path in (installed / "mibounds").rglob("*.py")}
    own = {str(path.relative_to(ROOT)) for path in (ROOT / "mibounds").rglob("*.py")}
    assert packed == own | {f"mibounds/_studies/{name}.py" for name in STUDIES}
    assert (installed / "mibounds/py.typed").is_file()
    (facts,) = installed.glob("*.dist-info")
    assert (facts / "licenses/LICENSE").is_file()
    assert "mibounds = mibounds.cli.main:main" in (facts / "entry_points.txt").read_text()


def test_the_wheel_holds_what_the_report_is_made_of(installed):
    for folder in ("templates", "assets"):
        there, own = (
            {path.name for path in (root / "mibounds" / "report" / folder).iterdir()}
            for root in (installed, ROOT)
        )
        assert there == own and there


def test_the_installed_command_finds_its_studies_from_any_folder(installed, tmp_path):
    def mibounds(*arguments: str) -> str:
        return subprocess.run(
            [sys.executable, "-P", "-m", "mibounds.cli.main", *arguments],
            cwd=tmp_path,
            env=os.environ | {"PYTHONPATH": str(installed)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout

    assert [line.split()[0] for line in mibounds("list", "studies").splitlines()[1:]] == STUDIES
    for name in STUDIES:
        assert "cells are finished" in mibounds("status", name, "--preset", "smoke")


def test_public_names_exist_and_are_those_that_type_checkers_see():
    tree = ast.parse(Path(str(mibounds.__file__)).read_text())
    (checked,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = [alias.name for node in checked.body if isinstance(node, ast.ImportFrom) for alias in node.names]
    assert sorted(seen) == sorted(mibounds.__all__) == mibounds.__all__
    for name in mibounds.__all__:
        assert getattr(mibounds, name) is not None
    assert set(mibounds.__all__) <= set(dir(mibounds))


def test_a_name_that_is_not_there():
    with pytest.raises(AttributeError, match="has no attribute 'estimat'"):
        mibounds.estimat  # noqa: B018  the access is the test


def test_importing_the_package_loads_nothing_heavy():
    script = "import sys, mibounds; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert not {"torch", "numpy", "pandas", "rich", "click"} & set(loaded)

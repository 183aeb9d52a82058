"""Nothing that is read runs code: no pickles, no archive unpacked by its own paths, no text in a page unescaped."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted(path for folder in ("mibounds", "studies") for path in (ROOT / folder).rglob("*.py"))
UNPICKLERS = {"pickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
UNSAFE_CALLS = {
    "torch.load",
    "torch.save",
    "torch.jit.load",
    "pd.read_pickle",
    "pandas.read_pickle",
    "yaml.load",
    "shutil.unpack_archive",
    "tempfile.mktemp",
    "os.system",
}
UNSAFE_METHODS = {
    "to_pickle",
    "extractall",
    "extract",
    "numpy_pickle",
}  # of archives: `extractfile` is looked at
MAY_EXECUTE = {"mibounds/study/find.py", "mibounds/registry.py"}  # what the user names by its file


def dangers(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                yield from (f"import {a.name}" for a in names if a.name.partition(".")[0] in UNPICKLERS)
            case ast.ImportFrom(module=str(module)) if module.partition(".")[0] in UNPICKLERS:
                yield f"import {module}"
            case ast.Call(func=func, keywords=keywords):
                name = ast.unparse(func)
                if name in UNSAFE_CALLS or name in {"eval", "exec"}:
                    yield name
                if isinstance(func, ast.Attribute) and func.attr in UNSAFE_METHODS:
                    yield name
                allowed = [ast.unparse(one.value) for one in keywords if one.arg == "allow_pickle"]
                if name in {"np.load", "numpy.load"} and allowed != ["False"]:
                    yield name
                if any(one.arg == "shell" and ast.unparse(one.value) != "False" for one in keywords):
                    yield f"{name}, shell"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_is_read_can_run_code(path: Path):
    found = set(dangers(ast.parse(path.read_text())))
    if str(path.relative_to(ROOT)) in MAY_EXECUTE:
        found -= {"exec"}
    assert found == set()


@pytest.mark.parametrize(
    "code",
    [
        "import pickle",
        "from pickle import load",
        "import joblib.numpy_pickle",
        "torch.load(path)",
        "torch.load(path, weights_only=True)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "pd.read_pickle(path)",
        "frame.to_pickle(path)",
        "tar.extractall(folder)",
        "zipped.extract(name)",
        "eval(text)",
        "exec(text)",
        "subprocess.run(text, shell=True)",
    ],
)
def test_the_walk_finds_what_it_looks_for(code: str):
    assert len(set(dangers(ast.parse(code)))) == 1


def test_the_walk_lets_arrays_be_read():
    assert not set(dangers(ast.parse("np.load(path, allow_pickle=False); json.loads(text)")))


def test_a_page_escapes_all_its_text():
    templates = [path.read_text() for path in (ROOT / "mibounds/report/templates").glob("*.j2")]
    assert templates and not any(re.search(r"\|\s*safe\b", text) for text in templates)
    assert not any("autoescape false" in path.read_text() for path in (ROOT / "mibounds").rglob("*.j2"))

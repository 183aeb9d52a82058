"""A toy study found by MIBOUNDS_PATH, a folder of its own to run in, and the command line in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from mibounds.cli.main import call

TOY = '''
"""A toy: is the mean above zero?"""

from pathlib import Path

from mibounds.study import Claim, Measurement, Study, Verdict

def measure(pack):
    if pack.cells[0]["kind"] == "failing" and not Path(__file__).with_name("repaired").exists():
        raise ValueError("no good")
    return [Measurement({"value": cell["scale"], "status": "ok"}) for cell in pack.cells]

def mean_is_positive(tables):
    values = tables["table"]["value"]
    return Verdict.above(values.mean(), values.min(), values.max(), threshold=0.0, unit="units")

def draw(tables):
    from mibounds.plots.style import new_figure

    with new_figure() as (figure, axes):
        axes[0, 0].plot(tables["table"]["value"])
    return figure

STUDY = Study(
    slug="toy",
    question="Is the mean above zero?",
    axes={"scale": (1.0, 2.0), "kind": ("sound", "failing")},
    seeds={},
    presets={"full": {"replicates": 3, "kind": ("sound",)}, "smoke": {"replicates": 1, "kind": ("sound",)}},
    claims=(
        Claim("T1", "it is", "a source", "mean above 0", mean_is_positive),
        Claim("T2", "who knows", "a source", "none", lambda tables: Verdict.inconclusive("nobody knows")),
    ),
    measure=measure,
    draw=draw,
)
'''


@dataclass(frozen=True)
class Answer:
    """What one command line came to."""

    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line on standard error; fails if there are more or fewer."""
        (line,) = self.err.splitlines()
        return line


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of a study `toy`, known by name; the working directory is an empty folder beside it."""
    path = tmp_path / "mine" / "studies" / "toy.py"
    path.parent.mkdir(parents=True)
    path.write_text(TOY.lstrip())
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("MIBOUNDS_PATH", str(tmp_path / "mine"))
    return path


@pytest.fixture
def mibounds(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """`mibounds("run", "toy")` as on a shell."""

    def on_shell(*arguments: str) -> Answer:
        code = call(arguments)
        return Answer(code, *capsys.readouterr())

    return on_shell

"""Results to report on, and the mark `browser`: where none is installed its tests are left out, and that is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from mibounds import report, study
from mibounds.report import StudyResult
from tests.report.browser import executable

LEFT_OUT = pytest.StashKey[int]()
ROOT = Path(__file__).parents[2]

SMALL = '''
"""A small study: does the mean rise?

It has two laws and <b>five</b> levels.

Nothing is random.
"""

import math

from mibounds.study import Claim, Measurement, Study, Verdict, if_all_ok, rows_with

HOSTILE = "</script><img src=x onerror=alert(1)>"

def measure(pack):
    cell = pack.cells[0]
    value = cell["level"] * (2 if cell["law"] == "steep" else 1) + 0.1 * cell["replicate"] ** 2
    row = {"value_nats": value, "odd": math.nan if cell["replicate"] else math.inf, "word": HOSTILE, "status": "ok"}
    return [Measurement(row, curve=[{"step": step, "value_nats": value / step} for step in (1, 2)])]

def steep_rises(tables):
    rows = rows_with(tables["table"], law="steep", level=(1.0, 16.0))
    return if_all_ok(rows, lambda rows: Verdict.above(rows["value_nats"].mean(), 1.5, 40.0, 1.0, "nats", HOSTILE))

def draw(tables):
    """A level along the axis & a colour a law."""
    from mibounds.plots.style import new_figure

    with new_figure() as (figure, axes):
        axes[0, 0].plot(tables["table"]["value_nats"])
        axes[0, 0].set_title("it's <here> & \\"there\\"")
    return figure

STUDY = Study(
    slug="small",
    question="Does the mean rise with <i>the level</i>?",
    axes={"law": ("flat", "steep"), "level": (1.0, 2.0, 4.0, 8.0, 16.0)},
    seeds={"noise": ("law",)},
    presets={"full": {"replicates": 4}},
    claims=(
        Claim("S1", "The steep law rises; " + HOSTILE, "a source", "mean above 1", steep_rises),
        Claim("S 2/b", "Who knows?", "a source", "none", lambda tables: Verdict.inconclusive("nobody knows")),
        Claim("S3", "All is small.", "a source", "all below", lambda tables: Verdict.below(2, 1, 3, 0.5, "nats")),
    ),
    measure=measure,
    draw=draw,
)
'''


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if executable() is None:
        left_out = [item for item in items if item.get_closest_marker("browser")]
        items[:] = [item for item in items if not item.get_closest_marker("browser")]
        config.stash[LEFT_OUT] = len(left_out)
        if left_out:
            config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if left_out := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(
            f"tests/report: no Chromium or Chrome is on the path; tests that were not run for it: {left_out}"
        )


@pytest.fixture(scope="session")
def small_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[study.Study, Path]:
    """A study whose texts are markup, and the folder of its run."""
    folder = tmp_path_factory.mktemp("small")
    (folder / "small.py").write_text(SMALL.lstrip())
    loaded = study.load(folder / "small.py")
    return loaded, study.run(loaded, "full", folder / "results", workers=1, device="cpu").folder


@pytest.fixture(scope="session")
def small(small_run: tuple[study.Study, Path]) -> StudyResult:
    return report.gather(*small_run)


@pytest.fixture(scope="session")
def committed() -> list[StudyResult]:
    """All that the repository's results say."""
    folders = sorted(path.parent for path in (ROOT / "results").glob("*/record.json"))
    return [report.gather(study.load(folder.name), folder) for folder in folders]


@pytest.fixture(scope="session")
def small_page(small: StudyResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "small.html"
    report.write([small], path)
    return path


@pytest.fixture(scope="session")
def committed_page(committed: list[StudyResult], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    report.write(committed, path)
    return path

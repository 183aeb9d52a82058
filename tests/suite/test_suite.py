"""The suite: its names and truths are the published ones, its laws sample and keep what the suite says of them."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mibounds import suite
from mibounds.distributions.maps.spiral import Spiral
from mibounds.errors import UnknownNameError

TRUTHS = {
    row["task"]: float(row["nats"])
    for row in csv.DictReader(Path(__file__).with_name("truths.csv").read_text().splitlines())
}


def test_the_published_tasks_are_the_forty_in_their_order():
    assert suite.names("published") == list(TRUTHS) and len(TRUTHS) == 40
    assert suite.names() == suite.names("published") + suite.names("extended")
    assert len(set(suite.names())) == len(suite.names())


@pytest.mark.parametrize("name", TRUTHS)
def test_the_truth_is_the_published_one(name):
    assert suite.task(name).mutual_information == pytest.approx(TRUTHS[name], abs=1e-6)


@pytest.mark.parametrize("name", suite.names())
def test_every_task_draws_pairs_of_its_widths_and_knows_its_log_ratio(name):
    law = suite.task(name)
    x, y = law.sample(20, 0)
    assert x.shape == (20, law.dim_x) and y.shape == (20, law.dim_y)
    assert law.log_density_ratio(*law.sample(20, 0, dtype=torch.float64)).isfinite().all()
    assert law.mutual_information > 0 and law.mutual_information_error < 2e-3


@pytest.mark.parametrize("dim", [3, 5, 25])
def test_spirals_turn_by_the_squared_norm_over_the_dimension(dim):
    """As benchmark-mi has it: a speed of one radian is divided by the number of columns."""
    law = suite.task(f"spiral-multinormal-sparse-{dim}-{dim}-2-2.0")
    x, y = law.sample(50, 0, dtype=torch.float64)
    flat_x, flat_y = suite.task(f"multinormal-sparse-{dim}-{dim}-2-2.0").sample(50, 0, dtype=torch.float64)
    torch.testing.assert_close(x, Spiral(1 / dim, (0, 1)).forward(flat_x))
    torch.testing.assert_close(y, Spiral(1 / dim, (1, 2)).forward(flat_y))


def test_a_name_that_says_how_many_nats_or_columns_keeps_its_word():
    for n in (9, 26, 44):
        assert suite.task(f"many_symbols-{n}-4-0.05").dim_x == n
    assert 10 < suite.task("many_symbols-9-4-0.05").mutual_information < 11
    assert 49 < suite.task("many_symbols-44-4-0.05").mutual_information < 50
    lifted = [name for name in suite.names("extended") if name.startswith("lift-1000-")]
    assert lifted and all(suite.task(name).dim_x == suite.task(name).dim_y == 1000 for name in lifted)
    for name in lifted:
        base = name.removeprefix("lift-1000-")
        assert suite.task(name).mutual_information == suite.task(base).mutual_information


def test_a_task_is_made_once():
    assert suite.task("mixture-crossed-0.9") is suite.task("mixture-crossed-0.9")


def test_wrong_names_are_answered_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean '1v1-normal"):
        suite.task("1v1-normal-0.7")
    with pytest.raises(UnknownNameError, match="did you mean 'published'"):
        suite.names("publishd")


def test_names_need_no_torch():
    script = "import sys; from mibounds import suite; suite.names(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script]).returncode == 0

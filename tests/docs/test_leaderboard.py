"""The leaderboard's page: ranks by error, gives no mean of a part, and a task's row says how far off it is."""

from __future__ import annotations

import pandas as pd

from mibounds import suite
from tests.docs.pages import hook


def rows(estimator: str, off: float, n_tasks: int = 40, size: int = 1000) -> list[dict]:
    """Two replicates; the interval reaches 0.2 nats either way."""
    return [
        {"estimator": estimator, "task": task, "control": "none", "n_samples": size, "replicate": replicate}
        | {"truth_nats": 1.0, "estimate_nats": 1.0 + off, "low_nats": 0.8 + off, "high_nats": 1.2 + off}
        | {"direction": "none", "status": "ok", "seconds": 2.5}
        for task in suite.names("published")[:n_tasks]
        for replicate in range(2)
    ]


def test_it_ranks_by_error_and_leaves_out_what_has_not_all_tasks():
    page = hook("leaderboard")
    table = pd.DataFrame([*rows("far", -0.3), *rows("near", 0.1), *rows("part", 0.0, n_tasks=39)])
    failed = pd.DataFrame(rows("failed", 0.0))
    failed.loc[3, "status"] = "DataError: too few"
    shown = page.by_estimator(page.whole(pd.concat([table, failed]))).splitlines()[2:]
    assert shown == [
        "| `near` | 1,000 | 0.100 | 0.10 | 100% | 2.5 | 2 |",
        "| `far` | 1,000 | 0.300 | \N{MINUS SIGN}0.30 | 0% | 2.5 | 2 |",
        "| `failed` | 1,000 | no number on 1 of 40 tasks | - | - | 2.5 | 2 |",
    ]


def test_the_task_that_is_furthest_off_at_the_largest_size_stands_first():
    page = hook("leaderboard")
    table = pd.DataFrame([*rows("auto", 0.1, size=1000), *rows("auto", 0.2, size=5000)])
    worst, best = suite.names("published")[7], suite.names("published")[3]
    large = table["n_samples"] == 5000
    table.loc[large & (table["task"] == worst), "estimate_nats"] = 1.6
    table.loc[large & (table["task"] == best), "estimate_nats"] = 1.01
    shown = page.by_task(page.whole(table), "auto").splitlines()[2:]
    assert len(shown) == 40
    assert shown[0] == f"| `{worst}` | 1.000 | 0.100 | 0.600 | 0.60 | 100% |"
    assert shown[-1] == f"| `{best}` | 1.000 | 0.100 | 0.010 | 0.01 | 100% |"


def test_each_estimator_stands_beside_the_others_on_every_task():
    page = hook("leaderboard")
    table = pd.DataFrame(
        [*rows("ksg", 0.25, size=5000), *rows("gaussian", 0.125, size=5000), *rows("mine", 0.5)]
    )
    head, _, first, *others = page.by_task_and_estimator(page.whole(page.alike(table))).splitlines()
    assert head == "| task | `ksg` | `gaussian` |" and len(others) == 39
    assert first == f"| `{suite.names('published')[0]}` | 0.25 | 0.12 |"


def test_of_shuffled_pairs_it_counts_intervals_that_hold_zero():
    page = hook("leaderboard")
    held = [{**row, "control": "shuffled_pairs"} for row in rows("ksg", -1.0, n_tasks=3)]
    missed = [{**row, "control": "shuffled_pairs"} for row in rows("ksg", -0.5, n_tasks=1)]
    table = page.asked_of(pd.DataFrame([*held, *missed, *rows("ksg", 0.0)]), "shuffled")
    assert page.of_shuffled(table).splitlines()[2:] == ["| `ksg` | 75% of 8 | 0.12 | 0.50 |"]


def test_of_bounds_the_low_end_is_asked_and_sizes_stand_apart():
    page = hook("leaderboard")
    bound = pd.DataFrame(rows("bound", -0.3, size=5000)).assign(direction="lower")
    shown = page.by_estimator(page.whole(pd.concat([bound, pd.DataFrame(rows("far", 0.4))]))).splitlines()[2:]
    assert [line.split(" | ")[1] for line in shown] == ["1,000", "5,000"]
    assert "| 100% (low end) |" in shown[1]


def test_the_eight_are_ranked_by_samples_that_all_are_given():
    page = hook("leaderboard")
    eight = [row for row in rows("slow", 0.1, size=5000) if row["task"] in page.EIGHT]
    table = pd.DataFrame([*eight, *rows("quick", 0.2, size=5000), *rows("other", 0.1, size=1000)])
    shown = page.by_estimator(page.whole(page.alike(table), page.EIGHT)).splitlines()[2:]
    assert [line.split(" | ")[0] for line in shown] == ["| `slow`", "| `quick`"]


def test_on_our_own_tasks_it_says_what_was_read_or_refused():
    page = hook("leaderboard")
    read = [{**row, "task": "rare_event-0.01"} for row in rows("ksg", 0.5, n_tasks=1, size=5000)]
    refused = [{**row, "estimator": "gaussian", "status": "DataError: no"} for row in read]
    elsewhere = [{**row, "task": "rendered-0.1"} for row in read]
    head, _, *lines = page.by_own_task(pd.DataFrame([*read, *refused, *elsewhere])).splitlines()
    assert head == "| task | truth (nats) | `ksg` | `gaussian` |"
    assert lines == [
        "| `rare_event-0.01` | 1.000 | 1.50 | refused |",
        "| `rendered-0.1` | 1.000 | 1.50 | - |",
    ]


def test_replicates_that_lack_a_task_do_not_count():
    page = hook("leaderboard")
    shown = page.by_estimator(page.whole(pd.DataFrame(rows("near", 0.1)[:-1]))).splitlines()[2:]
    assert shown == ["| `near` | 1,000 | 0.100 | 0.10 | 100% | 2.5 | 1 |"]


def test_where_nothing_is_measured_each_table_says_so(monkeypatch):
    page, committed = hook("leaderboard"), hook("committed")
    monkeypatch.setattr(committed, "rows", lambda slug: pd.DataFrame())
    for what in (["estimators"], ["eight"], ["tasks", "auto-fast"], ["each"], ["own"], ["shuffled"]):
        assert page.leaderboard(*what) == "Nothing of it is there yet."

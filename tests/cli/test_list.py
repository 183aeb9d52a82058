"""What `list` names, and that it runs none of it."""

from __future__ import annotations

import json

import pytest

from mibounds import registry
from mibounds.cli.list import KINDS

BOUND = '''"""Half of InfoNCE: shows how a file joins."""

raise RuntimeError("listing must not run this file")
'''


def test_every_kind_is_listed_with_a_summary(mibounds):
    listed = json.loads(mibounds("list", "--json").out)
    assert set(listed) == set(KINDS)
    for kind, entries in listed.items():
        assert entries, kind
        for entry in entries:
            assert entry["summary"].strip(), f"the file {entry['name']} of {kind} has no docstring"


@pytest.mark.parametrize("kind", ["bounds", "critics", "distributions", "estimators"])
def test_one_kind_is_what_the_registry_knows(mibounds, kind):
    names = registry.names(f"mibounds.{kind}")
    assert [entry["name"] for entry in json.loads(mibounds("list", kind, "--json").out)] == names
    header, *lines = mibounds("list", kind).out.splitlines()
    assert header == kind and [line.split()[0] for line in lines] == names


def test_a_file_of_the_users_own_is_listed_without_being_run(toy, mibounds):
    folder = toy.parent.parent / "bounds"
    folder.mkdir()
    (folder / "half_info_nce.py").write_text(BOUND)
    (folder / "_not_a_method.py").write_text("")
    (folder / "unfinished.py").write_text("def\n")
    lines = mibounds("list", "bounds").out.splitlines()
    (own,) = [line for line in lines if "half_info_nce" in line]
    assert own.split(maxsplit=1)[1] == "Half of InfoNCE: shows how a file joins."
    (broken,) = [line for line in lines if "unfinished" in line]
    assert "(broken: invalid syntax, line 1)" in broken
    assert "_not_a_method" not in " ".join(lines)
    assert "toy  " in mibounds("list", "studies").out


def test_facts_are_a_table_of_the_bounds_alone(mibounds):
    lines = mibounds("list", "bounds", "--facts").out.splitlines()
    (row,) = [line for line in lines if line.startswith("| `info_nce` ")]
    assert row == "| `info_nce` | lower | bound in expectation | 4.16 | info_nce |"
    assert len(lines) == 2 + len(registry.names("mibounds.bounds"))
    assert mibounds("list", "critics", "--facts").code == 2

"""Users' data: arrays become paired samples, files become tables, or one line says why not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from mibounds.data import Table, digits, paired_samples, read_table, select_columns, select_sides
from mibounds.errors import DataError, MiboundsError, ParameterError, ShapeError, UnknownNameError

N = 6
COLUMN = np.arange(float(N))

SAME_NUMBERS = {
    "list": COLUMN.tolist(),
    "column": COLUMN[:, None],
    "int8": COLUMN.astype(np.int8),
    "uint64": COLUMN.astype(np.uint64),
    "float16": COLUMN.astype(np.float16),
    "long double": COLUMN.astype(np.longdouble),
    "tensor": torch.tensor(COLUMN),
    "half tensor": torch.tensor(COLUMN, dtype=torch.bfloat16),
    "tensor with gradient": torch.tensor(COLUMN, requires_grad=True),
    "series": pd.Series(COLUMN),
    "nullable series": pd.Series(COLUMN.astype(int), dtype="Int64"),
    "frame": pd.DataFrame({"a": COLUMN}),
    "masked, no mask": np.ma.MaskedArray(COLUMN),
}


@pytest.mark.parametrize("holder", SAME_NUMBERS)
def test_whatever_holds_numbers_is_taken(holder):
    samples = paired_samples(SAME_NUMBERS[holder], COLUMN)
    assert samples.x.dtype == np.float64 and samples.x.shape == (N, 1)
    assert np.array_equal(samples.x[:, 0], COLUMN) and samples.warnings == () and len(samples) == N


@pytest.mark.parametrize("flags", [COLUMN > 2, torch.tensor(COLUMN > 2), pd.Series(COLUMN > 2)])
def test_truth_values_are_numbers(flags):
    assert paired_samples(COLUMN, flags).y[:, 0].tolist() == [0, 0, 0, 1, 1, 1]


def test_samples_are_copies():
    x = COLUMN[:, None].copy()
    tensor = torch.tensor(x)
    samples = paired_samples(x, tensor)
    samples.x[:] = samples.y[:] = 9
    assert np.array_equal(x[:, 0], COLUMN) and np.array_equal(tensor[:, 0].numpy(), COLUMN)


DATES = pd.Series(pd.date_range("2020-01-01", periods=N))
UNUSABLE = {
    "text, one a row": (list("abcdef"), DataError, "6 different ones in 6 rows"),
    "text column": (pd.DataFrame({"good": COLUMN, "name": list("abcdef")}), DataError, "'name'"),
    "text that is missing": (
        pd.Series(["a", None, "a", "b", "b", "b"]),
        DataError,
        "1 of 6 rows, first in row 1",
    ),
    "objects": ([None, 1, 2, 3, 4, 5], DataError, "object"),
    "dates": (DATES, DataError, "datetime"),
    "text and numbers": (np.array(["a", 1, "a", 1, "a", 1], dtype=object), DataError, "object"),
    "text and numbers in a column": (pd.Series(["a", 1, "a", 1, "a", 1]), DataError, "int objects"),
    "periods": (pd.Series(pd.period_range("2020", periods=N, freq="D")), DataError, "Period"),
    "complex": (COLUMN + 1j, DataError, "complex"),
    "complex tensor": (torch.tensor(COLUMN) + 1j, DataError, "complex"),
    "complex series": (pd.Series(COLUMN + 1j), DataError, "complex"),
    "missing entry": (
        pd.Series([1, None, 2, 3, 4, None], dtype="Int64"),
        DataError,
        "2 of 6 rows, first in row 1",
    ),
    "masked entry": (np.ma.MaskedArray(COLUMN, COLUMN == 4), DataError, "1 of 6 rows, first in row 4"),
    "NaN": (np.where(COLUMN == 2, np.nan, COLUMN), DataError, "1 of 6 rows, first in row 2"),
    "infinity": (torch.tensor(COLUMN) / 0, DataError, "6 of 6 rows, first in row 0"),
    "constant": (np.full((N, 2), 3), DataError, "x is constant"),
    "empty": (np.empty((0, 3)), DataError, "x is empty"),
    "no columns": (np.empty((N, 0)), DataError, "x is empty"),
    "number": (3.0, ShapeError, "n x dim"),
    "three dimensions": (np.zeros((N, 2, 2)), ShapeError, "(6, 2, 2)"),
    "empty, three dimensions": (np.zeros((0, 2, 2)), ShapeError, "(0, 2, 2)"),
    "ragged": ([[1, 2], [3]], ShapeError, "equally long"),
    "too short": (COLUMN[1:], ShapeError, "5 and 6"),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_what_cannot_be_used_is_named_in_one_line(kind):
    values, error, said = UNUSABLE[kind]
    with pytest.raises(error) as caught:
        paired_samples(values, COLUMN)
    assert said in str(caught.value) and "\n" not in str(caught.value)
    assert isinstance(caught.value, MiboundsError)


LETTERS = list("bacbac")
SAME_CATEGORIES = {
    "list": LETTERS,
    "array": np.array(LETTERS),
    "objects": np.array(LETTERS, dtype=object),
    "series": pd.Series(LETTERS),
    "string series": pd.Series(LETTERS, dtype="string"),
    "objects in a series": pd.Series(LETTERS, dtype=object),
    "categories": pd.Series(LETTERS, dtype="category"),
    "unused categories": pd.Series(pd.Categorical(LETTERS, categories=list("zcab"))),
    "numbers as categories": pd.Series([20, 10, 30] * 2, dtype="category"),
    "frame": pd.DataFrame({"letter": LETTERS}),
}


@pytest.mark.parametrize("holder", SAME_CATEGORIES)
def test_text_that_repeats_is_codes_of_categories(holder):
    samples = paired_samples(COLUMN, SAME_CATEGORIES[holder], z=SAME_CATEGORIES[holder])
    assert samples.y[:, 0].tolist() == [1, 0, 2, 1, 0, 2] == samples.z[:, 0].tolist()
    assert list(samples.categories_y) == [0] == list(samples.categories_z) and samples.categories_x == {}


def test_places_of_categories_follow_the_columns_that_are_kept():
    frame = pd.DataFrame({"flat": 1.0, "same": ["u"] * N, "a": COLUMN, "letter": LETTERS})
    samples = paired_samples(frame, COLUMN)
    assert samples.x.shape == (N, 2) and samples.categories_x == {1: "letter"}
    hot = samples.one_hot()
    assert hot.x[:, 0].tolist() == COLUMN.tolist() and not hot.has_categories()
    assert hot.x[:, 1:].tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]] * 2


def test_three_sides_are_paired():
    with pytest.raises(ShapeError, match="x, y and z must have equally many rows, paired; got 6, 6 and 5"):
        paired_samples(COLUMN, COLUMN, COLUMN[1:])
    with pytest.raises(DataError, match="z has NaN"):
        paired_samples(COLUMN, COLUMN, COLUMN * np.nan)
    assert paired_samples(COLUMN, COLUMN).z is None


def test_repeats_may_be_expected():
    twice = np.tile(COLUMN, 2)
    assert paired_samples(twice, twice).warnings != ()
    assert paired_samples(twice, twice, repeats_expected=True).warnings == ()
    assert paired_samples(twice, twice, np.arange(2 * N)).warnings == (), "z tells them apart"


def test_constant_columns_beside_varying_ones_are_dropped_and_named():
    frame = pd.DataFrame({"a": COLUMN, "flat": 1.0, "b": COLUMN**2} | {f"zero{i}": 0 for i in range(9)})
    samples = paired_samples(frame, COLUMN)
    assert samples.x.shape == (N, 2)
    (warning,) = samples.warnings
    assert warning.startswith("dropped constant columns of x: 'flat', 'zero0'") and warning.endswith(
        "and 2 more"
    )


def test_repeated_pairs_are_counted():
    x, y = np.array([0.0, -0.0, 1, 1, 2]), np.array([5.0, 5, 6, 7, 8])
    assert paired_samples(x, y).warnings[0].startswith("1 of 5 pairs repeat an earlier one")


def test_copies_of_rows_of_small_integers_are_counted_and_a_table_of_few_values_has_none():
    random = np.random.default_rng(0)
    many, few = random.integers(17, size=(100, 20)), random.integers(3, size=(400, 2))
    assert (
        paired_samples(np.tile(many, (2, 1)), np.tile(many, (2, 1)))
        .warnings[0]
        .startswith("100 of 200 pairs")
    )
    assert paired_samples(few[:, 0], few[:, 1]).warnings == ()
    of_ages, of_scores = random.integers(17, size=(2, 1000))  # whose pairs repeat, if not in 20 pairs each
    assert paired_samples(of_ages, of_scores).warnings == ()


def test_pandas_indexes_that_differ_are_pointed_out():
    x, y = pd.Series(COLUMN), pd.Series(COLUMN, index=range(1, N + 1))
    assert "paired by position" in paired_samples(x, y).warnings[0]
    assert paired_samples(x, pd.Series(COLUMN)).warnings == ()


# Tables


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_csv_file(tmp_path):
    table = read_table(write(tmp_path / "t.csv", '"height, cm",b,name\n1,2.5,u\n3,,v\n'))
    assert list(table.columns()) == ["height, cm", "b", "name"]
    frame = select_columns(table, "0:2")
    assert frame.iloc[0].tolist() == [1.0, 2.5] and np.isnan(frame["b"][1])


@pytest.mark.parametrize(
    ("name", "text", "columns"),
    [
        ("t.csv", "1.5,2\n3,4\n", ["0", "1"]),  # no header: all numbers
        ("t.csv", "1.5,\n3,4\n", ["0", "1"]),
        ("t.csv", "0,1\n3,4\n5,6\n", ["0", "1"]),  # pandas' own header
        ("t.csv", "\ufeffa,b\n1,2\n3,4\n", ["a", "b"]),  # byte order mark
        ("t.tsv", "a\tb\n1\t2\n3\t4\n", ["a", "b"]),
        ("t.csv", ",a\n0,2\n1,4\n", ["unnamed_0", "a"]),
        ("T.CSV", " a , b\n1,2\n3,4\n", ["a", "b"]),
    ],
)
def test_the_first_line_of_a_text_file(tmp_path, name, text, columns):
    frame = select_columns(read_table(write(tmp_path / name, text)), "0:2")
    assert list(frame.columns) == columns and frame.shape == (2, 2)


def test_an_npz_and_an_npy_file(tmp_path):
    left, label = np.arange(12).reshape(N, 2), np.array(list("abcdef"))
    np.savez(tmp_path / "t.npz", left=left, label=label, images=np.zeros((N, 2, 2)), short=np.zeros(2))
    table = read_table(tmp_path / "t.npz")
    assert list(select_columns(table, "left")) == ["left_0", "left_1"]
    assert select_columns(table, "left_1")["left_1"].tolist() == left[:, 1].tolist()
    with pytest.raises(DataError, match=r"'images' of t.npz has shape \(6, 2, 2\)"):
        select_columns(table, "images")
    with pytest.raises(DataError, match="'left_0' has 6 rows, 'short' has 2"):
        select_columns(table, "left,short")
    assert select_columns(table, "label")["label"].tolist() == list("abcdef")
    np.save(tmp_path / "t.npy", left)
    assert np.array_equal(select_columns(read_table(tmp_path / "t.npy"), ":"), left)


def test_a_parquet_file(tmp_path):
    frame = pd.DataFrame(
        {
            "x": COLUMN,
            "count": pd.array([1, 2, None, 4, 5, 6], dtype="Int64"),
            "level": pd.Categorical(LETTERS),
            "word": LETTERS,
            "day": pd.date_range("2020-01-01", periods=N),
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    table = read_table(tmp_path / "t.parquet")
    chosen = select_columns(table, "x,count,level,word")
    assert chosen["x"].tolist() == COLUMN.tolist() and np.isnan(chosen["count"][2])
    assert chosen["level"].tolist() == chosen["word"].tolist() == LETTERS
    assert len(paired_samples(chosen["x"], chosen["level"]).categories_y) == 1
    with pytest.raises(DataError, match="holds dates in 'day'"):
        select_columns(table, "day")


def test_parquet_without_pyarrow_names_the_extra(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"PAR1")

    def refuse(*args, **options):
        raise ImportError("Missing optional dependency 'pyarrow'")

    monkeypatch.setattr(pd, "read_parquet", refuse)
    with pytest.raises(DataError, match=r"pip install 'mibounds\[parquet\]'"):
        read_table(tmp_path / "t.parquet")


TABLE = Table("t", dict.fromkeys(("a", "b1", "b2", "7", "c"), COLUMN) | {"left": np.zeros((N, 3))})


@pytest.mark.parametrize(
    ("selection", "chosen"),
    [
        ("c,a", ["c", "a"]),
        ("b*", ["b1", "b2"]),
        ("b?,a, b1", ["b1", "b2", "a"]),
        ("[ac]", ["a", "c"]),
        ("left", ["left_0", "left_1", "left_2"]),
        ("left_[12]", ["left_1", "left_2"]),
        ("0", ["a"]),
        ("7", ["7"]),  # a name goes before a position
        ("1:3", ["b1", "b2"]),
        (":2", ["a", "b1"]),
        ("6:", ["left_1", "left_2"]),
    ],
)
def test_columns_by_name_pattern_position_and_range(selection, chosen):
    assert list(select_columns(TABLE, selection)) == chosen


@pytest.mark.parametrize(
    ("selection", "error", "said"),
    [
        ("lefd", UnknownNameError, "did you mean 'left'?"),
        ("x*", UnknownNameError, "'x*'"),
        ("a,", UnknownNameError, "''"),
        ("8", ParameterError, "8 columns"),
        ("5:9", ParameterError, "'5:9'"),
        ("3:3", ParameterError, "'3:3'"),
    ],
)
def test_columns_that_are_not_there(selection, error, said):
    with pytest.raises(error) as caught:
        select_columns(TABLE, selection)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("t.csv", "a;b\n1;2\n", "its first line is one column that holds ';'; columns must be parted by ','"),
        ("t.csv", "a\tb\n1\t2\n", "one column that holds '\\t'; columns must be parted by ','"),
        ("t.tsv", "a,b\n1,2\n", "one column that holds ','; columns must be parted by '\\t'"),
        ("t.csv", "1,2\n3,4\n", "its first line holds numbers alone and was read as data"),
    ],
)
def test_a_column_that_is_not_there_for_its_first_line(tmp_path, name, text, said):
    table = read_table(write(tmp_path / name, text))
    for term in ("b", "2"):
        with pytest.raises((UnknownNameError, ParameterError)) as caught:
            select_columns(table, term)
        assert str(caught.value).endswith(said)


def test_arrays_of_another_type_are_named_by_it(tmp_path):
    np.savez(
        tmp_path / "t.npz", pair=np.zeros(N, dtype=[("a", int), ("b", float)]), word=np.array([b"ab"] * N)
    )
    table = read_table(tmp_path / "t.npz")
    with pytest.raises(DataError, match=r"values of the type \[\('a', '<i8'\), \('b', '<f8'\)\] in 'pair'"):
        select_columns(table, "pair")
    with pytest.raises(DataError, match=r"values of the type \|S2 in 'word'"):
        select_columns(table, "word")


def test_a_name_that_holds_a_comma_is_a_name():
    table = Table("t.csv", {"x,1": np.arange(3.0), "x": np.ones(3)})
    assert list(select_columns(table, "x,1")) == ["x,1"] and list(select_columns(table, "x")) == ["x"]


def test_a_column_is_on_one_side():
    x, y = select_sides(TABLE, "left,a", "c")
    assert x.shape == (N, 4) and list(y) == ["c"]
    *_, z = select_sides(TABLE, "a", "c", "b*")
    assert list(z) == ["b1", "b2"]
    with pytest.raises(DataError, match="in y or in z, not in both; both hold 'c'"):
        select_sides(TABLE, "a", "c", "c")
    with pytest.raises(DataError, match="both hold 'b1'"):
        select_sides(TABLE, "b*", "b1")


class Mischief:
    """Raises when unpickled."""

    def __reduce__(self):
        return (exec, ("raise SystemExit('unpickled')",))


def truncated(path: Path) -> Path:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


def unreadable_files(folder: Path) -> dict[str, tuple[Path, str]]:
    np.save(folder / "cut.npy", np.zeros((99, 9)))
    np.savez(folder / "cut.npz", x=np.zeros((99, 9)))
    np.save(folder / "flat.npy", np.zeros(9))
    np.save(folder / "evil.npy", np.array([Mischief()], dtype=object))
    np.savez(folder / "evil.npz", x=np.array([Mischief()], dtype=object))
    np.savez(folder / "twice.npz", m=np.zeros((9, 2)), m_0=np.ones(9))
    (folder / "latin.csv").write_bytes("höhe,b\n1,2\n".encode("latin-1"))
    (folder / "folder.csv").mkdir()
    return {
        "missing": (folder / "nowhere.csv", "there is no file"),
        "folder": (folder / "folder.csv", "is a folder"),
        "kind": (write(folder / "t.xlsx", "a"), "must end in one of"),
        "empty csv": (write(folder / "e.csv", ""), "is empty"),
        "empty npy": (write(folder / "e.npy", ""), "is empty"),
        "empty npz": (write(folder / "e.npz", ""), "is empty"),
        "blank": (write(folder / "blank.csv", "\n\n"), "no rows"),
        "header alone": (write(folder / "header.csv", "a,b\n"), "no rows"),
        "a name twice": (write(folder / "twice.csv", "a,b,a\n1,2,3\n"), "a column twice: 'a'"),
        "longer rows": (write(folder / "long.csv", "a,b\n1,2,3\n4,5,6\n"), "longer than its first line"),
        "one longer row": (write(folder / "ragged.csv", "a,b\n1,2\n4,5,6\n"), "Expected 2 fields"),
        "longer, no header": (write(folder / "numbers.csv", "1.5,2\n1,2,3\n"), "Expected 2 fields"),
        "encoding": (folder / "latin.csv", "latin.csv"),
        "text as parquet": (write(folder / "text.parquet", "a,b"), "text.parquet"),
        "text as npz": (write(folder / "text.npz", "a,b"), "text.npz"),
        "text as npy": (write(folder / "text.npy", "a,b"), "text.npy"),
        "cut npy": (truncated(folder / "cut.npy"), "truncated"),
        "cut npz": (truncated(folder / "cut.npz"), "truncated"),
        "1-d npy": (folder / "flat.npy", "expected n x columns"),
        "a column of two arrays": (folder / "twice.npz", "a column twice: 'm_0'"),
        "another separator, longer rows": (
            write(folder / "decimals.csv", "a;b\n1,5;2,5\n"),
            "one column that holds ';'; columns must be parted by ','",
        ),
        "pickle in npy": (folder / "evil.npy", "nothing is unpickled"),
        "pickle in npz": (folder / "evil.npz", "nothing is unpickled"),
    }


def test_files_that_cannot_be_read_say_why_in_one_line(tmp_path):
    for kind, (path, said) in unreadable_files(tmp_path).items():
        with pytest.raises(DataError) as caught:
            read_table(path)
            pytest.fail(f"{kind} was read")
        assert said in str(caught.value) and path.name in str(caught.value), kind
        assert "\n" not in str(caught.value), kind


def test_a_file_without_permission(tmp_path, monkeypatch):
    """Told by the operating system; a superuser may read everything, so it is made to say so here."""
    path = write(tmp_path / "t.csv", "a,b\n1,2\n")

    def refuse(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pd, "read_csv", refuse)
    with pytest.raises(DataError, match="no permission"):
        read_table(path)


def test_a_row_that_is_too_short_is_a_missing_value(tmp_path):
    table = read_table(write(tmp_path / "t.csv", "a,b\n1,2\n3\n5,6\n"))
    with pytest.raises(DataError, match="1 of 3 rows, first in row 1"):
        paired_samples(*select_sides(table, "a", "b"))


# Digits


@pytest.mark.parametrize("suffix", [".npz", ".csv"])
def test_digits_are_the_two_halves_of_the_images(tmp_path, capsys, suffix):
    path = tmp_path / f"digits{suffix}"
    assert digits.main([str(path)]) == 0 and "1,797" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [path]
    left, right = select_sides(read_table(path), "left*", "right*")
    images = np.concatenate([side.to_numpy().reshape(-1, 8, 4) for side in (left, right)], axis=2)
    from sklearn.datasets import load_digits

    assert np.array_equal(images, load_digits().images)
    assert select_columns(read_table(path), "digit")["digit"].nunique() == 10


@pytest.mark.parametrize("arguments", [[], ["digits.xlsx"], ["nowhere/digits.npz"], ["nowhere/digits.csv"]])
def test_digits_that_cannot_be_written(tmp_path, monkeypatch, capsys, arguments):
    monkeypatch.chdir(tmp_path)
    assert digits.main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1 and list(tmp_path.iterdir()) == []


def test_digits_without_scikit_learn_name_the_extra(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    assert digits.main([str(tmp_path / "digits.npz")]) == 2
    assert "mibounds[examples]" in capsys.readouterr().err


def test_data_are_read_without_torch():
    script = "import sys, mibounds.data; print({'torch', 'pandas', 'scipy'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert answer.stdout.strip() == "set()", answer.stderr

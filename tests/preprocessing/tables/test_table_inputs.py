import datetime
import decimal

import helpers
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from keras_fm.errors import DataError, InvalidInputError
from keras_fm.preprocessing.tables.inputs import read_rows
from keras_fm.registry.entry import Input

NAN = float("nan")


@pytest.mark.parametrize("kind", ["rows", "columns", "csv", "csv path", "frame"])
def test_tables_of_any_type_are_read(kind, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("kind,size,note,age\nä,1.5,x,\n,2,y,7\n", "utf-8")
    inputs = {
        "rows": [{"kind": "ä", "size": 1.5, "age": None}, {"kind": None, "size": "2", "age": 7}],
        "columns": {"kind": ["ä", ""], "size": np.array([1.5, 2]), "age": [NAN, 7]},
        "csv": [str(file)],
        "csv path": file,
        "frame": pd.DataFrame({"age": [None, 7], "size": [1.5, 2], "kind": ["ä", None]}).astype(
            {"age": "Int64", "kind": "string"}
        ),
    }[kind]
    raw = read_rows(inputs, helpers.TABLE_COLUMNS)
    np.testing.assert_array_equal(raw["size"], np.array([1.5, 2], "float32"))
    np.testing.assert_array_equal(raw["age"], np.array([NAN, 7], "float32"))
    assert raw["kind"].tolist() == ["ä", ""]


def test_a_row_can_lack_cells():
    rows = [{"kind": "a", "size": 1}, {"age": 2, "size": 3}]
    for inputs in (rows, rows[::-1]):
        raw = read_rows(inputs, helpers.TABLE_COLUMNS)
        assert sorted(raw["kind"]) == ["", "a"]
        np.testing.assert_array_equal(np.sort(raw["age"]), np.array([2, NAN], "float32"))


@pytest.mark.parametrize("word", ["?", " ? ", "-", "N/A", "Unknown", "", " ", "nan", "NULL"])
def test_a_word_can_stand_for_a_missing_number(word, tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text(f"kind,size,age\na,1.5,{word}\nä,2,7\n", "utf-8")
    for inputs in (file, {"kind": ["a", "ä"], "size": [1.5, 2], "age": [word, "7"]}):
        age = read_rows(inputs, helpers.TABLE_COLUMNS)["age"]
        np.testing.assert_array_equal(age, np.array([NAN, 7], "float32"))


CODES = Input(
    name="code", dtype="string", shape=[], description="", categories=["01", "02", "1", "A"]
)
BOOLEANS = Input(
    name="boolean", dtype="string", shape=[], description="", categories=["False", "True"]
)
FLAG = Input(name="flag", dtype="float32", shape=[], description="")


@pytest.mark.parametrize(
    ("column", "cells", "expected"),
    [
        (CODES, ["01", "02"], ["01", "02"]),
        (CODES, ["1", ""], ["1", ""]),
        (CODES, [1.0, NAN], ["1", ""]),
        (CODES, [7.0, 1.5], ["7.0", "1.5"]),
        (BOOLEANS, ["true", ""], ["True", ""]),
        (BOOLEANS, [True, "FALSE"], ["True", "False"]),
        (FLAG, ["True", "false"], [1, 0]),
        (FLAG, [True, 0], [1, 0]),
    ],
)
def test_cells_are_read_by_the_columns_of_the_model(column, cells, expected, tmp_path):
    frame = pd.DataFrame({column.name: cells, "note": "x"})
    frame.to_csv(tmp_path / "rows.csv", index=False)
    for inputs in (tmp_path / "rows.csv", frame, frame.to_dict("records")):
        cells = read_rows(inputs, [column])[column.name]
        assert cells.tolist() == expected


def test_an_infinite_number_is_named_by_its_row():
    frame = pd.DataFrame({"kind": "a", "size": 1.0, "age": [1.0, np.inf]}, index=[70, 71])
    with pytest.raises(InvalidInputError, match=r"'age', row 71: .*received inf"):
        read_rows(frame, helpers.TABLE_COLUMNS)
    with pytest.raises(InvalidInputError, match=r"'age', row 1: .*received inf"):
        read_rows(frame.to_dict("records"), helpers.TABLE_COLUMNS)


def test_another_separator_is_named(tmp_path):
    (tmp_path / "rows.csv").write_text("kind;size;age\na;1;2\n")
    with pytest.raises(InvalidInputError, match=r"'size'; received kind;size;age.*';'.* commas"):
        read_rows(tmp_path / "rows.csv", helpers.TABLE_COLUMNS)


def test_a_single_row_is_a_table():
    raw = read_rows({"kind": "a", "size": 1, "age": 2}, helpers.TABLE_COLUMNS)
    assert [column.shape for column in raw.values()] == [(1,)] * 3


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([], "received an empty list"),
        (3, "received int"),
        ([1, 2], "received list"),
        ((), "received an empty list"),
        (np.ones(3), "received ndarray"),
        ([{"kind": "a"}], "no column 'size'; received kind"),
        ({"kind": ["a"], "size": ["big"], "age": [1]}, "'size', row 0: expected a number.*'big'"),
        (
            {"kind": ["a"], "size": [[1, 2]], "age": [1]},
            r"'size': .*an array of the shape \[1, 2\]",
        ),
        ({"kind": ["a"], "size": [1, 2], "age": [1]}, "received 2 in 'size'"),
        ({"kind": [], "size": [], "age": []}, "one row or more"),
    ],
)
def test_invalid_tables_are_named(inputs, message):
    with pytest.raises(InvalidInputError, match=message):
        read_rows(inputs, helpers.TABLE_COLUMNS)


def test_an_invalid_cell_is_named_by_its_row(tmp_path):
    frame = pd.DataFrame({"kind": "a", "size": 1.0, "age": ["1", "?", "old"]}, index=[7, 8, 9])
    with pytest.raises(InvalidInputError, match=r"'age', row 9: expected a number, .* 'old'"):
        read_rows(frame, helpers.TABLE_COLUMNS)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    with pytest.raises(InvalidInputError, match=r"'age', row 3 of .*rows\.csv: .* 'old'"):
        read_rows(tmp_path / "rows.csv", helpers.TABLE_COLUMNS)
    for inputs in (frame.to_dict("records"), frame.to_dict("list")):
        with pytest.raises(InvalidInputError, match=r"'age', row 2: expected a number, .* 'old'"):
            read_rows(inputs, helpers.TABLE_COLUMNS)
    with pytest.raises(InvalidInputError, match=r"'age', row 0: .* received datetime\.date"):
        read_rows({"kind": "a", "size": 1, "age": datetime.date(2026, 1, 2)}, helpers.TABLE_COLUMNS)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["1.5", " 2 ", "1e3", "1_000"], [1.5, 2, 1000, 1000]),
        ([1, 2.5, True, None], [1, 2.5, 1, NAN]),
        ([np.float64(0.1), np.int8(3), decimal.Decimal("1.5")], [np.float32(0.1), 3, 1.5]),
        (["1.5", None, "?", 2, pd.NA], [1.5, NAN, NAN, 2, NAN]),
        (np.array([2**53 + 1, 3]), [2**53, 3]),
        (pd.Series([1, None, 3], dtype="Int64"), [1, NAN, 3]),
        (pd.Series([True, None], dtype="boolean"), [1, NAN]),
        (pd.Series(["1", "2", "1"], dtype="category"), [1, 2, 1]),
    ],
    ids=["strings", "objects", "scalars", "mixed", "integers", "nullable", "boolean", "category"],
)
def test_numbers_of_any_type_are_read(cells, expected):
    inputs = [{"age": cells}, pd.DataFrame({"age": cells}), [{"age": cell} for cell in cells]]
    for table in inputs:
        numbers = read_rows(table, [helpers.TABLE_COLUMNS[2]])["age"]
        assert numbers.dtype == np.float32
        np.testing.assert_array_equal(numbers, np.array(expected, "float32"))


@pytest.mark.parametrize(
    "cells",
    [[1, 0, 1], np.array([1, 0, 1], "float32"), [True, False, True], pd.Series([1, None, 1])],
    ids=["int", "float32", "bool", "missing"],
)
def test_categories_are_the_numbers_of_a_column(cells):
    column = Input(
        name="k", dtype="string", shape=[], description="", categories=["0", "1", "True"]
    )
    strings = read_rows(pd.DataFrame({"k": cells}), [column])["k"].tolist()
    assert strings[0] == strings[2] == ("True" if cells[0] is True else "1")
    assert strings[1] == ("" if isinstance(cells, pd.Series) else str(cells[1]).removesuffix(".0"))


def test_several_files_are_one_table(tmp_path):
    (tmp_path / "a.csv").write_text("kind,size,age\na,1,2\n")
    (tmp_path / "b.csv").write_text("age,size,note,kind\n3,,x,ä\n", "utf-8")
    raw = read_rows([tmp_path / "a.csv", str(tmp_path / "b.csv")], helpers.TABLE_COLUMNS)
    assert raw["kind"].tolist() == ["a", "ä"]
    np.testing.assert_array_equal(raw["size"], np.array([1, NAN], "float32"))
    np.testing.assert_array_equal(raw["age"], np.array([2, 3], "float32"))


def test_a_file_without_rows_is_named(tmp_path):
    (tmp_path / "a.csv").write_text("kind,size,age\n")
    with pytest.raises(InvalidInputError, match="one row or more"):
        read_rows(tmp_path / "a.csv", helpers.TABLE_COLUMNS)


def test_a_missing_file_is_named():
    with pytest.raises(DataError, match=r"there is no file .*nowhere\.csv"):
        read_rows("nowhere.csv", helpers.TABLE_COLUMNS)


@pytest.mark.parametrize(
    "value",
    [None, pd.NA, pd.NaT, NAN, "", "NA", "<NA>", "-nan", "#N/A", "1.#QNAN", np.array(NAN)],
    ids=repr,
)
def test_a_missing_number_of_any_kind_is_nan(value):
    for inputs in ({"age": value}, [{"age": value}, {"age": 2}], {"age": [value, 2]},
                   pd.DataFrame({"age": [value, 2]})):  # fmt: skip
        assert np.isnan(read_rows(inputs, [helpers.TABLE_COLUMNS[2]])["age"][0])


@pytest.mark.parametrize("value", [None, pd.NA, pd.NaT, NAN, "", " "])
def test_a_missing_string_of_any_kind_is_empty(value):
    for inputs in ({"kind": value}, [{"kind": value}, {"kind": "a"}], {"kind": [value, "a"]}):
        assert read_rows(inputs, [helpers.TABLE_COLUMNS[1]])["kind"][0] == ""


@pytest.mark.parametrize(
    "value", ["a", " a", "a ", "\ta", b"a", " a\xa0", np.str_("a"), np.array("a"), tf.constant("a")]
)
def test_a_category_has_no_outer_blanks(value):
    for inputs in ({"kind": value}, [{"kind": value}], {" kind": [value]}):
        assert read_rows(inputs, [helpers.TABLE_COLUMNS[1]])["kind"].tolist() == ["a"]


def test_accents_are_composed():
    raw = read_rows({"kind": ["a\u0308", "ä"]}, [helpers.TABLE_COLUMNS[1]])
    assert raw["kind"].tolist() == ["ä", "ä"]


@pytest.mark.parametrize(
    "value", [{"a": 1}, [1], {1}, object()], ids=["dict", "list", "set", "object"]
)
def test_a_cell_that_is_no_text_is_named_by_its_type(value):
    with pytest.raises(
        InvalidInputError, match=f"'kind', row 1: .* received {type(value).__name__}"
    ):
        read_rows([{"kind": "a"}, {"kind": value}], [helpers.TABLE_COLUMNS[1]])


@pytest.mark.parametrize(
    "value", [10**400, "1e400", 1e39, "1e39", -(10**400)], ids=lambda x: f"{x!r:.6}"
)
def test_a_number_beyond_float32_is_named(value):
    for inputs in ({"age": value}, [{"age": value}], pd.DataFrame({"age": [value]})):
        with pytest.raises(InvalidInputError, match=r"'age', row 0: .*that float32 holds") as error:
            read_rows(inputs, [helpers.TABLE_COLUMNS[2]])
        assert len(str(error.value)) < 200


def test_columns_can_be_named_by_numbers():
    columns = [Input(name="0", dtype="float32", shape=[], description="")]
    for inputs in ({0: 1.5}, [{0: 1.5}], pd.DataFrame({0: [1.5]}), {"0": 1.5}, {" 0": [1.5]}):
        assert read_rows(inputs, columns)["0"].tolist() == [1.5]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"age": [1], " age": [2]}, "two columns have the name 'age'"),
        ([{"0": 1, 0: 2}], "two columns have the name '0'"),
        (pd.DataFrame([[1, 2]], columns=["age", "age"]), "has two columns 'age'"),
        (pd.DataFrame([[1, 2]], columns=pd.MultiIndex.from_tuples([("a", 1), ("a", 2)])),
         "has columns of 2 levels"),
        ({"age": [[1], [1, 2]]}, r"'age', row 0: expected a number, .* received \[1\]"),
    ],
)  # fmt: skip
def test_ambiguous_columns_are_named(inputs, message):
    with pytest.raises(InvalidInputError, match=message):
        read_rows(inputs, [helpers.TABLE_COLUMNS[2]])


@pytest.mark.parametrize("library", ["pyarrow", "polars"])
def test_rows_of_other_libraries_are_read(library):
    module = pytest.importorskip(library)
    convert = module.table if library == "pyarrow" else module.DataFrame
    inputs = convert({"kind": ["a", None], "size": [1.5, 2.0], "age": [1, None]})
    raw = read_rows(inputs, helpers.TABLE_COLUMNS)
    assert raw["kind"].tolist() == ["a", ""]
    np.testing.assert_array_equal(raw["age"], np.array([1, NAN], "float32"))


def test_rows_of_json_and_parquet_are_read(tmp_path):
    (tmp_path / "a.jsonl").write_text('{"kind": " a", "size": 1.5, "age": null}\n')
    frame = pd.DataFrame({"kind": ["ä"], "size": [2.0], "age": ["7"]})
    files = [tmp_path / "a.jsonl"]
    if pytest.importorskip("pyarrow"):
        frame.to_parquet(tmp_path / "b.parquet")
        files.append(tmp_path / "b.parquet")
    raw = read_rows(files, helpers.TABLE_COLUMNS)
    assert raw["kind"].tolist() == ["a", "ä"]
    np.testing.assert_array_equal(raw["age"], np.array([NAN, 7], "float32"))


def test_a_row_longer_than_the_header_is_named_where_it_is_predicted(tmp_path):
    (tmp_path / "rows.csv").write_text("kind,size,age\na,1,2,\na,1,2,3\n")
    with pytest.raises(DataError, match=r"rows\.csv, line 3: expected 3 cells"):
        read_rows(tmp_path / "rows.csv", helpers.TABLE_COLUMNS)

"""Columns as a model takes them."""

import helpers
import numpy as np

from keras_fm.preprocessing.tables.encoding import encode_columns, encode_in_python
from keras_fm.preprocessing.tables.inputs import read_rows
from keras_fm.registry.entry import Input

NAN = float("nan")


def test_categories_become_indices_and_missing_values_nan():
    encoded = encode_columns(
        helpers.TABLE_COLUMNS,
        {
            "size": np.array([0.0, 2.0, NAN], "float32"),
            "kind": np.array(["c d", "unknown", "ä"]),
            "age": np.array([0.0, NAN, 1.0], "float32"),
            "other": np.array([1, 2, 3]),
        },
    )
    assert list(encoded) == ["size", "kind", "age"]
    np.testing.assert_array_equal(encoded["size"], [NAN, 2, NAN])
    np.testing.assert_array_equal(encoded["age"], [0, NAN, 1])
    assert encoded["kind"].tolist() == [3, 0, 2]
    assert encoded["kind"].dtype == np.int32


def test_a_category_of_a_model_of_before_keeps_its_blanks():
    column = Input(name=" k", dtype="string", shape=[], description="", categories=[" a", "b"])
    raw = read_rows({"k": [" a", "a", "b ", "c"]}, [column])
    assert raw[" k"].tolist() == [" a", " a", "b", "c"]
    assert encode_columns([column], raw)["column__k"].tolist() == [1, 1, 2, 0]


def test_a_served_category_has_no_outer_blanks():
    cells = np.array(["a", " a", "c d ", "\tc d", " c", ""])
    assert encode_columns([helpers.TABLE_COLUMNS[1]], {"kind": cells})["kind"].tolist() == [
        1,
        1,
        3,
        3,
        0,
        0,
    ]


def test_python_encodes_as_the_ops_do():
    numbers = np.array([0.0, -0.0, 2.0, 3.25e7, NAN, 1e-30], "float32")
    cells = np.array([b"a", b" a\x0b", b"c d\r", "ä".encode(), b"", b"\xff"], object)
    scaled = Input(
        name="far", dtype="float32", shape=[], description="", scale=3.7, missing_value=2.0
    )
    blanks = Input(name="k", dtype="string", shape=[], description="", categories=[" a\x0b", "a"])
    columns = [*helpers.TABLE_COLUMNS, scaled, blanks]
    raw = {c.name: cells if c.dtype == "string" else numbers for c in columns}
    by_ops, in_python = encode_columns(columns, raw), encode_in_python(columns, raw)
    assert list(in_python) == list(by_ops)
    for name, column in by_ops.items():
        assert in_python[name].dtype == column.dtype
        np.testing.assert_array_equal(in_python[name], column)
    assert in_python["kind"].tolist() == [1, 1, 3, 2, 0, 0]
    assert in_python["k"].tolist() == [2, 1, 0, 0, 0, 0]

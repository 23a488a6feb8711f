"""Columns as a model takes them."""

import helpers
import numpy as np

from keras_fm.preprocessing.tables.encoding import encode_columns
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

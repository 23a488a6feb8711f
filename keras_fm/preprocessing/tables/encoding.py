"""Encoding of table columns as a model takes them, in stock TensorFlow ops.

A column is an `Input` of the entry: float32, where NaN is a missing number; or string, where the
model takes the index of the category among the column's `categories`, from 1 on, and 0 for any
other; or string that is parsed: with a `unit` as a float32 number, with `dates` as their parts,
float32 `[rows, dates.width]`; or a text, with `hash_buckets`, as the counts of its hashed words,
int32 `[rows, hash_buckets]`. Infinity is neither a number nor missing, but what a division by zero
or an overflow left: an error.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from keras_fm.lazy_imports import has_tensorflow, tf
from keras_fm.preprocessing.lookup_tables import index_of_string
from keras_fm.preprocessing.tables.columns import (
    Columns,
    categorical_columns,
    input_names,
    is_parsed,
)
from keras_fm.preprocessing.tables.hashed_words import count_words
from keras_fm.preprocessing.tables.parsers import encode_strings
from keras_fm.registry.entry import Input

_BLANKS = " \t\n\v\f\r"  # what `tf.strings.strip` takes off


def encode_columns(columns: Columns, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Encode the raw columns of a table as the model takes them, by the names of its inputs.

    Args:
        columns: The model's.
        inputs: By column name, float32 or strings `[rows]`.
    """
    needs_tensorflow = any(is_parsed(c) or c.hash_buckets is not None for c in columns)
    if has_tensorflow() or needs_tensorflow:
        tensors = {name: tf.constant(column) for name, column in inputs.items()}
        return {name: column.numpy() for name, column in ColumnEncoder(columns)(tensors).items()}
    return encode_in_python(columns, inputs)


def encode_in_python(columns: Columns, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Encode columns of numbers and categories for a training where TensorFlow is not installed.

    Args:
        columns: As in `encode_columns`.
        inputs: As in `encode_columns`.
    """
    names = input_names(columns)
    return {names[column.name]: _encode(column, inputs[column.name]) for column in columns}


def _encode(column: Input, cells: np.ndarray) -> np.ndarray:
    if column.dtype == "string":
        index = _CategoryIndex(column)
        return np.fromiter(map(index.__getitem__, cells.tolist()), "int32", len(cells))
    if column.missing_value is not None:
        missing = np.asarray(column.missing_value, cells.dtype)
        cells = np.where(cells == missing, np.asarray(np.nan, cells.dtype), cells)
    return cells if column.scale is None else cells / np.asarray(column.scale, cells.dtype)


class _CategoryIndex(dict[str | bytes, int]):
    """Index of each category, from 1 on, and 0 of any other string; what was looked up, is kept."""

    def __init__(self, column: Input) -> None:
        super().__init__()
        self.of_category = {name: i for i, name in enumerate(column.categories, 1)}
        self.strips = _are_stripped(column)

    def __missing__(self, cell: str | bytes) -> int:
        text = cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell
        index = self.of_category.get(text.strip(_BLANKS) if self.strips else text, 0)
        self[cell] = index
        return index


def _are_stripped(column: Input) -> bool:
    """Return whether blanks around a string do not count.

    Names with outer blanks are of a model of before; else " a" is "a".
    """
    return all(category == category.strip() for category in column.categories)


class ColumnEncoder:
    """Encoder of raw columns, in stock TensorFlow ops, for training, `pipeline` and the exports.

    Attributes:
        lookup_tables: From categories to indices, by column name; an export tracks them.
    """

    def __init__(self, columns: Columns) -> None:
        """Create the encoder of a model's columns."""
        self.columns = columns
        self.lookup_tables = {
            column.name: index_of_string(column.categories, first_index=1, default=0)
            for column in categorical_columns(columns)
        }

    def __call__(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """Encode tensors by column name, float32 or string `[rows]`, by the names of the inputs."""
        names = input_names(self.columns)
        return {names[c.name]: self._encode(c, raw[c.name]) for c in self.columns}

    def _encode(self, column: Input, cells: tf.Tensor) -> tf.Tensor:
        if column.hash_buckets is not None:
            return count_words(cells, column.hash_buckets)
        if is_parsed(column):
            return encode_strings(cells, column)
        if column.name in self.lookup_tables:
            if _are_stripped(column):
                cells = tf.strings.strip(cells)
            return tf.cast(self.lookup_tables[column.name].lookup(cells), tf.int32)
        if column.missing_value is not None:
            cells = tf.where(cells == column.missing_value, float("nan"), cells)
        return cells if column.scale is None else cells / column.scale

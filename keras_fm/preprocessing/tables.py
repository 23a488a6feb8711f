"""A table's columns: from what a user has to what a model takes, and the ends of a table's model.

A column is an `Input` of the entry: float32, where NaN is a missing number; or string, where the
model takes the place of the string among the column's `values`, from 1 on, and 0 for any other.
Infinity is neither a number nor missing, but what a division by zero or an overflow left: an error.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_fm.preprocessing import graph_checks
from keras_fm.preprocessing.table_inputs import Columns, sanitized_names
from keras_fm.registry.entry import Input

# What layers of tables' models are called, whatever the columns are. Keras wants all names of a
# model to differ, and an input's to be its key: a column of such a name gets another input.
LAYER_NAMES = re.compile(
    "numbers|normalise|fill_missing|bins|embed_numbers|embedded_numbers|features|to_members|"
    "dense[0-9]+|embedding|standard|by_member|members|mean|scale|exponential|value|logits"
)
EMBEDDING_NAME = "embed_{}"  # and what embeds a category's place


def numeric_columns(columns: Columns) -> list[Input]:
    """The columns of numbers."""
    return [column for column in columns if column.dtype != "string"]


def categorical_columns(columns: Columns) -> list[Input]:
    """The columns of strings."""
    return [column for column in columns if column.dtype == "string"]


def input_names(columns: Columns) -> dict[str, str]:
    """For each column's name that of the model's input: the plain one, if no layer is called so.

    Another one names a column `logits`, say, or `size_cell` beside a column `size`.
    """
    plain = sanitized_names(columns)
    taken = {
        form.format(name)
        for name in plain.values()
        for form in ("{}_cell", "{}_is", EMBEDDING_NAME)
    }
    names: dict[str, str] = {}
    for column, name in plain.items():
        if name in taken or LAYER_NAMES.fullmatch(name):
            name = free_name(f"{name}_column", {*taken, *plain.values(), *names.values()})
        names[column] = name
    return names


def free_name(name: str, taken: Collection[str]) -> str:
    """The name, with as many underscores behind it as make it none of those taken."""
    while name in taken:
        name += "_"
    return name


def encode(columns: Columns, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A table's raw columns as the model takes them, by its inputs' names."""
    encoded = encoder(columns)({name: tf.constant(column) for name, column in inputs.items()})
    return {name: column.numpy() for name, column in encoded.items()}


def encoder(columns: Columns) -> Any:
    """A function of a dict of raw tensors, float32 or string, in stock TensorFlow ops.

    One way for `pipeline`, the training and the exports. Its `tables` are what it looks up in.
    """
    return _Encoder(columns)


class _Encoder:
    def __init__(self, columns: Columns) -> None:
        self.columns = columns
        self.tables = {
            column.name: _places(column.values) for column in categorical_columns(columns)
        }

    def __call__(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        names = input_names(self.columns)
        return {names[c.name]: self._encode(c, raw[c.name]) for c in self.columns}

    def _encode(self, column: Input, raw: tf.Tensor) -> tf.Tensor:
        if column.name in self.tables:
            return tf.cast(self.tables[column.name].lookup(raw), tf.int32)
        if column.missing is None:
            return raw
        return tf.where(raw == column.missing, float("nan"), raw)


def check_cells(raw: dict[str, tf.Tensor], columns: Columns) -> dict[str, tf.Tensor]:
    """In a graph, raw columns by their plain names as they are: none with an infinite number.

    Raises:
        tf.errors.InvalidArgumentError: which column and row has one.
    """
    names, table = _numbers_of(raw, columns)
    right = ~tf.math.is_inf(table)

    def say() -> tf.Tensor:
        place = tf.argmin(tf.cast(tf.reshape(right, [-1]), tf.int32))
        row, column = place // len(names), place % len(names)
        said = ": expected a finite number, or NaN where it is missing; received "
        cell = graph_checks.as_text(table[row, column])
        return tf.strings.join(
            [tf.gather(names, column), ", row ", graph_checks.as_text(row), said, cell]
        )

    return graph_checks.assert_all(raw, tf.reduce_all(right), say)


def check_outputs(
    answers: dict[str, tf.Tensor], raw: dict[str, tf.Tensor], columns: Columns
) -> dict[str, tf.Tensor]:
    """In a graph, the answers to such columns as they are: finite ones.

    A line that was fitted goes on for ever, also to where its exponential has no number.

    Raises:
        tf.errors.InvalidArgumentError: which row has another answer, and its numbers.
    """
    names, table = _numbers_of(raw, columns)
    finite = [
        tf.reduce_all(tf.math.is_finite(answer), axis=range(1, answer.shape.rank))
        for answer in answers.values()
        if answer.dtype.is_floating
    ]
    right = tf.reduce_all(tf.stack(finite), axis=0)

    def say() -> tf.Tensor:
        row = tf.argmin(tf.cast(right, tf.int32))
        cells = tf.strings.join([names, graph_checks.as_text(table[row])], separator=" ")
        given = tf.strings.reduce_join(cells, separator=", ")
        return tf.strings.join(
            ["row ", graph_checks.as_text(row), " has no finite answer: ", given]
        )

    return graph_checks.assert_all(answers, tf.reduce_all(right), say)


def _numbers_of(raw: dict[str, tf.Tensor], columns: Columns) -> tuple[list[str], tf.Tensor]:
    """The plain names of the columns of numbers, and these, `[batch, columns]`."""
    plain = sanitized_names(columns)
    names = [plain[column.name] for column in numeric_columns(columns)]
    rows = tf.shape(next(iter(raw.values())))[0]
    return names, tf.stack([raw[name] for name in names], 1) if names else tf.zeros((rows, 0))


def _places(values: Sequence[str]) -> tf.lookup.StaticHashTable:
    places = tf.range(1, len(values) + 1, dtype=tf.int64)
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant(values, tf.string), places), 0
    )

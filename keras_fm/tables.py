"""A table's columns: from what a user has to what a model takes, and the ends of a table's model.

A column is an `Input` of the entry: float32, where NaN is a missing number; or string, where the
model takes the place of the string among the column's `values`, from 1 on, and 0 for any other.
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from keras_fm.data import Examples
from keras_fm.entry import Input, Target
from keras_fm.errors import InvalidInputError

Columns = Sequence[Input]


def numbers(columns: Columns) -> list[Input]:
    """The columns of numbers."""
    return [column for column in columns if column.dtype != "string"]


def categories(columns: Columns) -> list[Input]:
    """The columns of strings."""
    return [column for column in columns if column.dtype == "string"]


def model_inputs(columns: Columns) -> dict[str, Any]:
    """A Keras input `[batch]` for each column: float32, or int32 for a category's place."""
    return {
        column.name: keras.Input(
            (), name=column.name, dtype="int32" if column.dtype == "string" else "float32"
        )
        for column in columns
    }


def side_by_side(inputs: dict[str, Any], columns: Columns) -> Any:
    """The columns of numbers as one tensor `[batch, columns]`."""
    cells = [
        layers.Reshape((1,), name=f"{column.name}_cell")(inputs[column.name])
        for column in numbers(columns)
    ]
    return layers.Concatenate(name="numbers")(cells) if len(cells) > 1 else cells[0]


def quantity(standard: Any, target: Target) -> Any:
    """The head of a regression: from a standardised value `[batch, 1]` to the quantity `[batch]`.

    The layer `scale` knows mean and variance of the (logarithm of the) training targets.
    """
    x = layers.Normalization(axis=None, invert=True, dtype="float32", name="scale")(standard)
    if target.log:
        x = layers.Activation("exponential", dtype="float32", name="exponential")(x)
    return layers.Reshape((), dtype="float32", name="value")(x)


def standardise(model: keras.Model, examples: Examples) -> None:
    """Sets the layers `normalise` and `scale` of a model from its encoded training examples."""
    columns = [column for column in examples.inputs.values() if column.dtype.kind == "f"]
    table = np.stack(columns, axis=-1)
    means = np.nan_to_num(np.nanmean(table, axis=0))
    model.get_layer("normalise").adapt(np.where(np.isnan(table), means, table))
    logarithm = any(layer.name == "exponential" for layer in model.layers)
    targets = examples.targets[:, None]
    model.get_layer("scale").adapt(np.log(targets) if logarithm else targets)


def encode(columns: Columns, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """A table's raw columns as the model takes them."""
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
        self.tables = {column.name: _places(column.values) for column in categories(columns)}

    def __call__(self, raw: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {column.name: self._encode(column, raw[column.name]) for column in self.columns}

    def _encode(self, column: Input, raw: tf.Tensor) -> tf.Tensor:
        if column.name in self.tables:
            return tf.cast(self.tables[column.name].lookup(raw), tf.int32)
        if column.missing is None:
            return raw
        return tf.where(raw == column.missing, float("nan"), raw)


def _places(values: Sequence[str]) -> tf.lookup.StaticHashTable:
    places = tf.range(1, len(values) + 1, dtype=tf.int64)
    return tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(tf.constant(values, tf.string), places), 0
    )


def read(inputs: Any, columns: Columns) -> dict[str, np.ndarray]:
    """Rows of any kind as raw columns, float32 or strings.

    Args:
        inputs: a row or a list of rows (each a dict), a dict of columns, or the paths of CSV files
            with a header. An empty or missing cell of a number is NaN; of a string, unknown.

    Raises:
        InvalidInputError: no row, a column that is not there, or a number that is none.
    """
    table = _as_columns(inputs)
    for column in columns:
        if column.name not in table:
            raise InvalidInputError(
                f"no column {column.name!r}; received {', '.join(map(str, table)) or 'nothing'}"
            )
    read = {column.name: _read_column(table[column.name], column) for column in columns}
    lengths = {name: len(values) for name, values in read.items()}
    if len(set(lengths.values())) != 1 or not next(iter(lengths.values())):
        raise InvalidInputError(f"expected one row or more in each column; received {lengths} rows")
    return read


def _as_columns(inputs: Any) -> dict[str, Any]:
    if isinstance(inputs, (str, Path)):
        inputs = [inputs]
    if isinstance(inputs, Sequence) and all(isinstance(path, (str, Path)) for path in inputs):
        inputs = [row for path in inputs for row in _read_csv(Path(path))]
    if isinstance(inputs, Mapping):
        return {name: np.atleast_1d(values) for name, values in inputs.items()}
    rows = list(inputs) if isinstance(inputs, Sequence) else []
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        raise InvalidInputError(
            "expected rows (dicts), a dict of columns or a CSV file; received "
            f"{'an empty list' if inputs == [] else type(inputs).__name__}"
        )
    return {name: [row.get(name) for row in rows] for name in rows[0]}


def _read_csv(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            return list(csv.DictReader(stream))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InvalidInputError(f"{path} can't be read as a CSV file: {error}") from None


def _read_column(values: Any, column: Input) -> np.ndarray:
    if column.dtype == "string":
        return np.array(["" if value is None else str(value) for value in values], dtype=str)
    cells = [np.nan if value in (None, "") else value for value in values]
    try:
        return np.array(cells, dtype="float32")
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"column {column.name!r}: expected numbers; {error}") from None

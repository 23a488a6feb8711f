"""Preprocessing of table columns in stock TensorFlow ops, and checks of a table model's outputs.

A column is an `Input` of the entry: float32, where NaN is a missing number; or string, where the
model takes the index of the category among the column's `categories`, from 1 on, and 0 for any
other. Infinity is neither a number nor missing, but what a division by zero or an overflow left: an
error.
"""

import re
from collections.abc import Collection, Mapping, Sequence

import numpy as np
import tensorflow as tf

from keras_fm.preprocessing import graph_checks
from keras_fm.preprocessing.column_names import sanitized_names
from keras_fm.preprocessing.lookup_tables import index_of_string
from keras_fm.preprocessing.table_inputs import Columns
from keras_fm.registry.entry import Input

# Names of layers in table models. All names in a Keras model differ, and an input's is its key: so
# the input of a column of such a name is called otherwise.
LAYER_NAMES = re.compile(
    "numeric|normalization|impute_missing|piecewise_linear|numeric_embedding|numeric_flatten|"
    "features|member_inputs|dense[0-9]+|embedding|standardized|member_features|members|mean|scale|"
    "exponential|rescaling|value|logits"
)
EMBEDDING_NAME = "{}_embedding"  # of the layer that embeds a categorical column


def numeric_columns(columns: Columns) -> list[Input]:
    """Select the numeric columns."""
    return [column for column in columns if column.dtype != "string"]


def categorical_columns(columns: Columns) -> list[Input]:
    """Select the categorical columns."""
    return [column for column in columns if column.dtype == "string"]


def plain_names(columns: Columns) -> dict[str, str]:
    """Map each column's name to that of a signature's input; see `sanitized_names`."""
    return sanitized_names(column.name for column in columns)


def input_names(columns: Columns) -> dict[str, str]:
    """Map each column's name to that of the model's input: sanitized, and not that of a layer.

    A column `logits`, say, or `size_cell` beside a column `size`, has an input of another name.
    """
    sanitized = plain_names(columns)
    layer_names = {
        form.format(name)
        for name in sanitized.values()
        for form in ("{}_cell", "{}_one_hot", EMBEDDING_NAME)
    }
    names: dict[str, str] = {}
    for column, name in sanitized.items():
        if name in layer_names or LAYER_NAMES.fullmatch(name):
            taken = {*layer_names, *sanitized.values(), *names.values()}
            name = unique_name(f"{name}_column", taken)
        names[column] = name
    return names


def unique_name(name: str, taken: Collection[str]) -> str:
    """Append underscores to a name until it is none of those taken."""
    while name in taken:
        name += "_"
    return name


def encode(columns: Columns, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Encode the raw columns of a table as the model takes them, by the names of its inputs.

    Args:
        columns: The model's.
        inputs: By column name, float32 or strings `[rows]`.
    """
    tensors = {name: tf.constant(column) for name, column in inputs.items()}
    return {name: column.numpy() for name, column in ColumnEncoder(columns)(tensors).items()}


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
        if column.name in self.lookup_tables:
            # Names with outer blanks are of a model of before; else " a" is "a".
            if all(category == category.strip() for category in column.categories):
                cells = tf.strings.strip(cells)
            return tf.cast(self.lookup_tables[column.name].lookup(cells), tf.int32)
        if column.missing_value is not None:
            cells = tf.where(cells == column.missing_value, float("nan"), cells)
        return cells if column.scale is None else cells / column.scale


def check_cells(raw: dict[str, tf.Tensor], columns: Columns) -> dict[str, tf.Tensor]:
    """Return raw columns by their sanitized names in a graph, if no number is infinite.

    Raises:
        tf.errors.InvalidArgumentError: It names the row and the column of an infinite number.
    """
    names, numbers = _numeric_cells(raw, columns)
    is_valid = ~tf.math.is_inf(numbers)

    def message() -> tf.Tensor:
        cell_index = tf.argmin(tf.cast(tf.reshape(is_valid, [-1]), tf.int32))
        row, column = cell_index // len(names), cell_index % len(names)
        return tf.strings.join(
            [
                tf.gather(names, column),
                ", row ",
                graph_checks.as_text(row),
                ": expected a finite number, or NaN where it is missing; received ",
                graph_checks.as_text(numbers[row, column]),
            ]
        )

    return graph_checks.assert_all(raw, tf.reduce_all(is_valid), message)


def check_outputs(
    outputs: dict[str, tf.Tensor], raw: dict[str, tf.Tensor], columns: Columns
) -> dict[str, tf.Tensor]:
    """Return the outputs for raw columns in a graph, if all are finite.

    A linear model extrapolates without bounds, also to where its exponential overflows.

    Args:
        outputs: Of the model, by name, `[rows, ...]`.
        raw: The columns by their sanitized names.
        columns: The model's.

    Raises:
        tf.errors.InvalidArgumentError: It names the first row with another output, and its numbers.
    """
    names, numbers = _numeric_cells(raw, columns)
    finite = [
        tf.reduce_all(tf.math.is_finite(output), axis=range(1, output.shape.rank))
        for output in outputs.values()
        if output.dtype.is_floating
    ]
    is_valid = tf.reduce_all(tf.stack(finite), axis=0)

    def message() -> tf.Tensor:
        row = tf.argmin(tf.cast(is_valid, tf.int32))
        cells = tf.strings.join([names, graph_checks.as_text(numbers[row])], separator=" ")
        received = tf.strings.reduce_join(cells, separator=", ")
        return tf.strings.join(
            ["row ", graph_checks.as_text(row), " has no finite prediction: ", received]
        )

    return graph_checks.assert_all(outputs, tf.reduce_all(is_valid), message)


def _numeric_cells(raw: dict[str, tf.Tensor], columns: Columns) -> tuple[Sequence[str], tf.Tensor]:
    """Return the sanitized names of the numeric columns, and their cells `[rows, columns]`."""
    sanitized = plain_names(columns)
    names = [sanitized[column.name] for column in numeric_columns(columns)]
    num_rows = tf.shape(next(iter(raw.values())))[0]
    cells = tf.stack([raw[name] for name in names], 1) if names else tf.zeros((num_rows, 0))
    return names, cells

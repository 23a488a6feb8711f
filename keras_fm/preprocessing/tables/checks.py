"""Checks of a table in a served graph: of the cells in a request, and of a model's outputs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from keras_fm.lazy_imports import tf
from keras_fm.preprocessing import graph_checks
from keras_fm.preprocessing.tables.columns import (
    Columns,
    numeric_columns,
    parsed_columns,
    plain_names,
)
from keras_fm.preprocessing.tables.parsers import are_readable, expected_strings


def check_cells(raw: dict[str, tf.Tensor], columns: Columns) -> dict[str, tf.Tensor]:
    """Return raw columns by their sanitized names, if cells can be read and numbers are finite.

    Raises:
        tf.errors.InvalidArgumentError: It names the row and the column of another cell.
    """
    sanitized = plain_names(columns)
    for column in parsed_columns(columns):
        cells = raw[sanitized[column.name]]
        raw = graph_checks.assert_rows(
            raw,
            are_readable(cells, column),
            sanitized[column.name],
            expected_strings(column),
            partial(tf.identity, cells),
        )
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

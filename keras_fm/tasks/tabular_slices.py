"""The values of a table's columns, by which metrics are sliced."""

import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.lazy_imports import tf
from keras_fm.preprocessing.tables.columns import Columns
from keras_fm.preprocessing.tables.date_strings import parse_dates
from keras_fm.preprocessing.tables.hashed_words import split_words
from keras_fm.preprocessing.tables.parsers import parser_of
from keras_fm.registry.entry import Input


def column_values(columns: Columns, examples: Examples, name: str) -> np.ndarray | None:
    """Return the values of a model's column `[examples]`; None where it has no such column.

    They are numbers, NaN where one is missing; dates and times; the numbers of words of texts; or
    strings, "" where one is missing.
    """
    column = next((column for column in columns if column.name == name), None)
    if column is None:
        return None
    values = examples.inputs[name]
    if column.dates is not None:
        return _date_values(values, column)
    if column.unit:
        strings = tf.constant(values, tf.string)
        return parser_of(column).encode(strings).numpy() * (column.scale or 1)
    if column.hash_buckets is not None:  # a text itself says nothing of others
        return split_words(tf.constant(values, tf.string)).row_lengths().numpy()
    if column.missing_value is not None:
        return np.where(values == column.missing_value, np.nan, values)
    return values


def _date_values(values: np.ndarray, column: Input) -> np.ndarray:
    """Return dates as datetime64, and times of day as timedelta64."""
    assert column.dates is not None
    strings = tf.constant(values, tf.string)
    seconds = parse_dates(strings, column.dates.day_first).seconds.numpy().astype("int64")
    kind = "timedelta64[s]" if column.dates.origin is None else "datetime64[s]"
    dates = seconds.astype(kind)
    dates[~parser_of(column).are_read(strings).numpy()] = np.array("NaT", kind)
    return dates

"""Columns of strings that are parsed, by the same TensorFlow ops in a training and in a server."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

import numpy as np

from keras_fm.errors import InvalidInputError
from keras_fm.lazy_imports import tf
from keras_fm.preprocessing.tables import durations
from keras_fm.preprocessing.tables.amounts import AmountParser
from keras_fm.preprocessing.tables.cells import MISSING_WORDS
from keras_fm.preprocessing.tables.columns import Columns, parsed_columns
from keras_fm.preprocessing.tables.dates import DateParser
from keras_fm.preprocessing.tables.durations import DurationParser
from keras_fm.registry.entry import Input

# "" is among them.
_MISSING = "|".join(map(re.escape, sorted(MISSING_WORDS)))


def parser_of(column: Input) -> DateParser | AmountParser | DurationParser:
    """Return the parser of a column, one of `parsed_columns`."""
    if column.dates is not None:
        return DateParser(column.dates)
    if column.unit == durations.UNIT:
        return DurationParser(column.scale)
    return AmountParser(column.unit, column.scale)


def encode_strings(strings: tf.Tensor, column: Input) -> tf.Tensor:
    """Return what strings `[rows]` of a parsed column are in a model, NaN where one is missing."""
    distinct, rows = tf.unique(strings)  # dates recur, and strings are slow
    return tf.gather(parser_of(column).encode(distinct), rows)


def are_readable(strings: tf.Tensor, column: Input) -> tf.Tensor:
    """Return whether each of strings `[rows]` can be parsed, or says that it is missing."""
    distinct, rows = tf.unique(strings)
    return tf.gather(parser_of(column).are_read(distinct) | are_missing(distinct), rows)


def are_missing(strings: tf.Tensor) -> tf.Tensor:
    """Return whether each of strings `[rows]` says that a value is missing."""
    return tf.strings.regex_full_match(tf.strings.lower(tf.strings.strip(strings)), _MISSING)


def expected_strings(column: Input) -> str:
    """Say what a cell of a parsed column can be."""
    return f"{parser_of(column).expected}, or none where it is missing"


def check_strings(
    columns: Columns, raw: Mapping[str, np.ndarray], row_name: Callable[[int], str]
) -> None:
    """Check that the strings of parsed columns can be parsed.

    Args:
        columns: The model's.
        raw: By column name, strings `[rows]`.
        row_name: From the position of a row to what a message calls it.

    Raises:
        InvalidInputError: A string can't be parsed, and is no word for a missing one.
    """
    for column in parsed_columns(columns):
        cells = raw[column.name]
        is_readable = are_readable(tf.constant(cells), column).numpy()
        if not is_readable.all():
            position = int(is_readable.argmin())
            raise InvalidInputError(
                f"column {column.name!r}, {row_name(position)}: expected "
                f"{expected_strings(column)}; received {str(cells[position])!r:.60}"
            )


def sample_strings(column: Input, count: int) -> list[str]:
    """Return strings that a column can hold: its categories and another, dates, numbers, texts."""
    dates = column.dates
    if column.hash_buckets is not None:
        return [
            "",
            "Good value, well made.",
            "broken twice; returned it",
            "Größe: 38 – passt nicht",
        ]
    if column.unit == durations.UNIT:
        return [f"{(column.scale or 1) * number:.0f} s" for number in range(count)]
    if column.unit:
        return [f"{(column.scale or 1) * number:g}" for number in range(count)]
    if dates is None:
        return [*column.categories, "?"]
    if dates.origin is None:
        return [f"{minute // 60:02}:{minute % 60:02}" for minute in range(0, 1440, 7)]
    days = np.datetime64(dates.origin, "m") + 1441 * np.arange(count)  # a day, and a minute
    return [str(day if "hour" in dates.parts else day.astype("datetime64[D]")) for day in days]

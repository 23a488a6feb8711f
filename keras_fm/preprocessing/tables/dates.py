"""From the dates of a table's column to the numbers that a model takes, in TensorFlow ops."""

from __future__ import annotations

import math

import numpy as np

from keras_fm.lazy_imports import tf
from keras_fm.preprocessing.tables.date_strings import ParsedDates, calendar, parse_dates
from keras_fm.registry.dates import Dates


class DateParser:
    """Parser of a column of dates or of times of day.

    Args:
        dates: The column's format and parts.
    """

    def __init__(self, dates: Dates) -> None:
        """Create the parser."""
        self.dates = dates
        self.expected = dates.kind

    def are_read(self, strings: tf.Tensor) -> tf.Tensor:
        """Return whether each of strings `[rows]` is a date of the column."""
        return self._are_read(parse_dates(strings, self.dates.day_first))

    def encode(self, strings: tf.Tensor) -> tf.Tensor:
        """Return the parts of dates as float32 `[rows, dates.width]`, NaN where there is none."""
        parsed = parse_dates(strings, self.dates.day_first)
        are_read = self._are_read(parsed)
        seconds = tf.where(are_read, parsed.seconds, 0)
        cycles = calendar(seconds)
        numbers = []
        for part in self.dates.parts:
            if part == "elapsed":
                numbers.append((seconds - self._origin) / 86400)
            else:  # in float64, so that float32 differs by its rounding at most
                angle = 2 * math.pi * cycles[part]
                numbers += [tf.sin(angle), tf.cos(angle)]
        features = tf.where(are_read[:, None], tf.stack(numbers, axis=1), float("nan"))
        return tf.cast(features, tf.float32)

    def _are_read(self, parsed: ParsedDates) -> tf.Tensor:
        are_read = parsed.is_time if self.dates.origin is None else parsed.is_date
        return are_read if self.dates.utc else are_read & ~parsed.has_zone

    @property
    def _origin(self) -> float:
        """The seconds from 1970 to the column's origin."""
        if self.dates.origin is None:
            return 0.0
        return float(np.datetime64(self.dates.origin, "s").astype("int64"))

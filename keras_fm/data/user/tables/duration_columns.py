"""Columns of durations, such as "1:23:45" and "2h 30min"."""

from typing import TYPE_CHECKING

import numpy as np

from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.tables.parsed_columns import (
    MAX_SAMPLE,
    MIN_SHARE,
    parsed_input,
    strings_to_parse,
)
from keras_fm.lazy_imports import tf
from keras_fm.preprocessing.tables.durations import UNIT, DurationParser
from keras_fm.registry.entry import Input

if TYPE_CHECKING:
    import pandas as pd


def infer_durations(cells: "pd.Series", notes: DataNotes) -> Input | None:
    """Return the input of a column nearly all of whose cells are durations, else None.

    Args:
        cells: Strings, which are no dates and no times of day.
        notes: Of the table; a sentence is added.
    """
    distinct = strings_to_parse(cells)
    if distinct is None:
        return None
    parser = DurationParser()
    sample = distinct[:MAX_SAMPLE]
    if sample.share(parser.are_read(tf.constant(sample.strings, tf.string)).numpy()) < 0.5:
        return None
    seconds = parser.encode(tf.constant(distinct.strings, tf.string)).numpy()
    are_read = ~np.isnan(seconds)
    numbers = seconds.repeat(distinct.counts)
    if distinct.share(are_read) < MIN_SHARE or len(set(seconds[are_read])) < 2:
        return None
    example = are_read.argmax()
    notes.append(
        f"column {cells.name!r} is one of durations: {str(distinct.strings[example])!r} is read as "
        f"{seconds[example]:g} seconds"
    )
    return parsed_input(str(cells.name), parser.expected, numbers, UNIT)

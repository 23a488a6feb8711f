"""Columns of strings that are parsed: what share of them can be, and what others become."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.tables import number_checks, number_columns
from keras_fm.lazy_imports import tf
from keras_fm.preprocessing.array_likes import column_name
from keras_fm.preprocessing.tables.columns import parsed_columns
from keras_fm.preprocessing.tables.parsers import are_missing, are_readable, parser_of
from keras_fm.registry.entry import Input

if TYPE_CHECKING:
    import pandas as pd

# Of the cells that are not missing, so many can be parsed, and others count as missing.
MIN_SHARE = 0.9
MAX_SAMPLE = 100  # different strings that are looked at first


@dataclass(frozen=True)
class DistinctStrings:
    """The different strings of a column that are not missing.

    Attributes:
        strings: In the order of the column.
        counts: How many cells have each.
    """

    strings: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, texts: "pd.Series") -> "DistinctStrings":
        """Return those of a column."""
        counts = texts.value_counts(sort=False)
        strings = counts.index.to_numpy(dtype=object)
        is_present = ~are_missing(tf.constant(strings, tf.string)).numpy()
        return cls(strings[is_present].astype(str), counts.to_numpy()[is_present])

    def __getitem__(self, index: slice | np.ndarray) -> "DistinctStrings":
        """Return some of them."""
        return DistinctStrings(self.strings[index], self.counts[index])

    def share(self, mask: np.ndarray) -> float:
        """Return the share of cells whose strings are in a mask."""
        return float(self.counts[mask].sum() / max(1, self.counts.sum()))


def to_strings(present: "pd.Series") -> "pd.Series":
    """Convert cells to strings to parse, None where a cell is no text."""
    if present.dtype.kind == "M":  # pandas is a hundred times as fast as Python is, one by one
        return present.astype(str)
    return number_columns.to_texts(present)


def strings_to_parse(cells: "pd.Series") -> DistinctStrings | None:
    """Return the strings of a column; None where a cell is no text."""
    texts = to_strings(cells.dropna())
    return None if texts.isna().any() else DistinctStrings.of(texts)


def parsed_input(name: str, expected: str, numbers: np.ndarray, unit: str) -> Input:
    """Return the input of a column whose strings are parsed to numbers.

    Args:
        name: Of the column.
        expected: What a string is to be, for errors and users.
        numbers: What the strings are parsed to, which says the scale.
        unit: Of the numbers.
    """
    return Input(
        name=name,
        dtype="string",
        shape=[],
        description=expected,
        scale=number_checks.power_of_ten(numbers),
        unit=unit,
    )


def can_be_parsed(cells: "pd.Series", column: Input) -> bool:
    """Return whether cells can be a parsed column of a model, with a few other words."""
    texts = to_strings(cells.dropna())
    distinct = DistinctStrings.of(texts[texts.notna()])
    is_readable = are_readable(tf.constant(distinct.strings), column).numpy()
    return not texts.isna().any() and distinct.share(is_readable) >= MIN_SHARE


def with_parsed_columns(
    frame: "pd.DataFrame", columns: Sequence[Input], notes: DataNotes
) -> "pd.DataFrame":
    """Replace parsed columns by strings, "" where a cell can't be parsed, which is told.

    Args:
        frame: The table.
        columns: The model's.
        notes: Of the table; warnings are added.
    """
    for column in parsed_columns(columns):
        name = column_name(column.name)
        present = frame[name].dropna()
        texts = to_strings(present)
        strings = np.full(len(frame), "", dtype=object)
        strings[frame[name].notna().to_numpy()] = texts.where(texts.notna(), present.map(repr))
        is_readable = are_readable(tf.constant(strings, tf.string), column).numpy()
        if not is_readable.all():
            num_others = int((~is_readable).sum())
            notes.warn(
                f"column {name!r}: {num_others:,} of {len(frame):,} cells, such as "
                f"{strings[is_readable.argmin()]!r:.40}, count as missing: expected "
                f"{parser_of(column).expected}"
            )
        frame = frame.assign(**{name: np.where(is_readable, strings, "")})
    return frame

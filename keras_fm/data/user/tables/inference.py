"""Inference of a user's table columns: dates, numbers or categories, and which teach nothing."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.tables import (
    amount_columns,
    category_columns,
    date_columns,
    duration_columns,
    leakage,
    number_checks,
)
from keras_fm.data.user.tables.column_reports import BOOLEAN, LeftOut
from keras_fm.data.user.tables.number_columns import NumberColumn
from keras_fm.preprocessing.tables.columns import is_parsed
from keras_fm.registry.entry import Input

if TYPE_CHECKING:
    import pandas as pd

# Fewer consecutive numbers may be a coincidence.
_MIN_CONSECUTIVE = 10
# Without a name, or as pandas names columns without one, also where such a file was read twice.
_NO_NAME = re.compile(r"(Unnamed: \d+(\.\d+)*)?")


@dataclass(frozen=True)
class InferredColumns:
    """The columns of a table.

    Attributes:
        columns: The inputs of a model.
        left_out: From the name of another column to what it is, in short.
    """

    columns: tuple[Input, ...]
    left_out: Mapping[str, str]


def infer_columns(
    frame: "pd.DataFrame",
    numbers: Mapping[str, NumberColumn],
    notes: DataNotes,
    text_buckets: int = 0,
) -> InferredColumns:
    """Infer the inputs of a model from a table, and note what was left out or looks wrong.

    A column is one of dates, numeric, of numbers with a currency or percent sign, of durations, or
    else categorical, with the strings that occur twice or more as its categories. Left out are ids,
    columns with a single value, or with different strings in nearly all rows, and free text, where
    its words are not hashed.

    Args:
        frame: The table.
        numbers: Its columns as numbers.
        notes: Of the table; sentences are added.
        text_buckets: That the words of free text are hashed to; 0 leaves it out.
    """
    columns, left_out = [], {}
    for name, cells in frame.items():
        number_column = numbers[name]
        column = _infer_column(cells, number_column, notes, text_buckets)
        reason = number_column.reason
        if isinstance(column, LeftOut):
            left_out[name] = column.kind
            sentence = f"column {name!r} was left out: {reason or column.reason}"
            notes.warn(sentence) if reason or column.warns else notes.append(sentence)
            continue
        columns.append(column)
        if is_parsed(column) or column.hash_buckets is not None:
            continue
        if reason:
            notes.warn(f"column {name!r} is one of categories, not of numbers: {reason}")
        if number_column.numbers is not None:
            _warn_numbers(number_column.numbers, notes)
        notes.warn_alike(f"column {name!r} has categories", column.categories)
    return InferredColumns(tuple(columns), left_out)


def drop_row_numbers(
    frame: "pd.DataFrame", notes: DataNotes, needed: Collection[str] = ()
) -> "pd.DataFrame":
    """Drop columns without a name that number the rows, as pandas' `to_csv` writes its index.

    Args:
        frame: The table.
        notes: Of the table; a warning is added.
        needed: The columns that stay: the target, and those of a model.
    """
    unnamed = [x for x in frame.columns if x not in needed and _NO_NAME.fullmatch(x)]
    row_numbers = [
        name
        for name in unnamed
        if len(frame) and number_checks.are_row_numbers(number_checks.read_whole(frame[name]))
    ]
    for name in row_numbers:
        notes.warn(
            f"column {name!r} was left out: it has no name and numbers the rows, as the index that "
            "pandas writes; to_csv(..., index=False) leaves it out"
        )
    return frame.drop(columns=row_numbers)


def _infer_column(
    cells: "pd.Series", number_column: NumberColumn, notes: DataNotes, text_buckets: int
) -> Input | LeftOut:
    """Return the input of a column, or say why it is left out."""
    numbers = number_column.numbers
    dates = date_columns.infer_dates(cells if numbers is None else numbers, notes)
    if dates is not None:
        return dates
    if leakage.is_certain_id(cells if numbers is None else numbers):
        reason = (
            f"it is an id by its name, with a different value in each of {len(cells):,} rows: it "
            "says nothing of new rows; rename it to keep it"
        )
        return LeftOut("an id", reason, warns=True)
    if numbers is not None:
        return _numeric(numbers)
    amounts = amount_columns.infer_amounts(cells, notes) if number_column.reason else None
    parsed = amounts or duration_columns.infer_durations(cells, notes)
    return parsed or category_columns.infer_categories(cells, notes, text_buckets)


def _numeric(numbers: "pd.Series") -> Input | LeftOut:
    """Return the input of a numeric column, or say why it is left out."""
    if numbers.nunique() < 2:
        return LeftOut("a single value", "it has a single value")
    return Input(
        name=numbers.name,
        dtype="float32",
        shape=[],
        description=BOOLEAN if numbers.dtype.kind == "b" else "a number",
        scale=number_checks.power_of_ten(numbers),
    )


def _warn_numbers(numbers: "pd.Series", notes: DataNotes) -> None:
    """Warn of numbers that may be no measurements, or too long for float32."""
    if len(numbers) >= _MIN_CONSECUTIVE and number_checks.are_consecutive(numbers):
        notes.warn(
            f"column {numbers.name!r} holds consecutive whole numbers, {numbers.min():,.0f} to "
            f"{numbers.max():,.0f}: leave it out if it numbers the rows"
        )
    sentence = number_checks.unlike_in_float32(numbers)
    if sentence:
        notes.warn(f"column {numbers.name!r} {sentence}")

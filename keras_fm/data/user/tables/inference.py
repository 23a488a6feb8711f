"""Inference of a user's table columns: numbers or categories, and which teach nothing."""

import re
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.tables import number_checks, number_columns
from keras_fm.data.user.tables.number_columns import NumberColumn
from keras_fm.registry.entry import Input

if TYPE_CHECKING:
    import pandas as pd

# A rarer category is unknown to the model, as one that first occurs at inference is.
MIN_CATEGORY_COUNT = 2
MAX_CATEGORIES = 1000
# Fewer consecutive numbers may be a coincidence.
_MIN_CONSECUTIVE = 10
# Without a name, or as pandas names columns without one, also where such a file was read twice.
_NO_NAME = re.compile(r"(Unnamed: \d+(\.\d+)*)?")


def infer_columns(
    frame: "pd.DataFrame", numbers: Mapping[str, NumberColumn], notes: DataNotes
) -> list[Input]:
    """Infer the inputs of a model from a table, and note what was left out or looks wrong.

    A column is numeric or else categorical, with the strings that occur twice or more as its
    categories. A column with a single value, or with different strings in nearly all rows, is left
    out.

    Args:
        frame: The table.
        numbers: Its columns as numbers.
        notes: Of the table; sentences are added.
    """
    columns = []
    for name, cells in frame.items():
        number_column = numbers[name]
        if number_column.numbers is None:
            column = _categorical_column(cells)
        else:
            column = _numeric_column(number_column.numbers)
        reason = number_column.reason
        if isinstance(column, str):
            sentence = f"column {name!r} was left out: {reason or column}"
            notes.warn(sentence) if reason else notes.append(sentence)
            continue
        columns.append(column)
        if reason:
            notes.warn(f"column {name!r} is one of categories, not of numbers: {reason}")
        if number_column.numbers is not None:
            _warn_numbers(number_column.numbers, notes)
        notes.warn_alike(f"column {name!r} has categories", column.categories)
    return columns


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


def _numeric_column(numbers: "pd.Series") -> Input | str:
    """Return the input of a numeric column, or say why it is left out."""
    if numbers.nunique() < 2:
        return "it has a single value"
    return Input(
        name=numbers.name,
        dtype="float32",
        shape=[],
        description="a number",
        scale=number_checks.power_of_ten(numbers),
    )


def _categorical_column(cells: "pd.Series") -> Input | str:
    """Return the input of a categorical column, or say why it is left out."""
    kind = cells.dtype.kind
    if kind in "mMc":
        values = {"m": "durations", "M": "dates", "c": "complex numbers"}[kind]
        return f"it holds {values}; extract what matters, such as the month, as a column of numbers"
    texts = number_columns.to_texts(cells.dropna())
    if texts.isna().any():
        value = cells.dropna()[texts.isna()].iloc[0]
        return f"it holds cells of the type {type(value).__name__}; expected numbers or strings"
    counts = texts[texts != ""].value_counts()
    if len(counts) < 2:
        return "it has a single value"
    categories = counts[counts >= MIN_CATEGORY_COUNT].index[:MAX_CATEGORIES]
    if len(categories) < 2:
        return (
            f"only one value, {categories[0]!r}, occurs twice or more"
            if len(categories)
            else "nearly every row has a different value"
        )
    return Input(
        name=cells.name,
        dtype="string",
        shape=[],
        description=f"one of {len(categories)} categories",
        categories=sorted(categories),
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

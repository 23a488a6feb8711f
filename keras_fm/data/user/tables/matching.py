"""Whether a table has the columns of a pretrained model."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from keras_fm.data.user.tables import parsed_columns
from keras_fm.data.user.tables.number_columns import NumberColumn
from keras_fm.preprocessing.array_likes import column_name
from keras_fm.preprocessing.tables.columns import is_parsed
from keras_fm.registry.entry import Input

if TYPE_CHECKING:
    import pandas as pd


def has_columns(
    frame: "pd.DataFrame", columns: Sequence[Input], numbers: Mapping[str, NumberColumn]
) -> bool:
    """Return whether a table has all the columns of a model, of the same type.

    Args:
        frame: The table.
        columns: The model's.
        numbers: The table's columns as numbers.
    """
    return all(
        (name := column_name(column.name)) in numbers
        and (
            parsed_columns.can_be_parsed(frame[name], column)
            if is_parsed(column)
            else _has_type(numbers[name], column.dtype)
        )
        for column in columns
    )


def _has_type(numbers: NumberColumn, dtype: str) -> bool:
    """Return whether a column can be one of a model; strings that are numbers are of both types."""
    is_numeric = numbers.numbers is not None
    return numbers.were_strings or is_numeric == (dtype != "string")

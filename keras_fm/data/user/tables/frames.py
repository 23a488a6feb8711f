"""Tables of a user's own as data frames, with the column to predict."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fm.data.user import labels
from keras_fm.data.user.arrays import read_arrays
from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.source import UserData
from keras_fm.data.user.tables import number_columns
from keras_fm.data.user.tables.number_columns import NumberColumn
from keras_fm.errors import DataError, InvalidInputError, suggest
from keras_fm.formatting import choose_form, format_count, format_names
from keras_fm.preprocessing import array_likes
from keras_fm.preprocessing.array_likes import column_name
from keras_fm.preprocessing.tables.columns import unique_name
from keras_fm.preprocessing.tables.csv_files import separator_hint
from keras_fm.preprocessing.tables.files import read_table
from keras_fm.preprocessing.tables.row_names import row_names, with_row_names

if TYPE_CHECKING:
    import pandas as pd

DEFAULT_TARGET = "target"  # of (columns, targets)


def read_frame(
    source: UserData, notes: DataNotes, string_columns: Sequence[str] = ()
) -> "tuple[pd.DataFrame, str, str]":
    """Read a table; return it, the name of the column to predict, and a description.

    Args:
        source: The user's table.
        notes: Of the table; sentences are added.
        string_columns: Columns of a CSV file whose cells are not converted to numbers.

    Raises:
        DataError: It can't be read, or has no such column.
        InvalidInputError: The user does not say which column to predict.
    """
    frame = array_likes.as_frame(source.data)
    if frame is not None:
        description = f"a data frame of {format_count(len(frame), 'row')}"
        frame = array_likes.with_string_names(frame, description)
    elif (path := source.path) is not None:
        frame = with_row_names(read_table(path, dict.fromkeys(string_columns, str)), path)
        description = str(path)
    else:
        return _from_arrays(source, notes)
    if source.target is None:
        raise InvalidInputError(
            f"say which column of {description} to predict: target=, or --target"
        )
    target = column_name(source.target)
    check_has_column(frame, target, description)
    return frame, target, description


def check_has_column(frame: "pd.DataFrame", name: str, description: str) -> None:
    """Raise a `DataError` where a table has no such column."""
    if name not in frame:
        raise DataError(
            f"{description} has no column {name!r}. {suggest(name, frame.columns)}"
            f"{separator_hint(frame.columns)}"
        )


def drop_missing_targets(
    frame: "pd.DataFrame",
    target: str,
    notes: DataNotes,
    description: str,
    class_names: Sequence[str] | None = None,
) -> "pd.DataFrame":
    """Drop the rows without a target, also where a word such as "?" stands among numbers.

    Args:
        frame: The table.
        target: The name of the target.
        notes: Of the table; sentences are added.
        description: Of the table.
        class_names: Known ones of a classification, which no word for a missing number is; None: it
            may be a regression.

    Raises:
        DataError: No row has a target.
    """
    column = number_columns.read_numbers(frame[target])
    if column.numbers is not None and not _has_classes(frame[target], column, class_names):
        frame = frame.assign(**{target: column.numbers})
        if column.warning:
            notes.warn(f"column {target!r} {column.warning}")
    is_missing = frame[target].isna()
    num_missing = int(is_missing.sum())
    if num_missing == len(frame):
        raise DataError(f"{description}: no row has a {target!r}")
    if num_missing:
        names = row_names(frame.index[is_missing])
        notes.warn(
            f"{num_missing:,} of {format_count(len(frame), 'row')} "
            f"{choose_form(num_missing, 'has', 'have')} no {target!r} and "
            f"{choose_form(num_missing, 'is', 'are')} left out: {format_names(names)}"
        )
    return frame[~is_missing]


def _has_classes(
    cells: "pd.Series", column: NumberColumn, class_names: Sequence[str] | None
) -> bool:
    """Return whether a word among the numbers of a target is a class."""
    if class_names is None or column.numbers is None:
        return False
    words = number_columns.to_texts(cells[column.numbers.isna()].dropna())
    return bool(column.warning) or not {*class_names}.isdisjoint(words)


def _from_arrays(source: UserData, notes: DataNotes) -> "tuple[pd.DataFrame, str, str]":
    import pandas as pd

    raw = read_arrays(source, rank=0)
    inputs = raw.inputs
    if isinstance(inputs, dict):
        inputs = pd.DataFrame({name: _to_series(cells) for name, cells in inputs.items()})
    if not isinstance(inputs, pd.DataFrame):
        raise DataError(
            f"{raw.description}: expected columns by name, or a CSV file; received "
            f"{type(inputs).__name__}"
        )
    frame = array_likes.with_string_names(inputs, raw.description).reset_index(drop=True)
    target = DEFAULT_TARGET if source.target is None else column_name(source.target)
    if target in frame and source.target is not None:
        raise DataError(
            f"{raw.description}: the target {target!r} is a column of the inputs too; leave it out "
            "there, or give the target another name"
        )
    if target in frame:
        target = unique_name(target, frame.columns)
        notes.append(f"the target is called {target!r}, for a column is called {DEFAULT_TARGET!r}")
    targets = labels.flatten_targets(raw)
    if raw.class_names is not None:
        targets = np.array(raw.class_names)[targets]
    return frame.assign(**{target: _to_series(targets)}), target, raw.description


def _to_series(cells: Any) -> "pd.Series":
    """Convert a column to a series; bytes are UTF-8."""
    import pandas as pd

    series = cells.reset_index(drop=True) if isinstance(cells, pd.Series) else pd.Series([*cells])
    return series.map(_decode) if series.dtype == object else series


def _decode(cell: Any) -> Any:
    return cell.decode("utf-8", "replace") if isinstance(cell, bytes) else cell

"""Rows of a table as a user has them: dicts, columns, data frames or files.

Without TensorFlow, for the client of a server, which is to start fast.
"""

import itertools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_fm.errors import DataError, InvalidInputError
from keras_fm.preprocessing import array_likes
from keras_fm.preprocessing.array_likes import column_name
from keras_fm.preprocessing.tables.cells import read_column
from keras_fm.preprocessing.tables.columns import Columns
from keras_fm.preprocessing.tables.files import check_table_file, read_table, separator_hint


def read_rows(inputs: Any, columns: Columns) -> dict[str, np.ndarray]:
    """Read rows of any kind as raw columns by name, float32 or strings `[rows]`.

    Args:
        inputs: A row or a list of rows (each a dict), a dict of columns, a data frame, or the paths
            of files that `read_table` reads. An empty cell of a number, a missing one, or one of
            `MISSING_WORDS` in any case, is NaN; an empty or missing one of a string is "". Outer
            blanks of names and strings don't count.
        columns: The model's.

    Raises:
        InvalidInputError: There is no row, a column is missing, or a cell that should be a number
            is infinite or no number.
    """
    table = to_columns(inputs)
    for column in columns:
        if column_name(column.name) not in table:
            raise InvalidInputError(
                f"no column {column.name!r}; received {', '.join(table) or 'nothing'}."
                f"{separator_hint(table)}"
            )
    raw = {column.name: read_column(table[column_name(column.name)], column) for column in columns}
    lengths = {name: len(values) for name, values in raw.items()}
    if len(set(lengths.values())) != 1 or not next(iter(lengths.values())):
        raise InvalidInputError(f"expected one row or more in each column; received {lengths} rows")
    return raw


def check_table_inputs(name: str, labels: Sequence[str], inputs: Any, **options: Any) -> None:
    """Check that the files that a user named are there, as a codec's `check`.

    Raises:
        DataError: One is not.
    """
    for item in inputs if isinstance(inputs, (list, tuple)) else [inputs]:
        if isinstance(item, (str, os.PathLike)):
            check_table_file(item)


def to_columns(inputs: Any) -> dict[str, Any]:
    """Arrange rows as columns by name, with the cells as they are; of CSV files, as strings.

    The type of a column is the model's to say: pandas would infer another one of "01".

    Args:
        inputs: As `read_rows` takes them.

    Raises:
        DataError: A file can't be read.
        InvalidInputError: It is no table, or two columns have the same name.
    """
    if isinstance(inputs, (str, os.PathLike)):
        inputs = [inputs]
    is_list = isinstance(inputs, Sequence)
    if is_list and len(inputs) and all(isinstance(x, (str, os.PathLike)) for x in inputs):
        import pandas as pd

        table = pd.concat([read_table(path, dtype=str) for path in inputs], ignore_index=True)
        return dict(table.items())
    if isinstance(inputs, Mapping):
        return _by_name({name: _to_cells(cells) for name, cells in inputs.items()})
    rows = list(inputs) if is_list else []
    if rows and all(isinstance(row, Mapping) for row in rows):
        names = dict.fromkeys(itertools.chain.from_iterable(rows))
        return _by_name({name: [row.get(name) for row in rows] for name in names})
    frame = None if is_list else array_likes.as_frame(inputs)
    if frame is None:
        raise InvalidInputError(
            "expected rows (dicts), a dict of columns, a data frame or a CSV file; received "
            f"{'an empty list' if is_list and not rows else type(inputs).__name__}"
        )
    try:
        return dict(array_likes.with_string_names(frame, "the data frame").items())
    except DataError as error:
        raise InvalidInputError(str(error)) from None


def _by_name(columns: Mapping[Any, Any]) -> dict[str, Any]:
    """Return columns by their names as strings, if all are different."""
    by_name = {column_name(name): cells for name, cells in columns.items()}
    if len(by_name) < len(columns):
        names = [column_name(name) for name in columns]
        duplicate = next(name for name in names if names.count(name) > 1)
        raise InvalidInputError(f"two columns have the name {duplicate!r}; received {[*columns]}")
    return by_name


def _to_cells(cells: Any) -> np.ndarray:
    """Convert a column, or the cell of a single row, to an array."""
    if isinstance(cells, (list, tuple)):
        # As objects: numpy would make the string "nan" of NaN beside a string.
        return np.array(cells, dtype=object)
    return np.atleast_1d(cells)

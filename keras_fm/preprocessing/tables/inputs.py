"""Rows of a table as a user has them: dicts, columns, data frames or files.

Without TensorFlow, for the client of a server, which is to start fast.
"""

import itertools
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fm.errors import DataError, InvalidInputError
from keras_fm.formatting import format_names
from keras_fm.preprocessing import array_likes
from keras_fm.preprocessing.array_likes import column_name
from keras_fm.preprocessing.tables.cells import read_column
from keras_fm.preprocessing.tables.columns import Columns
from keras_fm.preprocessing.tables.csv_files import separator_hint
from keras_fm.preprocessing.tables.files import check_table_file, parse_table, read_table
from keras_fm.preprocessing.tables.row_names import row_name, with_row_names
from keras_fm.store.urls import is_url, read_url, without_secrets

if TYPE_CHECKING:
    import pandas as pd


def read_rows(inputs: Any, columns: Columns) -> dict[str, np.ndarray]:
    """Read rows of any kind as raw columns by name, float32 or strings `[rows]`.

    Args:
        inputs: A row or a list of rows (each a dict), a dict of columns, a data frame, or the paths
            or `http` addresses of files that `read_table` reads. An empty cell of a number, a
            missing one, or one of `MISSING_WORDS` in any case, is NaN; an empty or missing one of a
            string is "". Outer blanks of names and strings don't count.
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
    if not any(lengths.values()):
        raise InvalidInputError("expected one row or more; received none")
    if len(set(lengths.values())) != 1:
        received = format_names([f"{count:,} in {name!r}" for name, count in lengths.items()])
        raise InvalidInputError(f"expected as many rows in each column; received {received}")
    return raw


def check_table_inputs(name: str, labels: Sequence[str], inputs: Any, **options: Any) -> None:
    """Check that the files that a user named are there, as a codec's `check`.

    Raises:
        DataError: One is not.
    """
    for item in inputs if isinstance(inputs, (list, tuple)) else [inputs]:
        is_name = isinstance(item, (str, os.PathLike))
        if is_name and not (isinstance(item, str) and is_url(item)):
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

        tables = [with_row_names(_read_strings(path), path) for path in inputs]
        return dict(pd.concat(tables).items())
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


def _read_strings(path: str | os.PathLike[str]) -> "pd.DataFrame":
    """Return the table in a file, or at an `http` address, with cells of CSV files as strings."""
    if isinstance(path, str) and is_url(path):
        return parse_table(read_url(path), without_secrets(path), dtype=str)
    return read_table(path, dtype=str)


def row_name_of(table: Mapping[str, Any], position: int) -> str:
    """Return how a message calls a row of what `to_columns` returned."""
    cells = next(iter(table.values()))
    return row_name(cells.index, position) if hasattr(cells, "iloc") else f"row {position}"


def _by_name(columns: Mapping[Any, Any]) -> dict[str, Any]:
    """Return columns by their names as strings, if all are different."""
    by_name = {column_name(name): cells for name, cells in columns.items()}
    if len(by_name) < len(columns):
        names = [column_name(name) for name in columns]
        duplicate = next(name for name in names if names.count(name) > 1)
        raise InvalidInputError(f"two columns have the name {duplicate!r}; received {[*columns]}")
    return by_name


def _to_cells(cells: Any) -> Any:
    """Convert a column, or the cell of a single row, to an array; a series names its rows."""
    if hasattr(cells, "iloc"):
        return cells
    if isinstance(cells, (list, tuple)):
        # As objects: numpy would make the string "nan" of NaN beside a string.
        return np.array(cells, dtype=object)
    return np.atleast_1d(cells)

"""Rows of a table as a user has them: dicts, columns, data frames or CSV files.

Without TensorFlow, for the client of a server, which is to start fast.
"""

import itertools
import os
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fm.errors import DataError, InvalidInputError
from keras_fm.registry.entry import Input

if TYPE_CHECKING:
    import pandas as pd

Columns = Sequence[Input]

# What stands for a missing number in tables, beside an empty cell.
MISSING_WORDS = frozenset(
    ("", "?", "-", "--", ".", "n/a", "#n/a", "na", "nan", "none", "null", "missing", "unknown")
)
_BOOLEANS = {"true": 1.0, "false": 0.0}  # as pandas reads a column of nothing else


def read_rows(inputs: Any, columns: Columns) -> dict[str, np.ndarray]:
    """Read rows of any kind as raw columns by name, float32 or strings `[rows]`.

    Args:
        inputs: A row or a list of rows (each a dict), a dict of columns, a data frame, or the paths
            of CSV files with a header. An empty cell of a number, a missing one, or one of
            `MISSING_WORDS` in any case, is NaN; an empty or missing one of a string is "".
        columns: The model's.

    Raises:
        InvalidInputError: There is no row, a column is missing, or a cell that should be a number
            is infinite or no number.
    """
    table = to_columns(inputs)
    for column in columns:
        if column.name not in table:
            raise InvalidInputError(
                f"no column {column.name!r}; received {', '.join(map(str, table)) or 'nothing'}."
                f"{separator_hint(table)}"
            )
    raw = {column.name: _read_column(table[column.name], column) for column in columns}
    lengths = {name: len(values) for name, values in raw.items()}
    if len(set(lengths.values())) != 1 or not next(iter(lengths.values())):
        raise InvalidInputError(f"expected one row or more in each column; received {lengths} rows")
    return raw


def to_columns(inputs: Any) -> dict[str, Any]:
    """Arrange rows as columns by name, with the cells as they are; of CSV files, as strings.

    The type of a column is the model's to say: pandas would infer another one of "01".

    Args:
        inputs: As `read_rows` takes them.

    Raises:
        DataError: A CSV file can't be read.
        InvalidInputError: It is no table.
    """
    if isinstance(inputs, (str, os.PathLike)):
        inputs = [inputs]
    is_list = isinstance(inputs, Sequence)
    if is_list and len(inputs) and all(isinstance(x, (str, os.PathLike)) for x in inputs):
        import pandas as pd

        inputs = pd.concat([read_csv(path, dtype=str) for path in inputs], ignore_index=True)
    if _is_frame(inputs):
        return {str(name): cells for name, cells in inputs.items()}
    if isinstance(inputs, Mapping):
        return {name: np.atleast_1d(cells) for name, cells in inputs.items()}
    rows = list(inputs) if is_list else []
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        raise InvalidInputError(
            "expected rows (dicts), a dict of columns, a data frame or a CSV file; received "
            f"{'an empty list' if is_list and not rows else type(inputs).__name__}"
        )
    names = dict.fromkeys(itertools.chain.from_iterable(rows))
    return {name: [row.get(name) for row in rows] for name in names}


def _is_frame(inputs: Any) -> bool:
    """Return whether it is a data frame; whoever has one has imported pandas."""
    return isinstance(inputs, getattr(sys.modules.get("pandas"), "DataFrame", ()))


def read_csv(path: str | os.PathLike[str], dtype: Any = None) -> "pd.DataFrame":
    """Read a CSV file with a header as pandas does: an empty cell, NA or NaN is missing.

    Args:
        path: The file.
        dtype: `str`, or a dict of it for some columns, whose cells stay strings; the others become
            numbers where they can.

    Raises:
        DataError: It can't be read.
    """
    import pandas as pd

    try:
        # With low_memory pandas would infer the type of each part of a long file by itself.
        frame = pd.read_csv(path, dtype=dtype, low_memory=False)
    except (OSError, UnicodeDecodeError, ValueError) as error:  # pandas' own are ValueErrors
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path} can't be read as a CSV file: {reason}") from None
    frame.columns = frame.columns.map(str)
    return frame


def with_string_names(frame: "pd.DataFrame", description: str) -> "pd.DataFrame":
    """Convert the names of a data frame's columns to strings.

    Args:
        frame: The table.
        description: Of the table, for the message.

    Raises:
        DataError: Two columns have the same name.
    """
    frame = frame.rename(columns=str)
    duplicates = frame.columns[frame.columns.duplicated()]
    if len(duplicates):
        raise DataError(f"{description} has two columns {duplicates[0]!r}; give one another name")
    return frame


def separator_hint(names: Iterable[Any]) -> str:
    """Return a sentence where a table's only name looks like a header with another separator."""
    header = [*map(str, names)]
    separators = [sign for sign in (";", "\t", "|") if len(header) == 1 and sign in header[0]]
    if not separators:
        return ""
    return f" The cells seem to lie between {separators[0]!r}; expected commas."


def _read_column(cells: Any, column: Input) -> np.ndarray:
    """Convert the cells of a column, in a list, an array or a series, to its dtype."""
    import pandas as pd

    if not isinstance(cells, pd.Series):
        if isinstance(cells, np.ndarray) and cells.ndim != 1:
            raise InvalidInputError(
                f"column {column.name!r}: expected a cell for each row; received an array of the "
                f"shape {list(cells.shape)}"
            )
        cells = pd.Series(cells, dtype=object if isinstance(cells, list) else None)
    return _to_strings(cells, column) if column.dtype == "string" else _to_numbers(cells, column)


def _to_strings(cells: "pd.Series", column: Input) -> np.ndarray:
    """Convert cells to strings, "" where one is missing."""
    import pandas as pd

    is_present = cells.notna().to_numpy()
    present = cells[is_present]
    if present.dtype.kind in "iufb":  # as numpy writes them: a float32 without needless digits
        present = pd.Series(list(map(str, present.to_numpy())))
    elif not _are_strings(present):
        present = present.map(str)
    codes, distinct = present.factorize()
    categories = frozenset(column.categories)
    strings = np.array([_to_category(text, categories) for text in distinct] or [""], dtype=str)
    result = np.zeros(len(cells), strings.dtype)
    result[is_present] = strings[codes]
    return result


def _to_category(text: str, categories: Collection[str]) -> str:
    """Return the category that a string means, or the string itself where it means none."""
    if text in categories:
        return text
    # pandas makes 1.0 of 1 beside an empty cell, and True of "true".
    variants = [text.removesuffix(".0"), text.capitalize() if text.lower() in _BOOLEANS else text]
    return next((variant for variant in variants if variant in categories), text)


def _to_numbers(cells: "pd.Series", column: Input) -> np.ndarray:
    """Convert cells to float32, NaN where one is missing."""
    if cells.dtype.kind in "iufb":
        doubles = cells.to_numpy("float64", na_value=np.nan)
    else:
        doubles = _parse_numbers(cells, column)
    with np.errstate(over="ignore"):  # a number that float32 does not hold becomes infinite
        numbers = doubles.astype("float32")
    if np.isinf(numbers).any():
        position = int(np.isinf(numbers).argmax())
        raise InvalidInputError(
            f"column {column.name!r}, row {cells.index[position]}: expected a finite number, or "
            f"none where it is missing; received {cells.iloc[position]}"
        )
    return numbers


def _parse_numbers(cells: "pd.Series", column: Input) -> np.ndarray:
    """Convert strings and other objects to float64, each different string once."""
    is_present = cells.notna().to_numpy()
    present = cells[is_present]
    if _are_strings(present):
        codes, distinct = present.factorize()
        values = np.asarray(distinct, dtype=object)
    else:
        codes, values = np.arange(len(present)), present.to_numpy(dtype=object)
    try:
        parsed = values.astype("float64")
    except (TypeError, ValueError, OverflowError):  # a word, or no number at all
        numbers = [_parse_number(value) for value in values]
        wrong = [index for index, number in enumerate(numbers) if number is None]
        if wrong:
            position = int(np.isin(codes, wrong).argmax())
            value = present.iloc[position]
            raise InvalidInputError(
                f"column {column.name!r}, row {present.index[position]}: expected a number, or "
                f"none where it is missing; received "
                f"{str(value) if isinstance(value, str) else value!r:.50}"
            ) from None
        parsed = np.array(numbers, dtype="float64")
    doubles = np.full(len(cells), np.nan)
    doubles[is_present] = parsed[codes]
    return doubles


def _parse_number(value: Any) -> float | None:
    """Convert a cell to a number, NaN where a word says that it is missing; None: it is neither."""
    if isinstance(value, str):
        word = value.strip().lower()
        if word in MISSING_WORDS:
            return float("nan")
        value = _BOOLEANS.get(word, value)
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def _are_strings(cells: "pd.Series") -> bool:
    from pandas.api.types import infer_dtype

    return infer_dtype(cells, skipna=False) == "string"

"""A table's rows as a user gives them: dicts, columns or CSV files.

Without TensorFlow: a client of a server wants them too, and wants to start fast.
"""

import os
import re
import sys
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fm.errors import DataError, InvalidInputError
from keras_fm.registry.entry import Input

if TYPE_CHECKING:
    import pandas as pd

Columns = Sequence[Input]

# What stands for a missing number in other people's tables, beside an empty cell.
MISSING_WORDS = frozenset(
    ("", "?", "-", "--", ".", "n/a", "#n/a", "na", "nan", "none", "null", "missing", "unknown")
)
_TRUTH = {"true": 1.0, "false": 0.0}  # as pandas reads a column of nothing else


def sanitized_names(columns: Columns) -> dict[str, str]:
    """For each column's name one that signatures and layers can have: `"mean radius"`: mean_radius.

    ASCII letters, digits and underscores, a letter first. All are different whatever their case,
    for a signature's names lose it.
    """
    plain: dict[str, str] = {}
    taken: set[str] = set()
    for column in columns:
        name = like = sanitized_name(column.name)
        number = len(plain)
        while name.lower() in taken:
            name, number = f"{like}_{number}", number + 1
        plain[column.name] = name
        taken.add(name.lower())
    return plain


def sanitized_name(name: str) -> str:
    """The same of one column, which another one may have too."""
    name = re.sub(r"[^A-Za-z0-9_]", "_", name)
    # TensorFlow calls a signature by keywords, and has a `self` of its own.
    return name if name[:1].isalpha() and name.lower() != "self" else f"column_{name}"


def read_rows(inputs: Any, columns: Columns) -> dict[str, np.ndarray]:
    """Rows of any kind as raw columns, float32 or strings.

    Args:
        inputs: a row or a list of rows (each a dict), a dict of columns, a data frame, or the paths
            of CSV files with a header. A cell of a number that is empty, missing or one of
            `MISSING`, in capitals or not, is NaN; an empty or missing one of a string, unknown.

    Raises:
        InvalidInputError: no row, a column that is not there, or a number that is none or infinite.
    """
    table = to_columns(inputs)
    for column in columns:
        if column.name not in table:
            raise InvalidInputError(
                f"no column {column.name!r}; received {', '.join(map(str, table)) or 'nothing'}."
                f"{separator_hint(table)}"
            )
    read = {column.name: _read_column(table[column.name], column) for column in columns}
    lengths = {name: len(values) for name, values in read.items()}
    if len(set(lengths.values())) != 1 or not next(iter(lengths.values())):
        raise InvalidInputError(f"expected one row or more in each column; received {lengths} rows")
    return read


def to_columns(inputs: Any) -> dict[str, Any]:
    """The cells of each column, as they were given; of a CSV file, as they stand there.

    What they are is the model's to say: a guess from this file would make another column of "01".
    """
    if isinstance(inputs, (str, os.PathLike)):
        inputs = [inputs]
    if isinstance(inputs, Sequence) and all(
        isinstance(path, (str, os.PathLike)) for path in inputs
    ):
        inputs = [row for path in inputs for row in read_csv(path, dtype=str).to_dict("records")]
    if _is_frame(inputs):
        plain = inputs.astype(object).where(inputs.notna(), None)  # pandas' NA is no truth value
        return {str(name): cells for name, cells in plain.items()}
    if isinstance(inputs, Mapping):
        return {name: np.atleast_1d(values) for name, values in inputs.items()}
    rows = list(inputs) if isinstance(inputs, Sequence) else []
    if not rows or not all(isinstance(row, Mapping) for row in rows):
        empty = isinstance(inputs, Sequence) and not len(inputs)
        raise InvalidInputError(
            "expected rows (dicts), a dict of columns, a data frame or a CSV file; received "
            f"{'an empty list' if empty else type(inputs).__name__}"
        )
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: [row.get(name) for row in rows] for name in names}


def _is_frame(inputs: Any) -> bool:
    """Whether it is pandas' data frame; who has one has imported pandas."""
    return isinstance(inputs, getattr(sys.modules.get("pandas"), "DataFrame", ()))


def read_csv(path: str | os.PathLike[str], dtype: Any = None) -> "pd.DataFrame":
    """A CSV file with a header as pandas reads it: an empty cell, NA or NaN is missing.

    Args:
        dtype: `str`, or a dict of it for some columns, for cells as they stand there; what it
            does not name becomes numbers where it can.

    Raises:
        DataError: it can't be read.
    """
    import pandas as pd

    try:
        # The whole of a column says what it is, not each piece of a long file on its own.
        frame = pd.read_csv(path, dtype=dtype, low_memory=False)
    except (OSError, UnicodeDecodeError, ValueError) as error:  # pandas' own are ValueErrors
        reason = str(error).strip().splitlines()[0]
        raise DataError(f"{path} can't be read as a CSV file: {reason}") from None
    frame.columns = frame.columns.map(str)
    return frame


def with_string_names(frame: "pd.DataFrame", origin: str) -> "pd.DataFrame":
    """A data frame whose columns have strings for names.

    Raises:
        DataError: two of them are called the same.
    """
    frame = frame.rename(columns=str)
    twice = frame.columns[frame.columns.duplicated()]
    if len(twice):
        raise DataError(f"{origin} has two columns {twice[0]!r}; give one another name")
    return frame


def separator_hint(names: Iterable[Any]) -> str:
    """One more sentence, where the only column's name looks like a whole header."""
    header = [*map(str, names)]
    signs = [sign for sign in (";", "\t", "|") if len(header) == 1 and sign in header[0]]
    return f" The cells seem to lie between {signs[0]!r}; expected commas." if signs else ""


def _read_column(values: Any, column: Input) -> np.ndarray:
    if column.dtype == "string":
        known = frozenset(column.values)
        return np.array([_text(value, known) for value in values], dtype=str)
    cells = [_number(value) for value in values]
    try:
        with np.errstate(over="ignore"):  # what float32 does not hold is infinite
            numbers = np.array(cells, dtype="float32")
    except (TypeError, ValueError) as error:
        raise InvalidInputError(f"column {column.name!r}: expected numbers; {error}") from None
    if np.isinf(numbers).any():
        place = int(np.isinf(numbers).argmax())
        row = values.keys()[place] if hasattr(values, "keys") else place  # as a frame counts them
        raise InvalidInputError(
            f"column {column.name!r}, row {row}: expected a finite number, or none where it is "
            f"missing; received {cells[place]}"
        )
    return numbers


def _text(value: Any, known: Collection[str]) -> str:
    """A cell of strings, written as the column's known values are where it says the same."""
    if _is_missing(value):
        return ""
    text = str(value)
    if text in known:
        return text
    # pandas makes 1.0 of 1 beside an empty cell, and True of "true".
    others = [text.removesuffix(".0"), text.capitalize() if text.lower() in _TRUTH else text]
    return next((other for other in others if other in known), text)


def _number(value: Any) -> Any:
    """A cell of numbers, still to be converted; NaN where it is missing."""
    if isinstance(value, str):
        word = value.strip().lower()
        return np.nan if word in MISSING_WORDS else _TRUTH.get(word, value)
    return np.nan if _is_missing(value) else value


def _is_missing(value: Any) -> bool:
    return value is None or value == "" or value != value  # NaN differs from itself

"""Cells of tables: from values of any type to numbers or strings. Without TensorFlow."""

import datetime
import decimal
import numbers
import unicodedata
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fm.errors import InvalidInputError
from keras_fm.preprocessing import array_likes
from keras_fm.preprocessing.tables.row_names import row_name
from keras_fm.registry.entry import Input

if TYPE_CHECKING:
    import pandas as pd

# What stands for a missing number in tables, beside an empty cell: pandas' own words, and more.
MISSING_WORDS = frozenset(
    (
        *("", "?", "-", "--", ".", "n/a", "#n/a", "#n/a n/a", "#na", "<na>", "na", "n.a.", "nan"),
        *("-nan", "1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan", "nat", "none", "null", "missing"),
        "unknown",
    )
)
_BOOLEANS = {"true": 1.0, "false": 0.0}  # as pandas reads a column of nothing else
# Of cells of categories and classes, beside strings. Whatever else has a `str` of its own is none.
TEXT_TYPES = (
    *(str, bytes, numbers.Number, np.generic, decimal.Decimal),
    *(datetime.date, datetime.time, datetime.timedelta),
)
_PANDAS_TEXT_TYPES = frozenset(("Interval", "Period", "Timestamp", "Timedelta"))


def as_text(value: Any) -> str | None:
    """Return the text of a cell without outer blanks, composed (NFC); None: it is no text.

    Bytes are UTF-8. A number, a truth value or a date is what `str` says of it.
    """
    if type(value) is not str:
        value = array_likes.to_scalar(value)
        if not isinstance(value, TEXT_TYPES) and type(value).__name__ not in _PANDAS_TEXT_TYPES:
            return None
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return unicodedata.normalize("NFC", text.strip())


def read_column(cells: Any, column: Input) -> np.ndarray:
    """Convert the cells of a column, in a list, an array or a series, to float32 or strings.

    Raises:
        InvalidInputError: A cell is not what the column holds.
    """
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
        present = pd.Series(list(map(str, present.to_numpy())), index=present.index, dtype=object)
    elif present.dtype.kind == "M" and column.dates is not None:
        present = present.astype(str)  # far faster than Python's `str` of each
    elif not _are_strings(present):
        present = pd.Series([*map(_exact_text, present)], index=present.index, dtype=object)
        if present.isna().any():
            position = int(is_present.nonzero()[0][present.isna().to_numpy().argmax()])
            raise InvalidInputError(
                f"column {column.name!r}, {row_name(cells.index, position)}: expected a string; "
                f"received {type(cells.iloc[position]).__name__}"
            )
    codes, distinct = present.factorize()
    to_category = _category_reader(column.categories)
    strings = np.array([to_category(text) for text in distinct] or [""], dtype=str)
    result = np.zeros(len(cells), strings.dtype)
    result[is_present] = strings[codes]
    return result


def _exact_text(value: Any) -> str | None:
    """Return the text of a cell as it is, or None where it is none."""
    value = array_likes.to_scalar(value)
    return value if isinstance(value, str) else as_text(value)


def _category_reader(categories: Iterable[str]) -> Callable[[str], str]:
    """Return a function from a string to the category that it means, or to the string itself."""
    known = frozenset(categories)
    if not known:  # a client's, which has none: the server knows them
        return str
    by_text = {as_text(category): category for category in categories}

    def to_category(string: str) -> str:
        if string in known:
            return string
        text = as_text(string) or ""
        # pandas makes 1.0 of 1 beside an empty cell, and True of "true".
        is_boolean = text.lower() in _BOOLEANS
        variants = (text, text.removesuffix(".0"), text.capitalize() if is_boolean else text)
        return next((by_text[variant] for variant in variants if variant in by_text), text)

    return to_category


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
            f"column {column.name!r}, {row_name(cells.index, position)}: expected a finite number "
            "that float32 holds, or none where it is missing; received "
            f"{_shown(cells.iloc[position])}"
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
        numbers = [parse_number(value) for value in values]
        wrong = [index for index, number in enumerate(numbers) if number is None]
        if wrong:
            position = int(np.isin(codes, wrong).argmax())
            value = present.iloc[position]
            raise InvalidInputError(
                f"column {column.name!r}, {row_name(present.index, position)}: expected a number, "
                f"or none where it is missing; received {_shown(value)}"
            ) from None
        parsed = np.array(numbers, dtype="float64")
    doubles = np.full(len(cells), np.nan)
    doubles[is_present] = parsed[codes]
    return doubles


def parse_number(value: Any) -> float | None:
    """Convert a cell to a number, NaN where a word says that it is missing; None: it is neither."""
    if isinstance(value, str):
        word = value.strip().lower()
        if word in MISSING_WORDS:
            return float("nan")
        value = _BOOLEANS.get(word, value)
    try:
        return float(value)
    except OverflowError:  # an integer that no float holds
        return float("inf")
    except (TypeError, ValueError):
        return None


def is_number_type(kind: type) -> bool:
    """Return whether values of a type are numbers, and not truth values or complex."""
    is_number = issubclass(kind, (numbers.Real, np.integer, np.floating, decimal.Decimal))
    return is_number and not issubclass(kind, bool)


def _shown(value: Any) -> str:
    """Return a cell as a message shows it, without the types of numpy."""
    if isinstance(value, (float, np.floating)):
        text = str(float(value))
    else:
        text = repr(str(value)) if isinstance(value, str) else repr(value)
    return text if len(text) <= 50 else f"{text[:50]}…"


def _are_strings(cells: "pd.Series") -> bool:
    from pandas.api.types import infer_dtype

    return infer_dtype(cells, skipna=False) == "string"

"""Columns of numbers of any type, also among words, and why others are none."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.tables import number_formats
from keras_fm.formatting import choose_form, format_count
from keras_fm.preprocessing.tables.cells import MISSING_WORDS, as_text, is_number_type, parse_number

if TYPE_CHECKING:
    import pandas as pd

# Of the cells that are not missing, so many are numbers, and words among them count as missing.
_MIN_NUMBERS_SHARE = 0.9
# Of all cells, so many are numbers: where more are missing, the words may be what matters. Where
# fewer are numbers, no sentence is due on that they are none.
_MIN_NUMERIC_SHARE = 0.5
_LEADING_ZERO = re.compile(r"\s*0\d")
_MAX_LEVELS = 20  # whole numbers beside words that recur: levels, such as 0, 1, 2, 3, many


@dataclass(frozen=True)
class NumberColumn:
    """A column as numbers.

    Attributes:
        numbers: The numbers, NaN where one is missing; None where the column is not numeric.
        note: A sentence on words for missing numbers; "" without any.
        warning: A sentence on other words that count as missing; "" without any.
        reason: Why a column that looks like numbers is not numeric; else "".
        were_strings: Whether all cells were strings, which could be categories as well.
    """

    numbers: "pd.Series | None"
    note: str = ""
    warning: str = ""
    reason: str = ""
    were_strings: bool = False


def read_numbers(cells: "pd.Series") -> NumberColumn:
    """Read a column as numbers.

    Numbers of any type are numbers: of Python, numpy, pandas or pyarrow, decimals, and categories
    that are numbers. So are strings that are numbers, beside words for missing ones, or beside a
    few other words. Strings that are all numbers are categories where they recur: the user read
    them as such.
    """
    from pandas.api.types import is_numeric_dtype

    cells = without_extension(cells)
    if is_numeric_dtype(cells) and cells.dtype.kind != "c":
        return NumberColumn(cells)
    if cells.dtype.kind in "mMc":
        return NumberColumn(None)
    present = cells.dropna()
    types = _types(present)
    if types and all(map(is_number_type, types)):
        return NumberColumn(cells.map(parse_number).astype("float64"))
    if not any(issubclass(kind, (str, bytes)) for kind in types):
        return NumberColumn(None)
    return _read_strings(cells, to_texts(present))


def with_numbers(
    frame: "pd.DataFrame", columns: "dict[str, NumberColumn]", notes: DataNotes
) -> "pd.DataFrame":
    """Replace columns of a table by their numbers, and say what counts as missing."""
    for name, column in columns.items():
        if column.numbers is not None:
            frame = frame.assign(**{name: column.numbers})
            notes.extend([f"column {name!r} {column.note}"] if column.note else [])
            if column.warning:
                notes.warn(f"column {name!r} {column.warning}")
    return frame


def to_texts(present: "pd.Series") -> "pd.Series":
    """Convert cells to texts without outer blanks, None where a cell is no text."""
    import pandas as pd

    if _types(present) != {str}:
        return present.map(as_text)
    codes, distinct = present.factorize()
    texts = np.array([*map(as_text, np.asarray(distinct, dtype=object)), None], dtype=object)
    return pd.Series(texts[codes], present.index, dtype=object)


def _types(present: "pd.Series") -> set[type]:
    """Return the types of cells; those of a column of strings by its dtype alone."""
    return {str} if "str" in str(present.dtype) else set(map(type, present))


def has_leading_zero(text: str) -> bool:
    """Return whether a string is a code, such as "01", though it can be read as a number."""
    return _LEADING_ZERO.match(text) is not None


def without_extension(cells: "pd.Series") -> "pd.Series":
    """Convert a column of categories, of nullable or of pyarrow's numbers to one of numpy."""
    import pandas as pd
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    if isinstance(cells.dtype, pd.CategoricalDtype):
        cells = cells.astype(cells.cat.categories.dtype if cells.notna().all() else object)
    if isinstance(cells.dtype, np.dtype) or not is_numeric_dtype(cells):
        return cells
    if cells.notna().all() and (is_bool_dtype(cells) or cells.dtype.kind in "iu"):
        return cells.astype("bool" if is_bool_dtype(cells) else "int64")
    numbers = cells.to_numpy("float64", na_value=np.nan)
    return pd.Series(numbers, cells.index, name=cells.name)


def _read_strings(cells: "pd.Series", texts: "pd.Series") -> NumberColumn:
    """Read a column of strings, or of strings and numbers; `texts` are those that are present."""
    import pandas as pd

    codes, distinct = pd.factorize(texts.fillna("\0"))
    counts = np.bincount(codes, minlength=len(distinct))
    numbers = pd.to_numeric(pd.Series(distinct, dtype=object), errors="coerce")
    values = numbers.to_numpy("float64", copy=True)
    for index in np.flatnonzero(np.isnan(values)):  # pandas before 3 has NaN for "1e400"
        values[index] = _beyond_float(distinct[index])
    is_missing = np.array([text.lower() in MISSING_WORDS for text in distinct], bool)
    is_number = ~np.isnan(values) & ~is_missing
    is_word = ~is_number & ~is_missing
    num_numbers, num_missing, num_words = (
        int(counts[mask].sum()) for mask in (is_number, is_missing, is_word)
    )
    num_values = num_numbers + num_words
    if not num_values or any(map(has_leading_zero, distinct[is_number])):
        return NumberColumn(None)
    examples = distinct[is_word][np.argsort(-counts[is_word], kind="stable")]
    if num_words:
        reason = number_formats.describe(examples, num_numbers / num_values)
        if reason:
            return NumberColumn(None, reason=reason)
    are_numeric = num_numbers >= _MIN_NUMERIC_SHARE * len(texts)
    has_few_words = num_numbers >= _MIN_NUMBERS_SHARE * num_values
    if num_words and not (
        are_numeric and has_few_words and not _are_levels(values[is_number], counts[is_word])
    ):
        verb = choose_form(num_numbers, "is a number", "are numbers")
        reason = f"{num_numbers:,} of {num_values:,} cells {verb}, and others are words, such "
        reason += f"as {examples[0]!r:.40}"
        return NumberColumn(None, reason=reason if are_numeric else "")
    if not num_words and not num_missing and 2 * counts[counts == 1].sum() <= counts.sum():
        return NumberColumn(None)
    if not are_numeric:
        return NumberColumn(None)
    numbers = pd.Series(np.nan, cells.index, dtype="float64", name=cells.name)
    numbers[cells.notna().to_numpy()] = np.where(is_number, values, np.nan)[codes]
    return NumberColumn(
        numbers,
        _describe_missing(distinct[is_missing], num_missing, len(cells), num_words),
        _describe_words(examples, num_numbers, num_values),
        were_strings=True,
    )


def _beyond_float(text: str) -> float:
    """Return an infinite number for a string of one that no float holds, else NaN."""
    try:
        number = float(text)
    except ValueError:
        return float("nan")
    return number if np.isinf(number) else float("nan")


def _are_levels(numbers: np.ndarray, word_counts: np.ndarray) -> bool:
    """Return whether few whole numbers stand beside words that all recur."""
    are_whole = bool((numbers % 1 == 0).all())
    return are_whole and len(numbers) <= _MAX_LEVELS and bool((word_counts > 1).all())


def _describe_missing(
    words: Sequence[str], num_missing: int, num_cells: int, num_words: int
) -> str:
    if num_missing:
        meaning = choose_form(num_missing, "is a missing number", "are missing numbers")
        return (
            f"is numeric: {num_missing:,} of {format_count(num_cells, 'cell')}, such as "
            f"{words[0]!r}, {meaning}"
        )
    return "" if num_words else "is numeric: all cells are strings that are numbers"


def _describe_words(words: Sequence[str], num_numbers: int, num_values: int) -> str:
    if not len(words):
        return ""
    others = (
        f"{words[0]!r:.40} counts" if len(words) == 1 else f"words such as {words[0]!r:.40} count"
    )
    return (
        f"is numeric: {num_numbers:,} of {num_values:,} cells are numbers, and {others} as missing"
    )

"""What the columns of a user's table are: numbers or strings, and which of them teach nothing."""

import re
from typing import TYPE_CHECKING

from keras_fm.preprocessing import table_inputs
from keras_fm.registry.entry import Input

if TYPE_CHECKING:
    import pandas as pd

# A value must come twice, so that training can tell it from one that it never sees.
MIN_CATEGORY_COUNT = 2
MAX_CATEGORIES = 1000
# Of a column of numbers with words for the missing ones, so many cells are numbers at least.
_MIN_NUMERIC_SHARE = 0.5


def infer_columns(frame: "pd.DataFrame") -> tuple[list[Input], list[str]]:
    """The columns that can be learned from, and a sentence on each that is left out or was mended.

    A column of numbers is one; any other is one of strings, whose values are those that come twice
    or more. A column with one value, or with another string in nearly every row, is left out.
    """
    columns, notes = [], []
    for name, cells in frame.items():
        numbers, missing = to_numeric(cells)
        found = _column(cells if numbers is None else numbers)
        if isinstance(found, str):
            notes.append(f"column {name!r} was left out: {found}")
            continue
        columns.append(found)
        if missing:
            notes.append(
                f"column {name!r} is one of numbers: {len(missing):,} of {len(cells):,} cells, "
                f"such as {missing[0]!r}, are missing ones"
            )
    return columns, notes


def is_numeric(cells: "pd.Series") -> bool:
    """Whether a column is one of numbers, some of them missing in words."""
    return to_numeric(cells)[0] is not None


def has_leading_zero(text: str) -> bool:
    """Whether it names something, as "01" does, though it can be read as a number."""
    return re.match(r"\s*0\d", text) is not None


def to_numeric(cells: "pd.Series") -> tuple["pd.Series | None", list[str]]:
    """The numbers, or None where the cells are none; and the words for missing ones.

    Strings that are all numbers stay strings: the user's own reading made them so.
    """
    import pandas as pd
    from pandas.api.types import is_numeric_dtype

    if is_numeric_dtype(cells):
        return cells, []
    known = cells.dropna().astype(str)
    is_missing = known.str.strip().str.lower().isin(table_inputs.MISSING_WORDS)
    given = known[~is_missing]
    words = pd.to_numeric(given, errors="coerce").isna().any()
    few = len(given) < _MIN_NUMERIC_SHARE * len(known)
    if few or words or not is_missing.any() or given.map(has_leading_zero).any():
        return None, []
    return pd.to_numeric(cells, errors="coerce"), [*known[is_missing]]


def _column(cells: "pd.Series") -> Input | str:
    """What a column is, or why it is left out."""
    from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

    known = cells.dropna()
    if is_datetime64_any_dtype(cells):
        return "it holds dates; what they may tell, such as the month, is a column of its own"
    if known.nunique() < 2:
        return "it has one value"
    if is_numeric_dtype(cells):
        return Input(name=cells.name, dtype="float32", shape=[], meaning="a number")
    counts = known.astype(str).value_counts()
    often = counts[counts >= MIN_CATEGORY_COUNT].index[:MAX_CATEGORIES]
    if len(often) < 2:
        return (
            f"only one value, {often[0]!r}, comes twice or more"
            if len(often)
            else "nearly every row has a value of its own"
        )
    return Input(
        name=cells.name,
        dtype="string",
        shape=[],
        meaning=f"one of {len(often)} values",
        values=sorted(often),
    )

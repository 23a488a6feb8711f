"""Inference of a user's table columns: numbers or categories, and which teach nothing."""

import re
from typing import TYPE_CHECKING

from keras_fm.preprocessing import table_inputs
from keras_fm.registry.entry import Input

if TYPE_CHECKING:
    import pandas as pd

# A rarer category is unknown to the model, as one that first occurs at inference is.
MIN_CATEGORY_COUNT = 2
MAX_CATEGORIES = 1000
# Of the cells of a numeric column with words for missing numbers, so many are numbers at least.
_MIN_NUMERIC_SHARE = 0.5


def infer_columns(frame: "pd.DataFrame") -> tuple[list[Input], list[str]]:
    """Infer the inputs of a model from a table, and note what was dropped or converted.

    A column is numeric or else categorical, with the strings that occur twice or more as its
    categories. A column with a single value, or with different strings in nearly all rows, is left
    out.

    Returns:
        The inputs, and sentences for the user.
    """
    columns, notes = [], []
    for name, cells in frame.items():
        numbers, missing_words = to_numeric(cells)
        column = _infer_column(cells if numbers is None else numbers)
        if isinstance(column, str):
            notes.append(f"column {name!r} was left out: {column}")
            continue
        columns.append(column)
        if missing_words:
            notes.append(
                f"column {name!r} is numeric: {len(missing_words):,} of {len(cells):,} cells, such "
                f"as {missing_words[0]!r}, are missing numbers"
            )
    return columns, notes


def is_numeric(cells: "pd.Series") -> bool:
    """Return whether a column is numeric, apart from words for missing numbers."""
    return to_numeric(cells)[0] is not None


def has_leading_zero(text: str) -> bool:
    """Return whether a string is a code, such as "01", though it can be read as a number."""
    return re.match(r"\s*0\d", text) is not None


def to_numeric(cells: "pd.Series") -> tuple["pd.Series | None", list[str]]:
    """Convert a column of numbers, some of which are words for a missing number.

    Strings that are numbers without exception stay strings: the user read them as such.

    Returns:
        The numbers, or None where the column is not numeric; and the words for missing numbers.
    """
    import pandas as pd
    from pandas.api.types import is_numeric_dtype

    if is_numeric_dtype(cells):
        return cells, []
    present = cells.dropna().astype(str)
    is_missing = present.str.strip().str.lower().isin(table_inputs.MISSING_WORDS)
    values = present[~is_missing]
    has_words = pd.to_numeric(values, errors="coerce").isna().any()
    has_few = len(values) < _MIN_NUMERIC_SHARE * len(present)
    if has_few or has_words or not is_missing.any() or values.map(has_leading_zero).any():
        return None, []
    return pd.to_numeric(cells, errors="coerce"), [*present[is_missing]]


def _infer_column(cells: "pd.Series") -> Input | str:
    """Infer the input of a column, or say why it is left out."""
    from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

    present = cells.dropna()
    if is_datetime64_any_dtype(cells):
        return "it holds dates; extract what matters, such as the month, as a column of numbers"
    if present.nunique() < 2:
        return "it has a single value"
    if is_numeric_dtype(cells):
        return Input(name=cells.name, dtype="float32", shape=[], description="a number")
    counts = present.astype(str).value_counts()
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

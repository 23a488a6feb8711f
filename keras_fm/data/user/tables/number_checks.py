"""Checks of numbers: whether they number the rows, fit float32, and are far from 1."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_fm.data.user.tables.number_columns import without_extension

if TYPE_CHECKING:
    import pandas as pd

_MAX_EXPONENT = 37  # of a power of ten in float32
_MIN_DISTINCT_SHARE = 0.9  # of different numbers stay different in float32


def unlike_in_float32(numbers: "pd.Series") -> str:
    """Say that numbers lose digits that may matter where they become float32, or return ""."""
    present = numbers.to_numpy()
    if present.dtype.kind not in "iuf":
        return ""
    present = present[np.isfinite(present)]
    if not len(present):
        return ""
    with np.errstate(over="ignore"):
        narrow = present.astype("float32").astype("float64")
    doubles = present.astype("float64")
    beyond = np.abs(doubles) > 2**24
    changed = beyond & ((narrow != doubles) | (np.abs(doubles) > 2**53))
    # Larger floats are whole because they have no room for fractions.
    are_whole = present.dtype.kind in "iu" or bool(
        (doubles % 1 == 0).all() and np.abs(doubles).max() <= 2**53
    )
    if are_whole and changed.any():
        example = present[int(changed.argmax())]
        return (
            f"holds whole numbers beyond 2**24, such as {int(example):,}, which float32 can't tell "
            "from their neighbors: leave out what is a code, and subtract the smallest from a time"
        )
    num_distinct = len(np.unique(doubles))
    num_narrow = len(np.unique(narrow))
    if num_narrow >= _MIN_DISTINCT_SHARE * num_distinct:
        return ""
    return (
        f"holds {num_distinct:,} different numbers, of which float32 tells only {num_narrow:,} "
        "apart: subtract their mean, or multiply them"
    )


def read_whole(cells: "pd.Series") -> "pd.Series":
    """Return a column's numbers; of strings that are all numbers, these."""
    import pandas as pd

    cells = without_extension(cells)
    return cells if cells.dtype.kind in "iuf" else pd.to_numeric(cells, errors="coerce")


def are_consecutive(numbers: "pd.Series") -> bool:
    """Return whether they are whole numbers without a gap, each once, in any order."""
    values = numbers.to_numpy()
    if values.dtype.kind not in "iuf" or not len(values) or not are_row_numbers(numbers):
        return False
    return bool(values.max() - values.min() == len(values) - 1)


def are_row_numbers(cells: "pd.Series") -> bool:
    """Return whether all are different whole numbers."""
    values: Any = cells.to_numpy()
    return (
        values.dtype.kind in "iuf"
        and bool(np.isfinite(values).all())
        and bool((values % 1 == 0).all())
        and len(np.unique(values)) == len(values)
    )


def power_of_ten(values: Iterable[float]) -> float | None:
    """Return the power of ten next to the standard deviation of numbers far from 1, or None.

    A model divides by it: float32 has no square of 1e20, and the epsilon of Keras' layers and
    optimizers is in no unit.
    """
    numbers = np.asarray(values, "float64")
    numbers = numbers[np.isfinite(numbers)]
    largest = float(np.abs(numbers).max(initial=0)) or 1.0
    deviation = largest * float((numbers / largest).std()) if len(numbers) else 0.0  # no overflow
    if not np.isfinite(deviation) or deviation == 0 or 0.1 <= deviation <= 1000:
        return None
    exponent = round(np.log10(deviation))
    return float(f"1e{min(max(exponent, -_MAX_EXPONENT), _MAX_EXPONENT)}")

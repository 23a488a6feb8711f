"""Targets of any kind as labels: names or numbers, one for each example."""

import decimal
from collections import Counter
from typing import Any

import numpy as np

from keras_fm.data.user.raw_examples import RawExamples
from keras_fm.errors import DataError
from keras_fm.formatting import format_count
from keras_fm.preprocessing import array_likes
from keras_fm.preprocessing.tables.cells import as_text


def to_labels(raw: RawExamples) -> list[Any]:
    """Convert each target to a name or a number, or None where it is missing.

    Raises:
        DataError: An example has several targets, or one that is no name and no number.
    """
    import pandas as pd

    targets = flatten_targets(raw)
    is_missing = pd.isna(pd.Series(list(targets), dtype=object))  # pandas' own NA and NaT too
    return [
        None if missing else _to_label(target, raw.description)
        for target, missing in zip(targets, is_missing, strict=True)
    ]


def flatten_targets(raw: RawExamples) -> Any:
    """Convert targets in rows of one, or one-hot, to one target for each example.

    Raises:
        DataError: There are several for an example.
    """
    targets = raw.targets
    shapes = {_shape(target) for target in targets}
    if shapes <= {()}:
        return targets
    if shapes == {(1,)}:
        return [target[0] for target in targets]
    rows = np.asarray(targets) if len(shapes) == 1 and None not in shapes else np.empty(0)
    is_matrix = rows.ndim == 2 and rows.dtype.kind in "buif"
    if not is_matrix or not ((rows == 0) | (rows == 1)).all() or (rows.sum(axis=1) != 1).any():
        raise DataError(
            f"{raw.description}: expected one class for each example; received {targets[0]!s:.80}"
        )
    return rows.argmax(axis=1)


def _shape(target: Any) -> tuple[int, ...] | None:
    """Return the shape of a target; None of a list of lists that differ in length."""
    if not isinstance(target, (list, tuple, np.ndarray)):
        return ()
    try:
        return np.shape(target)
    except ValueError:
        return None


def _to_label(value: Any, description: str) -> Any:
    """Convert a target to a name, an int, a float with a fraction, or None for an empty string."""
    value = array_likes.to_scalar(value)
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating, decimal.Decimal)):
        number = float(value)
        if not np.isfinite(number):
            raise DataError(f"{description}: expected classes; received {number}")
        return int(number) if number.is_integer() else number
    text = as_text(value)  # of a name, or a date
    if text is None:
        raise DataError(
            f"{description}: expected the name or the number of a class as a target; received "
            f"{type(value).__name__}"
        )
    return text or None


def warn_mixed_labels(labels: list[Any], raw: RawExamples) -> None:
    """Warn of words among numbers: mostly a mistake, such as "unknown" among stars."""
    words = Counter(str(x) for x in labels if isinstance(x, str) and not _is_number(x))
    num_numbers = len(labels) - words.total()
    if words and num_numbers:
        common = ", ".join(repr(word) for word, _ in words.most_common(3))
        raw.notes.warn(
            f"the labels are mixed: {format_count(num_numbers, 'number')} and "
            f"{format_count(words.total(), 'word')}, such as {common}; each becomes a class"
        )


def _is_number(word: str) -> bool:
    try:
        return bool(np.isfinite(float(word)))  # "nan" and "inf" are words here
    except ValueError:
        return False

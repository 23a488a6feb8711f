"""Warnings of columns that say more than a new row's would: ids, and what gives the target away."""

import itertools
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.data.user.tables import number_checks
from keras_fm.data.user.tables.number_columns import NumberColumn

if TYPE_CHECKING:
    import pandas as pd

MIN_ROWS = 20  # fewer may agree by coincidence
MAX_ROWS = 20_000  # that are looked at: they are shuffled
_MIN_ID_SHARE = 0.1  # of different values in a column that is named like an id
_MIN_GROUP_SIZE = 10  # rows of each value on average, for values to be categories
_MIN_OTHERS = 10  # rows of other classes than the majority's
_MAX_ERROR = 0.01  # of these, where a column determines the class
_MIN_CORRELATION = 0.9999
_MAX_VARIANCE = 1e-6  # of the target within a category, as a share of all
_MAX_CLASSES = 20
_ID_WORDS = {"id", "ids", "identifier", "uuid", "guid"}
_NUMBER_WORDS = {"index", "key", "no", "nr", "number", "row", "code"}
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def warn_ids(
    inputs: "pd.DataFrame", numbers: Mapping[str, NumberColumn], names: Sequence[str],
    notes: DataNotes,
) -> None:  # fmt: skip
    """Warn of columns that identify a row, or number the rows.

    Args:
        inputs: The table without its target; its index tells the order of the file.
        numbers: Its columns as numbers.
        names: The columns that a model is trained on.
        notes: Warnings are added.
    """
    for name in names:
        cells = numbers[name].numbers
        cells = inputs[name] if cells is None else cells
        num_distinct, words = cells.nunique(), _words(name)
        if len(cells) < MIN_ROWS or number_checks.are_consecutive(cells):
            continue  # the latter are told already
        is_unique = number_checks.are_row_numbers(cells)
        is_number = is_unique and bool(words) and words[-1] in _NUMBER_WORDS
        is_id = _is_id_name(words) and num_distinct >= max(MIN_ROWS, _MIN_ID_SHARE * len(cells))
        if is_id or is_number:
            notes.warn(
                f"column {name!r} is an id by its name, with {num_distinct:,} different values in "
                f"{len(cells):,} rows: leave it out, for it says nothing of new rows"
            )
        elif is_unique and _ascends(cells):
            notes.warn(
                f"column {name!r} holds ascending whole numbers, {cells.min():,.0f} to "
                f"{cells.max():,.0f}: leave it out if it numbers the rows"
            )


def is_certain_id(cells: "pd.Series") -> bool:
    """Return whether a column is named like an id, and all cells are different strings or integers.

    Args:
        cells: A column of numbers, or of others.
    """
    if len(cells) < MIN_ROWS or not _is_id_name(_words(str(cells.name))):
        return False
    if cells.dtype.kind in "iuf":
        return number_checks.are_row_numbers(cells)
    present = cells.dropna()
    are_texts = cells.dtype.kind not in "mMcb" and all(isinstance(x, str) for x in present)
    return are_texts and len(present) == len(cells) == present.nunique()


def warn_giveaways(
    columns: Mapping[str, np.ndarray], target: str, targets: np.ndarray, notes: DataNotes, *,
    regression: bool,
) -> None:  # fmt: skip
    """Warn of columns each of which alone determines the target.

    Args:
        columns: What a model is trained on: numbers, NaN if missing, or strings, "" if missing.
        target: The name of the target.
        targets: Class indices, or numbers; in the same, random, order.
        notes: Warnings are added.
        regression: The targets are numbers.
    """
    targets = targets[:MAX_ROWS]
    if len(columns) < 2 or len(targets) < MIN_ROWS:
        return
    determines = _determines_number if regression else _determines_class
    for name, values in columns.items():
        if determines(values[:MAX_ROWS], targets):
            notes.warn(
                f"column {name!r} gives the target away: it alone determines {target!r}; leave it "
                "out if it is made from the target, or is known no sooner"
            )


def _words(name: str) -> list[str]:
    """Return the words of a name, such as "customer" and "id" of "customerID"."""
    return [word.lower() for word in _WORD.findall(name)]


def _is_id_name(words: Sequence[str]) -> bool:
    return bool(words) and (words[-1] in _ID_WORDS or words[0] in _ID_WORDS)


def _ascends(cells: "pd.Series") -> bool:
    """Return whether whole numbers ascend in the order of the file, with few gaps."""
    if cells.index.dtype.kind not in "iu":
        return False
    values = cells.sort_index().to_numpy("float64")
    return bool((np.diff(values) > 0).all() and values[-1] - values[0] < 2 * len(values))


def _determines_class(values: np.ndarray, targets: np.ndarray) -> bool:
    """Return whether categories, a threshold, or what is missing tells nearly all classes apart."""
    counts = np.bincount(targets)
    num_others = len(targets) - counts.max()
    if num_others < _MIN_OTHERS:
        return False
    max_errors = round(_MAX_ERROR * num_others)
    is_missing = values == "" if values.dtype.kind in "OUS" else np.isnan(values)
    groups = [is_missing]
    codes = _category_codes(values)
    if codes is not None:
        groups.append(codes)
    if min(_num_errors(group, targets) for group in groups) <= max_errors:
        return True
    if codes is not None or values.dtype.kind not in "iuf" or (counts > 0).sum() > _MAX_CLASSES:
        return False
    predicted = _thresholded(values[~is_missing], targets[~is_missing])
    errors = int((predicted != targets[~is_missing]).sum())
    if is_missing.any():
        errors += int(is_missing.sum()) - int(np.bincount(targets[is_missing]).max())
    return errors <= max_errors


def _category_codes(values: np.ndarray) -> np.ndarray | None:
    """Return a code for each value where most of them recur often, else None."""
    distinct, codes = np.unique(values, return_inverse=True)
    return codes if len(distinct) * _MIN_GROUP_SIZE <= len(values) else None


def _num_errors(groups: np.ndarray, targets: np.ndarray) -> int:
    """Count the rows that the most common class of their group misses; a single row is missed."""
    _, codes = np.unique(groups, return_inverse=True)
    table = np.zeros((codes.max() + 1, targets.max() + 1), int)
    np.add.at(table, (codes, targets), 1)
    is_single = table.sum(axis=1) == 1
    return len(targets) - int(table[~is_single].max(axis=1).sum())


def _thresholded(values: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Predict classes by thresholds, each the best between two classes of neighboring medians."""
    classes = [(np.median(values[targets == label]), label) for label in np.unique(targets)]
    order = [label for _, label in sorted(classes)]
    thresholds = [
        _best_threshold(values[targets == low], values[targets == high])
        for low, high in itertools.pairwise(order)
    ]
    return np.array(order)[np.searchsorted(np.maximum.accumulate(thresholds), values)]


def _best_threshold(low: np.ndarray, high: np.ndarray) -> float:
    """Return the value up to which most are of the lower class, and above which of the higher."""
    candidates = np.unique(np.concatenate([low, high]))
    num_low = np.searchsorted(np.sort(low), candidates, side="right")
    num_high = len(high) - np.searchsorted(np.sort(high), candidates, side="right")
    return float(candidates[int((num_low + num_high).argmax())])


def _determines_number(values: np.ndarray, targets: np.ndarray) -> bool:
    """Return whether a target is a linear or monotonic function of a column, or of categories."""
    variance = float(targets.var())
    if variance == 0 or len(np.unique(targets)) < _MIN_OTHERS:
        return False
    codes = _category_codes(values)
    if codes is not None and _variance_within(codes, targets) <= _MAX_VARIANCE * variance:
        return True
    if values.dtype.kind not in "iuf":
        return False
    is_number = np.isfinite(values)
    values, targets = values[is_number].astype("float64"), targets[is_number]
    if len(np.unique(values)) < MIN_ROWS or len(np.unique(targets)) < _MIN_OTHERS:
        return False
    if abs(np.corrcoef(values, targets)[0, 1]) >= _MIN_CORRELATION:
        return True
    return not _is_evenly_spaced(values) and _rank_correlation(values, targets) >= _MIN_CORRELATION


def _variance_within(codes: np.ndarray, targets: np.ndarray) -> float:
    """Compute the mean variance of targets within categories; infinite where few rows recur."""
    sizes = np.bincount(codes)
    if sizes[sizes == 1].sum() > _MAX_ERROR * len(codes):
        return float("inf")
    means = np.bincount(codes, targets) / sizes
    return float(np.square(targets - means[codes]).mean())


def _is_evenly_spaced(values: np.ndarray) -> bool:
    """Return whether values are those of a clock, on which anything that grows is monotonic."""
    steps = np.diff(np.unique(values))
    return bool(steps.max() <= 1.5 * steps.min())


def _rank_correlation(values: np.ndarray, targets: np.ndarray) -> float:
    import pandas as pd

    ranks = [pd.Series(numbers).rank().to_numpy() for numbers in (values, targets)]
    return abs(float(np.corrcoef(*ranks)[0, 1]))

"""From the values of examples to the slices that metrics are computed on."""

import datetime
from collections.abc import Callable
from typing import Any

import numpy as np

from keras_fm.errors import DataError

NUM_BINS = 4  # of numbers, by quantiles
MAX_VALUES = 10  # different numbers; of no more, each is a slice
MAX_CATEGORIES = 100
MISSING = "missing"

Masks = dict[str, np.ndarray]


def slice_masks(values: np.ndarray, slice_by: str) -> Masks:
    """Return a mask of the examples of each slice, by the slice's name.

    Numbers and dates of many different values are cut at their quartiles, all others are a slice
    for each value; a slice of those that are missing comes last.

    Args:
        values: Numbers, dates, or strings `[examples]`.
        slice_by: What they are, for the error.

    Raises:
        DataError: There are too many different strings.
    """
    if values.dtype.kind in "OUSb":
        strings = np.array([_to_string(value) for value in values.tolist()], object)
        return _category_masks(strings, strings == "", slice_by, str)
    is_missing = np.isnat(values) if values.dtype.kind in "mM" else np.isnan(values)
    if len(np.unique(values[~is_missing])) <= MAX_VALUES:
        return _category_masks(values, is_missing, slice_by, _format_of(values))
    return _bin_masks(values, is_missing)


def label_masks(labels: np.ndarray) -> Masks:
    """Return a mask of each class that occurs, of any number of classes."""
    return {str(label): labels == label for label in np.unique(labels.astype(str))}


def _category_masks(
    values: np.ndarray, is_missing: np.ndarray, slice_by: str, to_name: Callable[[Any], str]
) -> Masks:
    categories = np.unique(values[~is_missing])
    if len(categories) > MAX_CATEGORIES:
        raise DataError(
            f"slice_by={slice_by!r}: expected numbers, dates, or at most {MAX_CATEGORIES} "
            f"different strings; received {len(categories):,}, such as {categories[0]!r:.60}"
        )
    masks = {to_name(category): values == category for category in categories}
    return _with_missing(masks, is_missing)


def _bin_masks(values: np.ndarray, is_missing: np.ndarray) -> Masks:
    """Cut numbers at their quartiles; those of equal numbers are one."""
    # As integers dates have quantiles, and numbers keep theirs.
    numbers = values.astype("int64" if values.dtype.kind in "mM" else "float64")
    present = numbers[~is_missing]
    quantiles = np.arange(1, NUM_BINS) / NUM_BINS
    cuts = np.unique(np.quantile(present, quantiles, method="inverted_cdf"))
    cuts = cuts[cuts < present.max()]
    if not len(cuts):  # the largest number is the most frequent one by far
        cuts = present[present < present.max()].max(keepdims=True)
    bins = np.searchsorted(cuts, numbers, side="left")
    masks: Masks = {}
    for index in range(len(cuts) + 1):
        mask = (bins == index) & ~is_missing
        masks[_range(values[mask])] = mask
    return _with_missing(masks, is_missing)


def _range(values: np.ndarray) -> str:
    """Return the smallest and the largest of some values, which no other bin contains."""
    low, high = (_format_of(values)(value) for value in (values.min(), values.max()))
    return low if low == high else f"{low} to {high}"


def _with_missing(masks: Masks, is_missing: np.ndarray) -> Masks:
    if not is_missing.any():
        return masks
    name = MISSING if MISSING not in masks else f"({MISSING})"
    return {**masks, name: is_missing}


def _format_of(values: np.ndarray) -> Callable[[Any], str]:
    if values.dtype.kind == "M":
        dates = values[~np.isnat(values)].astype("datetime64[s]")
        is_day = (dates == dates.astype("datetime64[D]")).all()
        return lambda date: str(date.astype("datetime64[D]" if is_day else "datetime64[m]"))
    if values.dtype.kind == "m":
        return lambda time: str(datetime.timedelta(seconds=int(time.astype("int64"))))
    return lambda number: f"{number:.7g}"


def _to_string(value: Any) -> str:
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else f"{value}").strip()

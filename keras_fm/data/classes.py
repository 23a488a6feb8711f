"""From targets of any kind to classes: their names, and for each example the number of its own."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_fm.data.user_data import RawExamples
from keras_fm.errors import DataError, InvalidInputError, suggest
from keras_fm.registry.entry import check_class_names

IMBALANCE_RATIO = 3  # times as many of the most common class as of the rarest are worth a sentence
MAX_CLASSES = 1000  # more different values than this are no classes
MAX_FRACTIONAL_CLASSES = 20  # of numbers that are not whole, such as half stars


@dataclass(frozen=True)
class ClassTargets:
    """labels: the classes' names. targets: int64, the number of each example's class.

    kept: which of the examples that were given have one; `targets` are of those alone.
    """

    labels: tuple[str, ...]
    targets: np.ndarray
    kept: np.ndarray


def infer_classes(
    given: RawExamples, *, asked: Sequence[str] | None, known: Sequence[str]
) -> ClassTargets:
    """Finds out the classes of examples that a model is to learn.

    Args:
        asked: the names that the user gave, of all classes; numbers count them from 0 on.
        known: those that the model has; the same names in another order take this one.

    Raises:
        DataError: there is one class, or a target is none of them, or a quantity.
        InvalidInputError: `asked` are no labels.
    """
    if len(given.targets) < 2:
        raise DataError(
            f"{given.origin}: nothing can be learned from so few examples: {len(given.targets)}"
        )
    names = check_class_names(asked) if asked is not None else given.names
    values, kept = _values(given)
    numbered = not any(isinstance(value, str) for value in values)
    if numbered and names is not None:
        values = _names_of_indices(values, names, given.origin)
    found = dict.fromkeys(sorted(set(values)) if numbered else sorted(set(map(str, values))))
    labels = tuple(names) if names is not None else tuple(map(str, found))
    if asked is None and set(labels) == set(known):
        labels = tuple(known)
    if len(found) < 2:
        raise DataError(
            f"{given.origin}: every example has the class {str(next(iter(found)))!r}; "
            "two are needed"
        )
    try:
        labels = check_class_names(labels)
    except InvalidInputError as error:
        raise DataError(f"{given.origin}: {error}") from None
    targets = _class_indices(values, labels, given.origin)
    _check_not_unique(targets, values, given.origin)
    _note_classes(given, labels, targets)
    return ClassTargets(labels, targets, kept)


def _check_not_unique(targets: np.ndarray, values: Sequence[Any], origin: str) -> None:
    """Nothing can be learned where nearly every example has a class of its own."""
    alone = int((np.bincount(targets) == 1).sum())
    if alone > len(targets) / 2:
        raise DataError(
            f"{origin}: expected classes; {alone:,} of {len(targets):,} examples have one of their "
            f"own, such as {str(values[0])!r}"
        )


def encode_targets(given: RawExamples, known: Sequence[str]) -> ClassTargets:
    """The classes of examples that a model is measured on: all of them it must know.

    Raises:
        DataError: some have other classes.
    """
    values, kept = _values(given)
    names = given.names or known
    if set(map(str, values)) - {*known} and set(values) <= {*range(len(names))}:
        values = [names[value] for value in values]
    return ClassTargets(tuple(known), _class_indices(values, known, given.origin), kept)


def warn_missing_classes(given: RawExamples, rest: RawExamples) -> None:
    """Tells of classes that no example of the `rest` has: none of theirs could be read."""
    before, after = (
        {str(value) for value in _to_labels(each) if value is not None} for each in (given, rest)
    )
    gone = sorted(before - after)
    if gone:
        given.notes.warn(
            f"{len(gone)} class{'es' * (len(gone) > 1)} without any example that can be read, such "
            f"as {gone[0]!r}: the model does not learn of it"
        )


def describe_imbalance(labels: Sequence[str], targets: np.ndarray) -> str:
    """The sentence on classes that are far from equally common, or nothing."""
    counts = np.bincount(targets, minlength=len(labels))
    most, least = int(counts.argmax()), int(np.where(counts, counts, counts.max()).argmin())
    if counts[most] < IMBALANCE_RATIO * counts[least]:
        return ""
    return (
        f"imbalanced: {counts[most]:,} of {labels[most]!r}, {counts[least]:,} of "
        f"{labels[least]!r}; class_weights='balanced' makes all classes count the same"
    )


def balanced_class_weights(labels: Sequence[str], targets: np.ndarray) -> dict[int, float]:
    """For each class the weight with which all count the same, 1 on the average."""
    counts = np.bincount(targets, minlength=len(labels))
    some = counts.nonzero()[0]
    return {int(place): len(targets) / (len(some) * int(counts[place])) for place in some}


def _values(given: RawExamples) -> tuple[list[Any], np.ndarray]:
    """The targets as names or whole numbers, without those that are missing."""
    plain = _to_labels(given)
    kept = np.array([value is not None for value in plain])
    missing = len(plain) - int(kept.sum())
    if missing == len(plain):
        raise DataError(f"{given.origin}: no example has a label")
    if missing:
        given.notes.warn(f"{missing:,} of {len(plain):,} examples have no label and are left out")
    values = [value for value in plain if value is not None]
    fractions = any(isinstance(value, float) for value in values)
    if len(set(values)) > (MAX_FRACTIONAL_CLASSES if fractions else MAX_CLASSES):
        raise DataError(
            f"{given.origin}: expected classes; received {len(set(values)):,} different values, "
            f"such as {values[0]!r}"
        )
    _warn_mixed_labels(values, given)
    return values, kept


def _to_labels(given: RawExamples) -> list[Any]:
    """For each example its target as a name or a number, None where it is missing."""
    import pandas as pd

    raw = _flatten_targets(given)
    missing = pd.isna(pd.Series(list(raw), dtype=object))  # also of pandas' own kinds
    return [
        None if no_value else _to_label(value, given.origin)
        for value, no_value in zip(raw, missing, strict=True)
    ]


def _flatten_targets(given: RawExamples) -> Any:
    """One target for each example; some have it in a row of its own, or as zeros and a one."""
    raw = given.targets
    shapes = {np.shape(value) for value in raw}
    if shapes == {()}:
        return raw
    if shapes == {(1,)}:
        return [value[0] for value in raw]
    rows = np.asarray(raw) if len(shapes) == 1 else np.empty(0)
    plain = rows.ndim == 2 and rows.dtype.kind in "buif"
    if not plain or not ((rows == 0) | (rows == 1)).all() or (rows.sum(axis=1) != 1).any():
        raise DataError(f"{given.origin}: expected one class for each example; received {raw[0]}")
    return rows.argmax(axis=1)


def _to_label(value: Any, origin: str) -> Any:
    """A name, a whole number, another number (which is no class), or None where it is missing."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value))
    if isinstance(value, (int, np.integer)):
        return int(value)
    if not isinstance(value, (float, np.floating)):  # such as a name, or a date
        return str(value).strip() or None
    number = float(value)
    if not np.isfinite(number):
        raise DataError(f"{origin}: expected classes; received {number}")
    return int(number) if number.is_integer() else number


def _warn_mixed_labels(values: list[Any], given: RawExamples) -> None:
    """Words and numbers among the labels are mostly a slip, such as "unknown" among stars."""
    words = Counter(str(v) for v in values if isinstance(v, str) and not _is_number(v))
    numbers = len(values) - words.total()
    if words and numbers:
        rare = ", ".join(repr(word) for word, _ in words.most_common(3))
        given.notes.warn(
            f"the labels are mixed: {numbers:,} numbers and {words.total():,} words, such as "
            f"{rare}; each is a class of its own"
        )


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _names_of_indices(values: list[Any], names: Sequence[str], origin: str) -> list[str]:
    if min(values) < 0 or max(values) >= len(names) or any(x != int(x) for x in values):
        raise DataError(
            f"{origin}: expected labels from 0 to {len(names) - 1}; received "
            f"{min(values)} to {max(values)}"
        )
    return [names[value] for value in values]


def _class_indices(values: list[Any], labels: Sequence[str], origin: str) -> np.ndarray:
    place_of = {label: place for place, label in enumerate(labels)}
    unknown = Counter(str(value) for value in values if str(value) not in place_of)
    if unknown:
        raise DataError(
            f"{origin}: {unknown.total():,} of {len(values):,} examples have a class that the "
            f"model does not know, such as {next(iter(unknown))!r}. "
            f"{suggest(next(iter(unknown)), labels)}"
        )
    return np.array([place_of[str(value)] for value in values], "int64")


def _note_classes(given: RawExamples, labels: Sequence[str], targets: np.ndarray) -> None:
    counts = np.bincount(targets, minlength=len(labels))
    shown = [f"{label} {count:,}" for label, count in zip(labels, counts, strict=True)]
    given.notes.append(f"{len(labels)} classes: {', '.join(shown[:20])}{', …' * (len(shown) > 20)}")
    rare = [label for label, count in zip(labels, counts, strict=True) if count < 2]
    if rare:
        given.notes.warn(
            f"{len(rare):,} of {len(labels):,} classes have fewer than 2 examples and can't be "
            f"validated, such as {rare[0]!r}"
        )
    given.notes.extend(filter(None, [describe_imbalance(labels, targets)]))

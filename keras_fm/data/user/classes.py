"""Conversion of targets of any kind to class names and class indices."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_fm.data.user.labels import to_labels, warn_mixed_labels
from keras_fm.data.user.raw_examples import RawExamples
from keras_fm.errors import DataError, InvalidInputError, suggest
from keras_fm.formatting import choose_form, format_count, format_names
from keras_fm.registry.entry import check_class_names, compose

IMBALANCE_RATIO = 3  # of the most common class to the rarest, from which on a note says so
MAX_CLASSES = 1000  # more different values than this are no classes
MAX_FRACTIONAL_CLASSES = 20  # of numbers with fractions, such as half stars


@dataclass(frozen=True)
class ClassTargets:
    """Classes of examples.

    Attributes:
        class_names: In the order of the class indices.
        targets: The class indices of the examples that have a class, int64.
        mask: Which of the raw examples have a class, bool.
    """

    class_names: tuple[str, ...]
    targets: np.ndarray
    mask: np.ndarray


def infer_classes(
    raw: RawExamples,
    *,
    class_names: Sequence[str] | None,
    known_names: Sequence[str],
    advice: str = "",
) -> ClassTargets:
    """Infer the classes of examples that a model is to be trained on.

    Args:
        raw: The examples; notes on their classes are added to it.
        class_names: Of all classes, where the user says them; integer targets index them.
        known_names: The classes of the model; the same names in another order take its order.
        advice: What to do where the targets are no classes; "" for nothing.

    Raises:
        DataError: There is a single class, or the targets are no classes.
        InvalidInputError: `class_names` is no list of different names.
    """
    if len(raw.targets) < 2:
        raise DataError(
            f"{raw.description}: expected two examples or more to train on; received "
            f"{len(raw.targets)}"
        )
    names = check_class_names(class_names) if class_names is not None else raw.class_names
    labels, mask = _present_labels(raw)
    is_numeric = not any(isinstance(label, str) for label in labels)
    if is_numeric and names is not None:
        labels = _names_of_indices(labels, names, raw.description)
    distinct = sorted(set(labels)) if is_numeric else sorted(set(map(str, labels)))
    result = tuple(names) if names is not None else tuple(map(str, distinct))
    if class_names is None and set(map(compose, result)) == set(map(compose, known_names)):
        result = tuple(known_names)
    if len(distinct) < 2:
        raise DataError(
            f"{raw.description}: every example has the class {str(distinct[0])!r}; expected two "
            "classes or more"
        )
    try:
        result = check_class_names(result)
    except InvalidInputError as error:
        raise DataError(f"{raw.description}: {error}") from None
    targets = _class_indices(labels, result, raw.description)
    _check_not_unique(targets, labels, raw.description, advice)
    _note_classes(raw, result, targets)
    return ClassTargets(result, targets, mask)


def _check_not_unique(
    targets: np.ndarray, labels: Sequence[Any], description: str, advice: str
) -> None:
    """Raise a `DataError` where most examples are the only ones of their class."""
    num_unique = int((np.bincount(targets) == 1).sum())
    if num_unique > len(targets) / 2:
        raise DataError(
            f"{description}: expected classes; {num_unique:,} of {len(targets):,} examples are the "
            f"only ones of their class, such as {str(labels[0])!r}{f'; {advice}' if advice else ''}"
        )


def encode_targets(raw: RawExamples, class_names: Sequence[str]) -> ClassTargets:
    """Convert the targets of examples to indices of the classes of a model.

    Args:
        raw: The examples.
        class_names: Those of the model.

    Raises:
        DataError: A class is none of the model's.
    """
    labels, mask = _present_labels(raw)
    names = raw.class_names or class_names
    if set(map(str, labels)) - {*map(compose, class_names)} and set(labels) <= {*range(len(names))}:
        labels = [names[label] for label in labels]
    targets = _class_indices(labels, class_names, raw.description)
    return ClassTargets(tuple(class_names), targets, mask)


def warn_missing_classes(raw: RawExamples, readable: RawExamples) -> None:
    """Warn of classes of which no example could be read.

    Args:
        raw: All examples; the warning is added to its notes.
        readable: Those that could be read.
    """
    labels, readable_labels = (
        {str(label) for label in to_labels(examples) if label is not None}
        for examples in (raw, readable)
    )
    lost = sorted(labels - readable_labels)
    if lost:
        raw.notes.warn(
            f"{format_count(len(lost), 'class', 'classes')} without any example that can be read: "
            f"{format_names([*map(repr, lost)])}; the model does not learn "
            f"{choose_form(len(lost), 'it', 'them')}"
        )


def describe_imbalance(class_names: Sequence[str], targets: np.ndarray) -> str:
    """Describe classes that are far from equally common in a sentence, or return ""."""
    counts = np.bincount(targets, minlength=len(class_names))
    most, least = int(counts.argmax()), int(np.where(counts, counts, counts.max()).argmin())
    if counts[most] < IMBALANCE_RATIO * counts[least]:
        return ""
    return (
        f"imbalanced: {counts[most]:,} of {class_names[most]!r}, {counts[least]:,} of "
        f"{class_names[least]!r}; class_weight='balanced' gives all classes the same weight"
    )


def balanced_class_weights(class_names: Sequence[str], targets: np.ndarray) -> dict[int, float]:
    """Compute class weights in inverse proportion to the class frequencies, 1 on average."""
    counts = np.bincount(targets, minlength=len(class_names))
    present = counts.nonzero()[0]
    return {int(index): len(targets) / (len(present) * int(counts[index])) for index in present}


def _present_labels(raw: RawExamples) -> tuple[list[Any], np.ndarray]:
    """List the labels that are not missing, as names or numbers; and mask which are not."""
    labels = to_labels(raw)
    mask = np.array([label is not None for label in labels])
    num_missing = len(labels) - int(mask.sum())
    if num_missing == len(labels):
        raise DataError(f"{raw.description}: no example has a label")
    if num_missing:
        raw.notes.warn(
            f"{num_missing:,} of {format_count(len(labels), 'example')} "
            f"{choose_form(num_missing, 'has no label and is', 'have no label and are')} left out: "
            f"{format_names(raw.names_of(~mask))}"
        )
    present = [label for label in labels if label is not None]
    has_fractions = any(isinstance(label, float) for label in present)
    if len(set(present)) > (MAX_FRACTIONAL_CLASSES if has_fractions else MAX_CLASSES):
        raise DataError(
            f"{raw.description}: expected classes; received {len(set(present)):,} different "
            f"values, such as {present[0]!r}"
        )
    warn_mixed_labels(present, raw)
    return present, mask


def _names_of_indices(
    indices: list[Any], class_names: Sequence[str], description: str
) -> list[str]:
    if (
        min(indices) < 0
        or max(indices) >= len(class_names)
        or any(index != int(index) for index in indices)
    ):
        raise DataError(
            f"{description}: expected labels from 0 to {len(class_names) - 1}; received "
            f"{min(indices)} to {max(indices)}"
        )
    return [class_names[index] for index in indices]


def _class_indices(labels: list[Any], class_names: Sequence[str], description: str) -> np.ndarray:
    labels = [compose(str(label)) for label in labels]
    index_of = {compose(name): index for index, name in enumerate(class_names)}
    unknown = Counter(label for label in labels if label not in index_of)
    if unknown:
        name = next(iter(unknown))
        raise DataError(
            f"{description}: {unknown.total():,} of {format_count(len(labels), 'example')} "
            f"{choose_form(unknown.total(), 'has', 'have')} a class that the model does not know: "
            f"{format_names([*map(repr, unknown)])}. {suggest(name, class_names)}"
        )
    return np.array([index_of[label] for label in labels], "int64")


def _note_classes(raw: RawExamples, class_names: Sequence[str], targets: np.ndarray) -> None:
    counts = np.bincount(targets, minlength=len(class_names))
    sizes = [f"{name} {count:,}" for name, count in zip(class_names, counts, strict=True)]
    raw.notes.append(
        f"{len(class_names)} classes: {', '.join(sizes[:20])}{', …' * (len(sizes) > 20)}"
    )
    raw.notes.warn_alike("there are classes", class_names)
    rare = [name for name, count in zip(class_names, counts, strict=True) if count < 2]
    if rare:
        raw.notes.warn(
            f"{len(rare):,} of {format_count(len(class_names), 'class', 'classes')} "
            f"{choose_form(len(rare), 'has', 'have')} fewer than 2 examples and can't be "
            f"validated: {format_names([*map(repr, rare)])}"
        )
    raw.notes.extend(filter(None, [describe_imbalance(class_names, targets)]))

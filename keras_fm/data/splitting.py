"""Splits into training and validation examples: seeded, stratified, duplicates on one side."""

from collections.abc import Hashable, Sequence
from dataclasses import replace

import numpy as np

from keras_fm.data.example_digests import example_digests
from keras_fm.data.examples import Examples, Inputs
from keras_fm.data.user.raw_examples import DataNotes
from keras_fm.errors import DataError
from keras_fm.formatting import choose_form, format_count, format_names

MAX_CONFLICTS = 3  # pairs of duplicates that a message names
NUM_BINS = 10  # quantile bins by which the targets of a regression are stratified


def split_validation(examples: Examples, count: int) -> tuple[Examples, Examples | None]:
    """Split off the last `count` examples for validation; None where `count` is 0.

    Raises:
        DataError: No example would be left to train on.
    """
    if count == 0:
        return examples, None
    _check_leaves_some(examples, count)
    num_train = len(examples) - count
    return (
        examples.subset(slice(num_train), f"{examples.description}, first {num_train:,}"),
        examples.subset(slice(num_train, None), f"{examples.description}, last {count:,}"),
    )


def train_validation_split(
    examples: Examples,
    count: int,
    seed: int,
    *,
    regression: bool,
    notes: DataNotes,
    class_names: Sequence[str] = (),
) -> tuple[Examples, Examples | None]:
    """Split examples into those to train on and about `count` to validate on, stratified.

    Exact duplicates of an image or a text come on one side, so there can be slightly fewer to
    validate on. Equal rows of a table count as different examples; a note says how many are on both
    sides.

    Args:
        examples: All of them.
        count: How many validate; where it is 0, the second result is None.
        seed: Of the draw.
        regression: The targets are numbers, stratified by quantile, not classes.
        notes: Sentences on duplicates are added to it.
        class_names: By class index, for these sentences.

    Raises:
        DataError: No example would be left to train on.
    """
    _check_leaves_some(examples, count)
    if count == 0:
        return examples, None
    strata = _quantile_bins(examples.targets) if regression else np.asarray(examples.targets)
    is_table = isinstance(examples.inputs, dict)
    groups = (
        np.arange(len(examples)) if is_table else _duplicate_groups(examples, notes, class_names)
    )
    validates = _stratified_group_split(strata, groups, count, np.random.default_rng(seed))
    if not validates.any():
        return examples, None
    train = examples.subset(
        ~validates, f"{examples.description}, {np.sum(~validates):,} to train on"
    )
    validation = examples.subset(
        validates, f"{examples.description}, {np.sum(validates):,} held out"
    )
    warn_leakage(train, validation, notes)
    return train, validation


def with_folds(examples: Examples, num_folds: int, seed: int, *, regression: bool) -> Examples:
    """Return the examples, each in a fold of about the same size, stratified.

    Equal rows come into the same fold.

    Args:
        examples: Rows of a table.
        num_folds: How many folds there are.
        seed: Of the draw.
        regression: The targets are numbers, stratified by quantile, not classes.

    Raises:
        DataError: There are fewer different rows than folds.
    """
    strata = _quantile_bins(examples.targets) if regression else np.asarray(examples.targets)
    keys = example_digests(examples.inputs)
    _, first_indices, groups = np.unique(keys, return_index=True, return_inverse=True)
    if len(first_indices) < num_folds:
        raise DataError(
            f"{examples.description}: {format_count(len(first_indices), 'different row')} can't be "
            f"divided into {num_folds} folds"
        )
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(first_indices))
    # One stratum behind the other, dealt out in turn, so that each fold has its share of each.
    order = order[np.argsort(strata[first_indices[order]], kind="stable")]
    fold_of_group = np.empty(len(first_indices), "int32")
    fold_of_group[order] = np.arange(len(order)) % num_folds
    return replace(examples, folds=fold_of_group[groups])


def _check_leaves_some(examples: Examples, count: int) -> None:
    """Raise a `DataError` where no example would be left to train on."""
    if count >= len(examples):
        raise DataError(
            f"validation_examples is {count:,}, but {examples.description} has only "
            f"{len(examples):,} examples; leave some to train on"
        )


def warn_leakage(train: Examples, validation: Examples, notes: DataNotes) -> None:
    """Warn of validation examples that are training examples too: a model can memorize them."""
    train_keys = set(_example_keys(train.inputs))
    num_shared = sum(key in train_keys for key in _example_keys(validation.inputs))
    if num_shared:
        notes.warn(
            f"duplicates across the split: {num_shared:,} of "
            f"{format_count(len(validation), 'validation example')} "
            f"{choose_form(num_shared, 'is', 'are')} among the training examples too"
        )


def _duplicate_groups(
    examples: Examples, notes: DataNotes, class_names: Sequence[str]
) -> np.ndarray:
    """Assign a group to each example, the same for the same inputs, `[examples]`."""
    group_of: dict[Hashable, int] = {}
    groups = np.array(
        [group_of.setdefault(key, len(group_of)) for key in _example_keys(examples.inputs)]
    )
    _, first_indices = np.unique(groups, return_index=True)
    copies = np.setdiff1d(np.arange(len(groups)), first_indices)
    if not len(copies):
        return groups
    noun = "image" if examples.inputs.ndim > 1 else "text"
    names = examples.names
    named = f": {format_names([*names[copies]])}" if names is not None else ""
    notes.append(
        f"{len(copies):,} of {format_count(len(groups), noun)} "
        f"{choose_form(len(copies), 'is a duplicate', 'are duplicates')} of "
        f"{choose_form(len(copies), 'another', 'others')}; duplicates stay on one side of the split"
        f"{named}"
    )
    conflicts = _conflicting_pairs(groups, first_indices, copies, np.asarray(examples.targets))
    if conflicts:
        pairs = [
            " and ".join(_with_label(examples, index, class_names) for index in pair)
            for pair in conflicts[:MAX_CONFLICTS]
        ]
        more = len(conflicts) - len(pairs)
        notes.warn(
            f"{format_count(len(conflicts), f'duplicate {noun}')} "
            f"{choose_form(len(conflicts), 'has', 'have')} conflicting labels: {'; '.join(pairs)}"
            f"{f'; and {more:,} more' * bool(more)}"
        )
    return groups


def _conflicting_pairs(
    groups: np.ndarray, first_indices: np.ndarray, copies: np.ndarray, targets: np.ndarray
) -> list[tuple[int, int]]:
    """Return of each group that has several targets the first example, and one with another."""
    pairs: dict[int, tuple[int, int]] = {}
    for copy in copies:
        first = first_indices[groups[copy]]
        if targets[copy] != targets[first]:
            pairs.setdefault(int(groups[copy]), (int(first), int(copy)))
    return [*pairs.values()]


def _with_label(examples: Examples, index: int, class_names: Sequence[str]) -> str:
    """Return the name of an example with its class, which the folder of a file may say already."""
    target = int(examples.targets[index])
    label = class_names[target] if target < len(class_names) else f"class {target}"
    name = None if examples.names is None else str(examples.names[index])
    if name is None:
        return label
    return name if name.startswith(f"{label}/") else f"{name} ({label})"


def _stratified_group_split(
    strata: np.ndarray, groups: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw which examples validate, bool: of each stratum its share, of each group all or none."""
    _, first_indices, sizes = np.unique(groups, return_index=True, return_counts=True)
    _, group_strata = np.unique(strata[first_indices], return_inverse=True)
    quotas = _proportional_counts(np.bincount(group_strata, sizes).astype(int), count)
    group_validates = np.zeros(len(sizes), bool)
    for stratum, quota in enumerate(quotas):
        # The first group of each stratum stays to train on.
        candidates = rng.permutation(np.flatnonzero(group_strata == stratum))[1:]
        # A group counts where at least half of it lies within the quota.
        centers = sizes[candidates].cumsum() - sizes[candidates] / 2
        group_validates[candidates[centers <= quota]] = True
    return group_validates[np.unique(groups, return_inverse=True)[1]]


def _proportional_counts(sizes: np.ndarray, count: int) -> np.ndarray:
    """Divide `count` among strata in proportion to their sizes; round the largest remainders up."""
    exact = count * sizes / sizes.sum()
    counts = np.floor(exact).astype(int)
    by_remainder = np.argsort(counts - exact, kind="stable")  # the largest first
    counts[by_remainder[: count - counts.sum()]] += 1
    return counts


def _quantile_bins(targets: np.ndarray) -> np.ndarray:
    """Compute the quantile bin of each target; all bins are about equally full."""
    ranks = np.argsort(np.argsort(targets, kind="stable"), kind="stable")
    return ranks * min(NUM_BINS, len(targets)) // len(targets)


def _example_keys(inputs: Inputs) -> Sequence[Hashable]:
    """Compute a key for each example, equal for equal inputs."""
    return example_digests(inputs).tolist()

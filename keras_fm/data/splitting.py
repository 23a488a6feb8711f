"""Cuts off the examples that validate: by a seed, as many of each class, copies on one side."""

import hashlib
from collections.abc import Hashable, Sequence

import numpy as np

from keras_fm.data.examples import Examples, Inputs
from keras_fm.data.user_data import DataNotes
from keras_fm.errors import DataError

NUM_BINS = 10  # a quantity is cut into as many ranges, each validated by its share


def train_validation_split(
    whole: Examples, count: int, seed: int, *, quantity: bool, notes: DataNotes
) -> tuple[Examples, Examples | None]:
    """The examples to train on, and `count` to validate on; None where that is 0.

    Exact copies of an image or a text come on one side, so there can be some less to validate. The
    rows of a table may well be equal: they count as different examples, and what both sides have
    is told.

    Args:
        quantity: the targets are no classes. notes: sentences on copies are added.

    Raises:
        DataError: nothing would be left to train on.
    """
    if count >= len(whole):
        raise DataError(
            f"validation_examples is {count:,}, but {whole.origin} has only {len(whole):,} "
            "examples; leave some to train on"
        )
    if count == 0:
        return whole, None
    strata = _quantile_bins(whole.targets) if quantity else np.asarray(whole.targets)
    groups = (
        np.arange(len(whole)) if isinstance(whole.inputs, dict) else _duplicate_groups(whole, notes)
    )
    held_out = _stratified_group_split(strata, groups, count, np.random.default_rng(seed))
    learned, asked = (np.flatnonzero(mask) for mask in (~held_out, held_out))
    examples = whole.take(learned, f"{whole.origin}, {len(learned):,} to train on")
    validation = whole.take(asked, f"{whole.origin}, {len(asked):,} held out")
    if not len(asked):
        return whole, None
    warn_leakage(examples, validation, notes)
    return examples, validation


def warn_leakage(examples: Examples, validation: Examples, notes: DataNotes) -> None:
    """Says how many of the validation examples are learned too: they are answered by heart."""
    learned = set(_example_keys(examples.inputs))
    shared = sum(key in learned for key in _example_keys(validation.inputs))
    if shared:
        notes.warn(
            f"duplicates across the split: {shared:,} of {len(validation):,} validation examples "
            "are among the training examples too"
        )


def _duplicate_groups(whole: Examples, notes: DataNotes) -> np.ndarray:
    """For each example a number, the same for the same inputs."""
    number_of: dict[Hashable, int] = {}
    groups = np.array(
        [number_of.setdefault(k, len(number_of)) for k in _example_keys(whole.inputs)]
    )
    copies = len(groups) - len(number_of)
    if copies:
        notes.append(
            f"{copies:,} of {len(groups):,} examples are duplicates of others; they stay on one "
            "side of the split"
        )
    pairs = len(set(zip(groups.tolist(), np.asarray(whole.targets).tolist(), strict=True)))
    if pairs > len(number_of):
        notes.warn(f"{pairs - len(number_of):,} examples come again with another class")
    return groups


def _stratified_group_split(
    strata: np.ndarray, groups: np.ndarray, count: int, random: np.random.Generator
) -> np.ndarray:
    """Which examples are held out: of each stratum its share, of each group all or none."""
    _, first, sizes = np.unique(groups, return_index=True, return_counts=True)
    _, stratum = np.unique(strata[first], return_inverse=True)
    wanted = _proportional_counts(np.bincount(stratum, sizes).astype(int), count)
    taken = np.zeros(len(sizes), bool)
    for place, share in enumerate(wanted):
        own = random.permutation(np.flatnonzero(stratum == place))[1:]  # one is left to learn
        middles = sizes[own].cumsum() - sizes[own] / 2  # a group that is more in than out is in
        taken[own[middles <= share]] = True
    return taken[np.unique(groups, return_inverse=True)[1]]


def _proportional_counts(sizes: np.ndarray, count: int) -> np.ndarray:
    """`count` spread over parts of these sizes, as evenly as whole numbers allow."""
    exact = count * sizes / sizes.sum()
    shares = np.floor(exact).astype(int)
    most = np.argsort(shares - exact, kind="stable")  # the largest remainders first
    shares[most[: count - shares.sum()]] += 1
    return np.minimum(shares, np.maximum(sizes - 1, 0))


def _quantile_bins(targets: np.ndarray) -> np.ndarray:
    """For each quantity the number of its range, all about equally full."""
    ranks = np.argsort(np.argsort(targets, kind="stable"), kind="stable")
    return ranks * min(NUM_BINS, len(targets)) // len(targets)


def _example_keys(inputs: Inputs) -> Sequence[Hashable]:
    """What is the same for the same inputs."""
    if isinstance(inputs, dict):
        return list(zip(*(column.tolist() for column in inputs.values()), strict=True))
    if inputs.ndim == 1:
        return inputs.tolist()
    return [hashlib.blake2b(each.tobytes()).digest() for each in inputs]

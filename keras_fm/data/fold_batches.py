"""Batches for an ensemble whose members learn from all folds but one."""

from __future__ import annotations

from typing import Any

import numpy as np

from keras_fm.data.augmentation import TabularBatches
from keras_fm.data.batches import batch_spec
from keras_fm.lazy_imports import tf


class FoldBatches(TabularBatches):
    """Batches of (columns, targets of each member, weights of each member).

    A row has no weight for the member that its fold validates.

    Args:
        member_weights: `[examples, members]`.
        *arguments: As `TabularBatches`.
        **options: As `TabularBatches`.
    """

    def __init__(self, *arguments: Any, member_weights: np.ndarray, **options: Any) -> None:
        """Create the batches."""
        super().__init__(*arguments, **options)
        self.member_weights = member_weights

    def batch_for(self, indices: np.ndarray, rng: np.random.Generator) -> Any:
        """Make the batch of the rows at `indices`."""
        inputs, targets = super().batch_for(indices, rng)
        weights = self.member_weights[indices]
        return inputs, for_members(targets, weights.shape[1]), weights

    def element_spec(self) -> tuple[Any, ...]:
        """Return the `tf.TensorSpec`s of columns, targets and weights."""
        return self.inputs_spec(), self._targets_spec(), batch_spec(self.member_weights)

    def _targets_spec(self) -> tf.TensorSpec:
        return batch_spec(for_members(self.targets[:1], self.member_weights.shape[1]))


def for_members(targets: np.ndarray, members: int) -> np.ndarray:
    """Repeat targets `[examples, ...]` for each member: `[examples, members, ...]`."""
    return np.repeat(targets[:, None], members, axis=1)


def training_weights(folds: np.ndarray, members: int) -> np.ndarray:
    """Return the weight of each row for each member, 0 in the fold that it leaves out.

    Args:
        folds: `[examples]`; member `m` leaves out fold `m`.
        members: As many as folds.

    Returns:
        float32 `[examples, members]`, whose mean is 1.
    """
    learns = folds[:, None] != np.arange(members)
    return learns.astype("float32") / np.float32(learns.mean())


def validation_weights(folds: np.ndarray, members: int) -> np.ndarray:
    """Return the weights with which a row validates the members that did not learn from it."""
    validates = folds[:, None] == np.arange(members)
    return validates.astype("float32") / np.float32(validates.mean())

"""Cross-validation within one training: each member of an ensemble leaves one fold out.

A member is validated on the fold that it left out, and ends with the weights of its lowest loss
there. So every row trains and every row validates, and no member is validated on rows that it was
trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_fm.data.batches import dataset_from_arrays
from keras_fm.data.fold_batches import (
    FoldBatches,
    for_members,
    training_weights,
    validation_weights,
)
from keras_fm.files import atomic_write
from keras_fm.layers.tabular_blocks import MEMBERS
from keras_fm.lazy_imports import tf
from keras_fm.trainers.fold_ensemble import FoldEnsembleTrainer
from keras_fm.training.jobs import TrainingJob


def members_by_folds(
    model: keras.Model, job: TrainingJob
) -> tuple[FoldEnsembleTrainer, FoldBatches, tf.data.Dataset]:
    """Return the members, which share the model's weights, their batches, and what validates them.

    Args:
        model: The ensemble.
        job: Of the examples with folds.
    """
    data, folds = job.task.data, job.examples.folds
    assert folds is not None, "the examples of a recipe with folds have folds"
    trainer = FoldEnsembleTrainer(model.input, model.get_layer(MEMBERS).output)
    members = trainer.output_shape[1]
    columns, targets = data.encode(job.examples).inputs, data.targets(job.examples)
    weights = training_weights(folds, members)
    class_weight = job.task.objective.class_weight(job.examples, job.recipe)
    if class_weight is not None:  # `fit` takes it or the weights of examples
        by_class = np.array([class_weight[label] for label in job.examples.targets], "float32")
        weights = weights * by_class[:, None]
    batches = FoldBatches(
        columns, targets, recipe=job.recipe, seed=job.seed, member_weights=weights
    )
    validation = dataset_from_arrays(
        columns,
        for_members(targets, members),
        validation_weights(folds, members),
        batch_size=data.eval_batch_size,
    )
    return trainer, batches, validation


class MemberEarlyStopping(keras.callbacks.Callback):
    """Keeps the best weights of each member, and stops where none has had better ones for a while.

    The fold of a small table says little of a member alone: what counts is its loss and the mean of
    all members' to equal parts, each in proportion to that of the linear models. An epoch does not
    count where that mean is above theirs: a member's gain would be a few rows, right by luck.

    Args:
        folder: Of the checkpoints, where the file of the weights is put.
        patience: The epochs without a lower loss of any member; 0 runs all.
        initial_losses: Of each member before the training; those weights count as well.
    """

    def __init__(self, folder: Path, patience: int, initial_losses: np.ndarray) -> None:
        super().__init__()
        self.file = folder / "best.npz"
        self.patience = patience
        self.num_epochs = 0
        self._initial_losses = np.maximum(initial_losses, np.finfo("float32").tiny)
        self.best_losses = np.ones(len(initial_losses))
        self.best_epochs = np.zeros(len(initial_losses), "int64")  # from 1; 0 is before the first
        self._weights: list[np.ndarray] = []

    @property
    def wait(self) -> int:
        """The epochs since a member had a lower loss."""
        return self.num_epochs - int(self.best_epochs.max(initial=0))

    @property
    def has_stopped(self) -> bool:
        """Whether there were enough epochs without a lower loss."""
        return bool(self.patience) and self.wait >= self.patience

    def restore(self, history: Sequence[Mapping[str, float]]) -> bool:
        """Take up an interrupted training; return whether there are more epochs to train."""
        self.num_epochs = len(history)
        if self.num_epochs:
            with np.load(self.file, allow_pickle=False) as arrays:
                self.best_epochs, self.best_losses = arrays["epochs"], arrays["losses"]
                self._weights = [arrays[f"weights/{n}"] for n in range(len(arrays) - 2)]
        return not self.has_stopped

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Save the initial weights."""
        if not self._weights:
            self._weights = self._current()
            self._save()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save better weights, or stop."""
        self.num_epochs = epoch + 1
        own = self.model.member_losses / self._initial_losses
        mean = self.model.member_losses.mean() / self._initial_losses.mean()
        losses = (own + mean) / 2
        improved = (losses < self.best_losses) & (mean < 1)  # NaN is never the lowest
        if improved.any():
            self.best_losses = np.where(improved, losses, self.best_losses)
            self.best_epochs = np.where(improved, self.num_epochs, self.best_epochs)
            for best, current in zip(self._weights, self._current(), strict=True):
                best[improved] = current[improved]
            self._save()
        if self.has_stopped:  # another callback may have stopped the training before
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Load the best weights."""
        for variable, weights in zip(self.model.trainable_variables, self._weights, strict=True):
            variable.assign(weights)

    def _current(self) -> list[np.ndarray]:
        """Return the weights, each `[members, ...]`."""
        return [np.array(variable) for variable in self.model.trainable_variables]

    def _save(self) -> None:
        self.file.parent.mkdir(exist_ok=True)
        arrays: dict[str, Any] = {f"weights/{n}": array for n, array in enumerate(self._weights)}
        arrays |= {"epochs": self.best_epochs, "losses": self.best_losses}
        with atomic_write(self.file, "wb") as stream:
            np.savez(stream, **arrays)

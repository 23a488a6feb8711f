"""Early stopping: a training ends with the weights of the lowest validation loss."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from keras_fm.files import atomic_write

LOSS = "val_loss"


class EarlyStopping(keras.callbacks.Callback):
    """Keeps the best weights in a file, and stops after `patience` epochs without better ones.

    The initial weights count as well: a training never ends with a higher loss than theirs. Keras'
    `EarlyStopping` keeps the weights in memory, and a training that resumes begins its count anew.

    Args:
        folder: Of the checkpoints, where the file is put.
        patience: Epochs.
        initial_loss: The validation loss before the training.
    """

    def __init__(self, folder: Path, patience: int, initial_loss: float) -> None:
        super().__init__()
        self.file = folder / "best.npz"
        self.patience = patience
        self.best_loss = np.inf if np.isnan(initial_loss) else initial_loss
        self.wait = 0
        self.num_epochs = 0
        self.best_epoch = 0  # counted from 1; 0 are the initial weights

    @property
    def has_stopped(self) -> bool:
        """Whether there were enough epochs without a lower loss."""
        return self.wait >= self.patience

    def restore(self, history: Sequence[Mapping[str, float]]) -> bool:
        """Count the epochs of an interrupted training; return whether there are more to train."""
        for row in history:
            self._update(row[LOSS])
        return not self.has_stopped

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Save the initial weights."""
        if not self.file.exists():
            self._save()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Save better weights, or stop."""
        if self._update((logs or {})[LOSS]):
            self._save()
        if self.has_stopped:  # another callback may have stopped the training before
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Load the best weights."""
        with np.load(self.file, allow_pickle=False) as arrays:
            self.model.set_weights([arrays[name] for name in arrays])

    def _save(self) -> None:
        self.file.parent.mkdir(exist_ok=True)
        with atomic_write(self.file, "wb") as stream:
            np.savez(stream, *self.model.get_weights())

    def _update(self, loss: float) -> bool:
        """Whether the loss is the lowest yet."""
        is_best = loss < self.best_loss  # NaN is never the lowest
        self.num_epochs += 1
        if is_best:
            self.best_loss, self.best_epoch = loss, self.num_epochs
        self.wait = 0 if is_best else self.wait + 1
        return is_best

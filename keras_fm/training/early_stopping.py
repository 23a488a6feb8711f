"""Early stopping: a training ends with the weights that had the lowest validation loss."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

LOSS = "val_loss"


class EarlyStopping(keras.callbacks.Callback):
    """Keeps the best weights so far in a file, and stops after `patience` epochs without better.

    What a training starts with counts as well: it never ends with a higher loss than that. Keras'
    `EarlyStopping` keeps the weights in memory, and a training that goes on begins its count anew.

    Args:
        folder: of the checkpoints, where the file is put. first: the loss before the training.
    """

    def __init__(self, folder: Path, patience: int, first: float) -> None:
        super().__init__()
        self.file = folder / "best.npz"
        self.patience = patience
        self.lowest = first
        self.waited = 0

    def go_on(self, rows: Sequence[Mapping[str, float]]) -> bool:
        """Takes in the epochs that were trained before; answers whether there is more to train."""
        for row in rows:
            self._count(row[LOSS])
        return self.waited < self.patience

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        if not self.file.exists():
            self._keep()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if self._count((logs or {})[LOSS]):
            self._keep()
        self.model.stop_training = self.waited >= self.patience

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        with np.load(self.file, allow_pickle=False) as arrays:
            self.model.set_weights([arrays[name] for name in arrays])

    def _keep(self) -> None:
        self.file.parent.mkdir(exist_ok=True)
        draft = self.file.with_name(f".{self.file.name}")
        with draft.open("wb") as file:
            np.savez(file, *self.model.get_weights())
        draft.replace(self.file)

    def _count(self, loss: float) -> bool:
        """Whether it is the lowest so far."""
        better = loss < self.lowest
        self.lowest = min(loss, self.lowest)
        self.waited = 0 if better else self.waited + 1
        return better

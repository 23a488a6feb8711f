"""Checkpoints: the full state of a training after its last epoch, to resume from."""

import re
import shutil
from pathlib import Path
from time import monotonic

import keras
import numpy as np

from keras_fm.errors import RunError
from keras_fm.files import atomic_path

_NAME = re.compile(r"epoch-(\d+)\.weights\.h5")


class EpochCheckpoint(keras.callbacks.Callback):
    """Saves weights and optimizers after an epoch, in one file that is complete or absent.

    Keras' `BackupAndRestore` overwrites its only one, and writes the epoch into a second file: when
    it is killed in between it has no weights, or resumes with the wrong epoch. It also deletes them
    before the trained weights are saved.

    Args:
        folder: A file's name in it has the number of epochs; only the last one is kept.
        min_seconds: Between two checkpoints, but for that of the last epoch: what is lost when a
            training is stopped.

    Raises:
        RunError: The loss or a weight is not finite, or the disk is full. The last checkpoint is
            kept.
    """

    def __init__(self, folder: Path, min_seconds: float = 0.0) -> None:
        super().__init__()
        self.folder = folder
        self.min_seconds = min_seconds
        self._last_written = monotonic()

    @property
    def last_epoch(self) -> int:
        """The number of epochs that the last checkpoint had."""
        return max(self._checkpoints(), default=0)

    def restore(self, trainer: keras.Model) -> int:
        """Load the last state into what is trained, and return how many epochs it had.

        Args:
            trainer: What is trained; its optimizer is built.
        """
        checkpoints = self._checkpoints()
        if not checkpoints:
            return 0
        trainer.load_weights(checkpoints[max(checkpoints)])
        return max(checkpoints)

    def clear(self) -> None:
        """Delete the checkpoints after the end of the training."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Take up the count of epochs, and start the clock."""
        self.epoch = self.last_epoch
        self._last_written = monotonic()

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Take up the epoch."""
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Stop where a loss is not finite."""
        for name, value in (logs or {}).items():
            if name.endswith("loss") and not np.isfinite(value):
                raise self._diverged(f"{name} became {float(value)} at step {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the checkpoint, and delete the one before."""
        for weight in self.model.weights:
            if not np.isfinite(keras.ops.convert_to_numpy(weight)).all():
                raise self._diverged(f"{weight.path} is not finite at the end")
        is_last = epoch + 1 == self.params.get("epochs") or self.model.stop_training
        if not is_last and monotonic() - self._last_written < self.min_seconds:
            return
        old_checkpoints = self._checkpoints()
        try:
            self._write(self.folder / f"epoch-{epoch + 1}.weights.h5")
        except (OSError, RuntimeError) as error:  # h5py raises either when the disk is full
            raise RunError(
                f"the state after epoch {epoch + 1} can't be written to {self.folder}: {error}; "
                f"{self._last_checkpoint()}"
            ) from None
        for path in old_checkpoints.values():
            path.unlink()
        self._last_written = monotonic()

    def _write(self, path: Path) -> None:
        self.folder.mkdir(exist_ok=True)
        with atomic_path(path, fsync=True) as partial:
            self.model.save_weights(partial)

    def _checkpoints(self) -> dict[int, Path]:
        """Return the files by the epochs that they had."""
        matches = {path: _NAME.fullmatch(path.name) for path in self.folder.glob("epoch-*")}
        return {int(match[1]): path for path, match in matches.items() if match}

    def _diverged(self, reason: str) -> RunError:
        return RunError(
            f"{reason} of epoch {self.epoch + 1}: a lower learning_rate or a global_clipnorm may "
            f"help; {self._last_checkpoint()}"
        )

    def _last_checkpoint(self) -> str:
        checkpoints = self._checkpoints()
        if not checkpoints:
            return "no epoch was complete before"
        last = max(checkpoints)
        return f"the state after epoch {last} is kept in {checkpoints[last]}"

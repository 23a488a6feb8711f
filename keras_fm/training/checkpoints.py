"""What a training that is killed goes on from: its whole state after the last epoch."""

import os
import re
import shutil
import tempfile
from pathlib import Path

import keras
import numpy as np

from keras_fm.errors import RunError

_NAME = re.compile(r"epoch-(\d+)\.weights\.h5")


class EpochCheckpoint(keras.callbacks.Callback):
    """Keeps weights and optimizers after each epoch, in one file that appears whole or not at all.

    Keras' `BackupAndRestore` writes over the one it has, and the epoch into a second file: killed
    in between it has no weights, or goes on with the wrong epoch. It also deletes them before the
    trained weights are saved.

    Args:
        folder: a file's name in it says how many epochs were trained; only the last one stays.

    Raises:
        RunError: the loss or a weight is no number any more, or the disk is full. What was kept
            before stays.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder

    def restore(self, learner: keras.Model) -> int:
        """Sets the learner to its last state, and answers how many epochs it was trained."""
        found = self._kept()
        if not found:
            return 0
        if not learner.optimizer.built:
            learner.optimizer.build(learner.trainable_variables)
        learner.load_weights(found[max(found)])
        return max(found)

    def clear(self) -> None:
        """Deletes them: the training ended."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.epoch = max(self._kept(), default=0)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch = epoch

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        for name, value in (logs or {}).items():
            if name.endswith("loss") and not np.isfinite(value):
                raise self._lost(f"{name} became {float(value)} at step {batch + 1}")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        for weight in self.model.weights:
            if not np.isfinite(keras.ops.convert_to_numpy(weight)).all():
                raise self._lost(f"{weight.path} is no number any more at the end")
        before = self._kept()
        try:
            self._write(self.folder / f"epoch-{epoch + 1}.weights.h5")
        except (OSError, RuntimeError) as error:  # h5py raises either when the disk is full
            raise RunError(
                f"the state after epoch {epoch + 1} can't be written to {self.folder}: {error}; "
                f"{self._says_what_is_kept()}"
            ) from None
        for path in before.values():
            path.unlink()

    def _write(self, path: Path) -> None:
        self.folder.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.folder, prefix=".draft-") as folder:
            draft = Path(folder) / path.name
            self.model.save_weights(draft)
            with draft.open("rb+") as file:
                os.fsync(file.fileno())  # a rename must not outlive what it names
            draft.replace(path)

    def _kept(self) -> dict[int, Path]:
        """The files by the epochs they were trained."""
        found = {path: _NAME.fullmatch(path.name) for path in self.folder.glob("epoch-*")}
        return {int(match[1]): path for path, match in found.items() if match}

    def _lost(self, what: str) -> RunError:
        return RunError(
            f"{what} of epoch {self.epoch + 1}: a lower learning_rate or a clip_norm may help; "
            f"{self._says_what_is_kept()}"
        )

    def _says_what_is_kept(self) -> str:
        kept = self._kept()
        if not kept:
            return "no epoch was complete before"
        return f"the state after epoch {max(kept)} is kept in {kept[max(kept)]}"

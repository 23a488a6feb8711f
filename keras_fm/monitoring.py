"""What a training shows: the progress bar, and what TensorBoard draws of it."""

import sys
import time
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from keras_fm import pictures, runs
from keras_fm.augmenting import TrainingBatches


def callbacks(path: Path, batches: TrainingBatches) -> list[keras.callbacks.Callback]:
    """The callbacks that write the logs and the history of the run in `path`."""
    return [
        FollowEpochs(batches),
        HistoryFile(path / "history.csv"),
        keras.callbacks.TensorBoard(
            str(path / "logs"), write_graph=False, write_steps_per_second=False
        ),
        RunSummaries(path, batches),
    ]


def verbosity() -> int:
    """Keras' progress bar on a terminal, one line an epoch in a log file."""
    return 1 if sys.stdout.isatty() else 2


class FollowEpochs(keras.callbacks.Callback):
    """Tells the batches which epoch begins, also when `fit` goes on from a checkpoint."""

    def __init__(self, batches: TrainingBatches) -> None:
        super().__init__()
        self.batches = batches

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.batches.epoch = epoch


class HistoryFile(keras.callbacks.Callback):
    """Keeps a CSV file with a row for each epoch: its figures, and the seconds it took.

    Keras' `CSVLogger` writes "NA" where there is no validation, leaves its file open when the
    training is stopped, and writes an epoch twice that was logged but not yet in the checkpoint.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        seconds = time.monotonic() - self.started
        rows = [row for row in runs.read_history(self.path) if row["epoch"] < epoch]
        figures = {name: float(value) for name, value in (logs or {}).items()}
        runs.write_history(self.path, [*rows, {"epoch": epoch, "seconds": seconds, **figures}])


class RunSummaries(keras.callbacks.Callback):
    """Writes the recipe, a grid of augmented inputs, and images per second of each epoch."""

    def __init__(self, path: Path, batches: TrainingBatches) -> None:
        super().__init__()
        self.path = path
        self.batches = batches
        self.started = 0.0
        self.trained = 0.0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.writer = writer(self.path)
        images, _ = self.batches[0]
        recipe = (self.path / "recipe.toml").read_text("utf-8")
        with self.writer.as_default(step=0):
            tf.summary.text("recipe", f"```toml\n{recipe}```")
            tf.summary.image("augmented_inputs", pictures.grid(images[:64], columns=8)[None])

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.trained = time.perf_counter()  # the validation after it does not count

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        images = len(self.batches) * self.batches.batch_size
        with self.writer.as_default(step=epoch):
            tf.summary.scalar("images_per_second", images / (self.trained - self.started))
        self.writer.flush()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.writer.close()


def write_confusion_matrix(
    path: Path, answers: np.ndarray, truth: np.ndarray, labels: Sequence[str]
) -> None:
    """Adds the picture of what was taken for what to the run's logs."""
    counts = np.zeros((len(labels), len(labels)), int)
    np.add.at(counts, (truth, answers), 1)
    events = writer(path)
    with events.as_default(step=0):
        tf.summary.image("confusion_matrix", pictures.confusion_matrix(counts, labels)[None])
    events.close()


def writer(path: Path) -> tf.summary.SummaryWriter:
    """Writes event files beside those of Keras' TensorBoard callback."""
    return tf.summary.create_file_writer(str(path / "logs" / "train"))

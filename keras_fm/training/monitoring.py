"""What a training shows: the progress bar, and what TensorBoard draws of it."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fm.data.batches import Batches
from keras_fm.registry.recipe import Recipe
from keras_fm.tasks import Task
from keras_fm.tasks.task import Embeddings
from keras_fm.training import runs
from keras_fm.training.jobs import TrainingJob


def callbacks(
    path: Path, batches: Batches, task: Task, model: keras.Model
) -> list[keras.callbacks.Callback]:
    """The callbacks that write the logs and the history of the run in `path`."""
    return [
        CSVHistory(path / "history.csv"),
        keras.callbacks.TensorBoard(
            str(path / "logs"), write_graph=False, write_steps_per_second=False
        ),
        TensorBoardSummaries(path, batches, task, model),
    ]


def verbosity() -> int:
    """Keras' progress bar on a terminal, one line an epoch in a log file."""
    return 1 if sys.stdout.isatty() else 2


def print_stage(stage: str, recipe: Recipe) -> None:
    """Says which of several trainings begins."""
    print(f"{stage}: {recipe.epochs} epochs{' at most' * bool(recipe.patience)}", flush=True)


TRAIN = "train"  # as Keras' TensorBoard callback calls the folder


class CSVHistory(keras.callbacks.Callback):
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


class TensorBoardSummaries(keras.callbacks.Callback):
    """Writes recipe, inputs, and of each epoch examples a second, and pictures or texts."""

    def __init__(self, path: Path, batches: Batches, task: Task, model: keras.Model) -> None:
        super().__init__()
        self.path = path
        self.batches = batches
        self.task = task
        self.trained_model = model  # Keras' own `model` may be a learner around it
        self.started = 0.0
        self.trained = 0.0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        self.writer = writer(self.path)
        recipe = (self.path / "recipe.toml").read_text("utf-8")
        with self.writer.as_default(step=0):
            tf.summary.text("recipe", f"```toml\n{recipe}```")
            _write_images(self.task.draw_inputs(self.batches))

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.trained = time.perf_counter()  # the validation after it does not count

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        examples = len(self.batches) * self.batches.batch_size
        with self.writer.as_default(step=epoch):
            speed = examples / (self.trained - self.started)
            tf.summary.scalar(f"{self.task.unit}_per_second", speed)
            _write_images(self.task.draw_progress(self.trained_model))
            for name, text in self.task.write_samples(self.trained_model).items():
                tf.summary.text(name, f"```\n{text}\n```")
        self.writer.flush()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        self.writer.close()


def write_images(path: Path, drawn: dict[str, np.ndarray]) -> None:
    """Adds pictures, uint8 `[rows, columns, channels]` by name, to the run's logs."""
    events = writer(path)
    with events.as_default(step=0):
        _write_images(drawn)
    events.close()


def write_embeddings(path: Path, embeddings: Embeddings | None) -> None:
    """Adds points for TensorBoard's projector to the run's logs.

    Where `writer` writes: the projector shows no folder without an event file.
    """
    if embeddings is None:
        return
    from tensorboard.plugins import projector

    logs = path / "logs" / TRAIN
    np.savetxt(logs / "embeddings.tsv", embeddings.vectors, "%.4g", "\t")
    names, columns = zip(*embeddings.about.items(), strict=True)
    rows = [names, *zip(*columns, strict=True)]
    lines = ("\t".join(cell.replace("\t", " ") for cell in row) for row in rows)
    (logs / "about.tsv").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    config = projector.ProjectorConfig()
    shown = config.embeddings.add(tensor_name="embedding")
    shown.tensor_path, shown.metadata_path = "embeddings.tsv", "about.tsv"
    projector.visualize_embeddings(str(logs), config)


def write_hparams(path: Path, lesson: TrainingJob, metrics: Mapping[str, float], way: str) -> None:
    """Adds a result and what led to it to the logs in `path`, for TensorBoard's table of HParams.

    Args:
        way: how it was learned, or what it is compared with.
    """
    from tensorboard.plugins.hparams import api

    known: dict[str, Any] = {"model": lesson.room.name, "way": way, "seed": lesson.seed}
    for field, value in lesson.recipe.to_dict().items():
        known[field] = str(value) if isinstance(value, list) else value
    events = tf.summary.create_file_writer(str(path / "logs"))
    with events.as_default(step=0):
        api.hparams(known, trial_id=str(path))
        for metric, value in metrics.items():
            tf.summary.scalar(f"result/{metric}", value)
    events.close()


def _write_images(drawn: dict[str, np.ndarray]) -> None:
    for name, picture in drawn.items():
        tf.summary.image(name, picture[None])


def writer(path: Path) -> tf.summary.SummaryWriter:
    """Writes event files beside those of Keras' TensorBoard callback."""
    return tf.summary.create_file_writer(str(path / "logs" / TRAIN))

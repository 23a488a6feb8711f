"""What a training shows: the progress bar, and TensorBoard's logs."""

import hashlib
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_fm.data.batches import Batches
from keras_fm.models import run_files
from keras_fm.progress import say
from keras_fm.registry.recipe import OWN_DATA, Recipe
from keras_fm.tasks.base import ProjectorPoints, Task
from keras_fm.training import runs
from keras_fm.training.jobs import TrainingJob

TRAIN = "train"  # as Keras' TensorBoard callback calls the folder


def callbacks(
    path: Path, batches: Batches, task: Task, model: keras.Model
) -> list[keras.callbacks.Callback]:
    """Return the callbacks that write the logs and the history of the run in `path`."""
    return [
        CSVHistory(path / run_files.HISTORY),
        keras.callbacks.TensorBoard(
            str(path / "logs"), write_graph=False, write_steps_per_second=False
        ),
        TensorBoardSummaries(path, batches, task, model),
    ]


def print_stage(stage: str, recipe: Recipe) -> None:
    """Print which of several trainings begins."""
    say(f"{stage}: {recipe.epochs} epochs{' at most' * bool(recipe.patience)}")


class CSVHistory(keras.callbacks.Callback):
    """Writes a CSV file with a row for each epoch: its metrics, and the seconds it took.

    Keras' `CSVLogger` writes "NA" where there is no validation, leaves its file open when the
    training is stopped, and writes an epoch twice that was logged but not yet in the checkpoint.

    Args:
        path: The file.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.started = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        self.started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write the row."""
        seconds = time.monotonic() - self.started
        rows = [row for row in run_files.read_history(self.path) if row["epoch"] < epoch]
        metrics = {name: float(value) for name, value in (logs or {}).items()}
        runs.write_history(self.path, [*rows, {"epoch": epoch, "seconds": seconds, **metrics}])


class TensorBoardSummaries(keras.callbacks.Callback):
    """Writes the recipe, inputs, and after each epoch the throughput, images and texts.

    Args:
        path: The run directory.
        batches: Of the training.
        task: Of the model.
        model: The model in training; Keras' own `model` may be a trainer that contains it.
    """

    def __init__(self, path: Path, batches: Batches, task: Task, model: keras.Model) -> None:
        super().__init__()
        self.path = path
        self.batches = batches
        self.task = task
        self.trained_model = model
        self.started = 0.0
        self.ended = 0.0

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Write the recipe and inputs."""
        self.writer = _writer(self.path)
        recipe = (self.path / run_files.RECIPE).read_text("utf-8")
        with self.writer.as_default(step=0):
            tf.summary.text("recipe", f"```toml\n{recipe}```")
            _summarize_images(self.task.summaries.input_images(self.batches))

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Start the clock."""
        self.started = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Stop the clock: the validation after it does not count."""
        self.ended = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write throughput, images and texts."""
        with self.writer.as_default(step=epoch):
            throughput = self.batches.examples_per_epoch / (self.ended - self.started)
            tf.summary.scalar(f"{self.task.unit}_per_second", throughput)
            _summarize_images(self.task.summaries.epoch_images(self.trained_model))
            for name, text in self.task.summaries.epoch_texts(self.trained_model).items():
                tf.summary.text(name, f"```\n{text}\n```")
        self.writer.flush()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Close the event file."""
        self.writer.close()


def write_images(path: Path, images: dict[str, np.ndarray]) -> None:
    """Add images, uint8 `[rows, columns, channels]` by name, to the logs of the run in `path`."""
    writer = _writer(path)
    with writer.as_default(step=0):
        _summarize_images(images)
    writer.close()


def write_projector(path: Path, points: ProjectorPoints | None) -> None:
    """Add points for TensorBoard's projector to the logs of the run in `path`.

    They lie where the callback writes: the projector shows no folder without an event file.
    """
    if points is None:
        return
    from tensorboard.plugins import projector

    logs = path / "logs" / TRAIN
    np.savetxt(logs / "embeddings.tsv", points.vectors, "%.4g", "\t")
    names, columns = zip(*points.metadata.items(), strict=True)
    rows = [names, *zip(*columns, strict=True)]
    lines = ("\t".join(cell.replace("\t", " ") for cell in row) for row in rows)
    (logs / "metadata.tsv").write_text("".join(f"{line}\n" for line in lines), "utf-8")
    config = projector.ProjectorConfig()
    embedding = config.embeddings.add(tensor_name="embedding")
    embedding.tensor_path, embedding.metadata_path = "embeddings.tsv", "metadata.tsv"
    projector.visualize_embeddings(str(logs), config)


def write_hparams(path: Path, job: TrainingJob, metrics: Mapping[str, float], method: str) -> None:
    """Add a result and its hyperparameters to the logs in `path`, for TensorBoard's HParams.

    Args:
        path: A run directory, or one inside it.
        job: The training.
        metrics: The result.
        method: How it was trained, or what it is compared with.
    """
    from tensorboard.plugins.hparams import api

    hparams: dict[str, Any] = {"model": job.spec.name, "method": method, "seed": job.seed}
    for name, value in job.recipe.to_dict().items():
        hparams[name] = str(value) if isinstance(value, list) else value
    if job.recipe.dataset == OWN_DATA:
        hparams["dataset"] = job.examples.description
    writer = tf.summary.create_file_writer(str(path / "logs"))
    with writer.as_default(step=0):
        api.hparams(hparams, trial_id=_trial_id(path))
        for metric, value in metrics.items():
            tf.summary.scalar(f"result/{metric}", value)
    writer.close()


def _trial_id(path: Path) -> str:
    """Return a name of its own for each run, which shows no folder of this machine."""
    digest = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{run_files.run_name(path)} {digest[:6]}"


def _summarize_images(images: dict[str, np.ndarray]) -> None:
    for name, image in images.items():
        tf.summary.image(name, image[None])


def _writer(path: Path) -> tf.summary.SummaryWriter:
    """Write event files beside those of Keras' TensorBoard callback."""
    return tf.summary.create_file_writer(str(path / "logs" / TRAIN))

"""What a training shows: the progress bar, and TensorBoard's logs."""

import time
from pathlib import Path

import keras

from keras_fm.data.batches import Batches
from keras_fm.distribution.devices import current_devices
from keras_fm.lazy_imports import tf
from keras_fm.models import run_files
from keras_fm.progress import say
from keras_fm.registry.recipe import Recipe
from keras_fm.training import runs
from keras_fm.training.curves import Curves
from keras_fm.training.event_files import INPUTS, PICTURES, TRAIN, EventWriters, can_write
from keras_fm.training.jobs import TrainingJob
from keras_fm.training.model_graph import model_graph
from keras_fm.training.profiler import Profiler
from keras_fm.training.results import write_images
from keras_fm.training.run_texts import run_texts
from keras_fm.training.weight_summaries import WeightSummaries


def callbacks(
    path: Path, batches: Batches, job: TrainingJob, model: keras.Model
) -> list[keras.callbacks.Callback]:
    """Return the callbacks that write the logs and the history of the run in `path`."""
    history = CSVHistory(path / run_files.HISTORY)
    # Nobody watches a run that is deleted in the end.
    if not current_devices().is_first or not can_write():
        return [history]
    writers = EventWriters(path)
    steps = len(batches)
    return [
        history,
        Samples(writers, batches, job, model),
        *([WeightSummaries(writers, steps, job, model)] if job.histograms else []),
        Curves(writers, batches, job.task.unit),  # the last one, for it closes the files
        *([Profiler(path, steps * job.recipe.epochs)] if job.profile else []),
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


class Samples(keras.callbacks.Callback):
    """Writes what is trained on what, and after each epoch what the model generates.

    Args:
        writers: Of the run.
        batches: Of the training.
        job: The training.
        model: The model in training; Keras' own `model` may be a trainer that contains it.
    """

    def __init__(
        self, writers: EventWriters, batches: Batches, job: TrainingJob, model: keras.Model
    ) -> None:
        super().__init__()
        self.writers = writers
        self.batches = batches
        self.job = job
        self.trained_model = model

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Write the texts on the run, the graph, and inputs."""
        with self.writers[TRAIN].as_default(step=0):
            for name, text in run_texts(self.trained_model, self.job).items():
                tf.summary.text(name, text)
            tf.summary.graph(model_graph(self.trained_model))
            write_images(INPUTS, self.job.task.summaries.input_images(self.batches))
        self.writers.flush()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Write images and texts."""
        summaries = self.job.task.summaries
        writer = self.writers[TRAIN].as_default(step=(epoch + 1) * len(self.batches))
        with writer, current_devices().suspended():
            write_images(PICTURES, summaries.epoch_images(self.trained_model))
            for name, text in summaries.epoch_texts(self.trained_model).items():
                tf.summary.text(f"5_{name}", f"```\n{text}\n```")

"""TensorBoard's logs of runs that were trained without TensorFlow, from their files."""

from pathlib import Path

import numpy as np

from keras_fm.data.examples import Examples
from keras_fm.models import run_files
from keras_fm.models.spec import ModelSpec
from keras_fm.registry import find
from keras_fm.registry.recipe import load_recipe
from keras_fm.training.curves import epoch_points
from keras_fm.training.event_files import LOGS, EventWriters, write_scalars
from keras_fm.training.hparams import write_hparams
from keras_fm.training.jobs import TrainingJob

_NO_METRICS = ("epoch", "seconds")  # the columns of a history beside them


def write_history_logs(path: Path) -> None:
    """Write the logs of the complete runs in `path` that have none: a pretraining is one inside.

    They have a point an epoch, the result and the hyperparameters; the pictures and texts, the
    embeddings and the points within an epoch, only a training writes.
    """
    for result in sorted(path.glob(f"**/{run_files.RESULT}")):
        if not (result.parent / LOGS).exists():
            _write_logs(result.parent)


def _write_logs(path: Path) -> None:
    result, run_info = run_files.read_result(path), run_files.read_run(path)
    writers = EventWriters(path)
    for row in run_files.read_history(path / run_files.HISTORY):
        step = int(row["epoch"] + 1) * result["steps_per_epoch"]
        metrics = {name: value for name, value in row.items() if name not in _NO_METRICS}
        for folder, points in epoch_points(metrics).items():
            if points:
                write_scalars(writers[folder], step, points)
    writers.close()
    method = run_info.get("strategy") or f"from {Path(run_info['init_from']).name}"
    write_hparams(path, _job(path), result["metrics"], method)


def _job(path: Path) -> TrainingJob:
    """Return the training without its data, which no hyperparameter is taken from."""
    run_info = run_files.read_run(path)
    package, _ = find(run_info["model"])
    spec = ModelSpec.from_dict(package, run_info)
    data = Examples(np.empty(0), np.empty(0), run_info["data"])
    validation = data if "validation_sha256" in run_info else None
    recipe = load_recipe(path / run_files.RECIPE, type(spec.task).recipe_class)
    return TrainingJob(spec, data, validation, recipe, run_info["seed"], ())

"""Results and hyperparameters for TensorBoard's HParams."""

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from keras_fm.lazy_imports import tf
from keras_fm.models import run_files
from keras_fm.registry.recipe import OWN_DATA
from keras_fm.training.event_files import RESULT, TRAIN, VALIDATION, can_write, event_writer
from keras_fm.training.jobs import TrainingJob
from keras_fm.training.run_texts import changed_fields, is_default

# Of each trial, whatever their values; of the other fields those that are no default.
_SHOWN = ("dataset", "epochs", "batch_size", "optimizer", "learning_rate")

_OF_DATA = {"validation_examples", "drop_remainder"}  # fields that follow from the data


def write_hparams(path: Path, job: TrainingJob, metrics: Mapping[str, float], method: str) -> None:
    """Add a result and its hyperparameters to the logs in `path`, where they can be written.

    Args:
        path: A run directory, or one inside it.
        job: The training.
        metrics: The result.
        method: How it was trained, or what it is compared with.
    """
    if not can_write():
        return
    from tensorboard.plugins.hparams import api, api_pb2, summary

    values = _hparams(job, method)
    differing = {"method", "learning_rate", *changed_fields(job)} - _OF_DATA
    experiment = _experiment(values, metrics, differing)
    writer = event_writer(path, TRAIN if job.validation is None else VALIDATION)
    with writer.as_default(step=0):
        _write(experiment)
        _write(api.hparams_pb(values, trial_id=_trial_id(path)))
        _write(summary.session_end_pb(api_pb2.STATUS_SUCCESS))
        for metric, value in metrics.items():
            tf.summary.scalar(f"{RESULT}/{metric}", value)
    writer.close()


def _hparams(job: TrainingJob, method: str) -> dict[str, Any]:
    changed = changed_fields(job)
    values: dict[str, Any] = {"model": job.spec.name, "method": method, "seed": job.seed}
    for name, value in job.recipe.to_dict().items():
        if name in _SHOWN or name in changed or not is_default(job, name):
            values[name] = str(value) if isinstance(value, list) else value
    if job.recipe.dataset == OWN_DATA:
        values["dataset"] = job.examples.description
    return values


def _experiment(
    values: Mapping[str, Any], metrics: Mapping[str, float], differing: Collection[str]
) -> Any:
    """Return the summary of which columns there are.

    TensorBoard puts hyperparameters first that are said to differ, and ticks the first ones.
    """
    from tensorboard.plugins.hparams import api_pb2, summary

    columns = [
        api_pb2.HParamInfo(name=name, type=_data_type(value), differs=name in differing)
        for name, value in values.items()
    ]
    results = [
        api_pb2.MetricInfo(
            name=api_pb2.MetricName(tag=f"{RESULT}/{name}"),
            display_name=name,
            dataset_type=api_pb2.DATASET_VALIDATION,
        )
        for name in metrics
    ]
    return summary.experiment_pb(columns, results)


def _data_type(value: Any) -> int:
    from tensorboard.plugins.hparams import api_pb2

    if isinstance(value, bool):
        return api_pb2.DATA_TYPE_BOOL
    is_number = isinstance(value, (int, float))
    return api_pb2.DATA_TYPE_FLOAT64 if is_number else api_pb2.DATA_TYPE_STRING


def _write(summary: Any) -> None:
    tf.summary.experimental.write_raw_pb(summary.SerializeToString(), step=0)


def _trial_id(path: Path) -> str:
    """Return a name of its own for each run, which shows no folder of this machine."""
    digest = hashlib.sha256(str(path.resolve()).encode("utf-8", "surrogateescape")).hexdigest()
    return f"{run_files.run_name(path)} {digest[:6]}"

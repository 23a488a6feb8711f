"""What a training says before its first epoch: where, on what, which model, how many steps."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from keras_fm.backend import gpus
from keras_fm.data.batches import Batches
from keras_fm.data.user.tables import column_reports
from keras_fm.progress import say
from keras_fm.startup import ONEDNN, lacks_onednn
from keras_fm.training import event_files
from keras_fm.training.jobs import TrainingJob

MAX_CLASSES = 10  # that are named


def announce_run(path: Path, job: TrainingJob) -> None:
    """Print the run directory, the data, counts and columns of it, and TensorBoard's command."""
    say(
        f"run directory: {path}",
        f"data: {job.examples.description}",
        f"    {_describe_data(job)}",
        *(f"    {note}" for note in job.notes if note.startswith(column_reports.BEGINNING)),
        f"watch it: {shlex.join(['tensorboard', '--logdir', str(path)])}"
        if event_files.can_write()
        else f"no logs for TensorBoard: {event_files.MISSING}",
        *_describe_onednn(),
    )


def announce_stage(
    model: keras.Model, job: TrainingJob, batches: Batches, initial_epoch: int = 0
) -> None:
    """Print the model and its size, batches and epochs, and what of them was fitted to the data.

    Args:
        model: The model, as it is trained.
        job: The training.
        batches: Of the examples.
        initial_epoch: The epochs that an interrupted training had.
    """
    recipe = job.recipe
    num_trained = sum(int(keras.ops.size(weight)) for weight in model.trainable_weights)
    epochs = f"{recipe.epochs} epochs"
    if 0 < recipe.patience < recipe.epochs and job.validation is not None:
        epochs += f" at most, until {recipe.patience} in a row have no lower val_loss"
    lines = [
        f"model: {job.spec.name}, {model.count_params():,} parameters, {num_trained:,} of them "
        "trained",
        f"batch size {batches.batch_size}, {_count(len(batches), 'step')} an epoch, {epochs}",
        _describe_fitted(job),
        _describe_left_out(batches),
        f"resumes after epoch {initial_epoch}" if initial_epoch else "",
    ]
    say(*filter(None, lines))


def _describe_onednn() -> list[str]:
    """Return a line where TensorFlow was imported before the training, as by `keras_fm.get`."""
    if keras.backend.backend() != "tensorflow" or gpus() or not lacks_onednn():
        return []
    return [
        f"TensorFlow runs without oneDNN: trainings on this CPU are up to 2.6 times as fast with "
        f"{ONEDNN}=1, set before Python starts"
    ]


def _describe_data(job: TrainingJob) -> str:
    num_validation = 0 if job.validation is None else len(job.validation)
    text = f"{len(job.examples):,} examples to train on, {num_validation:,} to validate on"
    if job.validation is job.examples:
        text = (
            f"{len(job.examples):,} examples in {job.spec.folds} folds: each member of the "
            "ensemble leaves one out, which validates it"
        )
    labels = job.spec.labels
    if labels:
        names = ", ".join(labels[:MAX_CLASSES]) + ", ..." * (len(labels) > MAX_CLASSES)
        text += f"; {len(labels):,} classes: {names}"
    elif job.spec.target is not None:
        text += f"; target: {job.spec.target.name}"
    return text


def _describe_fitted(job: TrainingJob) -> str:
    fitted: Mapping[str, tuple[Any, Any]] = job.fitted
    if not fitted:
        return ""
    changes = ", ".join(
        f"{name} {_number(after)} (the recipe's is {_number(before)})"
        for name, (before, after) in fitted.items()
    )
    held_out = None if job.validation is job.examples else job.validation
    count = len(job.examples) + (0 if held_out is None else len(held_out))
    return f"fitted to {count:,} examples, so that an epoch has several steps: {changes}"


def _describe_left_out(batches: Batches) -> str:
    if not batches.num_left_out:
        return ""
    reason = (
        "the recipe has drop_remainder=true"
        if batches.allows_short_batch
        else "this training needs full batches"
    )
    return (
        f"{batches.num_left_out:,} of {batches.num_examples:,} {batches.unit} do not fill a batch "
        f"and are left out of a pass, others each time: {reason}"
    )


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else f"{value}"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' * (number != 1)}"

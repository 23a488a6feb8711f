"""How a training ended: why, with which weights, and how it did on each class."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_fm.evaluation.class_report import class_report
from keras_fm.models.precision import resolve_precision
from keras_fm.training.cross_validation import MemberEarlyStopping
from keras_fm.training.early_stopping import EarlyStopping
from keras_fm.training.jobs import TrainingJob


def describe_ending(job: TrainingJob, num_epochs: int, early_stopping: Sequence[Any]) -> str:
    """Return why a training ended after so many epochs, and which weights it has.

    Args:
        job: The training.
        num_epochs: Those that were run.
        early_stopping: The callback, if there was one.
    """
    total = job.recipe.epochs
    stopping: Any = next(iter(early_stopping), None)
    if stopping is not None and stopping.has_stopped:
        loss = "no lower val_loss" + " of any member" * bool(job.spec.folds)
        reason = (
            f"early stopping after epoch {num_epochs} of {total}: {stopping.patience} in a row had "
            f"{loss}"
        )
    elif num_epochs < total:
        reason = f"stopped by a callback after epoch {num_epochs} of {total}"
    else:
        reason = f"all {total} epochs were run" if total > 1 else "the one epoch was run"
    return f"{reason}; {_describe_weights(stopping, job.recipe.ema_momentum)}"


def describe_loss(job: TrainingJob) -> str:
    """Return what is different between `val_loss` of the epochs and the metrics of the result."""
    if job.validation is None:
        return ""
    sentences = [job.task.objective.describe_loss(job.recipe)]
    if job.spec.folds:
        sentences.append(
            "val_loss is the mean of the members' losses, each on the fold that it left out"
        )
    if resolve_precision(job.recipe.precision) == "bfloat16":
        sentences.append("val_loss was computed in bfloat16, the metrics above in float32")
    return "; ".join(filter(None, sentences))


def classes_of(job: TrainingJob, outputs: Any) -> dict[str, dict[str, float]]:
    """Return precision, recall and F1 of each class, from the outputs of the validation examples.

    Empty where the model is no classifier, or no example validates.
    """
    if job.validation is None or outputs is None or not job.spec.labels:
        return {}
    return class_report(job.spec.labels, job.validation.targets, np.asarray(outputs).argmax(-1))


def _describe_weights(
    stopping: EarlyStopping | MemberEarlyStopping | None, ema_momentum: float
) -> str:
    if stopping is None:
        average = f"the moving averages (ema_momentum {ema_momentum:g}) at the end"
        return f"the weights are {average if ema_momentum else 'those'} of the last epoch"
    if isinstance(stopping, MemberEarlyStopping):
        epochs = stopping.best_epochs
        return (
            f"each member has the weights of its lowest loss, of epochs {epochs.min()} to "
            f"{epochs.max()}" + "; 0 is the linear model" * (not epochs.min())
        )
    if not stopping.best_epoch:
        return "the weights are the initial ones: no epoch had a lower val_loss"
    return (
        f"the weights are those of epoch {stopping.best_epoch}, with the lowest val_loss, "
        f"{stopping.best_loss:.4f}"
    )

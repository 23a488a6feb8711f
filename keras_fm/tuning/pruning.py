"""The callback that tells a study the losses of a training, and stops one that falls behind."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_fm.models import run_files
from keras_fm.training.early_stopping import LOSS
from keras_fm.training.fine_tuning_options import HEAD_STAGE
from keras_fm.training.recipe_overrides import PRETRAINING

# Fields by which a loss is measured otherwise: those of two trials can't be compared.
_OF_LOSS = ("label_smoothing", "distillation_weight", "distillation_temperature", "r1_gamma")


def monitored_value(fields: Sequence[str], metric: str) -> str:
    """Return by what of an epoch trials are compared: the validation loss, where that means it.

    Args:
        fields: Those that differ from trial to trial.
        metric: Of the search.
    """
    return f"val_{metric}" if any(name.split(".")[-1] in _OF_LOSS for name in fields) else LOSS


class Pruning(keras.callbacks.Callback):
    """Stops a training whose validation loss is worse than the median of the trials before it.

    What is compared are losses after the same part of a training: the schedules of two with
    different numbers of epochs are as far then. The run ends as any other, and is evaluated.

    Args:
        trial: Of Optuna.
        monitored: What of the logs is compared.
        sign: -1 where the study's order of values is the opposite.
        run_dir: Of the training.
    """

    def __init__(self, trial: Any, monitored: str, sign: int, run_dir: Path) -> None:
        super().__init__()
        self.trial = trial
        self.monitored = monitored
        self.sign = sign
        self.run_dir = run_dir
        self.is_main_stage = True
        self.reason = ""  # why the training was stopped

    def on_train_begin(self, logs: Mapping[str, float] | None = None) -> None:
        """Look whether it is the last one of several trainings: the others have other losses."""
        stages = [self.run_dir / stage for stage in (HEAD_STAGE, PRETRAINING)]
        self.is_main_stage = all(map(run_files.is_complete, filter(run_files.is_run, stages)))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Report the loss, and stop where it is behind; the last epoch has nothing to stop."""
        value = (logs or {}).get(self.monitored)
        if value is None or not self.is_main_stage:
            return
        epochs = self.params["epochs"]
        percent = round(100 * (epoch + 1) / epochs)
        self.trial.report(self.sign * float(value), percent)
        if epoch + 1 < epochs and self.trial.should_prune():
            self.reason = (
                f"pruned after epoch {epoch + 1} of {epochs}: its {self.monitored}, "
                f"{float(value):.4g}, is worse than the median of the trials before it"
            )
            self.model.stop_training = True

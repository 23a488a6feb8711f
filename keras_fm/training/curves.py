"""The curves of a training in TensorBoard, over its steps."""

import time
from collections.abc import Mapping
from typing import Any

import keras
from keras import ops

from keras_fm.data.batches import Batches
from keras_fm.training.event_files import (
    LOSS,
    METRICS,
    OPTIMIZER,
    SPEED,
    TRAIN,
    VALIDATION,
    EventWriters,
    write_scalars,
)

MAX_POINTS = 250  # of a curve of the training
_VALIDATION_PREFIX = "val_"


class Curves(keras.callbacks.Callback):
    """Writes losses, throughput, learning rate and gradient norm, and metrics after each epoch.

    Keras' `TensorBoard` has other names for the same in training and validation, and a point an
    epoch or, with `update_freq`, means since the beginning of the epoch. Here a point of a loss is
    the mean over the steps since the point before, and training and validation share a plot.

    Args:
        writers: Of the run.
        batches: Of the training.
        unit: What a batch has several of, such as `images`.
    """

    def __init__(self, writers: EventWriters, batches: Batches, unit: str) -> None:
        super().__init__()
        self.writers = writers
        self.batches = batches
        self.steps_per_epoch = len(batches)
        self.num_steps = self.steps_per_epoch * batches.recipe.epochs
        self.steps_per_point = -(-self.num_steps // MAX_POINTS)
        self.speed_tag = f"{SPEED}/{unit}_per_second"
        self._schedules: dict[str, Any] = {}  # None of a rate that is constant
        self._start_window()

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Start the clock; Keras' means start again."""
        self.epoch_start = epoch * self.steps_per_epoch
        self.epoch_sums: dict[str, float] = {}
        self.clock = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        """Add the step; write a point after each `steps_per_point`."""
        now = time.perf_counter()  # the validation that may follow does not count
        self.seconds += now - self.clock
        self.clock = now
        self.num_examples += self._batch_size(batch)
        if self._batch_size(batch) == self.batches.batch_size:
            self._add_losses(batch, logs or {})
        step = self.epoch_start + batch + 1
        if step % self.steps_per_point == 0 or step == self.num_steps:
            self._write_point(step)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write the metrics, and what validates."""
        step = (epoch + 1) * self.steps_per_epoch
        points = epoch_points(logs or {})
        # They have more points.
        points[TRAIN] = {
            tag: value
            for tag, value in points[TRAIN].items()
            if tag.startswith(METRICS) and tag != f"{METRICS}/learning_rate"
        }
        if keras.backend.backend() != "tensorflow":
            points[TRAIN] |= self._optimizer_points()
        for folder, values in points.items():
            if values:
                write_scalars(self.writers[folder], step, values)
        self.writers.flush()

    def on_train_end(self, logs: dict[str, Any] | None = None) -> None:
        """Close the files."""
        self.writers.close()

    def _start_window(self) -> None:
        self.seconds = 0.0
        self.num_examples = 0
        self.loss_sums: dict[str, float] = {}
        self.num_losses = 0

    def _batch_size(self, batch: int) -> int:
        """Return the examples of a step; the last one of a pass can have fewer."""
        rest = self.batches.examples_per_epoch - batch * self.batches.batch_size
        return min(rest, self.batches.batch_size)

    def _add_losses(self, batch: int, logs: dict[str, Any]) -> None:
        """Take the losses of a step out of Keras' means over the steps of the epoch."""
        self.num_losses += 1
        for name in filter(_is_loss, logs):
            epoch_sum = (batch + 1) * float(logs[name])
            loss = epoch_sum - self.epoch_sums.get(name, 0.0)
            self.epoch_sums[name] = epoch_sum
            self.loss_sums[name] = self.loss_sums.get(name, 0.0) + loss

    def _write_point(self, step: int) -> None:
        values = {
            f"{LOSS}/{name}": loss_sum / self.num_losses
            for name, loss_sum in self.loss_sums.items()
        }
        values[self.speed_tag] = self.num_examples / self.seconds
        if keras.backend.backend() == "tensorflow":
            values |= self._optimizer_points()  # JAX has no variables to read during an epoch
        write_scalars(self.writers[TRAIN], step, values)
        self._start_window()

    def _optimizer_points(self) -> dict[str, float]:
        """Return the learning rate and the norm of the last gradient, of each optimizer."""
        points: dict[str, float] = {}
        for prefix in ("", "discriminator_"):
            optimizer = getattr(self.model, f"{prefix}optimizer", None)
            if optimizer is None:
                continue
            points[f"{OPTIMIZER}/{prefix}learning_rate"] = self._learning_rate(prefix, optimizer)
            norm = getattr(optimizer, "gradient_norm", None)
            if norm is not None:
                points[f"{OPTIMIZER}/{prefix}gradient_norm"] = float(ops.convert_to_numpy(norm))
        return points

    def _learning_rate(self, prefix: str, optimizer: keras.optimizers.Optimizer) -> float:
        """Return the rate of the next step; of a schedule without Keras' operations, if it can."""
        if prefix not in self._schedules:
            config = optimizer.get_config().get("learning_rate")
            is_schedule = isinstance(config, dict)
            self._schedules[prefix] = (
                keras.optimizers.schedules.deserialize(config) if is_schedule else None
            )
        schedule = self._schedules[prefix]
        iterations = int(ops.convert_to_numpy(optimizer.iterations))
        rate = optimizer.learning_rate if schedule is None else schedule(iterations)
        return float(ops.convert_to_numpy(rate))


def epoch_points(logs: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Return the metrics of an epoch by tag, for each folder.

    Args:
        logs: The metrics as Keras names them, those of the validation with `val_` in front.
    """
    points: dict[str, dict[str, float]] = {TRAIN: {}, VALIDATION: {}}
    for name, value in logs.items():
        metric = name.removeprefix(_VALIDATION_PREFIX)
        folder = TRAIN if metric == name else VALIDATION
        group = LOSS if _is_loss(metric) else METRICS
        points[folder][f"{group}/{metric}"] = float(value)
    return points


def _is_loss(name: str) -> bool:
    return name == "loss" or name.endswith("_loss")

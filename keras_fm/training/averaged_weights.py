"""The exponential moving average of the weights: what is validated, kept best and trained."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_fm.data.batches import Batches, set_epoch

_NUM_EXAMPLES = 8192  # of the statistics: their error is below 2 % of a standard deviation


class AveragedWeights(keras.callbacks.Callback):
    """Puts the averages, which the optimizer keeps, into the model from its validation on.

    The callbacks behind it see them at an epoch's end, and the training ends with them. The moving
    statistics of batch normalization are those of the last weights, so they are recomputed for
    the averaged ones, on the first batches of the epoch (Izmailov et al. 2018, "Averaging Weights
    Leads to Wider Optima and Better Generalization", arXiv:1803.05407, section 3.4).

    Keras' `SwapEMAWeights` leaves the statistics as they are, and on TensorFlow it swaps by adding
    and subtracting, which rounds the weights: the training would depend on how often it validates.

    Args:
        batches: Of the training.
    """

    def __init__(self, batches: Batches) -> None:
        super().__init__()
        self.batches = batches
        self._statistics: list[Any] | None = None  # of the last weights, while the averages are in

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Put the averages in before the validation."""
        self._put_in()

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Put the averages in where no example validates."""
        self._put_in()

    def take_out(self) -> None:
        """Put the last weights in, with which the training continues."""
        if self._statistics is not None:
            self._swap()
            for layer, (mean, variance) in zip(self._layers(), self._statistics, strict=True):
                layer.moving_mean.assign(mean)
                layer.moving_variance.assign(variance)
            self._statistics = None

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Compute the statistics of the averages, which Keras' `fit` has put in for good."""
        self._compute_statistics()

    def _put_in(self) -> None:
        if self._statistics is None:
            self._statistics = [
                (_copy(layer.moving_mean), _copy(layer.moving_variance)) for layer in self._layers()
            ]
            self._swap()
            self._compute_statistics()

    def _swap(self) -> None:
        optimizer = self.model.optimizer
        # Of Keras' `SwapEMAWeights`; there is no public way to the averages.
        pairs = zip(
            optimizer._trainable_variables, optimizer._model_variables_moving_average, strict=True
        )
        for variable, average in pairs:
            value = _copy(variable)
            variable.assign(average)
            average.assign(value)

    def _compute_statistics(self) -> None:
        layers = list(self._layers())
        # None before the first step.
        last_epoch = int(self.model.optimizer.iterations) // len(self.batches) - 1
        if not layers or last_epoch < 0:
            return
        # The same where the training was stopped between its last epoch and its end.
        set_epoch(self.model, self.batches, last_epoch)
        momenta = [layer.momentum for layer in layers]
        count = min(len(self.batches), -(-_NUM_EXAMPLES // self.batches.batch_size))
        for step in range(count):
            for layer in layers:
                layer.momentum = step / (step + 1)  # so the moving statistics are the plain mean
            inputs, _ = self.batches[step]
            self.model(keras.tree.map_structure(ops.convert_to_tensor, inputs), training=True)
        for layer, momentum in zip(layers, momenta, strict=True):
            layer.momentum = momentum

    def _layers(self) -> Iterator[keras.layers.BatchNormalization]:
        """Yield the batch normalization that is trained, in the order of the layers."""
        for layer in self.model._flatten_layers(include_self=False):
            if isinstance(layer, keras.layers.BatchNormalization) and layer.trainable:
                yield layer


def _copy(variable: Any) -> np.ndarray:
    return np.array(ops.convert_to_numpy(variable))


class LastWeights(keras.callbacks.Callback):
    """Puts the last weights back, before the checkpoint: a training resumes from them.

    Args:
        averaged: Has put the averages in.
    """

    def __init__(self, averaged: AveragedWeights) -> None:
        super().__init__()
        self.averaged = averaged

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Put the last weights in."""
        self.averaged.take_out()

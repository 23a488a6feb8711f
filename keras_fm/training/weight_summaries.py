"""Histograms of weights and sizes of activations in TensorBoard, with `histograms=True`."""

from typing import Any

import keras
from keras import ops

from keras_fm.lazy_imports import tf
from keras_fm.training.event_files import ACTIVATIONS, TRAIN, WEIGHTS, EventWriters, write_scalars
from keras_fm.training.jobs import TrainingJob


class WeightSummaries(keras.callbacks.Callback):
    """Writes a histogram of each weight, and the size of each layer's outputs, after each epoch.

    Keras' `TensorBoard` callback has the histograms, under names of their own, and writes every
    curve a second time. The size is the root mean square of what a layer returns for the same
    inputs each time: those of a validation batch, or a training batch where nothing validates. A
    generator, whose inputs are no examples, has histograms alone.

    Args:
        writers: Of the run.
        steps_per_epoch: Of the training.
        job: The training.
        model: The model in training; Keras' own `model` may be a trainer that contains it.
    """

    def __init__(
        self, writers: EventWriters, steps_per_epoch: int, job: TrainingJob, model: keras.Model
    ) -> None:
        super().__init__()
        self.writers = writers
        self.steps_per_epoch = steps_per_epoch
        self.job = job
        self.trained_model = model

    def on_train_begin(self, logs: dict[str, Any] | None = None) -> None:
        """Load the inputs whose activations are measured."""
        self.inputs = None
        if self.job.task.objective.evaluator_name is None:
            examples = self.job.examples if self.job.validation is None else self.job.validation
            dataset: Any = self.job.task.data.validation_dataset(examples)
            self.inputs, *_ = next(iter(dataset))

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        """Write histograms and sizes."""
        step = (epoch + 1) * self.steps_per_epoch
        with self.writers[TRAIN].as_default(step=step):
            for weight in self.trained_model.weights:
                values = ops.convert_to_numpy(ops.cast(weight, "float32"))
                tf.summary.histogram(f"{WEIGHTS}/{weight.path}", values)
        if self.inputs is not None:
            sizes = activation_sizes(self.trained_model, self.inputs)
            points = {f"{ACTIVATIONS}/{name}": value for name, value in sizes.items()}
            write_scalars(self.writers[TRAIN], step, points)
        self.writers.flush()


def activation_sizes(model: keras.Model, inputs: Any) -> dict[str, float]:
    """Return the root mean square of the outputs of each layer, by its name.

    Layers with several outputs, or with integers, are left out.

    Args:
        model: Of the functional API.
        inputs: A batch.
    """
    outputs = {}
    for layer in model.layers:
        is_input = isinstance(layer, keras.layers.InputLayer)
        if not is_input and "float" in getattr(layer.output, "dtype", ""):
            outputs[layer.name] = layer.output
    values = keras.Model(model.input, outputs)(inputs, training=False)
    return {
        name: float(ops.sqrt(ops.mean(ops.square(ops.cast(value, "float32")))))
        for name, value in values.items()
    }

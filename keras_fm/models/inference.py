"""Inference by one graph for each model, whatever the sizes of batches, texts and images are.

Keras traces a model's predictions again for other sizes, and TensorFlow counts the traces of all
models together: a few models in one process are enough for its warning of retracing. One concrete
function for inputs of any size is traced once, and called directly in a fraction of the time.
"""

import threading
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_fm.data.examples import take_rows
from keras_fm.interrupts import interruptible
from keras_fm.progress import DelayedBar, track

_TRACING = threading.RLock()
# Of `fit` and `evaluate`, whose one trace TensorFlow counts for all models together: it warns of
# the fifth short training in a process.
TRACE_COUNT = "multi_step_on_iterator.* triggered tf.function retracing"


class SingleTraceModel(keras.Model):
    """A functional model that TensorFlow traces once for all predictions."""

    predict_function: Any

    def make_predict_function(self, force: bool = False) -> Any:
        """Make what `predict` and `predict_on_batch` call with `[(inputs,)]`."""
        if self.predict_function is not None and not force:
            return self.predict_function
        super().make_predict_function(force)
        of_keras = self.predict_function

        def predict_function(data: Any) -> Any:
            graph = _graph_of(self)
            batch, *_ = keras.utils.unpack_x_y_sample_weight(data[0])
            inputs = None if graph is None else graph.fit(batch)
            return of_keras(data) if graph is None or inputs is None else graph(inputs)

        if _can_be_traced_once(self):
            self.predict_function = predict_function
        return self.predict_function


def predict(
    model: keras.Model, inputs: Any, batch_size: int, title: str = "predictions"
) -> np.ndarray:
    """Return a model's outputs for inputs as it takes them, float32 `[examples, ...]`.

    Args:
        model: With one output.
        inputs: An array, or a dict of them by the names of the inputs.
        batch_size: How many examples are computed at once.
        title: Of the bar, where it takes longer than a moment.
    """
    graph = _graph_of(model)
    if graph is None or graph.fit(take_rows(inputs, slice(1))) is None:
        bar = DelayedBar(title)
        with interruptible() as interrupt:
            outputs = model.predict(
                inputs, batch_size=batch_size, verbose=0, callbacks=[interrupt, bar]
            )
        return np.asarray(outputs, np.float32)
    num_examples = len(keras.tree.flatten(inputs)[0])
    batches = [slice(start, start + batch_size) for start in range(0, num_examples, batch_size)]
    outputs = [
        graph(graph.fit(take_rows(inputs, batch))).numpy() for batch in track(batches, title)
    ]
    return np.concatenate(outputs).astype(np.float32, copy=False)


class _Graph:
    """The outputs of a model in inference, as one concrete function for inputs of any size."""

    def __init__(self, model: keras.Model) -> None:
        import tensorflow as tf

        self.variables = _variable_ids(model)
        self.specs = keras.tree.map_structure(
            lambda tensor: tf.TensorSpec(tensor.shape, tensor.dtype), model.input
        )
        function = tf.function(
            lambda inputs: model(inputs, training=False),
            autograph=False,
            jit_compile=bool(model.jit_compile),
        )
        self._function: Callable[..., Any] = function.get_concrete_function(self.specs)

    def fit(self, inputs: Any) -> Any | None:
        """Return inputs as tensors of the dtypes of the model's; None: Keras has to convert."""
        import tensorflow as tf

        try:
            keras.tree.assert_same_structure(self.specs, inputs)
        except (ValueError, TypeError):
            return None
        pairs = zip(keras.tree.flatten(self.specs), keras.tree.flatten(inputs), strict=True)
        if not all(spec.shape.is_compatible_with(value.shape) for spec, value in pairs):
            return None
        return keras.tree.map_structure(
            lambda spec, value: tf.cast(value, spec.dtype), self.specs, inputs
        )

    def __call__(self, inputs: Any) -> Any:
        """Return the outputs."""
        return self._function(inputs)


def _graph_of(model: keras.Model) -> _Graph | None:
    """Return the model's graph, traced at the first call; None where Keras has to predict."""
    if not isinstance(model, SingleTraceModel) or not _can_be_traced_once(model):
        return None
    with _TRACING:
        graph = model.__dict__.get("_keras_fm_graph")
        # Others since adapters were added, or the model was quantized.
        if graph is None or graph.variables != _variable_ids(model):
            graph = _Graph(model)
            # Not by Keras' `__setattr__`, which would take it for a part of the model.
            object.__setattr__(model, "_keras_fm_graph", graph)
    return graph


def _can_be_traced_once(model: keras.Model) -> bool:
    return (
        keras.backend.backend() == "tensorflow"
        and not model.run_eagerly
        and model.distribute_strategy.num_replicas_in_sync == 1
    )


def _variable_ids(model: keras.Model) -> list[int]:
    return [id(variable) for variable in model.variables]

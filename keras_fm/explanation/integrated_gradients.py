"""Integrated gradients: the gradients on the way from a baseline to an input, summed up.

Source: Sundararajan, Taly and Yan 2017, "Axiomatic Attribution for Deep Networks"
(arXiv:1703.01365).
"""

from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np

from keras_fm.backend import need_tensorflow
from keras_fm.explanation.decomposition import Decomposition
from keras_fm.explanation.feature_encoding import FeatureEncoding
from keras_fm.explanation.path_integral import integrate
from keras_fm.tasks.base import ExplainablePredictor, ExplainedInput

Arrays = Sequence[np.ndarray]


class IntegratedGradients:
    """Attributes the predictions of one model.

    Of images the path is through pixels; of texts through token embeddings, and of tables through
    the encodings of columns, so that categories, dates and missing cells count as well.

    Args:
        model: The model.
        predictor: Of its task.

    Raises:
        KerasFmError: Keras runs on another backend than TensorFlow and JAX.
    """

    def __init__(self, model: keras.Model, predictor: ExplainablePredictor) -> None:
        need_tensorflow(
            "integrated gradients are computed by", '; or take method="occlusion"', or_jax=True
        )
        self.model = model
        self.predictor = predictor
        self._encoding: FeatureEncoding | None = None

    def __call__(self, explained: ExplainedInput) -> tuple[np.ndarray, Decomposition]:
        """Return the model's output `[1, ...]`, and how its score is made up.

        The contributions are those of the features `[features]`, or of an image `[rows, columns]`.
        """
        output = self.predictor.predict(self.model, explained.inputs)
        rest, start, changes, held = self._path(explained)
        shares = self._column_changes(explained) if isinstance(explained.inputs, dict) else None

        def evaluate(positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            points = [
                first + _along(positions, first.ndim) * change
                for first, change in zip(start, changes, strict=True)
            ]
            points = [point.astype("float32") for point in points]
            more = [np.repeat(array, len(positions), axis=0) for array in held]
            outputs, gradients = _gradients(
                rest, points, more, lambda x: self.predictor.target_gradients(x, output[0])
            )
            scores = self.predictor.target_scores(outputs, output[0])
            if shares is not None:
                return scores, _column_slopes(gradients, shares)
            [gradient], [change] = gradients, changes
            return scores, (gradient.astype("float64") * change).sum(axis=-1)

        return output, integrate(evaluate)

    def _path(self, explained: ExplainedInput) -> tuple[Any, Arrays, Arrays, Arrays]:
        """Return what follows the path, where it starts, where it leads, and inputs that stay."""
        assert explained.baseline is not None, "a path begins somewhere"
        baseline = explained.baseline()
        if explained.image is not None:
            return self.model, [baseline], [explained.inputs - baseline], []
        encoding = self.encoding
        start, end = encoding.encode(baseline), encoding.encode(explained.inputs)
        changes = [np.subtract(*pair, dtype="float64") for pair in zip(end, start, strict=True)]
        return encoding.rest, start, changes, encoding.held(explained.inputs)

    def _column_changes(self, explained: ExplainedInput) -> Arrays:
        """Return by how much each column alone changes the encodings, `[columns, ...]` each."""
        without = self.encoding.encode(explained.occlusions())
        complete = self.encoding.encode(explained.inputs)
        return [np.subtract(*pair, dtype="float64") for pair in zip(complete, without, strict=True)]

    @property
    def encoding(self) -> FeatureEncoding:
        """The model, cut behind the encoding of its features."""
        if self._encoding is None:
            self._encoding = FeatureEncoding(self.model)
        return self._encoding


def _along(positions: np.ndarray, rank: int) -> np.ndarray:
    return positions.reshape(-1, *[1] * (rank - 1))


def _column_slopes(gradients: Arrays, shares: Arrays) -> np.ndarray:
    """Return what each column contributes to the slope, `[positions, columns]`."""
    slopes = [
        gradient.reshape(len(gradient), -1).astype("float64") @ share.reshape(len(share), -1).T
        for gradient, share in zip(gradients, shares, strict=True)
    ]
    return np.sum(slopes, axis=0)


def _gradients(
    model: keras.Model,
    points: Arrays,
    held: Arrays,
    output_gradients: Callable[[np.ndarray], np.ndarray],
) -> tuple[np.ndarray, Arrays]:
    """Return a model's outputs, and the gradients of a score with respect to `points`.

    Args:
        model: Of the points, and of `held`.
        points: `[batch, ...]` each.
        held: Inputs that stay.
        output_gradients: From the outputs to the gradients of the score with respect to them.
    """

    def call(tensors: Sequence[Any]) -> Any:
        inputs = [*tensors, *map(keras.ops.convert_to_tensor, held)]
        return model(inputs if len(inputs) > 1 else inputs[0], training=False)

    if keras.backend.backend() == "jax":
        import jax

        tensors = [jax.numpy.asarray(point) for point in points]
        outputs, pull_back = jax.vjp(call, tensors)
        weights = output_gradients(np.asarray(outputs, "float32"))
        [gradients] = pull_back(jax.numpy.asarray(weights, outputs.dtype))
    else:
        import tensorflow as tf

        tensors = [tf.constant(point) for point in points]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            outputs = call(tensors)
        weights = output_gradients(outputs.numpy().astype("float32"))
        gradients = tape.gradient(
            outputs,
            tensors,
            output_gradients=tf.constant(weights, outputs.dtype),
            unconnected_gradients="zero",
        )
    return np.asarray(outputs, "float32"), [np.asarray(gradient) for gradient in gradients]

"""Layers of models of texts: numbers of words `[batch, length]`, 0 for padding behind the text."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_fm")
class ReverseTexts(keras.layers.Layer):
    """Each text backwards; its padding stays behind it.

    So a layer that reads forwards reads the text backwards, and needs no mask to begin at its end.

    Inputs: vectors `[batch, length, width]`, and numbers of words `[batch, length]`, 0 for padding.
    Output: vectors of the same shape.
    """

    def call(self, inputs: Any) -> Any:
        """Reverses."""
        vectors, numbers = inputs
        batch, steps = ops.shape(numbers)
        length = ops.sum(ops.cast(numbers != 0, "int32"), axis=1, keepdims=True)
        place = ops.arange(steps, dtype="int32")[None]
        place = ops.where(place < length, length - 1 - place, place)
        # Whole rows of one matrix: their gradient is much quicker than that of a place each.
        rows = ops.reshape(vectors, (-1, vectors.shape[-1]))
        return ops.take(rows, ops.arange(batch, dtype="int32")[:, None] * steps + place, axis=0)


@keras.saving.register_keras_serializable("keras_fm")
class MaxOverText(keras.layers.Layer):
    """The largest value of each feature over the words of a text.

    Inputs: features `[batch, length, width]` from -1 to 1, as an LSTM answers, and numbers of words
    `[batch, length]`, 0 for padding, which does not count. Output: `[batch, width]`.
    """

    def call(self, inputs: Any) -> Any:
        """Takes the largest."""
        features, numbers = inputs
        # Not [..., None], which LiteRT does not have for floats.
        padding = ops.expand_dims(ops.cast(numbers == 0, features.dtype), -1)
        return ops.max(features - 4 * padding, axis=1)


@keras.saving.register_keras_serializable("keras_fm")
class MeanOverText(keras.layers.Layer):
    """The mean of each feature over the words of a text; zeros for a text without words.

    Inputs: features `[batch, length, width]` and numbers of words `[batch, length]`, 0 for padding,
    which does not count. Output: `[batch, width]`.
    """

    def call(self, inputs: Any) -> Any:
        """Averages."""
        features, numbers = inputs
        # Not [..., None], which LiteRT does not have for floats.
        words = ops.expand_dims(ops.cast(numbers != 0, features.dtype), -1)
        count = ops.maximum(ops.sum(ops.cast(words, "float32"), axis=1), 1)
        total = ops.sum(ops.cast(features * words, "float32"), axis=1)
        return ops.cast(total / count, features.dtype)

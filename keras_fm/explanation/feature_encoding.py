"""The two parts of a model: what encodes each feature by itself, and all that follows.

Token IDs, categories, dates and missing numbers have no values between them, their encodings do.
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers

from keras_fm.layers import ImputeMissing, PiecewiseLinearEncoding, SmoothClip

# What encodes each token or each column alone, whatever the others are.
_ENCODERS = (
    layers.CategoryEncoding,
    layers.Concatenate,
    layers.Embedding,
    layers.Flatten,
    layers.Identity,
    layers.Normalization,
    layers.Rescaling,
    layers.Reshape,
    layers.UnitNormalization,
    ImputeMissing,
    PiecewiseLinearEncoding,
    SmoothClip,
)


class FeatureEncoding:
    """A model of texts or tables, cut behind the encoding of its features.

    Args:
        model: A functional model.

    Attributes:
        encoder: From the model's inputs to a list of encodings, float32 `[batch, ...]`.
        rest: From the encodings, and the inputs that it reads besides, to the model's output.
    """

    def __init__(self, model: keras.Model) -> None:
        inputs = keras.tree.flatten(model.input)
        encodings, self._held = _cut(model, inputs)
        self.encoder = keras.Model(model.input, encodings)
        self.rest = keras.Model(
            [*encodings, *(inputs[index] for index in self._held)], model.output
        )

    def encode(self, inputs: Any) -> list[np.ndarray]:
        """Return the encodings of inputs as the model takes them."""
        outputs = self.encoder(inputs, training=False)
        return [keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(outputs)]

    def held(self, inputs: Any) -> list[np.ndarray]:
        """Return those inputs that `rest` reads besides."""
        values = keras.tree.flatten(inputs)
        return [np.asarray(values[index]) for index in self._held]


def _cut(model: keras.Model, inputs: Sequence[Any]) -> tuple[list[Any], list[int]]:
    """Return the encodings that are not encoded further, and which inputs are read besides."""
    encoded = {id(tensor) for tensor in inputs}
    read: dict[int, Any] = {}
    for operation in model.operations:
        sources = keras.tree.flatten(operation.input)
        if isinstance(operation, layers.InputLayer):
            continue
        is_encoder = isinstance(operation, _ENCODERS)
        if is_encoder and all(id(tensor) in encoded for tensor in sources):
            encoded |= {id(tensor) for tensor in keras.tree.flatten(operation.output)}
            continue
        read |= {id(tensor): tensor for tensor in sources if id(tensor) in encoded}
    is_number = {id(x): keras.backend.is_float_dtype(x.dtype) for x in read.values()}
    encodings = [tensor for tensor in read.values() if is_number[id(tensor)]]
    held = [index for index, tensor in enumerate(inputs) if is_number.get(id(tensor)) is False]
    return encodings, held

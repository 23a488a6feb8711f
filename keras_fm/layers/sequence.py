"""Layers for padded sequences: features `[batch, length, width]` with token ids `[batch, length]`.

The id 0 is padding behind the sequence. The layers read the ids instead of a Keras mask, for with a
mask an LSTM is slower.
"""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_fm")
class ReverseSequence(keras.layers.Layer):
    """Reversal of each sequence; its padding stays behind it.

    A layer that reads the output forwards reads the sequence backwards, and needs no mask to begin
    at the end of the sequence.

    Inputs: features `[batch, length, width]`, and token ids `[batch, length]`, 0 for padding.
    Output: features of the same shape.
    """

    # Not another name than `kwargs`: Keras' own `get_config` then leaves out the layer's name.
    def __init__(self, **kwargs: Any) -> None:
        """Create the layer."""
        super().__init__(**kwargs)
        self.supports_masking = True

    def call(self, inputs: Any) -> Any:
        """Reverse the sequences."""
        features, token_ids = inputs
        batch, steps = ops.shape(token_ids)
        lengths = ops.sum(ops.cast(token_ids != 0, "int32"), axis=1, keepdims=True)
        positions = ops.arange(steps, dtype="int32")[None]
        sources = ops.where(positions < lengths, lengths - 1 - positions, positions)
        # Gathered as rows of a single matrix, whose gradient is much faster than that of a gather
        # with a batch axis.
        rows = ops.reshape(features, (-1, features.shape[-1]))
        return ops.take(rows, ops.arange(batch, dtype="int32")[:, None] * steps + sources, axis=0)

    def compute_mask(self, inputs: Any, mask: Any = None) -> Any:
        """Return the mask of the features: padding stays where it is."""
        return None if mask is None else mask[0]

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Return the shape of the features."""
        return tuple(input_shape[0])


class _MaskedPooling(keras.layers.Layer):
    """The base of the poolings: `[batch, length, width]` and token ids to `[batch, width]`."""

    # Not another name than `kwargs`: Keras' own `get_config` then leaves out the layer's name.
    def __init__(self, **kwargs: Any) -> None:
        """Create the layer."""
        super().__init__(**kwargs)
        self.supports_masking = True

    def compute_mask(self, inputs: Any, mask: Any = None) -> None:
        """Return None: the output has no positions."""
        return

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Return `[batch, width]`."""
        batch, _, width = input_shape[0]
        return (batch, width)


@keras.saving.register_keras_serializable("keras_fm")
class MaskedGlobalMaxPooling1D(_MaskedPooling):
    """The maximum of each feature over the tokens of a sequence.

    For a sequence of padding alone it is less than all features of the sequence.

    Inputs: features `[batch, length, width]`, and token ids `[batch, length]`, 0 for padding, which
    does not count. Output: `[batch, width]`.
    """

    def call(self, inputs: Any) -> Any:
        """Take the maximum."""
        features, token_ids = inputs
        # Not [..., None], which LiteRT does not have for floats.
        padding = ops.expand_dims(ops.cast(token_ids == 0, features.dtype), -1)
        # Lowers padding below all features of the sequence: 4 is enough for those of an LSTM.
        largest = ops.max(ops.abs(features), axis=(1, 2), keepdims=True)
        lowering = ops.maximum(2 * ops.stop_gradient(largest) + 1, 4)
        return ops.max(features - lowering * padding, axis=1)


@keras.saving.register_keras_serializable("keras_fm")
class MaskedGlobalAveragePooling1D(_MaskedPooling):
    """The mean of each feature over the tokens of a sequence; zeros for one of padding alone.

    Inputs: features `[batch, length, width]`, and token ids `[batch, length]`, 0 for padding, which
    does not count. Output: `[batch, width]`.
    """

    def call(self, inputs: Any) -> Any:
        """Take the mean."""
        features, token_ids = inputs
        # Not [..., None], which LiteRT does not have for floats.
        is_token = ops.expand_dims(ops.cast(token_ids != 0, features.dtype), -1)
        dtype = keras.backend.result_type(features.dtype, "float32")
        count = ops.maximum(ops.sum(ops.cast(is_token, dtype), axis=1), 1)
        total = ops.sum(ops.cast(features * is_token, dtype), axis=1)
        return ops.cast(total / count, features.dtype)

"""Attention that sees how far apart two places are."""

from typing import Any

import keras
from keras import ops

BASE = 10_000.0  # RoFormer's: of 64 features a head the slowest pair turns once in 47,000 places


@keras.saving.register_keras_serializable("keras_fm")
class RotaryAttention(keras.layers.MultiHeadAttention):
    """Keras' attention, in which the place of a query and of a key counts by their distance alone.

    Each pair of features of both is turned by an angle that grows with the place, so their product
    depends on the difference of the angles: no weights, no longest text, and what is learned on
    short texts holds at every place of long ones.
    Source: Su et al. 2021, "RoFormer" (arXiv:2104.09864).

    Query and value: `[batch, length, width]`, an even number of features a head.
    """

    def _compute_attention(
        self, query: Any, key: Any, value: Any, *given: Any, **options: Any
    ) -> Any:
        """Keras' place for another attention: query, key, value `[batch, length, heads, size]`."""
        return super()._compute_attention(_turn(query), _turn(key), value, *given, **options)


def _turn(features: Any) -> Any:
    half = features.shape[-1] // 2
    rates = BASE ** (-ops.arange(half, dtype="float32") / half)
    places = ops.arange(ops.shape(features)[1], dtype="float32")
    angles = (places[:, None] * rates)[None, :, None]
    cosines, sines = (ops.cast(turn(angles), features.dtype) for turn in (ops.cos, ops.sin))
    one, other = ops.split(features, 2, axis=-1)
    return ops.concatenate([one * cosines - other * sines, other * cosines + one * sines], axis=-1)

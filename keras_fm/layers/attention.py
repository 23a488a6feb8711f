"""Attention with relative positions."""

from typing import Any

import keras
from keras import ops

# As in RoFormer: of the 32 pairs of a head of 64 features, the slowest has a period of 47,000
# positions.
BASE = 10_000.0


@keras.saving.register_keras_serializable("keras_fm")
class RotaryMultiHeadAttention(keras.layers.MultiHeadAttention):
    """Multi-head attention with rotary position embeddings.

    Each pair of features of queries and keys is rotated by an angle proportional to the position,
    so their product depends on the difference of the positions alone: no weights, no maximum
    length, and what is learned on short sequences holds at every position of long ones.
    Source: Su et al. 2021, "RoFormer" (arXiv:2104.09864).

    Query, value and key: `[batch, length, width]`.

    Args:
        num_heads: The number of attention heads.
        key_dim: The features of a head; even.
        **kwargs: As in `keras.layers.MultiHeadAttention`.
    """

    def __init__(self, num_heads: int, key_dim: int, **kwargs: Any) -> None:
        """Create the layer."""
        super().__init__(num_heads, key_dim, **kwargs)
        if key_dim % 2:
            raise ValueError(f"key_dim must be even, for pairs of features; received {key_dim}")

    def build(self, query_shape: Any, value_shape: Any, key_shape: Any = None) -> None:
        """Create the weights."""
        for shape in (query_shape, value_shape, key_shape or value_shape):
            if len(shape) != 3:
                raise ValueError(
                    f"{self.name}: query, value and key must be [batch, length, width]; received "
                    f"the shape {tuple(shape)}"
                )
        super().build(query_shape, value_shape, key_shape)

    def _compute_attention(
        self, query: Any, key: Any, value: Any, *args: Any, **kwargs: Any
    ) -> Any:
        """Rotate query and key `[batch, length, heads, features]`, then attend as Keras does."""
        return super()._compute_attention(rotate(query), rotate(key), value, *args, **kwargs)


def rotate(features: Any, first_position: int = 0) -> Any:
    """Rotate each pair of features `[batch, length, heads, features]` by its position's angle.

    Args:
        features: Queries or keys.
        first_position: Of the first of them.
    """
    half = features.shape[-1] // 2
    frequencies = BASE ** (-ops.arange(half, dtype="float32") / half)
    positions = ops.arange(ops.shape(features)[1], dtype="float32")
    if first_position:
        positions += first_position
    angles = (positions[:, None] * frequencies)[None, :, None]
    cos, sin = (ops.cast(function(angles), features.dtype) for function in (ops.cos, ops.sin))
    x, y = ops.split(features, 2, axis=-1)
    return ops.concatenate([x * cos - y * sin, y * cos + x * sin], axis=-1)

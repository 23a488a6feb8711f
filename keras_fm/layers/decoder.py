"""The block of a decoder, such as GPT's, that also generates one position at a time."""

from typing import Any

import keras
from keras import layers, ops

from keras_fm.layers.attention import rotate
from keras_fm.layers.normalization import FastLayerNormalization


@keras.saving.register_keras_serializable("keras_fm")
class CausalSelfAttention(layers.Layer):
    """Attention of each position to itself and to those before: `[batch, length, width]`.

    Attention has a sliding window (Beltagy et al. 2020, "Longformer", arXiv:2004.05150): memory
    grows with the length and not with its square, and a cache of that many keys and values is all
    that `step` needs, however long the sequence gets. Positions are rotary embeddings, without
    weights (Su et al. 2021, arXiv:2104.09864). No biases.

    Args:
        num_heads: The number of heads, a divisor of the width; the features of a head are even.
        sliding_window: To how many positions each attends at most, its own among them.
        **kwargs: As in `keras.layers.Layer`.
    """

    def __init__(self, num_heads: int, sliding_window: int, **kwargs: Any) -> None:
        """Create the layer."""
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.sliding_window = sliding_window

    def build(self, input_shape: Any) -> None:
        """Create the weights."""
        width = input_shape[-1]
        if width % (2 * self.num_heads):
            raise ValueError(
                f"{self.name}: expected a width that is a multiple of twice the number of heads, "
                f"{self.num_heads}; received {width}"
            )
        options: dict[str, Any] = {"use_bias": False, "dtype": self.dtype_policy}
        self.query, self.key, self.value = (
            layers.Dense(width, name=name, **options) for name in ("query", "key", "value")
        )
        # Zeros: a block adds nothing at first, so a deep model trains from the first step.
        self.output_dense = layers.Dense(
            width, kernel_initializer="zeros", name="output_dense", **options
        )
        for dense in (self.query, self.key, self.value, self.output_dense):
            dense.build(input_shape)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Attend from all positions at once."""
        query, key, value = (
            self._split(dense(inputs)) for dense in (self.query, self.key, self.value)
        )
        attend = self._attend if training else self._attend_by_blocks
        return self._combine(attend(rotate(query), rotate(key), value))

    def get_initial_state(self, batch_size: Any) -> list[Any]:
        """Return the cache of `step` before the first position.

        These are the last keys and values, `[batch, window, width]` both, the newest at the end,
        and 1 where there is one, `[batch, window]`.
        """
        shape = (batch_size, self.sliding_window)
        width = self.query.units
        keys, values = (ops.zeros((*shape, width), self.compute_dtype) for _ in range(2))
        return [keys, values, ops.zeros(shape, self.compute_dtype)]

    def step(self, inputs: Any, cache: Any) -> tuple[Any, list[Any]]:
        """Attend from the next position `[batch, width]`; return it, and the cache behind it."""
        keys, values, is_filled = cache
        new_values = (self.key(inputs), self.value(inputs), ops.ones_like(is_filled[:, 0]))
        cache = [
            ops.concatenate([old[:, 1:], new[:, None]], axis=1)
            for old, new in zip((keys, values, is_filled), new_values, strict=True)
        ]
        keys, values = (self._split(array) for array in cache[:2])
        # Positions count from the oldest of the cache: only their differences matter.
        query = rotate(self._split(self.query(inputs)[:, None]), self.sliding_window - 1)
        outputs = ops.dot_product_attention(
            query, rotate(keys), values, mask=cache[2][:, None, None] > 0
        )
        return self._combine(outputs)[:, 0], cache

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        config = {"num_heads": self.num_heads, "sliding_window": self.sliding_window}
        return {**super().get_config(), **config}

    def _split(self, features: Any) -> Any:
        """Split `[batch, length, width]` into `[batch, length, heads, width / heads]`."""
        batch, length, width = ops.shape(features)
        return ops.reshape(features, (batch, length, self.num_heads, width // self.num_heads))

    def _combine(self, heads: Any) -> Any:
        """Undo `_split`, and return the outputs of the layer."""
        batch, length = ops.shape(heads)[:2]
        return self.output_dense(ops.reshape(heads, (batch, length, self.query.units)))

    def _attend(self, query: Any, key: Any, value: Any) -> Any:
        """Attend by a matrix of all pairs: fastest where a text is as long as the window."""
        positions = ops.arange(ops.shape(query)[1])
        mask = self._is_visible(positions[:, None] - positions)
        return ops.dot_product_attention(query, key, value, mask=mask[None, None])

    def _attend_by_blocks(self, query: Any, key: Any, value: Any) -> Any:
        """Attend from blocks of the window's length to themselves and to the block before."""
        batch, length, *head_shape = ops.shape(query)
        minimum = min if isinstance(length, int) else ops.minimum
        size = minimum(length, self.sliding_window)
        count = (length + size - 1) // size

        def split(array: Any) -> Any:
            padding = ops.zeros((batch, count * size - length, *head_shape), array.dtype)
            padded = ops.concatenate([array, padding], axis=1)
            return ops.reshape(padded, (batch, count, size, *head_shape))

        def with_block_before(blocks: Any) -> Any:
            before = ops.concatenate([ops.zeros_like(blocks[:, :1]), blocks[:, :-1]], axis=1)
            return ops.concatenate([before, blocks], axis=2)

        blocks = [split(query), *(with_block_before(split(array)) for array in (key, value))]
        key_positions = ops.arange(2 * size) - size  # below 0 in the block before
        is_visible = self._is_visible(ops.arange(size)[:, None] - key_positions)
        exists = (ops.arange(count) > 0)[:, None] | (key_positions >= 0)
        mask = ops.tile((is_visible & exists[:, None])[:, None], (batch, 1, 1, 1))
        outputs = ops.dot_product_attention(
            *(ops.reshape(array, (batch * count, -1, *head_shape)) for array in blocks), mask=mask
        )
        return ops.reshape(outputs, (batch, count * size, *head_shape))[:, :length]

    def _is_visible(self, distance: Any) -> Any:
        """Return whether a query attends to a key so many positions before it."""
        return (distance >= 0) & (distance < self.sliding_window)


@keras.saving.register_keras_serializable("keras_fm")
class TransformerDecoder(layers.Layer):
    """Block of a decoder: causal attention and two dense layers, `[batch, length, width]`.

    Each half normalizes its inputs and adds to them (Xiong et al. 2020, arXiv:2002.04745). The
    activation is the square of a ReLU (So et al. 2021, "Primer", arXiv:2109.08668): GELU costs as
    much as a matrix product on a CPU.

    Args:
        num_heads: As in `CausalSelfAttention`.
        intermediate_dim: The width between the two dense layers.
        sliding_window: As in `CausalSelfAttention`.
        dropout: The rate for the outputs of both halves, with one mask for all positions of a
            sequence (Gal and Ghahramani 2016, arXiv:1512.05287): with a mask for each, an epoch of
            a small GPT took 5 % longer.
        **kwargs: As in `keras.layers.Layer`.
    """

    def __init__(
        self,
        num_heads: int,
        intermediate_dim: int,
        sliding_window: int,
        dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        """Create the layer."""
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.intermediate_dim = intermediate_dim
        self.sliding_window = sliding_window
        self.dropout = dropout

    def build(self, input_shape: Any) -> None:
        """Create the weights."""
        width = input_shape[-1]
        options: dict[str, Any] = {"dtype": self.dtype_policy}
        self.attention_norm, self.dense_norm = (
            FastLayerNormalization(name=name, **options)
            for name in ("attention_norm", "dense_norm")
        )
        self.attention = CausalSelfAttention(
            self.num_heads, self.sliding_window, name="attention", **options
        )
        self.dense1 = layers.Dense(self.intermediate_dim, use_bias=False, name="dense1", **options)
        # Zeros, as in the attention.
        self.dense2 = layers.Dense(
            width, use_bias=False, kernel_initializer="zeros", name="dense2", **options
        )
        self.attention_dropout, self.dense_dropout = (
            layers.Dropout(self.dropout, noise_shape=(None, 1, width), **options) for _ in range(2)
        )
        for layer in (self.attention_norm, self.attention, self.dense_norm, self.dense1):
            layer.build(input_shape)
        self.dense2.build((*input_shape[:-1], self.intermediate_dim))

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Compute all positions at once."""
        y = self.attention_norm(inputs, training=training)
        y = self.attention(y, training=training)
        x = inputs + self.attention_dropout(y, training=training)
        y = self._transform(self.dense_norm(x, training=training))
        return x + self.dense_dropout(y, training=training)

    def get_initial_state(self, batch_size: Any) -> list[Any]:
        """Return the cache of `step` before the first position."""
        return self.attention.get_initial_state(batch_size)

    def step(self, inputs: Any, cache: Any) -> tuple[Any, list[Any]]:
        """Compute the next position `[batch, width]`; return it, and the cache behind it.

        It is what `call` returns for this position in inference.
        """
        y, cache = self.attention.step(self.attention_norm(inputs), cache)
        x = inputs + y
        return x + self._transform(self.dense_norm(x)), cache

    def compute_output_shape(self, input_shape: Any) -> Any:
        """Return the shape of the inputs."""
        return input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        config = {
            "num_heads": self.num_heads,
            "intermediate_dim": self.intermediate_dim,
            "sliding_window": self.sliding_window,
            "dropout": self.dropout,
        }
        return {**super().get_config(), **config}

    def _transform(self, x: Any) -> Any:
        return self.dense2(ops.square(ops.relu(self.dense1(x))))

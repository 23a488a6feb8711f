"""Layers of models of tables."""

from typing import Any, Literal

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("keras_fm")
class FillMissing(keras.layers.Layer):
    """Turns NaN into 0, which behind a `Normalization` is the mean, and says where it was.

    Input: `[batch, columns]`. Output: `[batch, 2 * columns]`, the second half 1 where NaN was.
    """

    def call(self, inputs: Any) -> Any:
        """Fills and tells."""
        missing = ops.isnan(inputs)
        filled = ops.where(missing, ops.zeros_like(inputs), inputs)
        return ops.concatenate([filled, ops.cast(missing, filled.dtype)], axis=-1)


@keras.saving.register_keras_serializable("keras_fm")
class PiecewiseLinear(keras.layers.Layer):
    """Numbers as how far they come through each of some bins: `[batch, columns, bins + 1]`.

    0 in bins above the number, 1 in those below, in its own bin the part of the way; the last
    place is 1 for NaN, where the others are 0. Beyond the outer edges nothing changes.
    Source: Gorishniy, Rubachev and Babenko 2022, "On Embeddings for Numerical Features in Tabular
    Deep Learning" (arXiv:2203.05556).

    Args:
        bins: of each column; `adapt` lays their edges at the quantiles of the training data.
    """

    def __init__(self, bins: int, **options: Any) -> None:
        super().__init__(**options)
        self.bins = bins

    def build(self, input_shape: Any) -> None:
        """Makes room for the edges, `[columns, bins + 1]`."""
        self.edges = self.add_weight(
            shape=(input_shape[-1], self.bins + 1),
            initializer="zeros",
            trainable=False,
            dtype="float32",
            name="edges",
        )

    def adapt(self, table: np.ndarray) -> None:
        """Sets the edges from `[examples, columns]`; NaN does not count."""
        steps = np.linspace(0, 1, self.bins + 1)
        self.edges.assign(np.nan_to_num(np.nanquantile(table, steps, axis=0).T))

    def call(self, inputs: Any) -> Any:
        """Encodes."""
        edges = ops.convert_to_tensor(self.edges)
        lower, upper = edges[:, :-1], edges[:, 1:]
        # A value that fills whole quantiles makes bins without width: those are passed in a step.
        width = ops.maximum(upper - lower, 1e-6 * (1 + ops.abs(upper)))
        missing = ops.isnan(inputs)
        known = ops.where(missing, ops.zeros_like(inputs), inputs)[..., None]
        passed = ops.clip((known - lower) / width, 0, 1)
        flag = ops.cast(missing, passed.dtype)[..., None]
        return ops.concatenate([passed * (1 - flag), flag], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return {**super().get_config(), "bins": self.bins}


@keras.saving.register_keras_serializable("keras_fm")
class MeanOfMembers(keras.layers.Layer):
    """The mean answer of an ensemble: `[batch, members, outputs]` -> `[batch, outputs]`.

    It adds to the loss by how much the members' mean loss is above the loss of their mean, so that
    each learns as if alone. For both losses that difference does not depend on the targets.
    Source: Gorishniy et al. 2024, "TabM" (arXiv:2410.24210), trains the members so.

    Args:
        loss: "square" of a regression, or "cross_entropy" (of logits).
    """

    def __init__(self, loss: Literal["square", "cross_entropy"], **options: Any) -> None:
        super().__init__(**options)
        self.loss = loss

    def call(self, inputs: Any) -> Any:
        """Averages."""
        mean = ops.mean(inputs, axis=1)
        if self.loss == "square":
            gap = ops.sum(ops.var(inputs, axis=1), axis=-1)
        else:
            gap = ops.mean(ops.logsumexp(inputs, axis=-1), axis=1) - ops.logsumexp(mean, axis=-1)
        self.add_loss(ops.mean(gap))
        return mean

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return {**super().get_config(), "loss": self.loss}

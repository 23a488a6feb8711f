"""Layers for tabular data."""

import math
from typing import Any, Literal, get_args

import keras
import numpy as np
from keras import ops

Loss = Literal["squared_error", "cross_entropy"]


@keras.saving.register_keras_serializable("keras_fm")
class ImputeMissing(keras.layers.Layer):
    """Imputation of NaN by 0, which behind a `Normalization` is the mean, with indicators.

    Input: `[batch, columns]`. Output: `[batch, 2 * columns]`; the second half is 1 where NaN was,
    0 elsewhere.

    Args:
        indicators: Whether there is a second half.
        **kwargs: As in `keras.layers.Layer`.
    """

    def __init__(self, indicators: bool = True, **kwargs: Any) -> None:
        """Create the layer."""
        super().__init__(**kwargs)
        self.indicators = indicators

    def call(self, inputs: Any) -> Any:
        """Impute, and append the indicators."""
        missing = ops.isnan(inputs)
        imputed = ops.where(missing, ops.zeros_like(inputs), inputs)
        if not self.indicators:
            return imputed
        return ops.concatenate([imputed, ops.cast(missing, imputed.dtype)], axis=-1)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Return `[batch, 2 * columns]`."""
        *batch, columns = input_shape
        factor = 2 if self.indicators else 1
        return (*batch, None if columns is None else factor * columns)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "indicators": self.indicators}


@keras.saving.register_keras_serializable("keras_fm")
class PiecewiseLinearEncoding(keras.layers.Layer):
    """Piecewise linear encoding of numbers: `[batch, columns]` -> `[batch, columns, bins + 1]`.

    0 in the bins above the number, 1 in those below, and in its own bin the position between the
    edges, from 0 to 1; the last feature is 1 for NaN, where the others are 0. Numbers beyond the
    outer edges are encoded as these.
    Source: Gorishniy, Rubachev and Babenko 2022, "On Embeddings for Numerical Features in Tabular
    Deep Learning" (arXiv:2203.05556).

    Inputs are not cast to a narrower dtype: in float16 neighboring edges can be equal.

    Args:
        bins: The number of bins of each column; `adapt` sets their edges to quantiles of the
            training data.
        **kwargs: As in `keras.layers.Layer`.
    """

    def __init__(self, bins: int, **kwargs: Any) -> None:
        """Create the layer."""
        super().__init__(**kwargs)
        self.bins = bins
        self.autocast = False

    def build(self, input_shape: Any) -> None:
        """Create the edges, `[columns, bins + 1]`."""
        self.edges = self.add_weight(
            shape=(input_shape[-1], self.bins + 1),
            initializer="zeros",
            trainable=False,
            dtype="float32",
            autocast=False,
            name="edges",
        )

    def adapt(self, table: np.ndarray) -> None:
        """Set the edges to quantiles of `[examples, columns]`, NaN ignored."""
        if not self.built:
            self.build(table.shape)
        probabilities = np.linspace(0, 1, self.bins + 1)
        self.edges.assign(np.nan_to_num(np.nanquantile(table, probabilities, axis=0).T))

    def call(self, inputs: Any) -> Any:
        """Encode the numbers."""
        inputs = ops.cast(inputs, keras.backend.result_type(inputs.dtype, "float32"))
        edges = ops.cast(self.edges, inputs.dtype)
        lower, upper = edges[:, :-1], edges[:, 1:]
        # A value that fills whole quantiles makes bins without width: there the encoding is a step.
        width = ops.maximum(upper - lower, 1e-6 * (1 + ops.abs(upper)))
        missing = ops.isnan(inputs)
        numbers = ops.where(missing, ops.zeros_like(inputs), inputs)[..., None]
        encoded = ops.clip((numbers - lower) / width, 0, 1)
        indicator = ops.cast(missing, encoded.dtype)[..., None]
        outputs = ops.concatenate([encoded * (1 - indicator), indicator], axis=-1)
        return ops.cast(outputs, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Return `[batch, columns, bins + 1]`."""
        return (*input_shape, self.bins + 1)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "bins": self.bins}


@keras.saving.register_keras_serializable("keras_fm")
class SmoothClip(keras.layers.Layer):
    """Numbers far from 0 are drawn in: `x / sqrt(1 + (x / limit)^2)`; NaN stays.

    Those near 0 stay as they are, and none is beyond the limit, so that an outlier has no more say
    than a large number.
    Source: Holzmueller, Grinsztajn and Steinwart 2024, "Better by Default" (arXiv:2407.04491).

    Args:
        limit: Of the absolute value.
        **kwargs: As in `keras.layers.Layer`.
    """

    def __init__(self, limit: float = 3.0, **kwargs: Any) -> None:
        """Create the layer."""
        super().__init__(**kwargs)
        self.limit = limit

    def call(self, inputs: Any) -> Any:
        """Clip."""
        # Divided first: the square of a number that float32 holds may be one that it does not.
        parts = ops.clip(inputs / self.limit, -1e9, 1e9)
        return self.limit * parts * ops.rsqrt(1 + ops.square(parts))

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Return the shape of the inputs."""
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "limit": self.limit}


@keras.saving.register_keras_serializable("keras_fm")
class MeanProbability(keras.layers.Layer):
    """Logits of the members' mean probabilities: `[batch, members, classes]` -> `[batch, classes]`.

    Their softmax is the mean of the members' softmax.
    """

    def call(self, inputs: Any) -> Any:
        """Average."""
        log_probabilities = ops.log_softmax(inputs, axis=-1)
        return ops.logsumexp(log_probabilities, axis=1) - math.log(inputs.shape[1])

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Return `[batch, classes]`."""
        batch, _, classes = input_shape
        return (batch, classes)


@keras.saving.register_keras_serializable("keras_fm")
class EnsembleMean(keras.layers.Layer):
    """The mean of an ensemble's outputs: `[batch, members, outputs]` -> `[batch, outputs]`.

    It adds to the loss the difference between the mean loss of the members and the loss of their
    mean, so that each member is trained as if alone. For both losses that difference does not
    depend on the targets.
    Source: Gorishniy et al. 2024, "TabM" (arXiv:2410.24210), trains the members so.

    Args:
        loss: "squared_error", or "cross_entropy" of logits.
        **kwargs: As in `keras.layers.Layer`.
    """

    def __init__(self, loss: Loss, **kwargs: Any) -> None:
        """Create the layer."""
        super().__init__(**kwargs)
        if loss not in get_args(Loss):
            raise ValueError(f"loss must be one of {', '.join(get_args(Loss))}; received {loss!r}")
        self.loss = loss

    def call(self, inputs: Any) -> Any:
        """Average, and add the difference to the loss."""
        mean = ops.mean(inputs, axis=1)
        if self.loss == "squared_error":
            difference = ops.sum(ops.var(inputs, axis=1), axis=-1)
        else:
            member_loss = ops.mean(ops.logsumexp(inputs, axis=-1), axis=1)
            difference = member_loss - ops.logsumexp(mean, axis=-1)
        self.add_loss(ops.mean(difference))
        return mean

    def compute_output_shape(self, input_shape: Any) -> tuple[int | None, ...]:
        """Return `[batch, outputs]`."""
        batch, _, outputs = input_shape
        return (batch, outputs)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {**super().get_config(), "loss": self.loss}

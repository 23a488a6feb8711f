"""Initializers that Keras lacks."""

from typing import Any

import keras
import numpy as np
from keras import ops


@keras.saving.register_keras_serializable("keras_fm")
class Dirac(keras.initializers.VarianceScaling):
    """Random convolution kernels whose first filters pass an input channel on unchanged.

    The weights from the first channel to the first filter are the identity, and so on for each
    pair; those between different channels are random, uniform as in PyTorch's convolutions. The
    signal reaches the logits from the first step on, without residual connections.
    Source: Zagoruyko and Komodakis 2017, "DiracNets"; airbench94.

    Args:
        seed: As in Keras' random initializers.
    """

    def __init__(self, seed: Any = None) -> None:
        """Create the initializer."""
        super().__init__(scale=1 / 3, mode="fan_in", distribution="uniform", seed=seed)

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Return a kernel `[*spatial, channels, filters]`."""
        *spatial, channels, filters = shape
        # The pixel of the window that padding "same" aligns with the output.
        center = tuple((size - 1) // 2 for size in spatial)
        diagonal = np.eye(channels, filters, dtype="float32")
        identity = np.zeros(shape, "float32")
        identity[center] = diagonal
        kernel = ops.where(diagonal == 1, identity, super().__call__(shape, "float32"))
        return ops.cast(kernel, dtype or "float32")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"seed": keras.saving.serialize_keras_object(self.seed)}


@keras.saving.register_keras_serializable("keras_fm")
class Rademacher(keras.initializers.RandomUniform):
    """Random signs: 1 or -1 with equal probability.

    Args:
        seed: As in Keras' random initializers.
    """

    def __init__(self, seed: Any = None) -> None:
        """Create the initializer."""
        super().__init__(minval=-1.0, maxval=1.0, seed=seed)

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Return an array of signs."""
        signs = ops.where(super().__call__(shape, "float32") < 0, -1.0, 1.0)
        return ops.cast(signs, dtype or "float32")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {"seed": keras.saving.serialize_keras_object(self.seed)}


@keras.saving.register_keras_serializable("keras_fm")
class PassOnLast(keras.initializers.Initializer):
    """Kernels that pass the last inputs on unchanged, and weigh all others by zero."""

    def __call__(self, shape: tuple[int, ...], dtype: Any = None) -> Any:
        """Return a kernel `[..., inputs, outputs]`."""
        kernel = np.zeros(shape, "float32")
        kernel[..., -shape[-1] :, :] = np.eye(shape[-1])
        return ops.convert_to_tensor(kernel, dtype or "float32")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of the constructor."""
        return {}

"""Small residual network for Fashion-MNIST: eight convolutions, two poolings.

image -> normalize -> conv -> 2 x [+ conv] -> 2 x [conv, pool, 2 or 1 x [+ conv]] -> max -> logits
"""

from typing import Any

import keras
from keras import layers

from keras_fm.layers import FusedBatchNormalization, PackedConv2D
from keras_fm.layers.initializers import Dirac

# Of the training images, 0..255.
MEAN, STDDEV = 72.94, 90.02


def build(num_classes: int = 10) -> keras.Model:
    """Build the model: 117 thousand parameters, many of them at high resolution.

    Input `image`: `[batch, 28, 28, 1]`, 0..255. Output: logits, `[batch, num_classes]`, float32.

    Args:
        num_classes: The number of classes.
    """
    image = keras.Input((28, 28, 1), name="image")
    x = layers.Normalization(mean=MEAN, variance=STDDEV**2, name="normalization")(image)
    x = _convolve(x, 32, "stem")
    x = _add_residual_convolutions(x, 2, "stem")
    for number, depth in enumerate([2, 1], start=1):
        x = _convolve(x, 48, f"block{number}_conv", pool=True)
        x = _add_residual_convolutions(x, depth, f"block{number}")
    x = layers.GlobalMaxPooling2D(name="pool")(x)
    x = layers.Rescaling(1 / 9, name="embedding")(x)
    logits = layers.Dense(num_classes, use_bias=False, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="fashion_cnn")


def _add_residual_convolutions(x: Any, depth: int, name: str) -> Any:
    """Add `depth` convolutions with a residual connection around each (He et al. 2016)."""
    for number in range(1, depth + 1):
        residual = _convolve(x, x.shape[-1], f"{name}_residual{number}")
        x = layers.Add(name=f"{name}_add{number}")([x, residual])
    return x


def _convolve(x: Any, filters: int, name: str, pool: bool = False) -> Any:
    pack = 8 if x.shape[1] < 16 else 1
    x = PackedConv2D(filters, 3, pack=pack, kernel_initializer=Dirac(), name=name)(x)
    if pool:
        x = layers.MaxPooling2D(name=f"{name}_pool")(x)
    x = FusedBatchNormalization(
        scale=False, momentum=0.8, epsilon=1e-5, beta_gain=8.0, name=f"{name}_norm"
    )(x)
    return layers.ReLU(name=f"{name}_relu")(x)

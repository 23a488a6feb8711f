"""Small, fast CIFAR-10 network after airbench94 (Jordan 2024, arXiv:2404.00498).

image -> normalize -> whiten -> 3 x [conv, pool, norm, relu, conv, norm, relu] -> max -> logits
"""

from typing import Any

import keras
import numpy as np
from keras import layers

from keras_fm.data.examples import Examples
from keras_fm.layers import FusedBatchNormalization, PackedConv2D
from keras_fm.layers.initializers import Dirac

# Of CIFAR-10's training images, by channel, 0..255.
MEAN = np.array([125.3, 123.0, 113.9], "float32")
STDDEV = np.array([63.0, 62.1, 66.7], "float32")


def build(num_classes: int = 10, image_size: int | None = 32) -> keras.Model:
    """Build the model: 1.97 M parameters, most of them in the last three convolutions.

    Input `image`: `[batch, 32, 32, 3]`, 0..255. Output: logits, `[batch, num_classes]`, float32.

    Args:
        num_classes: The number of classes.
        image_size: The height and width of the images; None accepts any size from 16 on, as
            progressive resizing needs it.
    """
    image = keras.Input((image_size, image_size, 3), name="image")
    x = layers.Normalization(mean=MEAN, variance=STDDEV**2, name="normalization")(image)
    # Frozen: `adapt` sets it to whiten patches, and training it would only cost time.
    x = layers.Conv2D(24, 2, activation="relu", trainable=False, name="whiten")(x)
    # Packing pays from block 2 on, where a row has at most 15 pixels.
    for number, (filters, pack) in enumerate([(64, 1), (256, 8), (256, 8)], start=1):
        x = _convolve(x, filters, pack, f"block{number}_conv1")
        x = layers.MaxPooling2D(name=f"block{number}_pool")(x)
        x = _normalize_and_activate(x, f"block{number}_norm1")
        x = _convolve(x, filters, pack, f"block{number}_conv2")
        x = _normalize_and_activate(x, f"block{number}_norm2")
    x = layers.GlobalMaxPooling2D(name="pool")(x)
    # Small initial logits keep the softmax soft, so that a high learning rate is stable.
    x = layers.Rescaling(1 / 9, name="embedding")(x)
    logits = layers.Dense(num_classes, use_bias=False, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="cifar_cnn")


def adapt(model: keras.Model, examples: Examples) -> None:
    """Set the frozen stem to the principal components of 2x2 patches, scaled to unit variance.

    Args:
        model: What `build` returned.
        examples: The training examples; the first 5,000 are enough for a 12x12 covariance.
    """
    images = (examples.inputs[:5000] - MEAN) / STDDEV
    corners = [images[:, i : i + 31, j : j + 31] for i in (0, 1) for j in (0, 1)]
    patches = np.stack(corners, axis=-2).reshape(-1, 12)
    variances, components = np.linalg.eigh(patches.T @ patches / len(patches))
    # 5e-4 keeps the components of least variance, which are noise, from being amplified.
    whitened = (components / np.sqrt(variances + 5e-4)).T[::-1].reshape(12, 2, 2, 3)
    # Each component and its negative: the ReLU passes the positive half of both.
    kernel = np.concatenate([whitened, -whitened]).transpose(1, 2, 3, 0)
    model.get_layer("whiten").set_weights([kernel, np.zeros(24)])


def _convolve(x: Any, filters: int, pack: int, name: str) -> Any:
    return PackedConv2D(filters, 3, pack=pack, kernel_initializer=Dirac(), name=name)(x)


def _normalize_and_activate(x: Any, name: str) -> Any:
    # No scale: a ReLU and another normalization follow. The low momentum suits the short training,
    # and the gain multiplies the learning rate of the offsets by 64.
    x = FusedBatchNormalization(scale=False, momentum=0.8, epsilon=1e-5, beta_gain=8.0, name=name)(
        x
    )
    return layers.ReLU(name=f"{name}_relu")(x)

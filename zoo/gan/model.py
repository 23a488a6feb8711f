"""A class-conditional pair after DCGAN (Radford et al. 2016, arXiv:1511.06434).

generator: latent, label -> dense -> 2 x [norm, ReLU, transposed convolution by 2] -> image
discriminator: image -> 3 x [strided convolution, leaky ReLU] -> score, given the label
"""

from typing import Any

import keras
from keras import layers

from keras_fm.layers import FusedBatchNormalization


def build(num_classes: int = 10, latent_width: int = 64) -> keras.Model:
    """The generator.

    Inputs `latent`: `[batch, latent_width]`, standard normal; `label`: `[batch]`, the index of the
    class. Output: `image`, `[batch, 28, 28, 1]`, float32, 0..255.
    """
    latent = keras.Input((latent_width,), name="latent")
    label = keras.Input((), dtype="int32", name="label")
    kind = layers.Embedding(num_classes, latent_width, name="label_embedding")(label)
    x = layers.Concatenate(name="join")([latent, kind])
    x = layers.Dense(7 * 7 * 192, use_bias=False, name="dense")(x)
    x = layers.Reshape((7, 7, 192), name="to_map")(x)
    x = _normalise_and_activate(x, "norm1")
    x = _double(x, 96, "double1", use_bias=False)
    x = _normalise_and_activate(x, "norm2")
    x = _double(x, 32, "double2", use_bias=False)
    x = _normalise_and_activate(x, "norm3")
    x = layers.Conv2D(1, 3, padding="same", activation="tanh", name="draw")(x)
    image = layers.Rescaling(127.5, offset=127.5, dtype="float32", name="image")(x)
    return keras.Model({"latent": latent, "label": label}, image, name="gan")


def discriminator(num_classes: int = 10) -> keras.Model:
    """The generator's opponent, which only training needs.

    Inputs `image`: `[batch, 28, 28, 1]`, 0..255; `label`: `[batch]`. Output: `score`, `[batch]`,
    float32: the log-odds that the image is a real one of this class.

    The label enters by projection (Miyato and Koyama 2018, arXiv:1802.05637): what the image has,
    in the direction of its class, is added to what makes any image look real.
    """
    image = keras.Input((28, 28, 1), name="image")
    label = keras.Input((), dtype="int32", name="label")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="to_unit_range")(image)
    for number, filters in enumerate([48, 96, 192], start=1):
        x = layers.Conv2D(filters, 4, strides=2, padding="same", name=f"conv{number}")(x)
        x = layers.LeakyReLU(0.2, name=f"relu{number}")(x)
    x = layers.Flatten(name="embedding", dtype="float32")(x)
    real = layers.Dense(1, dtype="float32", name="any_class")(x)
    kind = layers.Embedding(num_classes, x.shape[-1], dtype="float32", name="direction")(label)
    kind = layers.Dot(axes=1, dtype="float32", name="this_class")([x, kind])
    both = layers.Add(dtype="float32", name="both")([real, kind])
    score = layers.Reshape((), dtype="float32", name="score")(both)
    return keras.Model({"image": image, "label": label}, score, name="gan_discriminator")


def _double(x: Any, filters: int, name: str, **options: Any) -> Any:
    # 4 divides by the stride, so every pixel is drawn by as many weights: no checkerboard.
    return layers.Conv2DTranspose(filters, 4, strides=2, padding="same", name=name, **options)(x)


def _normalise_and_activate(x: Any, name: str) -> Any:
    x = FusedBatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)
    return layers.ReLU(name=f"{name}_relu")(x)

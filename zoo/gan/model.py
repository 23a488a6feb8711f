"""Class-conditional GAN after DCGAN (Radford et al. 2016, arXiv:1511.06434).

Two networks, the generator and the discriminator:
generator: latent, label -> dense -> 2 x [norm, ReLU, transposed convolution by 2] -> image
discriminator: image -> 3 x [strided convolution, leaky ReLU] -> logit, conditioned on the label
"""

from typing import Any

import keras
from keras import layers

from keras_fm.layers import FusedBatchNormalization


def build(num_classes: int = 10, latent_width: int = 64) -> keras.Model:
    """Build the generator.

    Inputs `latent`: `[batch, latent_width]`, standard normal; `label`: `[batch]`, the index of the
    class. Output: `image`, `[batch, 28, 28, 1]`, float32, 0..255.

    Args:
        num_classes: The number of classes.
        latent_width: The width of the latent vector and of the label embedding.
    """
    latent = keras.Input((latent_width,), name="latent")
    label = keras.Input((), dtype="int32", name="label")
    condition = layers.Embedding(num_classes, latent_width, name="label_embedding")(label)
    x = layers.Concatenate(name="concatenate")([latent, condition])
    x = layers.Dense(7 * 7 * 192, use_bias=False, name="dense")(x)
    x = layers.Reshape((7, 7, 192), name="reshape")(x)
    x = _normalize_and_activate(x, "norm1")
    x = _upsample(x, 96, "upsample1", use_bias=False)
    x = _normalize_and_activate(x, "norm2")
    x = _upsample(x, 32, "upsample2", use_bias=False)
    x = _normalize_and_activate(x, "norm3")
    x = layers.Conv2D(1, 3, padding="same", activation="tanh", name="to_image")(x)
    image = layers.Rescaling(127.5, offset=127.5, dtype="float32", name="image")(x)
    return keras.Model({"latent": latent, "label": label}, image, name="gan")


def discriminator(num_classes: int = 10) -> keras.Model:
    """Build the discriminator, which only training needs.

    Inputs `image`: `[batch, 28, 28, 1]`, 0..255; `label`: `[batch]`. Output: `score`, `[batch]`,
    float32: the log-odds that the image is a real one of this class.

    The label enters by projection (Miyato and Koyama 2018, arXiv:1802.05637): the inner product of
    the image's features and the label embedding is added to an unconditional logit.

    Args:
        num_classes: The number of classes.
    """
    image = keras.Input((28, 28, 1), name="image")
    label = keras.Input((), dtype="int32", name="label")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(image)
    for number, filters in enumerate([48, 96, 192], start=1):
        x = layers.Conv2D(filters, 4, strides=2, padding="same", name=f"conv{number}")(x)
        x = layers.LeakyReLU(0.2, name=f"leaky_relu{number}")(x)
    x = layers.Flatten(name="embedding", dtype="float32")(x)
    unconditional = layers.Dense(1, dtype="float32", name="unconditional")(x)
    condition = layers.Embedding(num_classes, x.shape[-1], dtype="float32", name="label_embedding")(
        label
    )
    projection = layers.Dot(axes=1, dtype="float32", name="projection")([x, condition])
    logit = layers.Add(dtype="float32", name="add")([unconditional, projection])
    score = layers.Reshape((), dtype="float32", name="score")(logit)
    return keras.Model({"image": image, "label": label}, score, name="gan_discriminator")


def _upsample(x: Any, filters: int, name: str, **options: Any) -> Any:
    # The stride divides the kernel size, so every pixel is the sum of as many terms: no
    # checkerboard artifacts.
    return layers.Conv2DTranspose(filters, 4, strides=2, padding="same", name=name, **options)(x)


def _normalize_and_activate(x: Any, name: str) -> Any:
    x = FusedBatchNormalization(momentum=0.9, epsilon=1e-5, name=name)(x)
    return layers.ReLU(name=f"{name}_relu")(x)

"""A tiny GAN and the classifier that evaluates it, in another distribution's package."""

from collections.abc import Callable
from pathlib import Path

import helpers

from keras_fm import registry

MODEL = '''"""A tiny pair."""

import keras
from keras import layers


def build(num_classes: int = 10) -> keras.Model:
    """`latent` [batch, 6] and `label` [batch] -> `image` [batch, 32, 32, 3], 0..255."""
    latent = keras.Input((6,), name="latent")
    label = keras.Input((), dtype="int32", name="label")
    kind = layers.Embedding(num_classes, 6, name="label_embedding")(label)
    x = layers.Concatenate(name="concatenate")([latent, kind])
    x = layers.BatchNormalization(name="norm")(layers.Dense(48, name="dense")(x))
    x = layers.Reshape((4, 4, 3), name="reshape")(x)
    x = layers.Activation("tanh", name="limit")(layers.UpSampling2D(8, name="enlarge")(x))
    image = layers.Rescaling(127.5, offset=127.5, dtype="float32", name="image")(x)
    return keras.Model({"latent": latent, "label": label}, image, name="tiny_gan")


def discriminator(num_classes: int = 10) -> keras.Model:
    """`image` and `label` -> `score` [batch]."""
    image = keras.Input((32, 32, 3), name="image")
    label = keras.Input((), dtype="int32", name="label")
    x = layers.Rescaling(1 / 127.5, offset=-1, name="rescale")(image)
    x = layers.Conv2D(8, 4, strides=4, activation="tanh", name="conv")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    kind = layers.Embedding(num_classes, 8, name="label_embedding")(label)
    x = layers.Concatenate(name="concatenate")([x, kind])
    x = layers.Dense(1, dtype="float32", name="mix")(x)
    score = layers.Reshape((), dtype="float32", name="score")(x)
    return keras.Model({"image": image, "label": label}, score, name="tiny_gan_discriminator")
'''

ENTRY = """name = "tiny_gan"
title = "A tiny GAN"
summary = "For the tests."
task = "image-generation"
dataset = "cifar10"
labels = [
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
]
evaluator = "tiny_net"

[output]
name = "image"
dtype = "uint8"
shape = [32, 32, 3]
description = "RGB, 0..255"

[[inputs]]
name = "latent"
dtype = "float32"
shape = [6]
description = "standard normal"

[[inputs]]
name = "label"
dtype = "int32"
shape = []
description = "the index of the class"
"""

RECIPE = """dataset = "cifar10"
validation_examples = 56
epochs = 3
batch_size = 50
optimizer = "adam"
learning_rate = 0.01
beta_1 = 0.5
r1_gamma = 0.1
ema_momentum = 0.5
precision = "float32"
"""


def install(offer: Callable[..., Path]) -> Path:
    """Install both; return the folder of `tiny_gan`."""
    site = offer({"tiny_net": "their_zoo.tiny_net", "tiny_gan": "their_zoo.tiny_gan"})
    package = site / "tiny_gan"
    package.mkdir()
    (package / "__init__.py").touch()
    for name, text in {"model.py": MODEL, "entry.toml": ENTRY, "recipe.toml": RECIPE}.items():
        (package / name).write_text(text)
    helpers.write_room(site / "tiny_net")
    helpers.write_weights(site / "tiny_net")
    registry.clear_cache()
    return package

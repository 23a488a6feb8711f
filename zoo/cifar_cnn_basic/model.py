"""Small convolutional network of the TensorFlow tutorial "Convolutional Neural Network (CNN)"."""

import keras
from keras import layers


def build(num_classes: int = 10) -> keras.Model:
    """Build the model: three convolutions and two dense layers.

    Input `image`: `[batch, 32, 32, 3]`, 0..255. Output: logits, `[batch, num_classes]`, float32.

    Args:
        num_classes: The number of classes.

    Source: https://www.tensorflow.org/tutorials/images/cnn
    """
    image = keras.Input((32, 32, 3), name="image")
    x = layers.Rescaling(1 / 255, name="rescale")(image)
    x = layers.Conv2D(32, 3, activation="relu", name="conv1")(x)
    x = layers.MaxPooling2D(name="pool1")(x)
    x = layers.Conv2D(64, 3, activation="relu", name="conv2")(x)
    x = layers.MaxPooling2D(name="pool2")(x)
    x = layers.Conv2D(64, 3, activation="relu", name="conv3")(x)
    x = layers.Flatten(name="flatten")(x)
    x = layers.Dense(64, activation="relu", name="embedding")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(image, logits, name="cifar_cnn_basic")

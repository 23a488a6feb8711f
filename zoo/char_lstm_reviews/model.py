"""The network of `char_lstm`: its weights are what that one starts from."""

import keras

from keras_fm.zoo.char_lstm import model as shakespeare


def build(
    vocabulary: int = 66, width: int = 128, units: int = 512, depth: int = 2, dropout: float = 0.05
) -> keras.Model:
    """3.45 M parameters; inputs, output and arguments are those of `char_lstm`'s `build`.

    Args:
        dropout: little, for hardly a character is read twice.
    """
    layers = shakespeare.build(vocabulary, width, units, depth, dropout)
    return keras.Model(layers.input, layers.output, name="char_lstm_reviews")

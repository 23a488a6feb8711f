"""Character-level LSTM language model of film reviews, with the architecture of `char_lstm`.

Its weights initialize the training of `char_lstm`.
"""

import keras

from keras_fm.zoo.char_lstm import model as char_lstm


def build(
    vocabulary_size: int = 66,
    width: int = 128,
    units: int = 512,
    depth: int = 2,
    dropout: float = 0.05,
) -> keras.Model:
    """Build the model: 3.45 M parameters.

    Inputs, output and arguments are those of `char_lstm`'s `build`.

    Args:
        vocabulary_size: As in `char_lstm`.
        width: As in `char_lstm`.
        units: As in `char_lstm`.
        depth: As in `char_lstm`.
        dropout: As in `char_lstm`; low, because hardly any character is read twice.
    """
    model = char_lstm.build(vocabulary_size, width, units, depth, dropout)
    return keras.Model(model.input, model.output, name="char_lstm_reviews")

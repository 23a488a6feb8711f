"""Character-level LSTM language model (Graves 2013, arXiv:1308.0850).

character ids -> embedding -> LSTM -> LSTM -> logits of the next character
"""

import keras
from keras import layers

from keras_fm.layers import FastLSTM


def build(
    vocabulary_size: int = 66,
    width: int = 128,
    units: int = 512,
    depth: int = 2,
    dropout: float = 0.2,
) -> keras.Model:
    """Build the model: 3.45 M parameters, nearly all in the LSTM layers.

    Input `text_ids`: `[batch, length]`, int32, 0 for an unknown character. Output: the logits of
    the next character at each position, `[batch, length, vocabulary_size]`, float32.

    Args:
        vocabulary_size: The number of character ids.
        width: The width of the character embedding. One-hot vectors would do; a narrow embedding
            saves rows of the first kernel.
        units: The units of each LSTM layer.
        depth: The number of LSTM layers.
        dropout: The rate for the inputs and hidden states of each layer, with one mask for a whole
            sequence. A million characters are few for three million parameters: without dropout
            the model overfits.
    """
    text_ids = keras.Input((None,), dtype="int32", name="text_ids")
    x = layers.Embedding(vocabulary_size, width, name="token_embedding")(text_ids)
    for number in range(1, depth + 1):
        x = FastLSTM(
            units,
            return_sequences=True,
            # A dropped input character is lost, so the first layer's inputs are dropped less.
            dropout=dropout if number > 1 else dropout / 4,
            recurrent_dropout=dropout,
            name=f"lstm{number}",
        )(x)
    x = layers.Dropout(dropout, noise_shape=(None, 1, units), name="embedding")(x)
    logits = layers.Dense(vocabulary_size, dtype="float32", name="logits")(x)
    return keras.Model(text_ids, logits, name="char_lstm")

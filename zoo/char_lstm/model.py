"""A character model (Graves 2013, arXiv:1308.0850).

numbers of characters -> embedding -> LSTM -> LSTM -> logits of the next character
"""

import keras
from keras import layers

from keras_fm.layers import QuickLSTM


def build(
    vocabulary: int = 66, width: int = 128, units: int = 512, depth: int = 2, dropout: float = 0.2
) -> keras.Model:
    """3.45 M parameters, nearly all in the LSTM layers.

    Input `text_ids`: `[batch, length]`, int32, 0 for an unknown character. Output: the logits of
    the next character at each place, `[batch, length, vocabulary]`, float32.

    Args:
        vocabulary: how many numbers there are.
        width: of the embedding. One-hot would do; a narrow one spares the first kernel's rows.
        units: of each LSTM layer.
        depth: how many of them.
        dropout: of each layer's inputs and hidden states, one mask for a whole sequence. A million
            characters are few for three million parameters: without it they are learned by heart.
    """
    text_ids = keras.Input((None,), dtype="int32", name="text_ids")
    x = layers.Embedding(vocabulary, width, name="embedding")(text_ids)
    for number in range(1, depth + 1):
        x = QuickLSTM(
            units,
            return_sequences=True,
            dropout=dropout if number > 1 else dropout / 4,  # an input character is soon gone
            recurrent_dropout=dropout,
            name=f"lstm{number}",
        )(x)
    x = layers.Dropout(dropout, noise_shape=(None, 1, units), name="dropout")(x)
    logits = layers.Dense(vocabulary, dtype="float32", name="logits")(x)
    return keras.Model(text_ids, logits, name="char_lstm")

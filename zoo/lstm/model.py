"""Bidirectional LSTM for text classification, with max pooling over the positions.

text -> token ids -> token embedding -> forward, backward LSTM -> max pooling -> logits
Source: Johnson and Zhang 2016, "Supervised and Semi-Supervised Text Categorization using LSTM for
Region Embeddings" (arXiv:1602.02373), for the pooling.
"""

from typing import Any

import keras
from keras import layers

from keras_fm.data import ppmi
from keras_fm.data.examples import Examples
from keras_fm.layers import (
    FastLSTM,
    MaskedGlobalMaxPooling1D,
    ReverseSequence,
)


def build(
    num_classes: int = 2,
    vocabulary_size: int = 20_002,
    width: int = 128,
    units: int = 256,
    dropout: float = 0.5,
) -> keras.Model:
    """Build the model: 3.3 million parameters, most of them in the token embedding.

    Input `text_ids`: `[batch, length]`, int32, 0 for padding behind the text. Output: logits,
    `[batch, num_classes]`, float32.

    Args:
        num_classes: The number of classes.
        vocabulary_size: The number of token ids, padding and unknown among them.
        width: The width of the token embedding.
        units: The units of each LSTM.
        dropout: The rate for the pooled features; half of it for the token embeddings.
    """
    text_ids = keras.Input((None,), dtype="int32", name="text_ids")
    vectors = layers.Embedding(vocabulary_size, width, name="token_embedding")(text_ids)
    reversed_vectors = ReverseSequence(name="reverse")([vectors, text_ids])
    pooled = []
    for direction, x in {"forward": vectors, "backward": reversed_vectors}.items():
        y: Any = layers.SpatialDropout1D(dropout / 2, name=f"{direction}_dropout")(x)
        y = FastLSTM(units, return_sequences=True, name=direction)(y)
        pooled.append(MaskedGlobalMaxPooling1D(name=f"{direction}_max_pool")([y, text_ids]))
    x = layers.Concatenate(name="concatenate")(pooled)
    x = layers.Dropout(dropout, name="embedding")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(text_ids, logits, name="lstm")


def adapt(model: keras.Model, examples: Examples) -> None:
    """Set the token embedding to word vectors from the co-occurrences in the examples."""
    embedding = model.get_layer("token_embedding")
    vocabulary_size, width = embedding.embeddings.shape
    embedding.set_weights([ppmi.ppmi_embeddings(examples.inputs, vocabulary_size, width)])

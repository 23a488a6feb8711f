"""Two LSTMs read a text, one forwards and one backwards; the strongest of each feature counts.

text -> numbers of words -> words -> forward, backward -> max over the text -> logits
Source: Johnson and Zhang 2016, "Supervised and Semi-Supervised Text Categorization using LSTM for
Region Embeddings" (arXiv:1602.02373), for the pooling.
"""

from typing import Any

import keras
from keras import layers

from keras_fm.data import ppmi
from keras_fm.data.examples import Examples
from keras_fm.layers import MaxOverText, QuickLSTM, ReverseTexts


def build(
    num_classes: int = 2,
    vocabulary: int = 20_002,
    width: int = 128,
    units: int = 256,
    dropout: float = 0.5,
) -> keras.Model:
    """3.3 million parameters, most of them the words' vectors.

    Input `text_ids`: `[batch, length]`, int32, 0 for padding behind the text. Output: logits,
    `[batch, num_classes]`, float32.

    Args:
        vocabulary: how many numbers of words there are, padding and unknown among them.
        width: of a word's vector.
        units: of each LSTM.
        dropout: of what the pooling answers; half as much of the words' vectors.
    """
    text_ids = keras.Input((None,), dtype="int32", name="text_ids")
    words = layers.Embedding(vocabulary, width, name="words")(text_ids)
    ways = {"forward": words, "backward": ReverseTexts(name="reverse")([words, text_ids])}
    strongest = []
    for way, vectors in ways.items():
        x: Any = layers.SpatialDropout1D(dropout / 2, name=f"{way}_dropout")(vectors)
        x = QuickLSTM(units, return_sequences=True, name=way)(x)
        strongest.append(MaxOverText(name=f"{way}_strongest")([x, text_ids]))
    x = layers.Concatenate(name="join")(strongest)
    x = layers.Dropout(dropout, name="embedding")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(text_ids, logits, name="lstm")


def adapt(model: keras.Model, examples: Examples) -> None:
    """Sets the words' vectors by which words stand near each other."""
    words = model.get_layer("words")
    count, width = words.embeddings.shape
    words.set_weights([ppmi.ppmi_embeddings(examples.inputs, count, width)])

"""A BERT encoder (Devlin et al. 2018, arXiv:1810.04805), small enough to learn on two cores.

pieces -> words -> 4 x [attention, two dense layers] -> mean over the text -> logits

Pre-norm (Xiong et al. 2020, arXiv:2002.04745): each block normalises what it reads, so that the sum
runs through untouched and the highest rates are stable from the first steps on; BERT itself
normalises the sum and needs a long warm-up. Attention by distances (Su et al. 2021,
arXiv:2104.09864), not by vectors of positions: those behind the short windows of the pretraining
never learned. No biases (Warner et al. 2024, "ModernBERT", arXiv:2412.13663), and ReLU, for GELU
costs as much as a product here.
"""

from typing import Any

import keras
from keras import layers, ops

from keras_fm.data import ppmi
from keras_fm.data.examples import Examples
from keras_fm.layers import MeanOverText, QuickLayerNormalization, RotaryAttention

PADDING = 0


def build(
    num_classes: int = 2,
    vocabulary: int = 8192,
    width: int = 256,
    depth: int = 4,
    heads: int = 4,
    hidden: int = 1024,
    dropout: float = 0.1,
) -> keras.Model:
    """5.2 million parameters, 2.1 of them the pieces' vectors.

    Input `text_ids`: `[batch, length]`, int32, 0 for padding behind the text. Output: logits,
    `[batch, num_classes]`, float32.

    Args:
        vocabulary: how many numbers of pieces there are, padding and unknown among them.
        width: of a piece's vector. depth: blocks. heads: of the attention in each.
        hidden: width of the first dense layer in each block.
        dropout: of what each block adds, and of the embedding.
    """
    text_ids = keras.Input((None,), dtype="int32", name="text_ids")
    words = layers.ReversibleEmbedding(vocabulary, width, name="words")
    x = _encode(text_ids, words, depth, heads, hidden, dropout)
    # The mean, not the first place: the language model never asked that one for the whole text.
    x = MeanOverText(name="mean")([x, text_ids])
    x = layers.Dropout(dropout, name="embedding")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(text_ids, logits, name="mini_bert")


def build_masked_language_model(
    vocabulary: int = 8192,
    width: int = 256,
    depth: int = 4,
    heads: int = 4,
    hidden: int = 1024,
) -> keras.Model:
    """The same encoder, which says what stood at some places.

    Inputs: `text_ids` as above, and `places`, `[batch, asked]`, int32: where to guess. Output:
    logits, `[batch, asked, vocabulary]`, float32; they share the pieces' vectors.

    No dropout: there is more text than it can learn by heart.
    """
    text_ids = keras.Input((None,), dtype="int32", name="text_ids")
    places = keras.Input((None,), dtype="int32", name="places")
    words = layers.ReversibleEmbedding(vocabulary, width, name="words")
    x = _encode(text_ids, words, depth, heads, hidden, dropout=0.0)
    x = ops.take_along_axis(x, places[..., None], axis=1)
    x = layers.Dense(width, activation="relu", name="guess")(x)
    x = QuickLayerNormalization(name="guess_norm")(x)
    logits = layers.Activation("linear", dtype="float32", name="logits")(words(x, reverse=True))
    inputs = {"text_ids": text_ids, "places": places}
    return keras.Model(inputs, logits, name="mini_bert_masked_language_model")


def adapt_masked_language_model(model: keras.Model, examples: Examples) -> None:
    """Sets the pieces' vectors by which pieces stand near each other; it goes on from there."""
    words = model.get_layer("words")
    count, width = words.embeddings.shape
    vectors = ppmi.ppmi_embeddings(examples.inputs["text_ids"], count, width)
    words.set_weights([vectors / 10])  # as small as random ones: they are the head's weights too


def _encode(
    text_ids: Any,
    words: layers.Layer,
    depth: int,
    heads: int,
    hidden: int,
    dropout: float,
) -> Any:
    """`[batch, length]` -> `[batch, length, width]`."""
    width = words.output_dim
    x = words(text_ids)
    seen = ops.expand_dims(ops.not_equal(text_ids, PADDING), 1)
    for number in range(1, depth + 1):
        y = QuickLayerNormalization(name=f"attention{number}_norm")(x)
        attend = RotaryAttention(heads, width // heads, use_bias=False, name=f"attention{number}")
        y = attend(y, y, attention_mask=seen)
        x = x + _drop(dropout, width, f"attention{number}_dropout")(y)
        y = QuickLayerNormalization(name=f"dense{number}_norm")(x)
        y = layers.Dense(hidden, activation="relu", use_bias=False, name=f"dense{number}a")(y)
        y = layers.Dense(width, use_bias=False, name=f"dense{number}b")(y)
        x = x + _drop(dropout, width, f"dense{number}_dropout")(y)
    return QuickLayerNormalization(name="encoder_norm")(x)


def _drop(share: float, width: int, name: str) -> layers.Layer:
    """One mask for a whole text (Gal and Ghahramani 2016, arXiv:1512.05287).

    A mask for each place takes an eighth of a training step here: so many random numbers.
    """
    return layers.Dropout(share, noise_shape=(None, 1, width), name=name)

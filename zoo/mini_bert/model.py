"""BERT encoder (Devlin et al. 2018, arXiv:1810.04805), small enough to train on two cores.

token ids -> token embedding -> 4 x [attention, two dense layers] -> mean pooling -> logits

Pre-norm (Xiong et al. 2020, arXiv:2002.04745): each block normalizes its inputs, so that the
residual stream stays unscaled and the highest learning rates are stable from the first steps on;
BERT itself normalizes the sum and needs a long warmup. Rotary position embeddings (Su et al. 2021,
arXiv:2104.09864) in place of learned ones: those of positions beyond the short sequences of the
pretraining were never trained. No biases (Warner et al. 2024, "ModernBERT", arXiv:2412.13663), and
ReLU, for GELU costs as much as a matrix product here.
"""

from typing import Any

import keras
from keras import layers, ops

from keras_fm.data import ppmi
from keras_fm.data.examples import Examples
from keras_fm.layers import (
    FastLayerNormalization,
    MaskedGlobalAveragePooling1D,
    RotaryMultiHeadAttention,
)

PADDING = 0


def build(
    num_classes: int = 2,
    vocabulary_size: int = 8192,
    width: int = 256,
    depth: int = 4,
    heads: int = 4,
    hidden: int = 1024,
    dropout: float = 0.1,
) -> keras.Model:
    """Build the classifier: 5.2 million parameters, 2.1 of them in the token embedding.

    Input `text_ids`: `[batch, length]`, int32, 0 for padding behind the text. Output: logits,
    `[batch, num_classes]`, float32.

    Args:
        num_classes: The number of classes.
        vocabulary_size: The number of token ids, padding and unknown among them.
        width: The width of the token embedding and of every block.
        depth: The number of blocks.
        heads: The attention heads of each block.
        hidden: The width of the first dense layer of each block.
        dropout: The rate for the outputs of both halves of each block, and for the pooled features.
    """
    text_ids = keras.Input((None,), dtype="int32", name="text_ids")
    embedding = layers.ReversibleEmbedding(vocabulary_size, width, name="token_embedding")
    x = _encode(text_ids, embedding, depth, heads, hidden, dropout)
    # Not the first position: masked language modeling never trained it to represent the text.
    x = MaskedGlobalAveragePooling1D(name="mean_pool")([x, text_ids])
    x = layers.Dropout(dropout, name="embedding")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(text_ids, logits, name="mini_bert")


def build_for_pretraining(
    vocabulary_size: int = 8192,
    width: int = 256,
    depth: int = 4,
    heads: int = 4,
    hidden: int = 1024,
) -> keras.Model:
    """Build the same encoder with a head for masked language modeling.

    Inputs: `text_ids` as above, and `mask_positions`, `[batch, masks]`, int32: the positions to
    predict. Output: float32 logits `[batch, masks, vocabulary_size]`, by the transposed token
    embedding.

    No dropout: there is more text than the model can overfit.

    Args:
        vocabulary_size: As in `build`.
        width: As in `build`.
        depth: As in `build`.
        heads: As in `build`.
        hidden: As in `build`.
    """
    text_ids = keras.Input((None,), dtype="int32", name="text_ids")
    positions = keras.Input((None,), dtype="int32", name="mask_positions")
    embedding = layers.ReversibleEmbedding(vocabulary_size, width, name="token_embedding")
    x = _encode(text_ids, embedding, depth, heads, hidden, dropout=0.0)
    x = ops.take_along_axis(x, positions[..., None], axis=1)
    x = layers.Dense(width, activation="relu", name="mlm_dense")(x)
    x = FastLayerNormalization(name="mlm_norm")(x)
    logits = embedding(x, reverse=True)
    logits = layers.Activation("linear", dtype="float32", name="logits")(logits)
    inputs = {"text_ids": text_ids, "mask_positions": positions}
    return keras.Model(inputs, logits, name="mini_bert_mlm")


def adapt_for_pretraining(model: keras.Model, examples: Examples) -> None:
    """Set the token embedding to vectors from the co-occurrences in the examples."""
    embedding = model.get_layer("token_embedding")
    vocabulary_size, width = embedding.embeddings.shape
    vectors = ppmi.ppmi_embeddings(examples.inputs["text_ids"], vocabulary_size, width)
    # As small as random initial values: they are the weights of the output layer too.
    embedding.set_weights([vectors / 10])


def _encode(
    text_ids: Any,
    embedding: layers.Layer,
    depth: int,
    heads: int,
    hidden: int,
    dropout: float,
) -> Any:
    """Encode `[batch, length]` as `[batch, length, width]`."""
    width = embedding.output_dim
    x = embedding(text_ids)
    mask = ops.expand_dims(ops.not_equal(text_ids, PADDING), 1)
    for number in range(1, depth + 1):
        y = FastLayerNormalization(name=f"attention{number}_norm")(x)
        attention = RotaryMultiHeadAttention(
            heads, width // heads, use_bias=False, name=f"attention{number}"
        )
        y = attention(y, y, attention_mask=mask)
        x = x + _dropout(dropout, width, f"attention{number}_dropout")(y)
        y = FastLayerNormalization(name=f"dense{number}_norm")(x)
        y = layers.Dense(hidden, activation="relu", use_bias=False, name=f"dense{number}a")(y)
        y = layers.Dense(width, use_bias=False, name=f"dense{number}b")(y)
        x = x + _dropout(dropout, width, f"dense{number}_dropout")(y)
    return FastLayerNormalization(name="encoder_norm")(x)


def _dropout(rate: float, width: int, name: str) -> layers.Layer:
    """Return dropout with one mask for a whole text (Gal and Ghahramani 2016, arXiv:1512.05287).

    A mask for each position takes an eighth of a training step here: so many random numbers.
    """
    return layers.Dropout(rate, noise_shape=(None, 1, width), name=name)

"""Two tiny classifiers of texts, one of words, one of pieces, in somebody else's package.

The latter, `tiny_filler`, begins by filling gaps.
"""

from collections.abc import Callable
from pathlib import Path

import helpers

MODEL = '''"""A tiny reader."""

import keras
from keras import layers


def build(num_classes: int = 2, vocabulary: int = 202, width: int = 4) -> keras.Model:
    """`text_ids` [batch, length] -> logits."""
    text_ids = keras.Input((None,), dtype="int32", name="text_ids")
    x = layers.Embedding(vocabulary, width, name="token_embedding")(text_ids)
    x = layers.Dense(width, activation="tanh", name="mix")(x)
    x = layers.GlobalAveragePooling1D(name="pool")(x)
    x = layers.Dropout(0.5, name="embedding")(x)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(text_ids, logits, name="tiny_reader")
'''

ENTRY = """name = "tiny_reader"
title = "A tiny reader"
summary = "For the tests."
task = "text-classification"
dataset = "imdb_reviews"
labels = ["negative", "positive"]
vocabulary = "vocabulary.txt"

[[inputs]]
name = "text_ids"
dtype = "int32"
shape = ["any"]
max_length = 50
description = "numbers of words"
"""

PIECES = """vocabulary = "vocabulary.txt"
tokenizer = "wordpiece"
pretraining = "fill-mask"
"""

RECIPE = """dataset = "imdb_reviews"
validation_examples = 56
epochs = 2
batch_size = 32
optimizer = "adam"
learning_rate = 0.01
precision = "float32"
"""


FILLER = '''"""A tiny model that fills gaps."""

import keras
from keras import layers, ops


def build(num_classes: int = 2, vocabulary: int = 400, width: int = 4) -> keras.Model:
    """`text_ids` [batch, length] -> logits."""
    text_ids = keras.Input((None,), dtype="int32", name="text_ids")
    x = layers.ReversibleEmbedding(vocabulary, width, name="token_embedding")(text_ids)
    seen = ops.not_equal(text_ids, 0)
    x = layers.GlobalAveragePooling1D(name="embedding")(x, mask=seen)
    logits = layers.Dense(num_classes, dtype="float32", name="logits")(x)
    return keras.Model(text_ids, logits, name="tiny_filler")


def build_for_pretraining(vocabulary: int = 400, width: int = 4) -> keras.Model:
    """`text_ids` [batch, length], `mask_positions` [batch, asked] -> logits [batch, asked, vocabulary]."""
    text_ids = keras.Input((None,), dtype="int32", name="text_ids")
    places = keras.Input((None,), dtype="int32", name="mask_positions")
    words = layers.ReversibleEmbedding(vocabulary, width, name="token_embedding")
    x = layers.Conv1D(width, 3, padding="same", name="mix")(words(text_ids))
    x = ops.take_along_axis(x, mask_positions[..., None], axis=1)
    logits = layers.Activation("linear", dtype="float32", name="logits")(words(x, reverse=True))
    return keras.Model({"text_ids": text_ids, "mask_positions": places}, logits, name="tiny_filler_mlm")
'''


def install(offer: Callable[..., Path]) -> Path:
    """Installs both; the folder of `tiny_reader`."""
    site = offer({"tiny_reader": "their_zoo.tiny_reader", "tiny_filler": "their_zoo.tiny_filler"})
    entry = ENTRY.replace("tiny_reader", "tiny_filler").replace(
        'vocabulary = "vocabulary.txt"', PIECES
    )
    windows = "window = 20\nlong_window = 40\nlong_from = 0.5\nhide_words = 0.2\n"
    words, pieces = _vocabulary("lstm", 200), _vocabulary("mini_bert", 400)
    _write(site / "tiny_reader", MODEL, ENTRY, None, words)
    _write(site / "tiny_filler", FILLER, entry, RECIPE + windows, pieces)
    return site / "tiny_reader"


def _vocabulary(model: str, count: int) -> str:
    words = (helpers.ROOT / "zoo" / model / "vocabulary.txt").read_text("utf-8").split("\n")
    return "".join(f"{word}\n" for word in words[:count])


def _write(room: Path, model: str, entry: str, pretraining: str | None, words: str) -> None:
    room.mkdir()
    (room / "__init__.py").touch()
    files = {
        "model.py": model,
        "entry.toml": entry,
        "recipe.toml": RECIPE,
        "vocabulary.txt": words,
    }
    if pretraining is not None:
        files["pretraining.toml"] = pretraining
    for name, text in files.items():
        (room / name).write_text(text, "utf-8")
